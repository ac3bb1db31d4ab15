package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// weigh measures a program's time, the bytes that it and those that it starts
// write, and the files that are others afterwards.
func (h *host) weigh(metric string, words ...string) error {
	files, bytes := stateFiles(), written()
	if err := h.time(metric, words...); err != nil {
		return err
	}
	h.figures[metric+" kB"] = float64(written()-bytes) / 1000
	h.figures[metric+" files"] = float64(stateFiles().since(files))
	return nil
}

// written is what this process and the programs that it waited for have written,
// as the kernel counts it (wchar in proc_pid_io(5)).
func written() int {
	text, _ := os.ReadFile("/proc/self/io")
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	number, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.Atoi(number)
	return n
}

// stamps are the files of cnet with their inode numbers: every write is a new file.
type stamps map[string]uint64

func stateFiles() stamps {
	found := make(stamps)
	for _, dir := range []string{"/var/lib/cnet", "/run/cnet"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				var st unix.Stat_t
				if unix.Lstat(path, &st) == nil {
					found[path] = st.Ino
				}
			}
			return nil
		})
	}
	return found
}

// since counts the files that are new, another, or gone.
func (s stamps) since(before stamps) int {
	n := 0
	for path, ino := range s {
		if before[path] != ino {
			n++
		}
	}
	for path := range before {
		if _, ok := s[path]; !ok {
			n++
		}
	}
	return n
}
