package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestArticle types the article's commands in one world and cnet's in another,
// as stories/network.txt has them side by side, and compares the worlds.
func TestArticle(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("stories/network.txt")
	if err != nil {
		t.Fatal(err)
	}
	a := readArticle(string(text))
	hand, own := newWorld(t, "by hand"), newWorld(t, "cnet")
	for _, w := range []*world{hand, own} {
		w.sh(lanScript)
	}
	hand.sh(strings.Join(a.hand, "\n"))
	var did []step
	for _, line := range a.own {
		var said struct{ Steps []step }
		if err := json.Unmarshal([]byte(own.cnet("", append(strings.Fields(line), "-o", "json")...)), &said); err != nil {
			t.Fatal(err)
		}
		did = append(did, said.Steps...)
	}

	got := "# What network.txt leaves open. Written by `go test ./test/e2e -run TestArticle -update`.\n\n" +
		"The kernel's state, but for names (- by hand, + cnet):\n\n" +
		differences(hand.snapshot(), renamed(own.snapshot())) +
		"\nWhat cnet does beyond the article, and why:\n\n" + beyond(t, did, a.same) +
		"\nWho calls, and the answer in both worlds:\n\n" + answers(t, hand, own)
	compareGolden(t, "stories/network.golden", got)
}

// article is the text: what is typed by hand, what with cnet, and which of the
// commands that cnet says it did are the same as those by hand.
type article struct{ hand, own, same []string }

func readArticle(text string) (a article) {
	for _, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "$":
			a.hand = append(a.hand, rest)
		case "=":
			a.same = append(a.same, rest)
		case "cnet":
			a.own = append(a.own, rest)
		}
	}
	return a
}

// step is what cnet says, with -o json, of a fact that it made.
type step struct {
	Say, Why string
	Commands []string
}

// beyond lists the steps none of whose commands has its like by hand, and
// checks that cnet did all that the article says it does.
func beyond(t *testing.T, did []step, same []string) string {
	t.Helper()
	left := make(map[string]int)
	for _, c := range same {
		left[c]++
	}
	var b strings.Builder
	for _, s := range did {
		paired := false
		for _, c := range s.Commands {
			if left[c] > 0 {
				left[c]--
				paired = true
			}
		}
		if !paired {
			fmt.Fprintf(&b, "%s\n    %s\n", s.Say, s.Why)
			for _, c := range s.Commands {
				fmt.Fprintf(&b, "    $ %s\n", strings.ReplaceAll(c, "\n", `\n`))
			}
		}
	}
	for c, n := range left {
		if n > 0 {
			t.Errorf("cnet did not do this: %s", c)
		}
	}
	return b.String()
}

// renamed gives cnet's links the names of the article.
func renamed(snapshot string) string {
	return strings.NewReplacer("cnet-lab", "br0", "netns0-ceth0", "veth0", "netns1-ceth1", "veth1").Replace(snapshot)
}

// differences are the lines of two snapshots that differ. Firewall rules and
// the files of /etc/netns are not looked at here.
func differences(hand, own string) string {
	count := make(map[string]int)
	for _, line := range flat(hand) {
		count[line]--
	}
	for _, line := range flat(own) {
		count[line]++
	}
	var lines []string
	for line, n := range count {
		switch {
		case n < 0:
			lines = append(lines, line+"\x00-")
		case n > 0:
			lines = append(lines, line+"\x01+")
		}
	}
	sort.Strings(lines)
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%s %s\n", line[len(line)-1:], line[:len(line)-2])
	}
	return b.String()
}

// flat makes a line of each field of a snapshot's links.
func flat(snapshot string) (lines []string) {
	for _, line := range strings.Split(snapshot, "\n") {
		head, object, found := strings.Cut(line, " {")
		var fields map[string]any
		switch {
		case rulesOrFiles(line):
		case found && json.Unmarshal([]byte("{"+object), &fields) == nil && fields["ifname"] != nil:
			lines = append(lines, leaves(fmt.Sprintf("%s %s", head, fields["ifname"]), fields)...)
		default:
			lines = append(lines, line)
		}
	}
	return lines
}

func rulesOrFiles(line string) bool {
	for _, word := range []string{"iptables", "ip6tables", "nft", "file"} {
		if strings.HasPrefix(line, word) || strings.Contains(line, " "+word+"-") || strings.Contains(line, " "+word+" ") {
			return true
		}
	}
	return false
}

// leaves leaves out a link's address and alias, which are names too.
func leaves(head string, fields map[string]any) (lines []string) {
	for name, value := range fields {
		switch inner, ok := value.(map[string]any); {
		case ok:
			lines = append(lines, leaves(head, inner)...)
		case name != "address" && name != "ifalias":
			lines = append(lines, fmt.Sprintf("%s %s=%v", head, name, value))
		}
	}
	return lines
}

// answers asks the same in both worlds, where the same servers run.
func answers(t *testing.T, hand, own *world) string {
	t.Helper()
	calls := []struct{ who, from, to string }{
		{"outside, the host's port", "outside", "http://203.0.113.2:5000"},
		{"the host, its port", "", "http://203.0.113.2:5000"},
		{"the host, the container", "", "http://172.18.0.10:5000"},
		{"netns1, the container", "netns1", "http://172.18.0.10:5000"},
		{"netns0, outside", "netns0", "http://203.0.113.1"},
		{"netns1, outside", "netns1", "http://203.0.113.1"},
		{"outside, a port not published", "outside", "http://203.0.113.2:5001"},
	}
	for _, w := range []*world{hand, own} {
		w.sh(`
for at in netns0:5000 outside:80; do
	ip netns exec ${at%:*} cnet serve --quiet --name ${at%:*} --addr :${at#*:} >/dev/null 2>&1 &
	until ip netns exec ${at%:*} cnet probe 127.0.0.1:${at#*:} >/dev/null; do sleep 0.05; done
done`)
	}
	var b strings.Builder
	for _, c := range calls {
		first, second := ask(hand, c.from, c.to), ask(own, c.from, c.to)
		if first != second {
			t.Errorf("%s: by hand %s, cnet %s", c.who, first, second)
		}
		fmt.Fprintf(&b, "%-32s%s\n", c.who, first)
	}
	return b.String()
}

// ask returns who answered and whom it saw, or the error.
func ask(w *world, from, to string) string {
	argv := []string{"cnet", "probe", to}
	if from != "" {
		argv = append([]string{"ip", "netns", "exec", from}, argv...)
	}
	said := w.ask(order{Argv: argv})
	words := strings.Fields(said.Out + said.Err)
	if said.Code != 0 || len(words) < 4 {
		return words[0]
	}
	return fmt.Sprintf("%s answers, and sees %s", words[1], words[3][:strings.LastIndex(words[3], ":")])
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
