package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/cnetlab/cnet/internal/fail"
)

// Parse reads a topology file: YAML, of which JSON is a part. Only names must
// be given; the rest is chosen when the file is applied. Unknown fields are
// refused. name is the file's, for messages.
func Parse(name string, data []byte) (Topology, error) {
	var t Topology
	if len(strings.TrimSpace(string(data))) == 0 {
		return t, fail.New(fail.Usage, name, "the file is empty").Try("cnet export shows what a topology file looks like")
	}
	if err := read(data, &t); err != nil {
		return t, fileError(name, data, err)
	}
	return t, t.checkNames(name)
}

// read decodes strictly. The library panics on some malformed documents (found
// by FuzzParse; a tag without a value is one); that is an error like others.
func read(data []byte, t *Topology) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is no YAML that can be read")
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return err
	}
	first := true
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if !first {
			return fail.New(fail.Usage, "", "it has more than one document (---)")
		}
		first = false
		ast.Walk(apart{}, doc.Body)
		if err := yaml.NewDecoder(new(bytes.Buffer), yaml.Strict()).DecodeFromNode(doc.Body, t); err != nil {
			return err
		}
	}
	return nil
}

// apart cuts the texts of a document off from their neighbours in the file. To
// read one as an address or a port, the library goes from it through all there
// are: the time for a file would grow with the square of its length.
type apart struct{}

func (apart) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.MappingValueNode:
		ast.Walk(apart{}, n.Value)
		return nil // the key stays with what follows
	case *ast.LiteralNode:
		return nil // is of two tokens
	case *ast.StringNode:
		t := n.Token
		if t.Prev != nil {
			t.Prev.Next = nil
		}
		if t.Next != nil {
			t.Next.Prev = nil
		}
		t.Prev, t.Next = nil, nil
	}
	return apart{}
}

// fileError is err with the line that it is about.
func fileError(name string, data []byte, err error) error {
	number, why := 0, ""
	var y yaml.Error
	var own *fail.Error
	var form *yaml.TypeError
	switch {
	case errors.As(err, &form) && form.Token != nil:
		number, why = form.Token.Position.Line, "what stands there should be "+formOf(form.DstType)
	case errors.As(err, &own): // the text of a value of ours
		number, why = lineOf(data, err), own.Error()
	case errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil:
		number, why = y.GetToken().Position.Line, strings.Map(seen, y.GetMessage())
	default: // the text of a value of the library's
		number, why = lineOf(data, err), "it cannot be read: a value is not of the right form"
	}
	lines := strings.Split(string(data), "\n")
	if number < 1 || number > len(lines) {
		return fail.New(fail.Usage, name, "%s", why)
	}
	return fail.New(fail.Usage, fmt.Sprintf("%s:%d", name, number), "%s, in the line %q", why, strings.TrimSpace(lines[number-1]))
}

// seen is a rune as a terminal may show it: what would steer it is replaced.
func seen(r rune) rune {
	if strconv.IsPrint(r) || r == ' ' {
		return r
	}
	return '\uFFFD'
}

// formOf is a type of Go in the words of a document.
func formOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a group of fields"
	}
	return "text"
}

// lineOf is the line of the first value that err quotes; 0 if there is none.
func lineOf(data []byte, err error) int {
	file, parseErr := parser.ParseBytes(data, 0)
	if parseErr != nil {
		return 0
	}
	f := quoted{in: err.Error()}
	for _, doc := range file.Docs {
		ast.Walk(&f, doc)
	}
	return f.line
}

// quoted looks for the first scalar of a document that stands in a text.
type quoted struct {
	in   string
	line int
}

func (q *quoted) Visit(n ast.Node) ast.Visitor {
	if s, ok := n.(ast.ScalarNode); ok && q.line == 0 {
		if t := s.GetToken(); t.Value != "" && (strings.Contains(q.in, strconv.Quote(t.Value)) || strings.Contains(q.in, " "+t.Value+":")) {
			q.line = t.Position.Line
		}
	}
	return q
}

// checkNames refuses a document that names a thing twice or not at all.
func (t Topology) checkNames(file string) error {
	seen := make(map[string]bool)
	check := func(what, name string) error {
		if err := CheckName(what, name); err != nil {
			return err
		}
		if seen[what+name] {
			return fail.New(fail.Usage, file, "it has two of the name %s %s", what, name)
		}
		seen[what+name] = true
		return nil
	}
	for _, n := range t.Networks {
		if err := check("network", n.Name); err != nil {
			return err
		}
	}
	for _, c := range t.Containers {
		if err := check("container", c.Name); err != nil {
			return err
		}
	}
	for _, s := range t.Services {
		if err := check("service", s.Name); err != nil {
			return err
		}
	}
	return nil
}

// Text is the topology as a file that Parse reads. Numbers that mean something
// only while this kernel runs are left out.
func (t Topology) Text() ([]byte, error) { return YAML(t.portable()) }

// portable is the topology without what only this kernel knows.
func (t Topology) portable() Topology {
	t = t.Clone()
	for i := range t.Containers {
		k := &t.Containers[i]
		k.NetnsID, k.NetnsBoot = 0, ""
		if k.Sidecar != nil && k.Sidecar.Ends { // as its connections do, which are not of the file
			k.Sidecar = nil
		}
	}
	for i := range t.Services {
		t.Services[i].Ready = nil
	}
	return t
}

// YAML is v, which has JSON tags, as YAML with the fields in their order and
// without those that are empty.
func YAML(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var doc any
	if err := yaml.UnmarshalWithOptions(raw, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	return yaml.Marshal(filled(doc))
}

// filled is a document without empty strings.
func filled(doc any) any {
	switch d := doc.(type) {
	case yaml.MapSlice:
		out := make(yaml.MapSlice, 0, len(d))
		for _, item := range d {
			if item.Value != "" {
				out = append(out, yaml.MapItem{Key: item.Key, Value: filled(item.Value)})
			}
		}
		return out
	case []any:
		for i := range d {
			d[i] = filled(d[i])
		}
	}
	return doc
}
