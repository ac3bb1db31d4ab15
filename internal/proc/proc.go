// Package proc keeps an eye on what was started in containers to run in the
// background: a record and a log for each process, and its end.
//
//	/run/cnet/proc/web/4711.json   who it is
//	/run/cnet/log/web-4711.log     what it wrote
//
// A process number is given again once its process has ended, so a record also
// holds the start time and the boot: the three together name one process.
package proc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"github.com/cnetlab/cnet/internal/store"
)

const (
	recordDir = store.RunDir + "/proc"
	logDir    = store.RunDir + "/log"
	version   = 1 // of the form of a record
)

// Process is the record of a process.
type Process struct {
	Version   int      `json:"version" yaml:"version"`
	Container string   `json:"container" yaml:"container"`
	PID       int      `json:"pid" yaml:"pid"`
	Started   uint64   `json:"started" yaml:"started"` // clock ticks since boot: field 22 of /proc/PID/stat
	Boot      string   `json:"boot" yaml:"boot"`       // /proc/sys/kernel/random/boot_id
	Netns     uint64   `json:"netns" yaml:"netns"`     // the inode of its container's namespace
	Command   []string `json:"command" yaml:"command"`
	// Keep: it is started again when it has ended, in Dir with Env besides what all have.
	Keep bool     `json:"keep,omitempty" yaml:"keep,omitempty"`
	Env  []string `json:"env,omitempty" yaml:"env,omitempty"`
	Dir  string   `json:"dir,omitempty" yaml:"dir,omitempty"`
	Log  string   `json:"log" yaml:"log"`
}

func (p Process) file() string {
	return filepath.Join(recordDir, p.Container, strconv.Itoa(p.PID)+".json")
}

// log is the path of what the process writes.
func (p Process) log() string {
	return filepath.Join(logDir, fmt.Sprintf("%s-%d.log", p.Container, p.PID))
}

// Runs reports whether the process still runs.
func (p Process) Runs() bool {
	s, err := readStat(p.PID)
	return err == nil && p.is(s) && s.state != "Z"
}

// is reports whether what the kernel says is about this process and no later
// one of the same number.
func (p Process) is(s stat) bool {
	boot, err := bootID()
	return err == nil && boot == p.Boot && s.started == p.Started
}

// Containers are the names of the containers that have records.
func Containers() ([]string, error) {
	list, err := owners()
	return slices.DeleteFunc(list, func(name string) bool { return strings.HasPrefix(name, "@") }), err
}

// owners are the names of all that have records.
func owners() ([]string, error) {
	entries, err := os.ReadDir(recordDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// List returns a container's records in the order of their numbers, also of
// processes that have ended by themselves.
func List(container string) ([]Process, error) {
	files, err := filepath.Glob(filepath.Join(recordDir, container, "[0-9]*.json"))
	if err != nil {
		return nil, err
	}
	list := make([]Process, 0, len(files))
	for _, f := range files {
		var p Process
		data, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since the folder was read
		}
		if err == nil {
			p, err = parseRecord(f, data)
		}
		if err != nil {
			return nil, fmt.Errorf("read the process record %s: %w", f, err)
		}
		list = append(list, p)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].PID < list[j].PID })
	return list, nil
}

// parseRecord reads a record. One that is not of the process that its path says
// is refused: what it names would be ended, and removed.
func parseRecord(path string, data []byte) (p Process, err error) {
	if err := json.Unmarshal(data, &p); err != nil {
		return p, err
	}
	if p.PID < 1 || p.file() != path || p.Log != p.log() {
		return p, fmt.Errorf("it is of process %d of container %q, with the log %q", p.PID, p.Container, p.Log)
	}
	return p, nil
}

// stat is what cnet reads of /proc/PID/stat (proc_pid_stat(5)).
type stat struct {
	state   string
	session int
	started uint64
}

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(data))
}

func parseStat(line string) (stat, error) {
	// The second field is the name in parentheses, which may hold anything.
	f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(f) < 20 {
		return stat{}, fmt.Errorf("/proc/PID/stat has an unknown form: %q", line)
	}
	session, err1 := strconv.Atoi(f[3])
	started, err2 := strconv.ParseUint(f[19], 10, 64)
	return stat{f[0], session, started}, errors.Join(err1, err2)
}

// netns is the inode of a namespace's file, 0 where there is none.
func netns(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}
