package e2e

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// makes are the two makes of iptables, by the program that is all of its commands.
var makes = map[string]string{"nft": "/usr/sbin/xtables-nft-multi", "legacy": "/usr/sbin/xtables-legacy-multi"}

// TestCrowd lets 64 processes at once change what they share, round after
// round, and looks from outside at what came of it: CNET_LONG=1 plays fifty
// rounds, CNET_SEED repeats a game.
func TestCrowd(t *testing.T) {
	for _, backend := range backends {
		backend := backend
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				useBackend(t, backend)
				useMake(t, map[bool]string{true: makes["legacy"], false: makes["nft"]}[backend == viaLegacy])
				c := newCrowd(t, backend)
				before := hosttest.Snapshot(t)
				c.found()
				stop := meddler(t)
				for c.round = 1; c.round <= rounds() && !t.Failed(); c.round++ {
					c.play()
				}
				stop()
				must(t, "reset")
				alike(t, "after reset the host is not as before", before, hosttest.Snapshot(t))
				t.Log(c.figures())
			})
		})
	}
}

// useMake has all that runs here find one make of iptables by its usual names.
// The tables that it makes once for all at the first change are made here.
func useMake(t *testing.T, program string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skipf("this make of iptables is not installed: %v", err)
	}
	dir := t.TempDir()
	for _, ip := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			if err := os.Symlink(program, filepath.Join(dir, ip+suffix)); err != nil {
				t.Fatal(err)
			}
		}
	}
	os.Setenv("PATH", dir+":"+os.Getenv("PATH")) // nothing else runs in this process
	hosttest.Sh(t, `
		for t in iptables ip6tables; do
			for c in "filter FORWARD" "nat PREROUTING" "nat OUTPUT" "nat POSTROUTING" "raw PREROUTING"; do
				$t -w -t ${c% *} -A ${c#* }; $t -w -t ${c% *} -D ${c#* }
			done
		done`)
}

// meddler is another program that changes rules all the time; none may be
// lost. It ends with the func that is returned.
func meddler(t *testing.T) (stop func()) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("sh", "-e", "-c", `
		iptables -w -N THEIRS
		iptables -w -A FORWARD -j THEIRS
		n=0
		while [ ! -e /run/enough ]; do
			n=$((n + 1))
			iptables -w -A THEIRS -s 192.0.2.$((n % 250)) -m comment --comment "rule $n" -j ACCEPT
			[ $n -le 5 ] || iptables -w -D THEIRS -s 192.0.2.$(((n - 5) % 250)) -m comment --comment "rule $((n - 5))" -j ACCEPT
		done
		[ $(iptables-save | grep -c -e "-A THEIRS") = 5 ]
		[ $(iptables-save | grep -c -e "-A FORWARD -j THEIRS") = 1 ]
		iptables -w -D FORWARD -j THEIRS
		iptables -w -F THEIRS
		iptables -w -X THEIRS
		echo $n changes`)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile("/run/enough", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the neighbour lost a rule or could not change its own: %v\n%s", err, out.String())
		}
		t.Logf("a neighbour made meanwhile %s", strings.TrimSpace(out.String()))
	}
}

func rounds() int {
	if os.Getenv("CNET_LONG") != "" {
		return 50
	}
	return 2
}

// size is how many start at once.
const size = 64

// typist types one command and sees what comes of it.
type typist struct {
	line           string
	stdout, stderr string
	code           int
}

// crowd is a game and its count.
type crowd struct {
	t       *testing.T
	backend string
	dir     string
	dice    *rand.Rand
	round   int

	want    map[string]int // containers that are there or not: created less deleted
	codes   map[int]int
	told    map[string]bool // what losers were told
	took    time.Duration
	longest time.Duration
}

func newCrowd(t *testing.T, backend string) *crowd {
	seed := time.Now().UnixNano()
	if text := os.Getenv("CNET_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal("CNET_SEED: ", err)
		}
	}
	t.Logf("CNET_SEED=%d", seed)
	return &crowd{t: t, backend: backend, dir: racedDir(t), dice: rand.New(rand.NewSource(seed)), want: make(map[string]int), codes: make(map[int]int), told: make(map[string]bool)}
}

// found lays what the crowd fights over.
func (c *crowd) found() {
	must(c.t, "network", "create", "lab")
	must(c.t, "create", "--count", "4", "--prefix", "pub", "--network", "lab")
	for i := 1; i <= 4; i++ {
		c.want[fmt.Sprintf("container pub%d", i)]++
	}
	c.want["network lab"]++
	err := os.WriteFile("/run/topology.yaml", []byte(`
networks:
  - name: n1
  - name: applied
containers:
  - name: a
    networks: [{network: n1}]
  - name: given
    networks: [{network: applied}]
    publish: ["8001:80"]
`), 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
}

// play has a crowd type at once and looks at what came of it.
func (c *crowd) play() {
	same, port := fmt.Sprintf("create same%d --network lab", c.round), 9000+c.round
	last := fmt.Sprintf("same%d each%d-1 each%d-2 each%d-3 each%d-4", c.round-1, c.round-1, c.round-1, c.round-1, c.round-1)
	var lines []string
	for i := 0; i < 12; i++ {
		lines = append(lines, same, fmt.Sprintf("publish pub%d %d:80", i%4+1, port))
	}
	for i := 1; i <= 4; i++ {
		lines = append(lines, fmt.Sprintf("create each%d-%d --network lab", c.round, i))
		if c.round > 1 {
			lines = append(lines, "delete "+last)
		}
	}
	for len(lines) < size {
		lines = append(lines, c.any())
	}
	c.dice.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })

	start := time.Now()
	all := c.type64(lines)
	c.took += time.Since(start)
	c.judge(all)
	c.wins(all, same, 1)
	c.wins(all, fmt.Sprintf(" %d:80", port), 1)
	c.wins(all, fmt.Sprintf("create each%d", c.round), 4)
	if c.round > 1 {
		c.wins(all, "delete "+last, 1)
	}
	c.look()
}

// any is a command of any kind about few things.
func (c *crowd) any() string {
	one := func(of ...string) string { return of[c.dice.Intn(len(of))] }
	name := one("a", "b", "c", "d", "e", "given")
	network := one("n1", "n2", "n3", "applied")
	port := one("8001", "8002", "8003", "8004-8006", "8005/udp", "127.0.0.1:8002")
	publish := strings.Replace(port+":80", "/udp:80", ":80/udp", 1)
	if strings.Contains(port, "-") {
		publish = port + ":8004-8006"
	}
	return one(
		"create "+name,
		"create "+name+" --network "+network,
		"create "+name+" --network "+network+" --publish "+publish,
		"create "+name+" --network lab --ip 10.77.0.200",
		"create "+name+" --if-not-exists",
		"delete "+name,
		"delete a b --if-exists",
		"delete d c --if-exists",
		"connect "+name+" "+network,
		"connect "+name+" lab --ip 10.77.0.201",
		"disconnect "+name+" "+network,
		"publish "+name+" "+publish,
		"unpublish "+name,
		"unpublish "+name+" "+publish,
		"network create "+network,
		"network create "+network+" --ipv6",
		"network create "+network+" --subnet 10.99.0.0/24",
		"network delete "+network,
		"apply -f /run/topology.yaml",
		"repair", "check", "list -o json", "export --script", "export", "inspect "+name, "network list",
		"create "+name+" --network "+network+" --dry-run",
		"exec "+name+" -- true",
		"exec -d "+name+" -- sleep 600",
	)
}

// type64 starts all processes and lets them go at the same moment.
func (c *crowd) type64(lines []string) []typist {
	c.t.Helper()
	gate, open, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	all := make([]typist, len(lines))
	var done sync.WaitGroup
	for i, line := range lines {
		i, line := i, line
		argv := append([]string{"-c", `read x <&3; exec "$@" 3<&-`, "sh", filepath.Join(c.dir, "cnet")}, strings.Fields(line)...)
		cmd := exec.Command("sh", argv...)
		cmd.Env = append(os.Environ(), environment(c.dir)...)
		cmd.Env = append(cmd.Env, "CNET_LOCK_TIMEOUT=5m")
		cmd.ExtraFiles = []*os.File{gate}
		var out, problem bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problem
		if err := cmd.Start(); err != nil {
			c.t.Fatal(err)
		}
		done.Add(1)
		go func() {
			defer done.Done()
			_ = cmd.Wait()
			all[i] = typist{line, out.String(), problem.String(), cmd.ProcessState.ExitCode()}
		}()
	}
	gate.Close()
	start := time.Now()
	open.Close()
	done.Wait()
	c.longest = max(c.longest, time.Since(start))
	return all
}

var announced = regexp.MustCompile(`(?m)^(container|network) (\S+) (created|deleted)\b|^(\d+) containers deleted: (.*)$`)

// judge looks at what each was told, and counts.
func (c *crowd) judge(all []typist) {
	c.t.Helper()
	for _, p := range all {
		c.codes[p.code]++
		switch {
		case p.code != 0 && p.code != 3 && p.code != 4:
			c.t.Errorf("cnet %s: exit code %d\n%s%s", p.line, p.code, p.stdout, p.stderr)
		case p.code != 0 && !c.told[p.stderr]:
			c.told[p.stderr] = true
			sentence(c.t, p.stderr)
		}
		if strings.Contains(p.stderr, "cut off") || dumps.MatchString(p.stderr) {
			c.t.Errorf("cnet %s: it says\n%s", p.line, p.stderr)
		}
		if strings.Contains(p.line, "--dry-run") || p.code != 0 {
			continue
		}
		for _, m := range announced.FindAllStringSubmatch(strings.ReplaceAll(p.stdout, "\n  ", " "), -1) {
			switch {
			case m[3] == "created":
				c.want[m[1]+" "+m[2]]++
			case m[3] == "deleted":
				c.want[m[1]+" "+m[2]]--
			default:
				for _, name := range strings.Fields(m[5]) {
					c.want["container "+name]--
				}
			}
		}
	}
}

// wins fails unless just n of those who typed something like this succeeded.
func (c *crowd) wins(all []typist, like string, n int) {
	c.t.Helper()
	won := 0
	for _, p := range all {
		if strings.Contains(p.line, like) && p.code == 0 {
			won++
		}
	}
	if won != n {
		c.t.Errorf("round %d: %d of those who typed %q succeeded, want %d", c.round, won, like, n)
	}
}

func (c *crowd) figures() string {
	n := 0
	for _, k := range c.codes {
		n += k
	}
	return fmt.Sprintf("%s: %d rounds of %d processes at once, %d commands: %d done, %d conflicts, %d not found; %s, the slowest round %s",
		c.backend, c.round-1, size, n, c.codes[0], c.codes[4], c.codes[3], c.took.Round(time.Second/10), c.longest.Round(time.Second/10))
}
