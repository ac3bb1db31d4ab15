// Command floor is what the kernel charges: the same netlink calls as a
// container's network needs, one after the other, with nothing around them. It
// checks nothing, remembers nothing and undoes nothing, and is for a sandbox.
//
//	floor net N                networks fl0 to flN-1, and a map of published ports
//	floor up COUNT N [PORT]    COUNT containers over N networks, PORT published
//	floor down COUNT [PORT]    the same away; gone when it returns
//	floor publish FIRST LAST   ports of the first container, at once
//	floor unpublish FIRST LAST the same away
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// The floor works on one thread, which goes from namespace to namespace.
func init() { runtime.LockOSThread() }

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: floor net|up|down|publish|unpublish NUMBER [NUMBER]")
	}
	n := make([]int, 3)
	for i, a := range args[1:] {
		var err error
		if n[i], err = strconv.Atoi(a); err != nil {
			return err
		}
	}
	switch args[0] {
	case "net":
		return networks(n[0])
	case "up":
		return up(n[0], n[1], n[2])
	case "down":
		return down(n[0], n[1])
	case "publish":
		return publish(n[0], n[1])
	case "unpublish":
		return unpublish(n[0], n[1])
	}
	return fmt.Errorf("%s is none of net, up, down, publish, unpublish", args[0])
}
