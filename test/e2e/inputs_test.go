package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// inputs are wrong: what is typed (as a shell would split it, or as the words
// args), the exit code and a part of the sentence.
var inputs = []struct {
	typed string
	code  int
	says  string
	args  []string
	env   string
	file  string // content of the file bad.yaml
}{
	// Names.
	{typed: "create a/b", code: 2, says: "letters, digits and dashes"},
	{typed: "create a.b", code: 2, says: "letters, digits and dashes"},
	{typed: "create ..", code: 2, says: "letters, digits and dashes"},
	{typed: "create a_b", code: 2, says: "letters, digits and dashes"},
	{typed: "create web-", code: 2, says: "ends with a letter or digit"},
	{typed: "create café", code: 2, says: "letters, digits and dashes"},
	{args: []string{"create", "a b"}, code: 2, says: "letters, digits and dashes"},
	{args: []string{"create", "a\nb"}, code: 2, says: `"a\nb"`},
	{args: []string{"create", "a\x1b[31m"}, code: 2, says: `\x1b`},
	{args: []string{"create", ""}, code: 2, says: "empty"},
	{args: []string{"create", strings.Repeat("x", 64)}, code: 2, says: "at most 63"},
	{args: []string{"create", strings.Repeat("x", 300)}, code: 2, says: "this one has 300"},
	{args: []string{"create", "--", "-web"}, code: 2, says: "begins"},
	{args: []string{"network", "create", "--", "-lab"}, code: 2, says: "begins"},
	{typed: "network create lab/../../etc", code: 2, says: "letters, digits and dashes"},
	{args: []string{"network", "create", ""}, code: 2, says: "empty"},
	{args: []string{"network", "create", strings.Repeat("n", 300)}, code: 2, says: "this one has 300"},
	{typed: "connect free lab --alias a.b", code: 2, says: "alias"},
	{typed: "connect free lab --interface eth/0", code: 2, says: "1 to 15"},
	{typed: "connect free lab --interface averylonginterface", code: 2, says: "1 to 15"},
	{typed: "connect free lab --interface lo", code: 2, says: "the kernel uses"},
	{typed: "create many --prefix node", code: 2, says: "not both"},
	{typed: "create --prefix -- --count 2", code: 2, says: "name"},
	{typed: "create --count 2 --prefix a_", code: 2, says: "letters, digits and dashes"},

	// Services and labels.
	{typed: "service create a_b --network lab --port 80", code: 2, says: "letters, digits and dashes"},
	{typed: "service create s --port 80", code: 2, says: "no network"},
	{typed: "service create s --network nowhere --port 80", code: 3, says: "no such network"},
	{typed: "service create s --network lab", code: 2, says: "no port"},
	{typed: "service create s --network lab --port 80/sctp", code: 2, says: "tcp or udp"},
	{typed: "service create s --network lab --port 0", code: 2, says: "1 to 65535"},
	{typed: "service create web --network lab --port 80", code: 4, says: "a container has that name"},
	{typed: "service create s --network lab --port 80 --backend free", code: 4, says: "not connected"},
	{typed: "service create s --network lab --port 80 --backend nobody", code: 3, says: "no such container"},
	{typed: "service create s --network lab --port 80 --backend web:x", code: 2, says: "not a port"},
	{typed: "service create s --network lab --port 80 --vip 10.77.0.9", code: 4, says: "network lab"},
	{typed: "service create s --network lab --port 80 --vip fd00::1", code: 2, says: "IPv4"},
	{typed: "service create s --network lab --port 80 --publish 8080:80", code: 4, says: "container web has published"},
	{typed: "service create s --network lab --port 80 --publish 9090:81", code: 2, says: "no port 81/tcp"},
	{typed: "service create s --network lab --port 80 --weight v1", code: 2, says: "NAME=NUMBER"},
	{typed: "service create s --network lab --port 80 --weight v1=-1", code: 2, says: "NAME=NUMBER"},
	{typed: "service create s --network lab --port 80 --mode best", code: 2, says: "no mode"},
	{typed: "service create s --network lab --port 80 --affinity 1500ms", code: 2, says: "whole seconds"},
	{typed: "service create s --network lab --port 80 --selector app", code: 2, says: "no value"},
	{typed: "service create s --network lab --port 80 --check icmp", code: 2, says: "no such kind"},
	{typed: "service create s --network lab --port 80 --every 5s", code: 2, says: "no check"},
	{typed: "service set nothing --weight v1=1", code: 3, says: "no such service"},
	{typed: "service add nothing web", code: 3, says: "no such service"},
	{typed: "service remove nothing web", code: 3, says: "no such service"},
	{typed: "service delete nothing", code: 3, says: "no such service"},
	{typed: "service inspect nothing", code: 3, says: "no such service"},
	{typed: "service grow", code: 2, says: "no such command"},
	{typed: "label web app", code: 2, says: "no value"},
	{typed: "label web nope-", code: 3, says: "no label"},
	{typed: "label nobody app=web", code: 3, says: "no such container"},
	{args: []string{"label", "web", "app=a b"}, code: 2, says: "letters"},
	{typed: "create x --label app", code: 2, says: "no value"},

	// Subnets and addresses.
	{typed: "network create n --subnet 10.300.0.0/24", code: 2, says: "ADDRESS/BITS"},
	{typed: "network create n --subnet 10.9.0.0", code: 2, says: "ADDRESS/BITS"},
	{typed: "network create n --subnet 10.9.0.0/33", code: 2, says: "ADDRESS/BITS"},
	{typed: "network create n --subnet 10.9.0.5/24", code: 2, says: "10.9.0.0/24"},
	{typed: "network create n --subnet 224.0.1.0/24", code: 2, says: "multicast"},
	{typed: "network create n --subnet 127.5.0.0/24", code: 2, says: "loopback"},
	{typed: "network create n --subnet 169.254.7.0/24", code: 2, says: "link-local"},
	{typed: "network create n --subnet 0.0.0.0/0", code: 2, says: "0.0.0.0/8"},
	{typed: "network create n --subnet 250.0.0.0/24", code: 2, says: "reserved"},
	{typed: "network create n --subnet 10.9.0.0/31", code: 2, says: "8 to 30"},
	{typed: "network create n --subnet 10.9.0.0/32", code: 2, says: "8 to 30"},
	{typed: "network create n --subnet 8.0.0.0/7", code: 2, says: "8 to 30"},
	{typed: "network create n --subnet 2001:db8::/64", code: 2, says: "IPv6 comes beside it"},
	{typed: "network create n --subnet6 10.9.0.0/24", code: 2, says: "not an IPv6 subnet"},
	{typed: "network create n --subnet6 ff02::/64", code: 2, says: "multicast"},
	{typed: "network create n --subnet6 fe80::/64", code: 2, says: "link-local"},
	{typed: "network create n --subnet6 fd00::/127", code: 2, says: "16 to 112"},
	{typed: "network create n --subnet 198.51.100.0/25", code: 4, says: "up0"},
	{typed: "network create n --subnet 203.0.113.128/25", code: 4, says: "203.0.113.0/24"},
	{typed: "network create n --subnet 10.77.0.0/16", code: 4, says: "network lab"},
	{typed: "network create n --subnet 10.9.0.0/24 --gateway 10.8.0.1", code: 2, says: "not in 10.9.0.0/24"},
	{typed: "network create n --subnet 10.9.0.0/24 --gateway 10.9.0.255", code: 2, says: "broadcast"},
	{typed: "network create n --gateway fd00::1", code: 2, says: "not an IPv4 address"},
	{typed: "network create n --gateway there", code: 2, says: "not an IP address"},
	{typed: "network create n --ipv6 --gateway6 10.0.0.1", code: 2, says: "not an IPv6 address"},
	{typed: "network create n --mtu 67", code: 2, says: "out of range"},
	{typed: "network create n --mtu 65536", code: 2, says: "out of range"},
	{typed: "network create n --mtu -1", code: 2, says: "out of range"},
	{typed: "network create n --mtu 0", code: 2, says: "at least 68"},
	{typed: "network create n --ipv6 --mtu 1279", code: 2, says: "1280"},
	{typed: "network create n --mtu big", code: 2, says: "big"},
	{typed: "network create n --driver macvlan", code: 2, says: "macvlan"},
	{typed: "network create lab", code: 4, says: "there is one"},
	{typed: "connect free lab --ip 10.77.9.9", code: 2, says: "not in 10.77.0.0/24"},
	{typed: "connect free lab --ip 10.77.0.1", code: 4, says: "gateway"},
	{typed: "connect free lab --ip 10.77.0.2", code: 4, says: "web"},
	{typed: "connect free lab --ip 10.77.0.0", code: 2, says: "itself"},
	{typed: "connect free lab --ip 10.77.0.256", code: 2, says: "not an IP address"},
	{typed: "connect free lab --ip6 fd77:77:77::9", code: 2, says: "no IPv6 subnet"},
	{typed: "connect free lab --mac 0a:77:00", code: 2, says: "not of the form"},
	{typed: "connect free lab --mac 01:00:5e:00:00:01", code: 2, says: "multicast"},
	{typed: "connect free lab --mac 00:00:00:00:00:00", code: 2, says: "zeros"},

	// Ports.
	{typed: "publish web 0", code: 2, says: "1 to 65535"},
	{typed: "publish web 70000", code: 2, says: "1 to 65535"},
	{typed: "publish web 99999999999999999999:80", code: 2, says: "1 to 65535"},
	{typed: "publish web 8080:", code: 2, says: "1 to 65535"},
	{typed: "publish web -- -1", code: 2, says: "1 to 65535"},
	{typed: "publish web http", code: 2, says: "not a port number"},
	{typed: "publish web 9010-9000", code: 2, says: "backwards"},
	{typed: "publish web 9000-9010:80-81", code: 2, says: "not of the same length"},
	{typed: "publish web 80/icmp", code: 2, says: "icmp"},
	{typed: "publish web 1.2.3:80:80", code: 2, says: "not an IP address"},
	{typed: "publish web 224.0.0.1:80:80", code: 2, says: "cannot be published on|not an address that"},
	{typed: "publish web ::1:80:80", code: 2, says: "[ADDRESS]:PORT"},
	{typed: "publish web [::1:80:80", code: 2, says: "[ADDRESS]:PORT"},
	{typed: "publish web [fd00::1]:80:80", code: 4, says: "no IPv6"},
	{typed: "publish web 8080:80", code: 4, says: "web has published"},
	{typed: "publish db 8080:80", code: 4, says: "web has published"},
	{typed: "publish db 8000-8100:8000-8100", code: 4, says: "web has published"},
	{typed: "publish db 4444:80", code: 4, says: "e2e.test|cnet|(pid"},
	{typed: "publish db 4440-4450:4440-4450", code: 4, says: "(pid"},
	{typed: "publish db 4445:53/udp", code: 4, says: "(pid"},
	{typed: "publish free 80", code: 4, says: "not connected"},
	{typed: "publish safe 80", code: 4, says: "internal"},
	{typed: "create x --publish 80:", code: 2, says: "1 to 65535"},
	{typed: "create x --network lab --publish 4444:80", code: 4, says: "(pid"},
	{typed: "unpublish web 9999", code: 3, says: "not published"},
	{typed: "unpublish web 8080:81", code: 3, says: "not published"},

	// Objects that are not there, or are in the way.
	{typed: "delete nobody", code: 3, says: "no such container"},
	{typed: "delete web nobody", code: 3, says: "no such container"},
	{typed: "connect nobody lab", code: 3, says: "no such container"},
	{typed: "connect free nowhere", code: 3, says: "no such network"},
	{typed: "disconnect nobody", code: 3, says: "no such container"},
	{typed: "disconnect web nowhere", code: 3, says: "no such network"},
	{typed: "disconnect free", code: 3, says: "not connected"},
	{typed: "disconnect db", code: 2, says: "say which"},
	{typed: "publish nobody 80", code: 3, says: "no such container"},
	{typed: "unpublish nobody", code: 3, says: "no such container"},
	{typed: "network delete nowhere", code: 3, says: "no such network"},
	{typed: "network inspect nowhere", code: 3, says: "no such network"},
	{typed: "inspect nobody", code: 3, says: "no such container"},
	{typed: "create x --network nowhere", code: 3, says: "no such network"},
	{typed: "create x --share nobody", code: 3, says: "no such container"},
	{typed: "create x --share side --publish 8080", code: 4, says: "has published"},
	{typed: "create pod", code: 4, says: "the stack of that name lives on: container rest is in it"},
	{typed: "probe --count -1 127.0.0.1:1", code: 2, says: "at least 1"},
	{typed: "probe --keep-alive http://127.0.0.1:1", code: 2, says: "goes with --count"},
	{typed: "serve --udp --no-accept", code: 2, says: "not accepted"},
	{typed: "demo nothing", code: 2, says: "no such story"},
	{typed: "create web", code: 4, says: "there is one"},
	{typed: "create x x", code: 2, says: "x is named twice"},
	{typed: "create theirs", code: 4, says: "did not make it"},
	{typed: "connect web lab", code: 4, says: "already"},
	{typed: "connect side lab", code: 4, says: "connected already"},
	{typed: "connect web vault --default-route", code: 2, says: "internal"},
	{typed: "network delete lab", code: 4, says: "is connected"},
	{typed: "create x --pid 99999999", code: 3, says: "99999999"},
	{typed: "create x --pid -5", code: 2, says: "no process"},
	{typed: "create x --netns /etc/passwd", code: 2, says: "not a network namespace"},
	{typed: "create x --netns /proc/self/ns/mnt", code: 2, says: "not a network namespace"},
	{typed: "create x --netns /run/netns/none", code: 3, says: "/run/netns/none"},
	{typed: "create x --netns /run/netns/theirs --share web", code: 2, says: "not both"},
	{typed: "create x --pid 1 --netns /run/netns/theirs", code: 2, says: "give one"},

	// The command line.
	{typed: "frobnicate", code: 2, says: "frobnicate"},
	{typed: "network frobnicate", code: 2, says: "frobnicate"},
	{typed: "create", code: 2, says: "name at least one"},
	{typed: "create web --frobnicate", code: 2, says: "frobnicate"},
	{typed: "create x --count two --prefix a", code: 2, says: "two"},
	{typed: "create --count 3", code: 2, says: "go together"},
	{typed: "create --count 0 --prefix n", code: 2, says: "at least 1"},
	{typed: "create --count -3 --prefix n", code: 2, says: "at least 1"},
	{typed: "create --count 2 --prefix n --network lab --ip 10.77.0.9", code: 2, says: "belongs to one"},
	{typed: "create x y --network lab --ip 10.77.0.9", code: 2, says: "belongs to one"},
	{typed: "create x y --publish 80", code: 2, says: "belongs to one"},
	{typed: "create x y --pid 1", code: 2, says: "belongs to one"},
	{typed: "create x -o xml", code: 2, says: "xml"},
	{typed: "list -o xml", code: 2, says: "xml"},
	{typed: "create x --lock-timeout soon", code: 2, says: "soon"},
	{typed: "create x --lock-timeout -1s", code: 2, says: "-1s"},
	{typed: "create x", env: "CNET_LOCK_TIMEOUT=soon", code: 2, says: "CNET_LOCK_TIMEOUT=soon"},
	{typed: "create x", env: "CNET_LOCK_TIMEOUT=-1s", code: 2, says: "CNET_LOCK_TIMEOUT=-1s"},
	{typed: "delete", code: 2, says: "--all"},
	{typed: "delete web --all", code: 2, says: "--all"},
	{typed: "connect", code: 2, says: "arg"},
	{typed: "connect a b c", code: 2, says: "arg"},
	{typed: "publish web", code: 2, says: "arg"},
	{typed: "network create", code: 2, says: "arg"},
	{typed: "reset now", code: 2, says: "takes no arguments"},
	{typed: "network create n --firewall bogus", code: 2, says: "bogus"},
	{typed: "network create n", env: "CNET_FIREWALL=bogus", code: 2, says: "bogus"},

	// Files.
	{typed: "apply", code: 2, says: "no file"},
	{typed: "apply -f none.yaml", code: 3, says: "none.yaml"},
	{typed: "apply -f /etc", code: 2, says: "/etc"},
	{typed: "apply -f bad.yaml", file: "\n", code: 2, says: "empty"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n\tdriver: bridge\n", code: 2, says: "bad.yaml:3"},
	{typed: "apply -f bad.yaml", file: "networks: [\n", code: 2, says: "bad.yaml:1"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    color: red\n", code: 2, says: "color: red"},
	{typed: "apply -f bad.yaml", file: "networks: yes\n", code: 2, says: "bad.yaml:1"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    mtu: big\n", code: 2, says: "mtu: big"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    subnet: 10.0.0\n", code: 2, says: "10.0.0"},
	{typed: "apply -f bad.yaml", file: "containers:\n  - name: x\n    publish: ['80:90:100:110']\n", code: 2, says: "80:90"},
	{typed: "apply -f bad.yaml", file: "containers:\n  - name: x\n  - name: x\n", code: 2, says: "two"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n  - name: x\n", code: 2, says: "two"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - driver: ptp\n", code: 2, says: "empty"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: a/b\n", code: 2, says: "letters, digits and dashes"},
	{typed: "apply -f bad.yaml", file: "containers:\n  - name: x\n    networks: [{network: nowhere}]\n", code: 3, says: "nowhere"},
	{typed: "apply -f bad.yaml", file: "containers:\n  - name: x\n    networks: [{ip: 10.77.0.9}]\n", code: 2, says: "no name"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    mtu: 9\n", code: 2, says: "out of range"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    subnet: 127.0.0.0/24\n", code: 2, says: "loopback"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    isolation: magic\n", code: 2, says: "magic"},
	{typed: "apply -f bad.yaml", file: "networks:\n  - name: x\n    firewall: bogus\n", code: 2, says: "bogus"},
	{typed: "apply -f bad.yaml", file: "containers:\n  - name: x\n    nameservers: ['10.0.0.1\nfoo']\n", code: 2, says: "nameserver"},
	{typed: "apply -f bad.yaml", file: "{\"networks\": [{\"name\": 7.5}]}", code: 2, says: "letters, digits and dashes"},
	{typed: "apply -f bad.yaml", file: "\x00\x01\x02", code: 2, says: "bad.yaml"},
}

// TestInputs types what is wrong: each has its exit code and a sentence, and
// touches neither the kernel nor cnet's files.
func TestInputs(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, `
			ip link add up0 type veth peer up1; ip link set up0 up; ip link set up1 up; ip link set lo up
			ip addr add 198.51.100.1/24 dev up0
			ip route add 203.0.113.0/24 via 198.51.100.9
			ip netns add theirs`)
		listen(t)
		must(t, "network", "create", "lab")
		must(t, "network", "create", "vault", "--internal")
		must(t, "create", "web", "db", "--network", "lab")
		must(t, "publish", "web", "8080:80")
		must(t, "connect", "db", "vault")
		must(t, "create", "safe", "--network", "vault")
		must(t, "create", "free")
		must(t, "create", "side", "--share", "web")
		must(t, "create", "pod")
		must(t, "create", "rest", "--share", "pod")
		must(t, "delete", "pod")
		kernel, files := hosttest.Snapshot(t), cnetFiles(t)
		for _, in := range inputs {
			args := in.args
			if args == nil {
				args = strings.Fields(in.typed)
			}
			t.Run(fmt.Sprintf("%.60q", append(args, in.env, in.file)), func(t *testing.T) {
				dir := t.TempDir()
				if in.file != "" {
					if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte(in.file), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				stdout, stderr, code := typed(t, dir, in.env, args...)
				if code != in.code {
					t.Errorf("exit code %d, want %d", code, in.code)
				}
				if !saysAny(stderr, in.says) {
					t.Errorf("it does not say %q", in.says)
				}
				sentence(t, stderr)
				if stdout != "" {
					t.Errorf("it printed %q", stdout)
				}
				asObject(t, dir, in.env, args, in.code)
				if diff := cmp.Diff(files, cnetFiles(t)); diff != "" {
					t.Errorf("the files changed:\n%s", diff)
				}
				if t.Failed() {
					t.Logf("it said:\n%s", stderr)
				}
			})
		}
		if diff := unlike(kernel, hosttest.Snapshot(t)); diff != "" {
			t.Errorf("the kernel was touched:\n%s", diff)
		}
	})
}

// listen takes ports 4444/tcp and 4445/udp of the host until the test ends.
func listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:4444")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", "0.0.0.0:4445")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); p.Close() })
}

func typed(t *testing.T, dir, env string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, args...)
	cmd.Dir = dir
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	stdout, stderr, code, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return stdout, stderr, code
}

// output runs a command to its end. The error says that it could not be started.
func output(cmd *exec.Cmd) (stdout, stderr string, code int, err error) {
	var out, problem strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); cmd.ProcessState == nil {
		return "", "", 0, err
	}
	return out.String(), problem.String(), cmd.ProcessState.ExitCode(), nil
}

// saysAny reports whether text, its line breaks aside, holds one of some parts.
func saysAny(text, parts string) bool {
	text = strings.Join(strings.Fields(text), " ")
	for _, p := range strings.Split(parts, "|") {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// dumps are what errors of Go look like when nobody put them in words.
var dumps = regexp.MustCompile(`strconv\.|panic|goroutine|0xc0|%!|&\{|<nil>|netip\.|ParseAddr|unmarshal|runtime error|\[\d+:\d+\]`)

// sentence fails the test if what people read is no sentence, or too wide.
func sentence(t *testing.T, text string) {
	t.Helper()
	if !strings.HasPrefix(text, "cnet: ") || !strings.HasSuffix(text, "\n") {
		t.Errorf("it does not begin with cnet: or end with a line break")
	}
	if found := dumps.FindString(text); found != "" {
		t.Errorf("it is not in words: %q", found)
	}
	for _, line := range strings.Split(text, "\n") {
		if n := len([]rune(line)); n > 80 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("a line has %d columns: %s", n, line)
		}
		for _, r := range line {
			if r < ' ' {
				t.Errorf("a line holds the control character %q", r)
			}
		}
	}
}

// asObject types the same with -o json where the command has that flag.
func asObject(t *testing.T, dir, env string, args []string, code int) {
	t.Helper()
	for _, a := range args {
		if a == "-o" || a == "--" || a == "frobnicate" || a == "--frobnicate" {
			return
		}
	}
	stdout, stderr, got := typed(t, dir, env, append(args, "-o", "json")...)
	var o struct {
		Error struct {
			Code            int
			What, Why, Next string
		}
	}
	switch err := json.Unmarshal([]byte(stdout), &o); {
	case err != nil:
		t.Errorf("-o json: %v in %q", err, stdout)
	case got != code || o.Error.Code != code || o.Error.Why == "" && o.Error.What == "":
		t.Errorf("-o json: exit code %d, object %+v", got, o)
	case stderr != "":
		t.Errorf("-o json: it says %q beside the object", stderr)
	}
}

// Who is not root is told so.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		must(t, "create", "web", "--publish", "8080:80")
		before, files := hosttest.Snapshot(t), cnetFiles(t)
		path := cnetForAll(t)
		for _, typed := range []string{"create x", "connect web", "delete web", "publish web 80", "network create n", "reset", "repair"} {
			cmd := command(t, strings.Fields(typed)...)
			cmd.Path = path
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			_, stderr, code, err := output(cmd)
			if err != nil {
				t.Skipf("this sandbox has no other user: %v", err)
			}
			if code != 7 || !saysAny(stderr, "root") {
				t.Errorf("cnet %s: exit code %d\n%s", typed, code, stderr)
			}
			sentence(t, stderr)
		}
		alike(t, "the kernel was touched", before, hosttest.Snapshot(t))
		if diff := cmp.Diff(files, cnetFiles(t)); diff != "" {
			t.Errorf("the files changed:\n%s", diff)
		}
	})
}

// cnetForAll is a copy of this binary by the name cnet that all users may run.
func cnetForAll(t *testing.T) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	const path = "/run/bin/cnet"
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
