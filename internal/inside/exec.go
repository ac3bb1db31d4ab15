package inside

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/cnetlab/cnet/internal/fail"
)

// Exit codes for a program that did not run, those of env(1) and of shells.
const (
	CannotRun fail.Kind = 126 // it is there, but the kernel will not execute it
	NoProgram fail.Kind = 127 // it is not there
)

// Find looks a program up in $PATH, or takes a name with a slash as it is.
func Find(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", &fail.Error{Kind: NoProgram, What: "run " + name, Why: "there is no such program in $PATH", Err: err}
	case errors.Is(err, fs.ErrNotExist):
		return "", &fail.Error{Kind: NoProgram, What: "run " + name, Why: "there is no such file", Err: err}
	}
	return "", CannotExecute(name, err)
}

// Exec has the program at path take this process's place: the process number,
// the terminal and the standard files stay. It returns only on failure.
func Exec(path string, argv []string) error {
	// SIGHUP and SIGINT that the caller ignores are ignored by the program, too.
	// Of other signals Go's runtime forgets it (runtime.initsig), before any code of ours.
	signal.Reset()
	return CannotExecute(argv[0], syscall.Exec(path, argv, os.Environ()))
}

// CannotExecute says why a program that is there cannot be executed.
func CannotExecute(name string, err error) error {
	var cause *os.PathError
	var lookup *exec.Error
	switch {
	case errors.As(err, &cause):
		err = cause.Err
	case errors.As(err, &lookup):
		err = lookup.Err
	}
	why := "%w"
	switch {
	case errors.Is(err, syscall.EISDIR):
		why = "it is a folder: %w"
	case errors.Is(err, fs.ErrPermission):
		why = "it is not marked as executable: %w"
	case errors.Is(err, syscall.ENOEXEC):
		why = "it is neither a program for this machine nor a script with a #! line: %w"
	case errors.Is(err, fs.ErrNotExist):
		why = "the interpreter or loader that it names is not there: %w"
	}
	return fail.New(CannotRun, "run "+name, why, err)
}
