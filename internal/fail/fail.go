// Package fail is the form of cnet's errors: what failed, why, and what to type
// next. Its kinds are the exit codes of docs/exit-codes.md.
package fail

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure it is; its number is the exit code.
type Kind int

const (
	Failed       Kind = 1 // it failed and was rolled back
	Usage        Kind = 2 // the command line or a file is wrong
	NotFound     Kind = 3 // the named object does not exist
	Conflict     Kind = 4 // a name, address, port or subnet is taken
	Locked       Kind = 5 // the lock was not had in time
	Unmet        Kind = 6 // facts do not hold
	NotPermitted Kind = 7 // the user may not do this
	HostLacks    Kind = 8 // the host lacks a program or a kernel feature
)

// Error is a failure in three parts.
type Error struct {
	Kind Kind
	What string // what failed: `connect web to lab`
	Why  string // why, in words
	Next string // what to type next; may be empty
	Err  error  // the cause; may be nil
}

func (e *Error) Error() string {
	switch {
	case e.What == "":
		return e.Why
	case e.Why == "":
		return e.What
	}
	return e.What + ": " + e.Why
}

func (e *Error) Unwrap() error { return e.Err }

// New is an error of this kind: what failed, and why in the words of format,
// which may wrap a cause with %w.
func New(kind Kind, what, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, What: what, Why: err.Error(), Err: errors.Unwrap(err)}
}

// Try returns the error with what to type next.
func (e *Error) Try(format string, args ...any) *Error {
	e.Next = fmt.Sprintf(format, args...)
	return e
}

// KindOf is the kind of err: that of the first *Error in its chain, else Failed.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}
