package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows are the rows of all tables of a page, as cells without their marks.
func rows(text string) (list [][]string) {
	for _, l := range strings.Split(text, "\n") {
		if !strings.HasPrefix(l, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(l, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		list = append(list, cells)
	}
	return list
}

var requirement = regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`)

// TestDependencies: the page lists the modules that go.mod requires directly.
func TestDependencies(t *testing.T) {
	var required, listed []string
	for _, m := range requirement.FindAllStringSubmatch(read(t, "go.mod"), -1) {
		required = append(required, m[1]+" "+m[2])
	}
	text := read(t, "docs/dependencies.md")
	for _, r := range rows(text) {
		if regexp.MustCompile(`^v[0-9]`).MatchString(r[1]) {
			listed = append(listed, r[0]+" "+r[1])
		}
	}
	if diff := cmp.Diff(required, listed); diff != "" {
		t.Errorf("go.mod (-) and docs/dependencies.md (+):\n%s", diff)
	}
	directive := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	if directive == nil || !strings.Contains(text, "`go "+directive[1]+"`") {
		t.Errorf("docs/dependencies.md does not give the reason of the directive %q", directive)
	}
}

// TestExitCodes: the page has the codes of internal/fail, in their words.
func TestExitCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), page("internal/fail/fail.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || v.Comment == nil {
			return true
		}
		if number, ok := v.Values[0].(*ast.BasicLit); ok {
			want = append(want, number.Value+" "+strings.TrimSpace(v.Comment.Text()))
		}
		return true
	})
	var got []string
	for _, r := range rows(read(t, "docs/exit-codes.md")) {
		if len(r[0]) == 1 && r[0] >= "1" && r[0] <= "9" {
			got = append(got, fmt.Sprintf("%s %s", r[0], r[1]))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("internal/fail (-) and docs/exit-codes.md (+):\n%s", diff)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#]*)#?([^)]*)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^a-z0-9 -]`)
)

// TestPages: the links between pages lead somewhere, and text is not wider than
// 80 columns, tables, links and blocks aside.
func TestPages(t *testing.T) {
	for _, name := range pages(t) {
		text := read(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if err := follow(name, text, m[1], m[2]); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", name, err)
			}
		}
		block := false
		for i, l := range strings.Split(text, "\n") {
			if strings.HasPrefix(l, "```") {
				block = !block
			}
			if n := len([]rune(l)); n > 80 && !block && !strings.HasPrefix(l, "|") && !link.MatchString(l) {
				t.Errorf("%s:%d: %d columns", name, i+1, n)
			}
		}
	}
}

// follow looks whether a link on a page leads to a file and a heading in it.
func follow(name, text, file, anchor string) error {
	if strings.Contains(file, "://") {
		return nil
	}
	if file != "" {
		there, err := os.ReadFile(filepath.Join(filepath.Dir(page(name)), file))
		if err != nil {
			return err
		}
		text = string(there)
	}
	if anchor == "" {
		return nil
	}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		if strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor {
			return nil
		}
	}
	return fmt.Errorf("%s has no heading #%s", file, anchor)
}

func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md"}
	err := filepath.WalkDir(page("docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			list = append(list, filepath.ToSlash(strings.TrimPrefix(path, page("")+"/")))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
