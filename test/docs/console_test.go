package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestConsole types every session of a page, from top to bottom, on one host
// that stands in a world (as `cnet sandbox --world` makes it). A session is a
// block fenced as console: each line that begins with "$ " is typed into sh, and
// the lines below it are what it prints. In these, [..] is any text within a
// line, and a line … is any lines. An answer that takes a moment, of cnet probe,
// is waited for.
func TestConsole(t *testing.T) {
	for _, name := range consoles(t) {
		name := name
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				host(t)
				text := read(t, name)
				settle(t, name, text, replay(t, text))
			})
		})
	}
}

// consoles are the pages on which something is typed.
func consoles(t *testing.T) (names []string) {
	t.Helper()
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append([]string{"../../README.md"}, docs...) {
		name := strings.TrimPrefix(path, "../../")
		if session.MatchString(read(t, name)) {
			names = append(names, name)
		}
	}
	return names
}

var session = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// replay returns the page with what its sessions print now.
func replay(t *testing.T, text string) string {
	t.Helper()
	typed := 0
	text = session.ReplaceAllStringFunc(text, func(block string) string {
		body := session.FindStringSubmatch(block)[1]
		var out strings.Builder
		for _, part := range strings.Split("\n"+body, "\n$ ")[1:] {
			command, old, _ := strings.Cut(part, "\n")
			typed++
			out.WriteString("$ " + command + "\n" + look(t, command, old))
		}
		return "```console\n" + out.String() + "```"
	})
	if typed == 0 {
		t.Error("nothing is typed on this page")
	}
	return text
}

// look types a command and returns what it prints, in the form of the old text
// as far as that allows.
func look(t *testing.T, command, old string) string {
	t.Helper()
	if old != "" && !strings.HasSuffix(old, "\n") {
		old += "\n"
	}
	// A blank line at the end belongs to the page.
	shown := strings.TrimRight(old, "\n")
	space := strings.TrimPrefix(old, shown)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, _ := exec.Command("sh", "-c", command).CombinedOutput()
		printed := strings.TrimRight(string(out), "\n")
		if fits(shown, printed) {
			return old
		}
		if !strings.Contains(command, "cnet probe") || time.Now().After(end) {
			t.Logf("$ %s\n%s", command, printed)
			return keepForm(shown, printed) + "\n" + strings.TrimPrefix(space, "\n")
		}
	}
}

// fits reports whether text is what the pattern says.
func fits(pattern, text string) bool {
	return regexp.MustCompile(`\A` + expression(pattern) + `\z`).MatchString(text)
}

func expression(pattern string) string {
	lines := strings.Split(pattern, "\n")
	for i, l := range lines {
		lines[i] = strings.ReplaceAll(regexp.QuoteMeta(l), `\[\.\.\]`, `[^\n]*`)
		if l == "…" {
			lines[i] = `(?:.*\n)*.*`
		}
	}
	return strings.Join(lines, "\n")
}

// keepForm is the text with the wildcards of the old pattern where they still
// fit: lines with [..] that match, and as many lines before and after a … .
func keepForm(old, text string) string {
	patterns := strings.Split(old, "\n")
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		for _, p := range patterns {
			if strings.Contains(p, "[..]") && fits(p, l) {
				lines[i] = p
			}
		}
	}
	for i, p := range patterns {
		if tail := len(patterns) - i - 1; p == "…" && i+tail < len(lines) {
			head := append([]string(nil), lines[:i]...)
			return strings.Join(append(append(head, "…"), lines[len(lines)-tail:]...), "\n")
		}
	}
	return strings.Join(lines, "\n")
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a\nb", "a\nb", true},
		{"a\nb", "a\nb\nc", false},
		{"pid [..] of web", "pid 12 of web", true},
		{"pid [..]", "pid 12\nmore", false},
		{"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…\nd", "a\nb\nc", false},
		{"…\nd", "b\nc\nd", true},
		{"a.c", "abc", false},
	} {
		if got := fits(c.pattern, c.text); got != c.want {
			t.Errorf("%q fits %q: %v", c.pattern, c.text, got)
		}
	}
	if got, want := keepForm("x\n…\nport [..]", "y\n1\n2\nport 80"), "y\n…\nport [..]"; got != want {
		t.Errorf("kept %q, not %q", got, want)
	}
}
