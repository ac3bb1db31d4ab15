package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/names"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/miekg/dns"
)

// named is a lab with IPv6, a vault that reaches no outside and is reached by db
// alone, one whose containers are kept apart, and one over cables.
const named = `
network create lab --ipv6 --subnet 10.1.0.0/24 --subnet6 fd01::/64 --dns-ttl 5s
network create vault --internal --subnet 10.2.0.0/24
network create apart --icc=false --subnet 10.3.0.0/24
network create cables --driver ptp --subnet 10.4.0.0/24
network create mute --dns=false --subnet 10.5.0.0/24
create c1 --network lab --alias twin --label app=web
create c2 --network lab --alias twin --label app=web
create side --share c1
create db --network lab
connect db vault --alias safe
create gold --network vault
create a1 a2 --network apart
create p1 p2 --network cables
create m1 --network mute
service create front --network lab --port 80 --selector app=web
service create heads --network lab --headless --backend c2
`

// TestNames asks for names as programs do, by getent, and as the host.
func TestNames(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		for _, line := range strings.Split(strings.TrimSpace(named), "\n") {
			must(t, strings.Fields(line)...)
		}
		vip := resolved(t, "front")
		if len(vip) == 0 {
			t.Fatal("front has no address")
		}
		for _, c := range []struct{ from, name, want string }{
			{"c1", "c2", "10.1.0.3 fd01::3"},
			{"c1", "C2.Lab", "10.1.0.3 fd01::3"},
			{"c1", "c2.lab.cnet", "10.1.0.3 fd01::3"},
			{"c1", "front", strings.Join(vip, " ")},
			{"c1", "heads", "10.1.0.3 fd01::3"},
			{"side", "db", "10.1.0.4 fd01::4"},
			{"c2", "side", "10.1.0.2 fd01::2"},
			{"db", "gold", "10.2.0.3"},
			{"gold", "safe", "10.2.0.2"},
			{"p1", "p2", "10.4.0.3"},
			{"p1", "p2.cables", "10.4.0.3"},
			{"c1", "gold", ""},
			{"c1", "gold.vault", ""},
			{"c1", "m1", ""},
			{"gold", "c1", ""},
			{"a1", "a2", ""},
			{"a1", "a2.apart.cnet", ""},
			{"c1", "example.org", ""},
		} {
			if got := getent(t, c.from, c.name); got != c.want {
				t.Errorf("%s looks up %s: %q, want %q", c.from, c.name, got, c.want)
			}
			if got := strings.Join(resolved(t, "--from", c.from, c.name), " "); got != c.want {
				t.Errorf("cnet resolve --from %s %s: %q, want %q", c.from, c.name, got, c.want)
			}
		}
		oneQuestion(t)
		byHost(t)
	})
}

// getent is what a program in a container is told of a name, by the C library.
func getent(t *testing.T, from, name string) string {
	t.Helper()
	var list []string
	for _, family := range []string{"ahostsv4", "ahostsv6"} {
		out, err := command(t, "exec", from, "--", "getent", family, name).Output()
		if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 2) {
			t.Fatalf("getent %s %s in %s: %v", family, name, from, err)
		}
		for _, line := range strings.Split(string(out), "\n") {
			if f := strings.Fields(line); len(f) > 1 && f[1] == "STREAM" && !strings.HasPrefix(f[0], "::ffff:") {
				list = append(list, f[0])
			}
		}
	}
	return strings.Join(list, " ")
}

// resolved is what cnet resolve finds; nothing where there is no such name.
func resolved(t *testing.T, args ...string) (list []string) {
	t.Helper()
	out, problem, code := cnet(t, append([]string{"resolve", "-o", "json"}, args...)...)
	if code == 3 {
		return nil
	}
	var r names.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("resolve %v: %d %v\n%s%s", args, code, err, out, problem)
	}
	for _, rec := range r.Records {
		list = append(list, rec.Data)
	}
	return list
}

// oneQuestion counts what reaches the server for each form of a name.
func oneQuestion(t *testing.T) {
	t.Helper()
	hosttest.Sh(t, `nft 'add table inet count
add chain inet count in { type filter hook input priority 0; }
add rule inet count in udp dport 53 counter
add rule inet count in tcp dport 53 counter'`)
	for i, name := range []string{"c2", "c2.lab", "c2.lab.cnet", "c2.lab.cnet."} {
		must(t, "exec", "c1", "--", "getent", "ahostsv4", name)
		hosttest.Sh(t, fmt.Sprintf(`nft list chain inet count in | grep 'udp.*packets %d ' > /dev/null || { nft list chain inet count in; exit 1; }`, i+1))
	}
	hosttest.Sh(t, "nft delete table inet count")
}

// byHost asks as the host, which sees all, for what comes and goes; and what is
// wrong is said.
func byHost(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ name, want string }{
		{"gold", "10.2.0.3"}, {"a2.apart", "10.3.0.3"}, {"10.4.0.2", "p1.cables.cnet."}, {"fd01::3", "c2.lab.cnet."},
	} {
		if got := strings.Join(resolved(t, c.name), " "); got != c.want {
			t.Errorf("the host resolves %s: %q, want %q", c.name, got, c.want)
		}
	}
	// A neighbour of the host finds the way to the gateway, and no answer.
	hosttest.Host(t, "ip", "-n", "neighbour", "route", "add", "10.1.0.0/24", "via", "203.0.113.2")
	for transport, want := range map[string]string{"udp": "REFUSED", "tcp": "EOF"} {
		if got := lookUpFrom(t, path("neighbour"), transport, "c1.cnet."); got != want {
			t.Errorf("a neighbour asks over %s: %q, want %q", transport, got, want)
		}
	}
	must(t, "create", "late", "--network", "vault", "--ip", "10.2.0.99")
	if got := getent(t, "db", "late"); got != "10.2.0.99" {
		t.Errorf("db looks up late: %q", got)
	}
	must(t, "delete", "late")
	if got := getent(t, "db", "late"); got != "" {
		t.Errorf("db looks up late, which is gone: %q", got)
	}
	for want, args := range map[int][]string{
		2: {"resolve", "a..b"},
		3: {"resolve", "none"},
		1: {"resolve", "--from", "m1", "c1"}, // whose network has nobody to ask
	} {
		if out, problem, code := cnet(t, args...); code != want {
			t.Errorf("cnet %v: exit code %d, want %d\n%s%s", args, code, want, out, problem)
		}
	}
	if got := must(t, "exec", "c1", "--", "printenv", "FRONT_SERVICE_PORT"); got != "80\n" {
		t.Errorf("FRONT_SERVICE_PORT is %q", got)
	}
}

// TestNamesChange asks without a pause while containers come and go. No query is
// lost, and whatever a command did is answered when it returns.
func TestNamesChange(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		changes := 30
		if long() {
			changes = 1000
		}
		hosttest.Host(t, "ip", "link", "set", "lo", "up")
		must(t, "network", "create", "lab", "--subnet", "10.1.0.0/24")
		must(t, "create", "web", "--network", "lab")
		asked := askAllTheTime(t, "web.cnet.", "10.1.0.2")
		for i := 0; i < changes/2; i++ {
			at := fmt.Sprintf("10.1.0.%d", 3+i%250)
			must(t, "create", "other", "--network", "lab", "--ip", at)
			if got := lookUp(t, "other.cnet."); got != at {
				t.Fatalf("other, at %s, is looked up: %q", at, got)
			}
			must(t, "delete", "other")
			if got := lookUp(t, "other.cnet."); got != "NXDOMAIN" {
				t.Fatalf("other, which is gone, is looked up: %q", got)
			}
		}
		if n := asked(); n < int64(changes) {
			t.Errorf("only %d queries were asked", n)
		}
	})
}

// TestParentSleeps: what the child answers wakes its parent at none of the sockets,
// be they opened by the command that started it or, later, by itself.
func TestParentSleeps(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		const queries = 2000
		hosttest.Host(t, "ip", "link", "set", "lo", "up")
		for _, line := range []string{
			"network create first --subnet 10.2.0.0/24", "create other --network first",
			"network create lab --subnet 10.1.0.0/24", "create web --network lab",
		} {
			must(t, strings.Fields(line)...)
		}
		parents, _ := kept(t)
		if len(parents) != 1 {
			t.Fatal(parents)
		}
		before := switches(t, parents[0])
		for i := 0; i < queries; i++ {
			if got := lookUp(t, "web.cnet."); got != "10.1.0.2" {
				t.Fatal(got)
			}
		}
		if n := switches(t, parents[0]) - before; n > queries/4 {
			t.Errorf("the parent was woken %d times by %d queries", n, queries)
		}
	})
}

// switches is how often the threads of a process went to sleep.
func switches(t *testing.T, pid string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/" + pid + "/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		_, count, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		var one int
		_, _ = fmt.Sscan(count, &one)
		n += one
	}
	return n
}

// askAllTheTime asks for a name until asked is called, which tells how often. Each
// query must be answered, and rightly.
func askAllTheTime(t *testing.T, name, want string) (asked func() int64) {
	t.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := 0; i < 2; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := lookUp(t, name); got != want {
					t.Errorf("%s is looked up: %q, want %q", name, got, want)
					return
				}
				n.Add(1)
			}
		}()
	}
	return func() int64 {
		close(stop)
		all.Wait()
		return n.Load()
	}
}

// lookUp asks the gateway of 10.1.0.0/24 once, as the host.
func lookUp(t *testing.T, name string) string { return lookUpFrom(t, "", "udp", name) }

// lookUpFrom asks it from inside the namespace at a path, or as the host.
func lookUpFrom(t *testing.T, where, transport, name string) string {
	c := dns.Client{Net: transport, Timeout: 10 * time.Second}
	var reply *dns.Msg
	err := netns.Do(where, func() (err error) {
		reply, _, err = c.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), "10.1.0.1:53")
		return err
	})
	switch {
	case err != nil:
		return err.Error()
	case len(reply.Answer) != 1:
		return dns.RcodeToString[reply.Rcode]
	}
	return reply.Answer[0].(*dns.A).A.String()
}
