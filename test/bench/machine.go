package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is what the figures were taken on.
type machine struct {
	Kernel string `json:"kernel"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	Date   string `json:"date"`
	Before string `json:"load_before"`
	After  string `json:"load_after"`
}

func thisMachine() machine {
	var u unix.Utsname
	_ = unix.Uname(&u)
	return machine{Kernel: unix.ByteSliceToString(u.Release[:]), CPU: cpu(), Cores: runtime.NumCPU(),
		Go: runtime.Version(), Date: time.Now().Format("2006-01-02"), Before: load()}
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// load are the load averages of 1, 5 and 15 minutes.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	words := strings.Fields(string(text))
	if len(words) < 3 {
		return "unknown"
	}
	return strings.Join(words[:3], " ")
}

// circumstances say how far the figures can be trusted.
func (r *report) circumstances() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d cores, Linux %s, %s, %s.\n", m.CPU, m.Cores, m.Kernel, m.Go, m.Date)
	fmt.Fprintf(&b, "Load averages %s before and %s after.", m.Before, m.After)
	if s := r.find(key{"start", idle, 0, "run"}); s != nil {
		low, mid, high := quantile(s.Values, 0.25), median(s.Values), quantile(s.Values, 0.75)
		fmt.Fprintf(&b, " A Go program that does nothing\ntook %.2f ms (quartiles %.2f and %.2f): the noise is %.0f %%.",
			mid, low, high, 100*(high-low)/mid)
	}
	b.WriteString("\n")
	return b.String()
}
