package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cnetlab/cnet/"

// chapters are the only packages that speak to the kernel's network.
var chapters = []string{"pkg/netns", "pkg/veth", "pkg/bridge", "pkg/route", "pkg/nat", "pkg/sysctl"}

// kernel are the libraries that do.
var kernel = []string{
	"github.com/vishvananda/", "github.com/coreos/go-iptables", "github.com/google/nftables",
	"github.com/jsimonetti/rtnetlink", "github.com/mdlayher/netlink",
}

// source is a Go file that is no test.
type source struct {
	path, dir string
	imports   []string
	lines     int
}

// TestArrows holds the arrows that docs/architecture.md draws.
func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.imports {
			if why := forbidden(s.dir, i); why != "" {
				t.Errorf("%s imports %s: %s", s.path, i, why)
			}
		}
		if in(s.dir, "pkg") && s.lines > 250 {
			t.Errorf("%s has %d lines: a file under pkg has at most 250", s.path, s.lines)
		}
	}
}

// forbidden says why a package may not import another, or is empty.
func forbidden(dir, path string) string {
	own, isOwn := strings.CutPrefix(path, module)
	standard := !strings.Contains(strings.Split(path, "/")[0], ".")
	switch {
	case dir == "pkg/fact" && !standard:
		return "the idea needs only the standard library"
	case begins(path, kernel) && !contains(chapters, dir) && dir != "test/bench/floor":
		return "only the chapters use libraries for the kernel's network, and what they are measured against"
	case in(dir, "pkg") && in(own, "internal"):
		return "chapters know nothing of cnet's state"
	case in(dir, "pkg") && isOwn && own != "pkg/fact" && own != "pkg/netns":
		return "chapters stand on facts and namespaces alone"
	case dir == "pkg/netns" && isOwn && own != "pkg/fact":
		return "the first chapter stands on facts alone"
	case dir == "internal/cli" && contains(chapters, own):
		return "the command line goes through the engine"
	case in(own, "internal/cli") && dir != "cmd/cnet":
		return "nothing stands on the command line"
	case in(own, "internal/engine") && dir != "internal/cli":
		return "the engine is for doors: commands, and later plugins"
	case dir == "internal/topology" && (in(own, "internal/engine") || in(own, "internal/store")):
		return "the topology is pure: it knows no files and no kernel"
	}
	return ""
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		dir, path string
		ok        bool
	}{
		{"pkg/fact", "context", true},
		{"pkg/fact", "golang.org/x/sys/unix", false},
		{"pkg/veth", "github.com/vishvananda/netlink/nl", true},
		{"internal/engine", "github.com/vishvananda/netlink", false},
		{"test/bench/floor", "github.com/vishvananda/netlink", true},
		{"test/bench", "github.com/vishvananda/netlink", false},
		{"pkg/nat", module + "internal/fail", false},
		{"pkg/route", module + "pkg/netns", true},
		{"pkg/route", module + "pkg/veth", false},
		{"internal/cli", module + "pkg/fact", true},
		{"internal/cli", module + "pkg/nat", false},
		{"internal/topology", module + "internal/store", false},
	} {
		if got := forbidden(c.dir, c.path); (got == "") != c.ok {
			t.Errorf("%s imports %s: %q", c.dir, c.path, got)
		}
	}
}

// TestChapters: each package under pkg has a doc.go, and architecture.md names
// every package of the project.
func TestChapters(t *testing.T) {
	text := read(t, "docs/architecture.md")
	seen := make(map[string]bool)
	for _, s := range sources(t) {
		if seen[s.dir] || !in(s.dir, "pkg") && !in(s.dir, "internal") {
			continue
		}
		seen[s.dir] = true
		if !strings.Contains(text, "`"+s.dir+"`") {
			t.Errorf("docs/architecture.md does not name %s", s.dir)
		}
		if _, err := os.Stat(page(s.dir + "/doc.go")); in(s.dir, "pkg") && err != nil {
			t.Error(err)
		}
	}
}

func sources(t *testing.T) (list []source) {
	t.Helper()
	for _, top := range []string{"pkg", "internal", "cmd", "test/bench"} {
		err := filepath.WalkDir(page(top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, page("")+"/"))
			s := source{path: name, dir: filepath.ToSlash(filepath.Dir(name)), lines: strings.Count(string(text), "\n")}
			for _, i := range file.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				s.imports = append(s.imports, name)
			}
			list = append(list, s)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// in reports whether a package is dir or below it.
func in(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func begins(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
