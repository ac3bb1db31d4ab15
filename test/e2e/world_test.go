package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/sandbox"
	"github.com/cnetlab/cnet/internal/store"
)

// agentVariable is set in the environment of a world's first process.
const agentVariable = "CNET_E2E_WORLD"

// world is a host of its own, a sandbox, that stands beside others and takes
// orders. Its first process is this test binary as [TestWorldAgent].
type world struct {
	t    *testing.T
	name string
	in   *json.Encoder
	out  *json.Decoder
	cmd  *exec.Cmd
	says *bytes.Buffer
}

// order is what a world is asked to do.
type order struct {
	Argv  []string          // run this, with Input
	Input string            //
	Files map[string]string // have these, and no others, as cnet's files
	Look  bool              // take a snapshot
}

// answer is what came of it, and cnet's files after it.
type answer struct {
	Out, Err string
	Code     int
	Snapshot string
	Files    map[string]string
}

// newWorld starts a world, with more in its environment. It ends with the test,
// or earlier by end.
func newWorld(t *testing.T, name string, env ...string) *world {
	t.Helper()
	runtime.LockOSThread() // a sandbox ends with the thread that starts it
	inRead, inWrite, err1 := os.Pipe()
	outRead, outWrite, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	w := &world{t: t, name: name, in: json.NewEncoder(inWrite), out: json.NewDecoder(outRead), says: new(bytes.Buffer)}
	w.cmd = hosttest.Command("-test.run=^TestWorldAgent$", "-test.count=1")
	w.cmd.Env = append(append(w.cmd.Env, agentVariable+"=1"), env...)
	w.cmd.ExtraFiles = []*os.File{inRead, outWrite}
	w.cmd.Stdout, w.cmd.Stderr = w.says, w.says
	err := w.cmd.Start()
	inRead.Close()
	outWrite.Close()
	t.Cleanup(func() {
		inWrite.Close() // the agent's end of orders
		outRead.Close()
		if err == nil {
			_ = w.cmd.Wait()
		}
		runtime.UnlockOSThread()
	})
	if err != nil {
		refuse(t, sandbox.Explain(err))
	}
	w.ask(order{})
	return w
}

// refuse skips the test where the machine does not let this user make sandboxes.
func refuse(t *testing.T, err error) {
	t.Helper()
	if fail.KindOf(err) == fail.NotPermitted {
		t.Skip(err)
	}
	t.Fatal(err)
}

func (w *world) ask(o order) answer {
	w.t.Helper()
	var a answer
	err := w.in.Encode(o)
	if err == nil {
		err = w.out.Decode(&a)
	}
	if err == nil {
		return a
	}
	_ = w.cmd.Wait()
	if w.cmd.ProcessState.ExitCode() == int(fail.NotPermitted) {
		w.t.Skip(w.says)
	}
	w.t.Fatalf("world %s: %v\n%s", w.name, err, w.says)
	return a
}

// cnet runs cnet, which must succeed, and returns what it printed.
func (w *world) cnet(input string, args ...string) string {
	w.t.Helper()
	return w.run(input, append([]string{"cnet"}, args...)...)
}

// sh runs a script with `sh -e`.
func (w *world) sh(script string) {
	w.t.Helper()
	w.run(script, "sh", "-e")
}

func (w *world) run(input string, argv ...string) string {
	w.t.Helper()
	a := w.ask(order{Argv: argv, Input: input})
	if a.Code != 0 {
		w.t.Fatalf("world %s: %s: exit code %d\n%s%s\n%s", w.name, strings.Join(argv, " "), a.Code, a.Out, a.Err, input)
	}
	return a.Out
}

// files are cnet's files.
func (w *world) files() map[string]string { w.t.Helper(); return w.ask(order{}).Files }

func (w *world) setFiles(files map[string]string) { w.t.Helper(); w.ask(order{Files: files}) }

func (w *world) snapshot() string { w.t.Helper(); return w.ask(order{Look: true}).Snapshot }

// TestWorldAgent is no test: it is the first process of a [world].
func TestWorldAgent(t *testing.T) {
	if os.Getenv(agentVariable) == "" {
		t.Skip("it is the first process of the worlds of other tests")
	}
	bin := cnetDir(t)
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("NO_COLOR", "1")
	in, out := json.NewDecoder(os.NewFile(3, "orders")), json.NewEncoder(os.NewFile(4, "answers"))
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			return // the other end is closed
		}
		if err := out.Encode(obey(t, o)); err != nil {
			t.Fatal(err)
		}
	}
}

func obey(t *testing.T, o order) (a answer) {
	if o.Files != nil {
		replaceFiles(t, o.Files)
	}
	if len(o.Argv) > 0 {
		var out, problem bytes.Buffer
		cmd := exec.Command(o.Argv[0], o.Argv[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(o.Input), &out, &problem
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(&problem, "%v\n", err)
			a.Code = max(1, cmd.ProcessState.ExitCode())
		}
		a.Out, a.Err = out.String(), problem.String()
	}
	if o.Look {
		a.Snapshot = hosttest.Snapshot(t)
	}
	a.Files = cnetFiles(t)
	return a
}

// cnetFiles are the files that cnet keeps, by path.
func cnetFiles(t testing.TB) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, dir := range []string{store.StateDir, store.RunDir} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && (d.Name() == "proc" || d.Name() == "log") {
				return fs.SkipDir // of processes, which differ from time to time
			}
			if err != nil || d.IsDir() || d.Name() == "lock" || strings.HasSuffix(path, ".lock") || strings.HasSuffix(path, ".sock") {
				return err
			}
			b, err := os.ReadFile(path)
			files[path] = string(b)
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return files
}

func replaceFiles(t testing.TB, files map[string]string) {
	t.Helper()
	for path := range cnetFiles(t) { // not those of processes that run
		if _, stays := files[path]; stays {
			continue
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
