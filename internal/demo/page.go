package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// page is where the story is written.
type page struct {
	out    io.Writer
	color  bool
	width  int
	silent bool
	last   string // what was written last: "text", "command", "saw"
}

func newPage(o Options) *page {
	p := &page{out: o.Out, color: o.Color, width: o.Width}
	if p.width <= 0 {
		p.width = 80
	}
	return p
}

func (p *page) heading(n int, title string) {
	p.write("heading", "%s\n", p.mark("1", fmt.Sprintf("%2d  %s", n, title)))
}

func (p *page) text(text string) {
	if text != "" {
		p.write("text", "%s\n", fold(text, "    ", "    ", "", p.width))
	}
}

func (p *page) commands(commands []string) {
	for _, c := range commands {
		if strings.HasPrefix(c, "#") {
			p.write("command", "%s\n", p.mark("2", "      "+c))
			continue
		}
		p.write("command", "%s\n", fold("$ "+c, "      ", "          ", ` \`, p.width))
	}
}

func (p *page) saw(what, saw string) {
	p.write("saw", "%s\n", p.mark("36", fold("-> "+what+": "+saw, "      ", "         ", "", p.width)))
}

func (p *page) end() { p.write("end", "%s", "") }

// write leaves a line empty between things of different kinds.
func (p *page) write(kind, format string, args ...any) {
	if p.silent {
		return
	}
	if p.last != "" && p.last != kind {
		fmt.Fprintln(p.out)
	}
	p.last = kind
	fmt.Fprintf(p.out, format, args...)
}

func (p *page) mark(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// fold breaks text at spaces. The first line begins with first, the others with
// next; a line that goes on ends with more. A line break in the text stays.
func fold(text, first, next, more string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Split(text, " ") {
		n := len([]rune(word))
		switch {
		case i == 0:
			b.WriteString(first)
			at = len(first)
		case at+1+n+len(more) > width:
			b.WriteString(more + "\n" + next)
			at = len(next)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// pause waits for a key, on a pipe for a line. on is false if the reader has
// had enough. The end of the input is no reason to stop.
func pause(ctx context.Context, in io.Reader, out io.Writer) (on bool, err error) {
	fmt.Fprint(out, "\n    (any key goes on, q ends) ")
	restore := raw(in)
	key := make(chan byte, 1)
	go func() { key <- read(in) }()
	select {
	case <-ctx.Done():
		restore()
		return false, ctx.Err()
	case k := <-key:
		restore()
		fmt.Fprintln(out)
		const controlC = 3
		return k != 'q' && k != controlC, nil
	}
}

// raw has a terminal hand over each key at once.
func raw(in io.Reader) (restore func()) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	old, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(f.Fd()), old) }
}

// read returns the first byte of a line, or the key of a terminal.
func read(in io.Reader) byte {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		var key [1]byte
		_, _ = f.Read(key[:])
		return key[0]
	}
	line, err := bufio.NewReaderSize(oneByte{in}, 16).ReadString('\n')
	if line == "" && errors.Is(err, io.EOF) {
		return '\n'
	}
	return line[0]
}

// oneByte keeps a buffered reader from taking more than the line.
type oneByte struct{ io.Reader }

func (r oneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:1]) }
