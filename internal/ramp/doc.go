// Package ramp moves traffic from some of a service's backends to others, a step
// at a time, and back if the others fail.
//
// What moves is only where new connections go: those that stand stay where they
// are, which drains the old backends. A step changes weights, waits, and looks:
// the counters of the kernel tell which share the backends really got, and trial
// requests tell whether they answer. The kernel cannot tell the latter: to it a
// connection that carries an error is as good as any other.
package ramp
