package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/topology"
)

// Settings of a soak, in the environment: how many cycles, and a file that gets
// the table line by line, for a long one. `make soak` sets both.
const (
	soakCycles = "CNET_SOAK"
	soakTable  = "CNET_SOAK_TABLE"
)

// TestSoak does the life of a container over and over, and counts what is there
// between two lives: nothing may grow. One soak is of commands, each a process;
// the other has all of them done by this process, as a program would that uses
// the packages for weeks.
func TestSoak(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		run  func(*testing.T) func(args ...string)
	}{
		{"commands", processes},
		{"library", inProcess},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) { soak(t, c.name, c.run(t)) })
		})
	}
}

// processes runs each command in a process of its own.
func processes(t *testing.T) func(args ...string) {
	dir := cnetDir(t)
	env := append(os.Environ(), environment(dir)...)
	return func(args ...string) {
		cmd := exec.Command(filepath.Join(dir, "cnet"), args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cnet %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// inProcess has the engine do each command here. To go into a container is to
// leave this host: an exec is passed over. (It is not [cli.Run]: cobra remembers
// the flags of every command line that it ever made, in a variable of its own.)
func inProcess(t *testing.T) func(args ...string) {
	e := engine.New()
	return func(args ...string) {
		if args[0] == "exec" {
			return
		}
		var err error
		if args[0] == "check" {
			_, err = e.Check(context.Background())
		} else {
			_, err = e.Change(context.Background(), "cnet "+strings.Join(args, " "), mutation(args))
		}
		if err != nil {
			t.Fatalf("%s: %v", strings.Join(args, " "), err)
		}
	}
}

// mutation is what a command asks of the topology.
func mutation(args []string) engine.Mutation {
	return func(t *topology.Topology, h topology.Host) error {
		name := args[1]
		switch args[0] {
		case "create":
			return t.AddContainer(topology.ContainerSpec{Name: name}, h)
		case "connect":
			return t.Connect(name, topology.AttachSpec{Network: args[2]})
		case "publish":
			var ports []topology.Port
			for _, spec := range args[2:] {
				p, err := topology.ParsePort(spec)
				if err != nil {
					return err
				}
				ports = append(ports, p)
			}
			return t.Published(name, ports, h)
		case "unpublish":
			return t.Unpublished(name, nil)
		case "disconnect":
			return t.Disconnect(name, args[2])
		case "delete":
			return t.RemoveContainer(name)
		}
		if args[0] == "network" && name == "create" {
			return t.AddNetwork(topology.NetworkSpec{Name: args[2], ICC: true}, h)
		}
		return t.RemoveNetwork(args[2])
	}
}

func soak(t *testing.T, name string, cnet func(args ...string)) {
	cycles, every := 12, 4
	if s := os.Getenv(soakCycles); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 2 {
			t.Fatalf("%s=%s: it is a number of cycles, 2 at least", soakCycles, s)
		}
		cycles, every = n, max(n/20, 1)
	}
	hosttest.Host(t, "ip", "link", "set", "lo", "up")
	limitNamespaces(t)
	report := reporter(t, name)
	report(header())
	cnet("network", "create", "lab")
	var first counts
	for i := 1; i <= cycles; i++ {
		life(t, i, cnet)
		if i%every != 0 {
			continue
		}
		now := take(t)
		report(now.row(i))
		if first == nil {
			first = now
		}
		for _, c := range gauges {
			if c.slack >= 0 && now[c.name] > first[c.name]+c.slack {
				t.Errorf("after %d cycles: %d %s, %d after the first %d", i, now[c.name], c.name, first[c.name], every)
			}
		}
	}
}

// life is one cycle. Every tenth also has a network go and come, a program that
// is left running in the background, and a check.
func life(t *testing.T, i int, cnet func(args ...string)) {
	cnet("create", "web")
	cnet("connect", "web", "lab")
	cnet("publish", "web", "8080:80/udp", "8081:80")
	cnet("exec", "web", "--", "true")
	knock(t)
	if i%10 == 0 {
		cnet("exec", "-d", "web", "--", "sleep", "1000")
		cnet("check")
	}
	cnet("unpublish", "web")
	cnet("disconnect", "web", "lab")
	cnet("delete", "web")
	if i%10 == 0 {
		cnet("network", "delete", "lab")
		cnet("network", "create", "lab")
	}
}

// knock sends a datagram to the published port, so that a flow is tracked.
func knock(t *testing.T) {
	c, err := net.Dial("udp", "127.0.0.1:8080")
	if err == nil {
		_, err = c.Write([]byte("knock"))
		c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// gauges are what must not grow, and by how much it may differ all the same.
var gauges = []struct {
	name  string
	slack int
	count func(testing.TB) int
}{
	{"KiB of memory", 16 << 10, func(t testing.TB) int { return field(t, "/proc/self/status", "VmRSS:") }},
	{"KiB of heap", 1 << 10, heap},
	{"files open", 2, func(t testing.TB) int { return entries(t, "/proc/self/fd") }},
	{"threads", 4, func(t testing.TB) int { return entries(t, "/proc/self/task") }},
	{"goroutines", 2, func(testing.TB) int { return runtime.NumGoroutine() }},
	{"processes", 0, living},
	{"links", 0, func(t testing.TB) int { return lineCount(hosttest.Host(t, "ip", "-o", "link")) }},
	{"mounts", 0, func(t testing.TB) int { return lineCount(slurp(t, "/proc/self/mountinfo")) }},
	{"pinned namespaces", 0, func(t testing.TB) int { return entries(t, "/run/netns") }},
	{"rules", 0, func(t testing.TB) int {
		return lineCount(hosttest.Host(t, "iptables-save")) + lineCount(hosttest.Host(t, "ip6tables-save"))
	}},
	{"tracked flows", 8, func(t testing.TB) int { return number(t, "/proc/sys/net/netfilter/nf_conntrack_count") }},
	{"files", 0, files},
	// All of the machine's, with what others do there: shown, and not judged.
	{"KiB of kernel memory", -1, func(t testing.TB) int { return field(t, "/proc/meminfo", "SUnreclaim:") }},
}

// heap is what this process still refers to: [take] has just collected the rest.
func heap(testing.TB) int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 10)
}

type counts map[string]int

func take(t testing.TB) counts {
	reap(t)
	debug.FreeOSMemory() // after a collection
	c := make(counts, len(gauges))
	for _, x := range gauges {
		c[x.name] = x.count(t)
	}
	return c
}

func header() string {
	names := make([]string, len(gauges))
	for i, c := range gauges {
		names[i] = c.name
	}
	return "cycles | " + strings.Join(names, " | ")
}

func (c counts) row(cycle int) string {
	row := fmt.Sprintf("%6d", cycle)
	for _, x := range gauges {
		row += fmt.Sprintf(" | %*d", len(x.name), c[x.name])
	}
	return row
}

// reporter logs lines and, if the environment names a table, writes them there.
func reporter(t *testing.T, name string) func(string) {
	path := os.Getenv(soakTable)
	if path == "" {
		return func(line string) { t.Log(line) }
	}
	f, err := os.Create(path + "." + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func(line string) {
		t.Log(line)
		fmt.Fprintln(f, line)
	}
}

// limitNamespaces has the kernel refuse, in a sandbox that has a user namespace
// of its own, more network and mount namespaces than a cycle or a few need:
// those that nothing names any more cannot be counted (namespaces(7)).
func limitNamespaces(t testing.TB) {
	if strings.Join(strings.Fields(slurp(t, "/proc/self/uid_map")), " ") == "0 0 4294967295" {
		return // the limits would be the machine's
	}
	for _, kind := range []string{"net", "mnt"} {
		if err := os.WriteFile("/proc/sys/user/max_"+kind+"_namespaces", []byte("500"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// reap takes the ends of orphans: this process is number 1 of its sandbox.
func reap(t testing.TB) {
	list, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range list {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(f) > 1 && f[0] == "Z" && f[1] == strconv.Itoa(os.Getpid()) {
			pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
			if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func living(t testing.TB) int {
	list, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// files counts what stands in the folders that cnet writes to.
func files(t testing.TB) (n int) {
	for _, dir := range []string{"/run", "/var/lib/cnet", "/etc/netns"} {
		_ = filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error {
			if err == nil {
				n++
			}
			return nil
		})
	}
	return n
}

func entries(t testing.TB, dir string) int {
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(list)
}

// field is the number after a word in a file of /proc.
func field(t testing.TB, path, word string) int {
	_, rest, _ := strings.Cut(slurp(t, path), word)
	f := strings.Fields(rest)
	if len(f) == 0 {
		t.Fatalf("%s: there is no %s", path, word)
	}
	n, err := strconv.Atoi(f[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func number(t testing.TB, path string) int {
	n, err := strconv.Atoi(strings.TrimSpace(slurp(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func lineCount(text string) int { return strings.Count(text, "\n") }

func slurp(t testing.TB, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
