package proc

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRecord: a record names no process and no log but those of its own path.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"container":"web","pid":7,"log":"/run/cnet/log/web-7.log","command":["sleep"]}`))
	f.Add([]byte(`{"container":"../..","pid":-1,"log":"/etc/shadow"}`))
	f.Add([]byte(`{"container":"web","pid":7,"log":"/etc/shadow"}`))
	path := filepath.Join(recordDir, "web", "7.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseRecord(path, data)
		if err == nil && (p.PID != 7 || p.Container != "web" || p.Log != logDir+"/web-7.log") {
			t.Errorf("%q reads as %+v", data, p)
		}
	})
}

// FuzzStat reads what the kernel may say of a process that calls itself anything.
func FuzzStat(f *testing.F) {
	f.Add("sh", "S")
	f.Add(") Z 1 1 1 (", "Z")
	f.Add("\n", "")
	f.Fuzz(func(t *testing.T, name, state string) {
		if strings.ContainsAny(state, ") ") || len(strings.Fields(state)) != 1 || strings.TrimSpace(state) != state {
			return
		}
		line := "7 (" + name + ") " + state + " 1 7 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 1"
		s, err := parseStat(line)
		if err != nil || s != (stat{state, 42, 9876}) {
			t.Errorf("%q reads as %+v, %v", line, s, err)
		}
		_, _ = parseStat(name)
	})
}
