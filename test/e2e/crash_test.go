package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fault"
	"github.com/cnetlab/cnet/internal/hosttest"
)

// crashes are the commands that change something, each on a host that a script
// has set up. back is the opposite command, or those that bring the host to where it was.
var crashes = []crash{
	{name: "network create", typed: "network create lab", back: "network delete lab"},
	{name: "network create, all of it", typed: "network create lab --ipv6 --icc=false --mtu 1400 --subnet 192.168.50.0/24", back: "network delete lab"},
	{name: "network create, internal ptp", typed: "network create lab --driver ptp --internal", back: "network delete lab"},
	{name: "network delete", found: "cnet network create lab", typed: "network delete lab", back: "network create lab"},
	{name: "create", typed: "create web", back: "delete web"},
	{
		name: "create, connected and published", found: "cnet network create lab --ipv6",
		typed: "create web --network lab --publish 8080:80 --publish 5353:53/udp --ip 10.77.0.9", back: "delete web",
	},
	{name: "create, all at once", typed: "create web --publish 8080:80", back: "delete web; network delete default"},
	{name: "create, several", found: "cnet network create lab", typed: "create --count 3 --prefix c --network lab", back: "delete c1 c2 c3"},
	{name: "create, a pod", found: "cnet network create lab; cnet create web --network lab", typed: "create side --share web", back: "delete side"},
	{
		name: "delete, the first of a pod", found: "cnet network create lab; cnet create web --network lab --publish 8080:80; cnet create side log --share web",
		typed: "delete web", back: "apply -f testdata/pod.yaml",
	},
	{
		name: "create, adopted", found: "touch /run/theirs; unshare --net=/run/theirs true; cnet network create lab",
		typed: "create box --netns /run/theirs --network lab --publish 8080:80", back: "delete box",
	},
	{
		name: "create, ptp", found: "cnet network create lab --driver ptp --ipv6",
		typed: "create web --network lab --publish 8080:80", back: "delete web",
	},
	{
		name: "delete", found: "cnet network create lab; cnet create web --network lab --publish 8080:80 --ip 10.77.0.9",
		typed: "delete web", back: "create web --network lab --publish 8080:80 --ip 10.77.0.9",
	},
	{
		name: "delete all", found: "cnet network create lab --ipv6; cnet create a --network lab --publish 8080:80 --ip 10.77.0.9; cnet create b --network lab --ip 10.77.0.10",
		typed: "delete --all", back: "create a --network lab --publish 8080:80 --ip 10.77.0.9; create b --network lab --ip 10.77.0.10",
	},
	{name: "connect", found: "cnet network create lab; cnet create web", typed: "connect web lab --alias www", back: "disconnect web lab"},
	{name: "connect, first of all", found: "cnet create web", typed: "connect web", back: "disconnect web; network delete default"},
	{
		name: "disconnect", found: "cnet network create lab; cnet create web --network lab --ip 10.77.0.9 --publish 8080:80; cnet network create back; cnet connect web back",
		typed: "disconnect web back", back: "connect web back --ip 10.77.1.2",
	},
	{name: "publish", found: "cnet network create lab; cnet create web --network lab", typed: "publish web 8080:80 53:53/udp 127.0.0.1:9000-9003:9000-9003", back: "unpublish web"},
	{name: "publish, one more", found: "cnet network create lab --ipv6; cnet create web --network lab --publish 8080:80", typed: "publish web 8081:81", back: "unpublish web 8081:81"},
	{name: "unpublish", found: "cnet network create lab; cnet create web --network lab --publish 8080:80", typed: "unpublish web", back: "publish web 8080:80"},
	{
		name: "service create", found: "cnet network create lab --ipv6; cnet create a b --network lab --label app=web",
		typed: "service create web --network lab --port 80:8080 --port 53/udp --selector app=web --publish 8080:80", back: "service delete web",
	},
	{
		name: "service set, weights", found: served, typed: "service set web --weight a=95 --weight b=5 --mode exact",
		back: "service set web --weight none --mode random", again: true,
	},
	{
		name: "service set, published by two ports", found: served, typed: "service set web --publish 8080:80 --publish 127.0.0.1:8081:80 --affinity 1h",
		back: "service set web --publish none --affinity 0s", again: true,
	},
	{name: "service add", found: served, typed: "service add web c", back: "service remove web c"},
	{
		name: "create, joining a service", found: "cnet network create lab; cnet create a --network lab --label app=web; cnet service create web --network lab --port 80 --selector app=web",
		typed: "create d --network lab --label app=web --ip 10.77.0.9", back: "delete d",
	},
	{
		name: "sidecar attach", found: "cnet network create lab --ipv6; cnet create web --network lab",
		typed: "sidecar attach web --retries 2 --inbound", back: "sidecar detach web", again: true,
	},
	{
		name: "sidecar detach", found: "cnet network create lab; cnet create web --network lab; cnet sidecar attach web",
		typed: "sidecar detach web --if-exists", back: "sidecar attach web", again: true, piecemeal: true,
	},
	{name: "edge start", found: shopFront, typed: "edge start --listen 127.0.0.1:8080", back: "edge stop", again: true},
	{
		name: "edge route", found: shopFront + "; cnet edge start --listen 127.0.0.1:8080",
		typed: "edge route shop.test --to web", back: "edge unroute shop.test", again: true,
	},
	{name: "apply", typed: "apply -f testdata/first.yaml", back: "delete --all; network delete front back", again: true},
	{
		name: "apply, changed and pruned", found: "cnet apply -f testdata/first.yaml",
		typed: "apply -f testdata/second.yaml --prune", back: "apply -f testdata/first.yaml --prune", again: true,
	},
	{
		name: "repair", found: "cnet network create lab --ipv6; cnet create web db --network lab; cnet publish web 8080:80",
		harm: `ip link del cnet-lab; ip link del db-eth0; ip netns del db; iptables -t nat -F CNET-PUBLISH 2>/dev/null || nft flush map inet cnet ports4; sysctl -qw net.ipv4.ip_forward=0
			ip -n web link set eth0 mtu 1300`,
		typed: "repair", again: true, piecemeal: true,
	},
	{
		name: "repair, moving to another backend", found: "cnet network create lab --ipv6 --firewall iptables; cnet create web --network lab --publish 8080:80 --publish 53:53/udp",
		typed: "repair --firewall nftables", back: "repair --firewall iptables", again: true, onward: true,
	},
	{
		name: "repair, moving back", found: "cnet network create lab --ipv6 --firewall nftables; cnet create web --network lab --publish 8080:80",
		typed: "repair --firewall iptables", back: "repair --firewall nftables", again: true, onward: true,
	},
	{
		name: "down", found: "cnet network create lab --ipv6; cnet create web --network lab --publish 8080:80; cnet create side --share web",
		typed: "down", back: "up", again: true, down: true,
	},
	{
		name: "up", found: "cnet network create lab; cnet create web --network lab --publish 8080:80; cnet down",
		typed: "up", back: "down", again: true, piecemeal: true,
	},
	{
		name: "verify", found: "cnet network create lab; cnet create web --network lab --publish 8080:80",
		typed: "verify web --from outside --silence 100ms", back: "check", again: true,
	},
	{
		name: "reset", found: "cnet network create lab --ipv6; cnet create web --network lab --publish 8080:80",
		typed: "reset", again: true, piecemeal: true,
	},
}

// served is a host with a service of two containers, and a third beside it.
const served = "cnet network create lab; cnet create a b c --network lab; cnet service create web --network lab --port 80 --backend a --backend b"

// shopFront is a host with a service that an edge may lead to.
const shopFront = "cnet network create lab; cnet create a --network lab; cnet service create web --network lab --port 80 --backend a"

// crash is a command to be cut off at each of its points.
type crash struct {
	name  string
	found string // sets the host up
	harm  string // is done to it before each time
	typed string
	back  string // cnet's commands; empty: the host is set up anew
	// again: the command succeeds when all is done already.
	again bool
	// piecemeal: it is done in parts, each of which stays.
	piecemeal bool
	// onward: nothing of it is taken back; given again, it goes on.
	onward bool
	// down: it leaves nothing of which check could say that it holds.
	down bool

	backend string
}

// TestCrash kills each command at its points, and compares the host with one on
// which nothing was cut off. It also has the command fail there, or sends it a
// SIGINT or SIGTERM. If the test may take long it does each of these at every
// point, over all backends; otherwise the killing and one of the three at every
// 13th, over nftables every 31st, and not over the legacy iptables.
func TestCrash(t *testing.T) {
	t.Run("command", func(t *testing.T) {
		for _, c := range crashes {
			for _, backend := range backends {
				c, backend := c, backend
				if backend == viaLegacy && !long() {
					continue
				}
				c.name, c.backend = over(c.name, backend), backend
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					hosttest.Run(t, func(t *testing.T) { useBackend(t, backend); c.run(t) })
				})
			}
		}
	})
	points, runs := tally(t)
	t.Logf("%d commands, %d points, %d runs cut off", len(crashes), points, runs)
}

// tally sums up what the commands have written down.
func tally(t *testing.T) (points, runs int) {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(os.Getenv(quickVariable), "*"+counted))
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range notes {
		var p, r int
		b, err := os.ReadFile(note)
		if err == nil {
			_, err = fmt.Sscan(string(b), &p, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		points, runs = points+p, runs+r
	}
	return points, runs
}

const counted = ".count"

// crashing is a crash on its host.
type crashing struct {
	crash
	t             *testing.T
	before, after image // the host as it is when nothing is cut off
	points        int
	runs          int
	ways          int // back, so far
}

// image is what the kernel has and what cnet's files say.
type image struct {
	kernel string
	files  map[string]string
}

func look(t *testing.T) image { return image{glance(t), cnetFiles(t)} }

func glance(t *testing.T) string {
	lines := canonical(hosttest.Glance(t))
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func (c crash) run(t *testing.T) {
	x := &crashing{crash: c, t: t}
	hosttest.Sh(t, "ip link set lo up")
	x.setUp()
	x.before = look(t)
	x.points = x.count()
	x.after = look(t)
	x.restore()
	step, acts := 13, []string{"fail", "int", "term"}
	switch {
	case long():
		step = 1
	case x.backend == viaNftables:
		step = 31
	}
	for i := 1 + len(x.typed)%step; i <= x.points; i += step {
		x.kill(i)
		if !long() {
			x.refuse(acts[i/step%len(acts)], i)
			continue
		}
		for _, act := range acts {
			x.refuse(act, i)
		}
	}
	must(t, "reset")
	note := filepath.Join(os.Getenv(quickVariable), strings.ReplaceAll(x.name, " ", "-")+counted)
	if err := os.WriteFile(note, []byte(fmt.Sprintln(x.points, x.runs)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (x *crashing) setUp() {
	x.t.Helper()
	hosttest.Sh(x.t, "export PATH="+os.Getenv(quickVariable)+":$PATH\n"+strings.ReplaceAll(x.found, ";", "\n"))
	hosttest.Sh(x.t, x.harm)
}

// count runs the command to its end and counts the points that it comes to.
func (x *crashing) count() int {
	x.t.Helper()
	log := filepath.Join(x.t.TempDir(), "points")
	x.must(x.typed, fault.LogTo+"="+log)
	b, err := os.ReadFile(log)
	if err != nil {
		x.t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// restore brings the host from where it is after the command to where it was.
func (x *crashing) restore() {
	x.t.Helper()
	if x.back == "" {
		x.must("reset")
		if x.found != "" {
			x.setUp()
		}
	} else {
		for _, line := range strings.Split(x.back, ";") {
			x.must(strings.TrimSpace(line))
		}
		replaceFiles(x.t, x.before.files) // what was handed out last is remembered
	}
	if x.ways++; x.ways%8 == 1 || long() {
		x.same("after the way back", x.before, glance(x.t), nil)
	}
}

// kill kills the command at a point, and once more the one that settles what was
// left. Then the same command is given again.
func (x *crashing) kill(at int) {
	x.t.Helper()
	x.cut("kill", at)
	settler := "delete nobody --if-exists"
	if _, _, code := x.cnet(settler, fmt.Sprintf("%s=kill:%d", fault.Variable, 1+at%7)); code == -1 {
		x.runs++
	}
	if at%2 == 0 { // at odd points the command itself finds what was left
		x.must(settler)
		if !x.piecemeal {
			x.either(fmt.Sprintf("killed at point %d and settled", at))
			x.check()
		}
	}
	stdout, stderr, code := x.cnet(x.typed)
	if code != 0 && (x.again || code != 3 && code != 4) { // it was finished before
		x.t.Fatalf("killed at point %d; again: exit code %d\n%s%s", at, code, stdout, stderr)
	}
	x.same(fmt.Sprintf("killed at point %d and given again", at), x.after, glance(x.t), nil)
	x.restore()
}

func (x *crashing) check() {
	x.t.Helper()
	if !x.down {
		x.must("check")
	}
}

// refuse has the command fail at a point, or interrupts it there. It must have
// taken back what it did, or leave what the next command finishes.
func (x *crashing) refuse(act string, at int) {
	x.t.Helper()
	code := x.cut(act, at)
	what := fmt.Sprintf("%s at point %d", act, at)
	if x.piecemeal || x.onward {
		x.must(x.typed)
		x.same(what+" and given again", x.after, glance(x.t), nil)
		x.restore()
		return
	}
	if code != 0 && act != "fail" { // it has said that it took all back
		x.same(what, x.before, glance(x.t), cnetFiles(x.t))
		return
	}
	x.must("delete nobody --if-exists")
	if x.either(what) == "after" {
		x.restore()
	}
}

// cut runs the command with a fault and returns its exit code.
func (x *crashing) cut(act string, at int) int {
	x.t.Helper()
	x.runs++
	stdout, stderr, code := x.cnet(x.typed, fmt.Sprintf("%s=%s:%d", fault.Variable, act, at))
	switch {
	case act == "kill" && code != -1, act != "kill" && code != 0 && code != 1 && code != 6:
		x.t.Fatalf("%s at point %d: exit code %d\n%s%s", act, at, code, stdout, stderr)
	case (act == "int" || act == "term") && code == 1 && !saysAny(stderr, "interrupted"):
		x.t.Errorf("%s at point %d: it does not say so\n%s", act, at, stderr)
	}
	return code
}

// either tells whether the host is as before the command or as after it.
func (x *crashing) either(what string) string {
	x.t.Helper()
	kernel, files := glance(x.t), cnetFiles(x.t)
	if kernel == x.after.kernel && cmp.Equal(files, x.after.files) {
		return "after"
	}
	if diff := cmp.Diff(x.after.files, files); kernel == x.after.kernel && kernel != x.before.kernel {
		x.t.Fatalf("cnet %s, %s: the kernel is as after, and the files are not:\n%s", x.typed, what, diff)
	}
	x.same(what, x.before, kernel, files)
	return "before"
}

func (x *crashing) same(what string, want image, kernel string, files map[string]string) {
	x.t.Helper()
	if want.kernel != kernel {
		x.t.Fatalf("cnet %s, %s: the kernel differs:\n%s", x.typed, what, cmp.Diff(want.kernel, kernel))
	}
	if diff := cmp.Diff(want.files, files); files != nil && diff != "" {
		x.t.Fatalf("cnet %s, %s: the files differ:\n%s", x.typed, what, diff)
	}
}

func (x *crashing) must(typed string, env ...string) {
	x.t.Helper()
	if stdout, stderr, code := x.cnet(typed, env...); code != 0 {
		x.t.Fatalf("cnet %s: exit code %d\n%s%s", typed, code, stdout, stderr)
	}
}

func (x *crashing) cnet(typed string, env ...string) (stdout, stderr string, code int) {
	x.t.Helper()
	cmd := exec.Command(filepath.Join(os.Getenv(quickVariable), "cnet"), strings.Fields(typed)...)
	cmd.Env = append(os.Environ(), env...)
	stdout, stderr, code, err := output(cmd)
	if err != nil {
		x.t.Fatal(err)
	}
	if saysAny(stderr, "panic:|goroutine ") {
		x.t.Fatalf("cnet %s: %s", typed, stderr)
	}
	return stdout, stderr, code
}

// long reports whether tests may take long (make long).
func long() bool { return os.Getenv("CNET_LONG") != "" }
