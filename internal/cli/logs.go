package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/proc"
)

func newLogsCmd(a *app) *cobra.Command {
	var follow bool
	var last int
	c := &cobra.Command{
		Use:   "logs NAME|PID",
		Short: "Show what a process wrote that runs in the background",
		Long: `Show what a process wrote that exec -d started in the container NAME, or one of
cnet's own (dns, agent). Where several were started, PID says which.`,
		Example: "  cnet logs web\n  cnet logs -f -n 10 dns",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if last < -1 {
				return fail.New(fail.Usage, "logs -n", "a number of lines is not negative")
			}
			p, err := a.one(args[0])
			if err != nil {
				return err
			}
			return a.log(c.Context(), p, last, follow)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing what it writes, until it ends")
	c.Flags().IntVarP(&last, "lines", "n", -1, "show only so many of the last `lines`")
	return c
}

func (a *app) log(ctx context.Context, p process, last int, follow bool) error {
	f, err := os.Open(p.Log)
	if errors.Is(err, fs.ErrPermission) {
		return fail.New(fail.NotPermitted, "logs "+p.Of, "the log is root's: %w", err).Try("run it with sudo")
	}
	if err != nil {
		return fail.New(fail.Failed, "logs "+p.Of, "%w", err)
	}
	defer f.Close()
	if last >= 0 {
		if err := skip(f, last); err != nil {
			return err
		}
	}
	if !follow {
		_, err := io.Copy(a.out, f)
		return err
	}
	return proc.Follow(ctx, p.Process, f, a.out)
}

// skip goes to where the last lines of a file begin.
func skip(f *os.File, lines int) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || lines == 0 {
		return err
	}
	const size = 1 << 16
	buf := make([]byte, size)
	for at := end; at > 0; {
		n := min(size, at)
		at -= n
		if _, err := f.ReadAt(buf[:n], at); err != nil {
			return err
		}
		part := buf[:n]
		if at+n == end {
			part = bytes.TrimSuffix(part, []byte("\n"))
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' {
				continue
			}
			if lines--; lines == 0 {
				_, err := f.Seek(at+int64(i)+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}
