package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// explainFailure turns the failure of a step into words and an exit code.
func explainFailure(what string, err error) *fail.Error {
	var own *fail.Error
	if errors.As(err, &own) {
		return own
	}
	f := &fail.Error{Kind: fail.Failed, What: what, Err: err, Why: err.Error()}
	var step *fact.StepError
	if errors.As(err, &step) {
		f.Why = fmt.Sprintf("%q could not be made true: %v", step.Step.Fact.Say(), step.Err)
		if step.Step.Verb == fact.Break {
			f.Why = fmt.Sprintf("%q could not be undone: %v", step.Step.Fact.Say(), step.Err)
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		f.Why, f.Next = "interrupted", ""
	case errors.Is(err, nat.ErrLocked):
		f.Kind, f.Next = fail.Locked, "wait for it, or give --lock-timeout"
		f.Why = fmt.Sprintf("%s holds the lock of iptables, %s", store.HolderOf(nat.XtablesLock), nat.XtablesLock)
	case errors.Is(err, fs.ErrExist):
		f.Kind, f.Next = fail.Conflict, "remove what is there; cnet reset, if an earlier cnet left it"
	case errors.Is(err, fs.ErrPermission):
		f.Kind, f.Next = fail.NotPermitted, "run it as root, or try it in a sandbox: cnet sandbox"
	case errors.Is(err, exec.ErrNotFound):
		f.Kind, f.Next = fail.HostLacks, "apt-get install iptables"
	case errors.Is(err, nat.ErrBackend):
		f.Kind, f.Next = fail.HostLacks, "--firewall iptables"
	case errors.Is(err, syscall.EXFULL): // br_add_if in net/bridge/br_if.c
		f.Kind, f.Next = fail.Conflict, "ip link show master BRIDGE, for ports that are not cnet's; or another network"
		f.Why += " (a bridge takes 1023 ports)"
	case errors.Is(err, syscall.EROFS):
		f.Kind, f.Next = fail.HostLacks, "mount it so that it can be written; start a container with --privileged"
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPROTONOSUPPORT):
		f.Kind, f.Next = fail.HostLacks, "load the kernel module that it needs"
	}
	return f
}

// permitted refuses who cannot change the kernel before anything is looked at.
func permitted(what, doing string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fail.New(fail.NotPermitted, what, "%s needs root", doing).
		Try("sudo cnet …, or try it without root: cnet sandbox")
}

// feasible refuses a plan that the host has no means for, before anything is touched.
func feasible(p fact.Plan) error {
	asked := make(map[string]bool)
	for _, s := range p.Steps {
		if n, ok := s.Fact.(fact.Needy); ok && !asked[n.Requires()] {
			asked[n.Requires()] = true
			if err := n.Ready(); err != nil {
				return explainFailure("look at the host", &fact.StepError{Step: s, Err: err})
			}
		}
	}
	return nil
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
