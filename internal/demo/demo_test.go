package demo_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/cli"
	"github.com/cnetlab/cnet/internal/demo"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/world"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// With this variable set, testdata/*.txt are written anew.
const update = "CNET_TEST_UPDATE"

// The demo calls its own program, which is cnet then.
const asCnet = "CNET_TEST_AS_CNET"

func init() { runtime.LockOSThread() } // as cnet does

func TestMain(m *testing.M) {
	if os.Getenv(asCnet) != "" || filepath.Base(os.Args[0]) == "cnet" {
		os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a child with the race detector would linger
	hosttest.Main(m)
}

// tell tells the story in a world of its own.
func tell(t *testing.T, o demo.Options) string {
	t.Helper()
	if _, err := world.Build(context.Background()); err != nil {
		t.Fatal(err)
	}
	os.Setenv(asCnet, "1") // of this sandbox
	var out bytes.Buffer
	o.Out = &out
	if err := demo.Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return out.String()
}

// TestStory: each whole story is true, and is told as it is written down in
// testdata, where people may read it. Numbers that chance gives may differ.
func TestStory(t *testing.T) {
	t.Parallel()
	for _, story := range demo.Stories() {
		story := story
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				needIptables(t)
				got := tell(t, demo.Options{Story: story})
				for _, line := range strings.Split(got, "\n") {
					if len(line) > 80 {
						t.Errorf("%d columns: %s", len(line), line)
					}
				}
				golden := "testdata/" + story + ".txt"
				if os.Getenv(update) != "" {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(certain(string(want)), certain(got)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// certain are the lines of a story without the numbers that chance gives.
func certain(story string) []string {
	return strings.Split(byChance.ReplaceAllString(story, "by chance: N"), "\n")
}

var byChance = regexp.MustCompile(`by chance:(\s+(HTTP\s+)?\w+\s+\d+,?)+`)

// TestFromStep: the steps before are done, and not told; a pause after each of
// the others but the last.
func TestFromStep(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		needIptables(t)
		got := tell(t, demo.Options{Story: "network", From: 16, Pause: true, In: strings.NewReader("\n\nq\n")})
		for text, want := range map[string]bool{
			"15  ": false, "16  A server": true, "17  Publishing": true, "18  ": true, "19  ": false,
			"outside -> http://203.0.113.2:5000: answers to client 203.0.113.1": true,
		} {
			if strings.Contains(got, text) != want {
				t.Errorf("%q in the story: %v, want %v\n%s", text, !want, want, got)
			}
		}
	})
}

func TestNoSuchStep(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		needIptables(t)
		if _, err := world.Build(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := demo.Run(context.Background(), demo.Options{Story: "network", From: 99}); fail.KindOf(err) != fail.Usage {
			t.Error(err)
		}
	})
}

// TestOnlyInAWorld: the story is never played on the machine itself.
func TestOnlyInAWorld(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		needIptables(t)
		err := demo.Run(context.Background(), demo.Options{Story: "network"})
		if err == nil || !strings.Contains(err.Error(), "in a sandbox with a world") {
			t.Error(err)
		}
	})
}

func TestWithoutIptables(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
		}
		err := demo.Run(context.Background(), demo.Options{Story: "network"})
		if fail.KindOf(err) != fail.HostLacks || !strings.Contains(err.Error(), "iptables") {
			t.Error(err)
		}
	})
}

func TestList(t *testing.T) {
	var out bytes.Buffer
	if err := demo.List(&out, "network"); err != nil {
		t.Fatal(err)
	}
	if err := demo.List(&out, "none"); fail.KindOf(err) != fail.Usage {
		t.Error(err)
	}
	if s := out.String(); !strings.HasPrefix(s, " 1  The host\n") || !strings.HasSuffix(s, "\n20  The same with cnet\n") {
		t.Error(s)
	}
}

func needIptables(t *testing.T) {
	t.Helper()
	if err := demo.Ready(); err != nil {
		t.Skip(err)
	}
}
