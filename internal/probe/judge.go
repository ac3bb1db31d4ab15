package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	errFamily  = errors.New("the host has no address of the source's family")
	errNotHTTP = errors.New("the answer is not HTTP")
)

// judge turns an error into its name, its words and its meaning.
func (r *Result) judge(err error) {
	switch {
	case err == nil && r.Status < 400:
		r.OK = true
		return
	case err == nil:
		r.Error = fmt.Sprintf("HTTP status %d %s", r.Status, http.StatusText(r.Status))
		r.Meaning = meaningOfStatus
		return
	}
	r.Errno = name(err)
	r.Error = words(r.Errno, err)
	r.Meaning = r.meaning(err)
}

// name is the errno's name, or that of what is no errno. "" is neither.
func name(err error) string {
	var errno syscall.Errno
	var lookup *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "EAI_NONAME"
	case errors.As(err, &lookup) && !errors.Is(err, context.Canceled):
		return "EAI_AGAIN"
	case errors.Is(err, errFamily):
		return "EAI_ADDRFAMILY"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	case errors.Is(err, context.Canceled):
		return "ECANCELED"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "ETIMEDOUT" // our own deadline: to the user it is the same
	case errors.Is(err, errNotHTTP):
		return "EPROTO"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "EOF"
	}
	return ""
}

// words is the C library's text of an errno.
func words(name string, err error) string {
	switch name {
	case "ETIMEDOUT":
		return syscall.ETIMEDOUT.Error()
	case "ECANCELED":
		return syscall.ECANCELED.Error()
	case "EPROTO":
		return syscall.EPROTO.Error()
	case "EAI_NONAME":
		return "name not known (a resolver's error, not an errno)"
	case "EAI_AGAIN":
		return "no answer about the name (a resolver's error, not an errno)"
	case "EAI_ADDRFAMILY":
		return "no address of that family (a resolver's error, not an errno)"
	case "EOF":
		return "closed without an answer (not an errno)"
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// Explain is what an error of the network is called, its words, and what it
// usually means among containers.
func Explain(err error) (errno, words, meaning string) {
	var r Result
	r.judge(err)
	return r.Errno, r.Error, r.Meaning
}
