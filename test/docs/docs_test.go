// Package docs keeps the project's pages true. What a page shows is run, or made
// from what the page is about, and compared with the page:
//
//	console   the terminal sessions of README.md and docs/, on a host of their own
//	network   the facts and the rule set of each sort of network, in docs/network.md
//	needs     which fact serves which caller, found by breaking it, in docs/network.md
//	tables    go.mod and docs/dependencies.md, internal/fail and docs/exit-codes.md
//	arrows    which package may import which, as docs/architecture.md draws it
//
// `go test ./test/docs -update` writes the pages anew.
package docs

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cnetlab/cnet/internal/cli"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/world"
	"github.com/google/go-cmp/cmp"
)

// updating is set in the environment when pages are to be written anew: the
// flag does not reach the tests that run in a sandbox.
const updating = "CNET_DOCS_UPDATE"

var update = flag.Bool("update", false, "write the pages anew")

// As cmd/cnet does.
func init() {
	if isCnet() {
		runtime.LockOSThread()
	}
}

// isCnet reports whether this binary was started by the name cnet, to be cnet.
func isCnet() bool { return filepath.Base(os.Args[0]) == "cnet" }

func TestMain(m *testing.M) {
	if isCnet() {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	flag.Parse()
	if *update {
		os.Setenv(updating, "1")
	}
	hosttest.Main(m)
}

// page is the path of a file of the project.
func page(name string) string { return filepath.Join("..", "..", name) }

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(page(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// settle compares a page with what it should be, or writes it anew.
func settle(t testing.TB, name, is, should string) {
	t.Helper()
	if is == should {
		return
	}
	if os.Getenv(updating) == "" {
		t.Errorf("%s is not true any more (- page, + as it is); see `go test ./test/docs -update`:\n%s",
			name, cmp.Diff(strings.Split(is, "\n"), strings.Split(should, "\n")))
		return
	}
	if err := os.WriteFile(page(name), []byte(should), 0o644); err != nil {
		t.Fatal(err)
	}
}

// host makes the sandbox one that all pages mean: with a world around it, a
// known name server, and cnet, which is this binary, in the PATH.
func host(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	if _, err := world.Build(ctx); err != nil {
		t.Fatal(err)
	}
	// Where there is IPv6, its settings are those of a common host.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+world.Uplink+"/accept_ra", []byte("1"), 0o644)
	os.Remove("/etc/resolv.conf") // it may be a link
	if err := os.WriteFile("/etc/resolv.conf", []byte("nameserver 198.51.100.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "cnet")); err != nil {
		t.Fatal(err)
	}
	// Not t.Setenv: this process runs one test and ends.
	os.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	os.Setenv("NO_COLOR", "1")
	os.Setenv("GORACE", "atexit_sleep_ms=0")
}
