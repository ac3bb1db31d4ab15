package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// failures are commands that fail in the middle. The host has a network lab
// with a container web. Then something comes in the way, by a script that runs
// before the command or, if meanwhile is set, when cnet has looked at
// everything and is about to take the first step. A second script takes it
// away again, which fails if cnet has touched it.
var failures = []struct {
	name      string
	typed     string
	prefix    string // words before cnet
	obstacle  string
	meanwhile bool
	away      string
	code      int
	says      string
}{
	{
		name: "a namespace of that name", typed: "create db --network lab", meanwhile: true,
		obstacle: "ip netns add db", away: "ip netns del db", code: 4, says: "rolled back",
	},
	{
		name: "a file in the place of the second namespace", typed: "create db cache --network lab", meanwhile: true,
		obstacle: "echo mine > /run/netns/cache", away: "grep -q mine /run/netns/cache; rm /run/netns/cache", code: 4, says: "undone",
	},
	{
		name: "a link of the name of the cable", typed: "create db --network lab --publish 9090:90", meanwhile: true,
		obstacle: "ip link add db-eth0 type bridge", away: "ip link del db-eth0", code: 4, says: "undone",
	},
	{
		name: "a link of the name of the bridge", typed: "network create more", meanwhile: true,
		obstacle: "ip link add cnet-more type bridge", away: "ip link del cnet-more", code: 4, says: "rolled back",
	},
	{
		name: "a chain of cnet's name", typed: "publish web 8080:80", meanwhile: true,
		obstacle: "iptables -t nat -N CNET-PUBLISH", away: "iptables -t nat -X CNET-PUBLISH", code: 4, says: "undone",
	},
	{
		name: "the cable to be unplugged is gone, and its bridge", typed: "create db --network lab", meanwhile: true,
		obstacle: "ip link set cnet-lab name mine", away: "ip link set mine down; ip link set mine name cnet-lab; ip link set cnet-lab up",
		code: 1, says: "undone",
	},
	{
		name: "a full folder of namespaces", typed: "create db cache jobs --network lab",
		obstacle: "mount -t tmpfs -o nr_inodes=3 tmpfs /run/netns; mount --make-shared /run/netns", away: "umount /run/netns",
		code: 1, says: "undone",
	},
	{
		name: "no iptables", typed: "create db --firewall iptables --publish 8080:80", code: 8, says: "iptables",
		prefix: "unshare -m sh -e /run/hide",
		obstacle: `
			touch /run/none
			echo 'for f in /usr/sbin/ip*tables* /sbin/ip*tables*; do mount --bind /run/none $f; done; exec "$@"' > /run/hide`,
		away: "rm /run/none /run/hide",
	},
	{
		name: "iptables-restore fails", typed: "create db --network lab --publish 8080:80", code: 1, says: "undone",
		prefix:   "env PATH=/run/shims:/usr/sbin:/usr/bin:/sbin:/bin",
		obstacle: "mkdir /run/shims; printf '#!/bin/sh\\nexit 4\\n' > /run/shims/iptables-restore; chmod 755 /run/shims/*", away: "rm -r /run/shims",
	},
	{
		name: "ip6tables-restore fails after iptables-restore", typed: "network create six --ipv6", code: 1, says: "undone",
		prefix:   "env PATH=/run/shims:/usr/sbin:/usr/bin:/sbin:/bin",
		obstacle: "mkdir /run/shims; printf '#!/bin/sh\\nexit 4\\n' > /run/shims/ip6tables-restore; chmod 755 /run/shims/*", away: "rm -r /run/shims",
	},
	{
		name: "no right to change links", typed: "create db --network lab", code: 7, says: "undone",
		prefix: "setpriv --bounding-set=-net_admin",
	},
	{
		name: "no right to make namespaces", typed: "create db --network lab", code: 7, says: "root",
		prefix: "setpriv --bounding-set=-sys_admin",
	},
	{
		name: "a full disk", typed: "create db cache --network lab", code: 1, says: "no space left",
		obstacle: `cp -a /var/lib/cnet /run/copy; mount -t tmpfs -o nr_inodes=11 tmpfs /var/lib/cnet; cp -a /run/copy/* /var/lib/cnet/
			touch /var/lib/cnet/full`,
		away: "umount /var/lib/cnet; rm -r /run/copy",
	},
	{
		name: "a full folder of the run", typed: "create db --network lab", code: 1, says: "no space left",
		obstacle: "cp -a /run/cnet /run/copy; mount -t tmpfs -o nr_inodes=6 tmpfs /run/cnet; cp -a /run/copy/* /run/cnet/; touch /run/cnet/full || true",
		away:     "umount /run/cnet; rm -r /run/copy",
	},
	{
		name: "a state folder that cannot be written", typed: "create db --network lab", code: 8, says: "read-only",
		obstacle: "mount --bind /var/lib/cnet /var/lib/cnet; mount -o remount,bind,ro /var/lib/cnet", away: "umount /var/lib/cnet",
	},
	{
		name: "a run folder that cannot be written", typed: "publish web 8080:80", code: 8, says: "read-only",
		obstacle: "mount --bind /run/cnet /run/cnet; mount -o remount,bind,ro /run/cnet", away: "umount /run/cnet",
	},
}

// A command that fails in the middle takes back what it did, says so, and can
// be typed again when nothing is in the way any more.
func TestRollback(t *testing.T) {
	for _, f := range failures {
		f := f
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				must(t, "network", "create", "lab", "--dns=false") // whose process has files of its own
				must(t, "create", "web", "--network", "lab")
				if strings.Contains(f.typed, "--network new") {
					must(t, "delete", "web")
					must(t, "network", "delete", "lab")
					f.typed = strings.Replace(f.typed, "--network new", "", 1)
				}
				kernel, files := hosttest.Snapshot(t), cnetFiles(t)
				args := strings.Fields(f.typed)
				cmd := command(t, args...)
				if f.prefix != "" {
					words := append(strings.Fields(f.prefix), cmd.Args...)
					prefixed := exec.Command(words[0], words[1:]...)
					prefixed.Env = cmd.Env
					cmd = prefixed
				}
				var stderr string
				if f.meanwhile {
					cmd.Args = append(cmd.Args, "--explain")
					stderr = interfere(t, cmd, func() { hosttest.Sh(t, f.obstacle) })
				} else {
					hosttest.Sh(t, f.obstacle)
					stderr = failing(t, cmd)
				}
				hosttest.Sh(t, f.away)
				if code := cmd.ProcessState.ExitCode(); code != f.code || !saysAny(stderr, f.says) {
					t.Errorf("exit code %d, want %d, saying %q\n%s", code, f.code, f.says, stderr)
				}
				if i := strings.LastIndex(stderr, "\ncnet: "); i >= 0 {
					stderr = stderr[i+1:]
				}
				sentence(t, stderr)
				unchanged(t, kernel, files)
				must(t, args...)
				must(t, "check")
			})
		})
	}
}

func unchanged(t *testing.T, kernel string, files map[string]string) {
	t.Helper()
	alike(t, "it left something in the kernel", kernel, hosttest.Snapshot(t))
	if diff := cmp.Diff(files, cnetFiles(t)); diff != "" {
		t.Fatalf("the files changed:\n%s", diff)
	}
}

// failing runs cnet, which must fail and print nothing but its sentence.
func failing(t *testing.T, cmd *exec.Cmd) (stderr string) {
	t.Helper()
	stdout, stderr, _, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if stdout != "" {
		t.Errorf("it printed %q", stdout)
	}
	return stderr
}

// interfere runs cnet --explain and, when it has written its journal and is
// about to take the first step, does something. What cnet wants to say first
// does not fit in the pipe until that is done.
func interfere(t *testing.T, cmd *exec.Cmd, do func()) (stderr string) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(p[1], true); err != nil {
		t.Fatal(err)
	}
	for { // fill it
		if _, err := unix.Write(p[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	if err := unix.SetNonblock(p[1], false); err != nil {
		t.Fatal(err)
	}
	read, write := os.NewFile(uintptr(p[0]), "read"), os.NewFile(uintptr(p[1]), "write")
	defer read.Close()
	cmd.Stderr = write
	err := cmd.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	await(t, "/run/cnet/journal.json")
	do()
	said, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return string(bytes.TrimLeft(said, "\x00"))
}

// await waits for a file, which another process makes.
func await(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s never came", path)
		}
	}
}

// stopped is cnet in the middle of a change: its iptables-restore has begun, has
// done its work or not, and waits to be let go.
type stopped struct {
	*exec.Cmd
	stdout bytes.Buffer
	stderr string // a file
}

func (s *stopped) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.stderr)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// stop starts cnet and returns when its iptables-restore waits, before it did
// its work or, if late, after it.
func stop(t *testing.T, late bool, args ...string) *stopped {
	t.Helper()
	real, err := exec.LookPath("iptables-restore")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	early, then := "", "exec "+real+` "$@"`
	if late {
		early, then = real+` "$@"`+"\n", "exit 0"
	}
	script := fmt.Sprintf("#!/bin/sh\n[ -e /run/gate ] || exec %s \"$@\"\n%s: > /run/waiting\nread line < /run/gate\n%s\n", real, early, then)
	if err := os.WriteFile(filepath.Join(dir, "iptables-restore"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo("/run/gate", 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stopped{Cmd: command(t, args...), stderr: filepath.Join(dir, "stderr")}
	problem, err := os.Create(s.stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer problem.Close()
	s.Cmd.Env = append(s.Cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	s.Cmd.Stdout, s.Cmd.Stderr = &s.stdout, problem
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "/run/waiting")
	return s
}

// letGo lets iptables-restore go on, and those that come later run at once.
func letGo(t *testing.T) {
	t.Helper()
	gate, err := os.OpenFile("/run/gate", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("/run/gate"); err != nil {
		t.Fatal(err)
	}
	if _, err := gate.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gate.Close() })
}

// A change that is interrupted (Ctrl-C) is taken back, at whichever side of its
// netfilter transaction.
func TestInterrupted(t *testing.T) {
	for _, c := range []struct{ name, typed string }{
		{"create", "create db --network lab --publish 9090:90"},
		{"publish", "publish web 9090:90"},
		{"delete", "delete web"},
		{"unpublish", "unpublish web"},
	} {
		for _, late := range []bool{false, true} {
			c, late := c, late
			t.Run(fmt.Sprintf("%s late=%v", c.name, late), func(t *testing.T) {
				t.Parallel()
				hosttest.Run(t, func(t *testing.T) {
					must(t, "network", "create", "lab")
					must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
					kernel, files := hosttest.Snapshot(t), cnetFiles(t)
					s := stop(t, late, strings.Fields(c.typed)...)
					if err := s.Process.Signal(syscall.SIGINT); err != nil {
						t.Fatal(err)
					}
					for !saysAny(s.said(t), "interrupted") {
						time.Sleep(5 * time.Millisecond) // until it has heard; the test's time limit ends it
					}
					letGo(t)
					_ = s.Wait()
					text := s.said(t)
					if code := s.ProcessState.ExitCode(); code != 1 || !saysAny(text, "interrupted") || !saysAny(text, "undone") {
						t.Errorf("exit code %d\n%s", code, text)
					}
					if s.stdout.Len() > 0 {
						t.Errorf("it printed %q", s.stdout.String())
					}
					unchanged(t, kernel, files)
					must(t, strings.Fields(c.typed)...)
					must(t, "check")
				})
			})
		}
	}
}

// A change that is killed is settled by the next command: what only makes is
// undone, what also deletes is finished.
func TestKilled(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		finished    bool
	}{
		{"create", "create db --network lab --publish 9090:90", false},
		{"publish", "publish web 9090:90", false},
		{"delete", "delete web", true},
		{"unpublish", "unpublish web", true},
	} {
		for _, late := range []bool{false, true} {
			c, late := c, late
			t.Run(fmt.Sprintf("%s late=%v", c.name, late), func(t *testing.T) {
				t.Parallel()
				hosttest.Run(t, func(t *testing.T) {
					must(t, "network", "create", "lab")
					must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
					want, files := hosttest.Snapshot(t), cnetFiles(t)
					if c.finished {
						must(t, strings.Fields(c.typed)...)
						want, files = hosttest.Snapshot(t), cnetFiles(t)
						must(t, "reset")
						must(t, "network", "create", "lab")
						must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
					}
					kill(t, stop(t, late, strings.Fields(c.typed)...))
					_, stderr, code := cnet(t, "delete", "nobody", "--if-exists")
					if code != 0 || !saysAny(stderr, "was cut off in the middle") {
						t.Errorf("the next command: exit code %d\n%s", code, stderr)
					}
					unchanged(t, want, files)
					must(t, "check")
				})
			})
		}
	}
}

// kill kills cnet, and its iptables-restore before it goes on.
func kill(t *testing.T, s *stopped) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.Process.Pid, s.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.Wait()
	for _, pid := range strings.Fields(string(children)) {
		var n int
		if _, err := fmt.Sscan(pid, &n); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
	if err := os.Remove("/run/gate"); err != nil {
		t.Fatal(err)
	}
}

// An adopted namespace keeps what it had: its links, addresses, the state of lo.
func TestAdoptedSurvives(t *testing.T) {
	for _, lo := range []string{"up", "down"} {
		lo := lo
		t.Run("lo "+lo, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				hosttest.Sh(t, `
					ip netns add theirs
					ip -n theirs link set lo `+lo+`
					ip -n theirs link add their0 address 0a:00:00:00:00:01 type bridge
					ip -n theirs addr add 198.51.100.1/24 dev their0
					ip -n theirs link set their0 up
					ip -n theirs route add 203.0.113.0/24 via 198.51.100.9
					ip netns exec theirs iptables -A INPUT -i their0 -j ACCEPT`)
				before := hosttest.Snapshot(t)
				for _, name := range []string{"box", "theirs"} {
					must(t, "create", name, "--netns", "/run/netns/theirs", "--publish", "8080:80")
					must(t, "create", "beside", "--share", name)
					must(t, "network", "create", "lab")
					must(t, "connect", name, "lab")
					must(t, "check")
					must(t, "delete", name, "beside")
					must(t, "network", "delete", "lab", "default")
					unchanged(t, before, map[string]string{})
				}
			})
		})
	}
}
