package main

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/netns"
)

// core is where caller and server run, so that what is measured is what a
// connection costs and not where the scheduler puts it.
const core = 0

// answer starts a server in the namespace at path, on port 80 of ip, which closes
// each connection at once with a reset: no end waits for anything afterwards.
func (h *host) answer(path, ip string) error {
	// What was closed is forgotten after a second instead of ten.
	err := h.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_close=1")
	if err != nil {
		return err
	}
	var fd int
	err = netns.Do(path, func() (err error) {
		fd, err = listen(netip.AddrPortFrom(netip.MustParseAddr(ip), 80))
		return err
	})
	if err != nil {
		return err
	}
	go func() {
		pin()
		for {
			c, _, err := unix.Accept(fd)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
			unix.Close(c)
		}
	}()
	return nil
}

func listen(at netip.AddrPort) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	return fd, each(
		func() error { return resetOnClose(fd) }, // those accepted inherit it
		func() error { return unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}) },
		func() error { return unix.Listen(fd, 1024) })
}

func resetOnClose(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// pin keeps this goroutine's thread on the core.
func pin() {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(core)
	_ = unix.SchedSetaffinity(0, &set)
}

// call makes connections from the outside to a published port, one after the
// other, and notes how many there are in a second.
func (h *host) call(port, calls int) error {
	to := &unix.SockaddrInet4{Addr: world.Addresses().Host.As4(), Port: port}
	result := make(chan error, 1)
	go func() {
		pin() // and never unlocked: the thread ends with the goroutine
		result <- netns.Do(world.Outside, func() error {
			begun := time.Now()
			for i := 0; i < calls; i++ {
				if err := callOnce(to); err != nil {
					return fmt.Errorf("connection %d to port %d: %w", i+1, port, err)
				}
			}
			h.figures["rate"] = float64(calls) / time.Since(begun).Seconds()
			return nil
		})
	}()
	return <-result
}

func callOnce(to unix.Sockaddr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return err
	}
	if err = unix.Connect(fd, to); err == nil {
		_, err = unix.Read(fd, make([]byte, 1))
	}
	// The server's reset ends the wait; it may come before connect is done.
	if errors.Is(err, unix.ECONNRESET) {
		return nil
	}
	return err
}
