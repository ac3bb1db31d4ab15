package demo

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
)

// TestFalseClaim: a claim that is not true ends the demo, and says what was
// expected and what was seen.
func TestFalseClaim(t *testing.T) {
	var out bytes.Buffer
	s := &stage{page: newPage(Options{Out: &out})}
	claim := look{"a pings b", answered, func(context.Context, string) (string, error) { return silence, nil }}
	err := s.play(context.Background(), 7, step{"A claim", []part{{text: "It is false.", looks: []look{claim}}}})
	const want = `step 7 of the demo: a pings b: expected "it answers", saw "no answer"`
	if fail.KindOf(err) != fail.Unmet || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if !strings.Contains(out.String(), "-> a pings b: no answer\n") {
		t.Errorf("the story does not tell what was seen:\n%s", &out)
	}
}

func TestLookFails(t *testing.T) {
	s := &stage{page: newPage(Options{Out: &bytes.Buffer{}})}
	broken := errors.New("out of order")
	claim := look{"a pings b", answered, func(context.Context, string) (string, error) { return "", broken }}
	if err := s.look(context.Background(), 1, []look{claim}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := &stage{page: newPage(Options{Out: &bytes.Buffer{}})}
	claim := look{"a pings b", answered, func(context.Context, string) (string, error) { return silence, nil }}
	if err := s.look(ctx, 1, []look{claim}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := pause(ctx, blocked{}, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

func TestPause(t *testing.T) {
	in := strings.NewReader("\nx\nq\n")
	for i, want := range []bool{true, true, false, true, true} { // then the input has ended
		if on, err := pause(context.Background(), in, &bytes.Buffer{}); on != want || err != nil {
			t.Errorf("pause %d: %v, %v; want %v", i+1, on, err, want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct{ text, more, want string }{
		{"one two", "", "> one two"},
		{"one two three four", "", "> one two\n  three four"},
		{"one two three four", ` \`, "> one two \\\n  three \\\n  four"},
		{"a-word-that-is-too-long for it", "", "> a-word-that-is-too-long\n  for it"},
	} {
		if got := fold(c.text, "> ", "  ", c.more, 12); got != c.want {
			t.Errorf("%q: got\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

func TestUnlike(t *testing.T) {
	a, b := state{"x", "y"}, state{"y", "x"}
	if line := a.unlike(b); line != "" {
		t.Error(line)
	}
	if line := a.unlike(append(b, "z")); line != "z" {
		t.Errorf("%q, want what is new", line)
	}
	if line := append(a, "z").unlike(b); line != "z" {
		t.Errorf("%q, want what is missing", line)
	}
}
