package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestModes: who may read and write what cnet makes does not depend on the umask
// of whoever calls it.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"000", "077"} {
		umask := umask
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				sh(t, "umask "+umask+`
					cnet network create lab
					cnet create web --network lab
					cnet exec -d web -- sleep 100
					cnet sidecar attach web
					cnet edge start --listen :8080
					echo {} >/run/own; rm /run/own`)
				for _, dir := range []string{"/run/cnet", "/run/netns", "/var/lib/cnet", "/etc/netns"} {
					modes(t, dir)
				}
				must(t, "delete", "web")
			})
		})
	}
}

func modes(t *testing.T, dir string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		switch {
		case info.IsDir():
			want = 0o755 | fs.ModeDir
		case strings.HasPrefix(path, "/run/cnet/") && strings.HasSuffix(path, ".sock"):
			want = 0o600 | fs.ModeSocket
		case path == "/run/cnet/lock", strings.HasPrefix(path, "/run/cnet/") && strings.HasSuffix(path, ".lock"), strings.HasPrefix(path, "/run/cnet/log/"):
			want = 0o600
		case strings.HasPrefix(path, "/run/netns/"):
			want = 0o444 // the kernel's
		}
		if seen++; info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	if err != nil || seen < 2 {
		t.Errorf("%s: %v, %d files", dir, err, seen)
	}
}

// TestPlantedLinks: what stands at the other end of a link that somebody put
// where cnet writes is neither written, emptied, removed nor given another mode.
func TestPlantedLinks(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		for _, path := range []string{
			"/run/cnet/lock", "/run/cnet/journal.json", "/run/cnet/.journal.json.new", "/run/cnet/commit.json",
			"/run/cnet/ledger/container-web.json", "/run/cnet/ledger/.container-web.json.new",
			"/var/lib/cnet/containers/.web.json.new", "/run/netns/web", "/etc/netns/web", "/etc/netns/web/hosts",
		} {
			victim := plant(t, path)
			_, _, code := cnet(t, "create", "web")
			if _, err := os.Lstat(path); err == nil && code == 0 && linked(path) {
				t.Errorf("%s: the link is still there and cnet was content", path)
			}
			cnet(t, "delete", "web", "--if-exists")
			unharmed(t, path, victim)
			clean(t)
		}
		must(t, "create", "web")
		if err := os.RemoveAll("/etc/netns/web"); err != nil {
			t.Fatal(err)
		}
		victim := plant(t, "/etc/netns/web")
		if out, _, code := cnet(t, "check"); code != int(fail.Unmet) || !strings.Contains(out, "link to another place") {
			t.Errorf("check: exit code %d\n%s", code, out)
		}
		cnet(t, "delete", "web")
		unharmed(t, "/etc/netns/web", victim)
	})
}

func linked(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// plant puts a link at path that leads to a folder with files of somebody else's
// or, where a file belongs, to one of them.
func plant(t *testing.T, path string) (victim string) {
	t.Helper()
	victim = t.TempDir()
	for _, name := range []string{"hosts", "resolv.conf"} {
		if err := os.WriteFile(filepath.Join(victim, name), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(victim, "hosts")
	if path == "/etc/netns/web" {
		target = victim
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return victim
}

func unharmed(t *testing.T, path, victim string) {
	t.Helper()
	for _, name := range []string{"hosts", "resolv.conf"} {
		file := filepath.Join(victim, name)
		text, err := os.ReadFile(file)
		info, err2 := os.Stat(file)
		if err != nil || err2 != nil || string(text) != "precious" || info.Mode() != 0o600 {
			t.Errorf("a link at %s: %s is %q %v %v", path, name, text, info, err)
		}
	}
	if left, _ := os.ReadDir(victim); len(left) != 2 {
		t.Errorf("a link at %s: %v", path, left)
	}
}

func clean(t *testing.T) {
	t.Helper()
	hosttest.Sh(t, `
		umount /run/netns/web 2>/dev/null || true
		rm -rf /run/cnet /var/lib/cnet /etc/netns; rm -f /run/netns/web`)
}

// TestNamesStayNames: no name leads to another place than that of its object,
// typed or read from a file.
func TestNamesStayNames(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		must(t, "network", "create", "lab")
		must(t, "create", "web", "--network", "lab")
		before := hosttest.Snapshot(t)
		for _, name := range []string{"../web", "/run/netns/web", "..", "x/../web", "web\n", "$(touch /run/x)"} {
			for _, args := range [][]string{
				{"create", name}, {"delete", name}, {"connect", name, "lab"}, {"publish", name, "80"}, {"inspect", name},
				{"exec", name, "--", "true"}, {"create", "x", "--share", name}, {"create", "x", "--network", name},
				{"network", "create", name}, {"network", "delete", name}, {"connect", "web", name}, {"connect", "web", "lab", "--interface", name},
			} {
				_, errs, code := cnet(t, args...)
				if code != int(fail.Usage) && code != int(fail.NotFound) && code != int(fail.Conflict) || strings.Contains(errs, "panic") {
					t.Errorf("cnet %q: exit code %d\n%s", args, code, errs)
				}
			}
		}
		if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(hosttest.Snapshot(t), "\n")); diff != "" {
			t.Errorf("the host changed:\n%s", diff)
		}
	})
}

// TestStateFilesAreChecked: a file that no command can have written stops
// everything with its name, before the kernel is touched; put back, all goes on.
func TestStateFilesAreChecked(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		const network, container = "/var/lib/cnet/networks/lab.json", "/var/lib/cnet/containers/web.json"
		must(t, "network", "create", "lab")
		must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
		must(t, "create", "db", "--network", "lab")
		before := hosttest.Snapshot(t)
		for _, c := range []struct{ name, path, from, to, says string }{
			{"its network is gone", network, "", "", "there is no such network"},
			{"another's name", container, `"name": "web"`, `"name": "other"`, `it tells of "other"`},
			{"a path for a name", container, `"name": "web"`, `"name": "../../../etc/x"`, "it tells of"},
			{"another's address", container, "10.77.0.2", "10.77.0.3", "has it"},
			{"an address from elsewhere", container, "10.77.0.2", "192.0.2.2", "not in 10.77.0.0/24"},
			{"a link that is none", container, `"eth0"`, `"../eth0"`, "a link's name"},
			{"a subnet that is none", network, "10.77.0.0/24", "127.0.0.0/24", "loopback"},
			{"text for a port", container, "8080:80/tcp", "8080:80/icmp", "not tcp, udp or sctp"},
			{"half of it", container, `"networks"`, "\x00", "damaged"},
		} {
			whole, err := os.ReadFile(c.path)
			if err != nil {
				t.Fatal(err)
			}
			spoil(t, c.path, whole, c.from, c.to)
			named := c.path
			if c.from == "" { // the first who is connected to it
				named = "/var/lib/cnet/containers/db.json"
			}
			for _, args := range [][]string{{"list"}, {"create", "x", "--network", "lab"}, {"delete", "web"}} {
				_, errs, code := cnet(t, args...)
				errs = strings.Join(strings.Fields(errs), " ")
				if code != int(fail.Failed) || !strings.Contains(errs, named) || !strings.Contains(errs, c.says) {
					t.Errorf("%s: cnet %q: exit code %d, want %q and %q in\n%s", c.name, args, code, named, c.says, errs)
				}
			}
			err = os.MkdirAll(filepath.Dir(c.path), 0o755) // cnet removes it when it is empty
			if err = errors.Join(err, os.WriteFile(c.path, whole, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(hosttest.Snapshot(t), "\n")); diff != "" {
			t.Errorf("the host changed:\n%s", diff)
		}
		must(t, "check")
		must(t, "delete", "web", "db")
	})
}

// spoil writes text with one word replaced, or removes the file.
func spoil(t *testing.T, path string, text []byte, from, to string) {
	t.Helper()
	if from == "" {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s: there is no %s in\n%s", path, from, text)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// see prints what a program is given by whoever starts it.
const see = `
grep -E '^(Name|Umask|Uid|Gid|Groups|Sig(Blk|Ign|Cgt)|ShdPnd|Cap|NoNewPrivs|Seccomp|Cpus_allowed_list)' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj /proc/self/timerslack_ns /proc/self/coredump_filter
pwd; env | sort; ls -l /proc/self/ns | sed 's/.*-> //' | grep -v mnt:
cut -d ' ' -f 18,19 /proc/self/stat`

// TestExecIsTransparent: a program that exec starts has what one has that
// `ip netns exec` starts, no more and no less: users, capabilities, limits,
// signals, umask, folder and environment. Of files it has the standard three.
func TestExecIsTransparent(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		must(t, "create", "web")
		file := filepath.Join(t.TempDir(), "see.sh")
		if err := os.WriteFile(file, []byte(see), 0o755); err != nil {
			t.Fatal(err)
		}
		const caller = `trap '' HUP INT; umask 0137; ulimit -S -n 77; ulimit -c 0; cd /var; exec 9</etc/passwd
			export GREETING='hello $(world)'; `
		const less = "setpriv --no-new-privs --bounding-set -net_raw,-sys_time --inh-caps -net_raw,-sys_time "
		for _, as := range []string{"", less} {
			both := sh(t, caller+as+"ip netns exec web sh "+file+"; echo ---; "+as+"cnet exec web -- sh "+file)
			want, got, _ := strings.Cut(both, "---\n")
			if !strings.Contains(got, "CNET_CONTAINER=web\n") || !strings.Contains(want, "hello $(world)") {
				t.Errorf("the environment is\n%s", got)
			}
			got = strings.ReplaceAll(got, "CNET_CONTAINER=web\n", "")
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s: ip netns exec (-), cnet exec (+):\n%s", as, diff)
			}
		}
		if got := openFiles(sh(t, caller+"cnet exec web -- sh -c 'ls -l /proc/$$/fd; :' </dev/null")); len(got) != 3 {
			t.Errorf("open files: %q", got)
		}
		background(t, caller)
	})
}

// background: a program that runs on has a session of its own, no input, and a
// log; nothing else of cnet's is open in it.
func background(t *testing.T, caller string) {
	t.Helper()
	pid := strings.TrimSpace(sh(t, caller+`cnet exec -d web -- sh -c 'umask; ulimit -S -n; pwd; `+
		`cut -d " " -f 6,7 /proc/$$/stat; ls -l /proc/$$/fd; echo end; exec sleep 100'`))
	log := "/run/cnet/log/web-" + pid + ".log"
	var text string
	waitUntil(t, "the end of "+log, func() bool {
		b, _ := os.ReadFile(log)
		text = string(b)
		return strings.HasSuffix(text, "end\n")
	})
	text = regexp.MustCompile(`/run/cnet/log/\S+`).ReplaceAllString(text, "LOG") // it gets its name a moment later
	want := []string{"0137", "77", "/var", pid + " 0", "0 -> /dev/null", "1 -> LOG", "2 -> LOG"}
	if diff := cmp.Diff(want, append(strings.Split(text, "\n")[:4], openFiles(text)...)); diff != "" {
		t.Errorf("in the background (-want +got):\n%s", diff)
	}
	must(t, "delete", "web")
}

// TestCapabilities: user 0 with the capabilities that docs/security.md names, and
// no others, can do all that there is.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		sh(t, `exec setpriv --bounding-set -all,+net_admin,+sys_admin,+net_raw,+net_bind_service --inh-caps -all sh -ec '
			cnet network create lab --ipv6
			cnet create web --network lab --publish 8080:80
			cnet exec -d web -- sleep 100
			cnet exec web -- true
			cnet check
			cnet delete web
			cnet network delete lab'`)
	})
}

// TestNothingIsRunFromHere: no program of the folder that cnet is called in runs
// in the place of the host's, though PATH begins with it.
func TestNothingIsRunFromHere(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "conntrack", "modprobe", "ip"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\ntouch /run/pwned\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		sh(t, "cd "+dir+`
			cnet() { PATH=.:$PATH command cnet "$@"; }
			cnet network create lab
			cnet create web --network lab --publish 8080:80
			cnet check
			cnet delete web`)
		if _, err := os.Stat("/run/pwned"); err == nil {
			t.Error("a program of the current folder was run")
		}
	})
}

// sh runs a script, for which cnet is this binary, and returns what it printed.
func sh(t *testing.T, script string) string {
	t.Helper()
	cmd := command(t)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-e", "-c", script}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sh: %v\n%s\n%s%s", err, script, out, errs.String())
	}
	return string(out)
}

// openFiles are the files in a long listing of /proc/PID/fd: "0 -> /dev/null".
func openFiles(listing string) []string {
	return regexp.MustCompile(`\d+ -> .*`).FindAllString(listing, -1)
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}
