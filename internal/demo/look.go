package demo

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/netns"
)

const host = "" // the namespace of the sandbox itself

// short names a namespace in a sentence.
func short(path string) string { return netns.Say(path) }

// links is that a namespace has these links and no others.
func links(path, want string) look {
	return look{short(path) + "'s links", want, eventually(path, func() (string, error) {
		list, err := net.Interfaces()
		names := make([]string, len(list))
		for i, l := range list {
			names[i] = l.Name
			if l.Flags&net.FlagUp == 0 {
				names[i] += " (down)"
			}
		}
		return strings.Join(names, ", "), err
	})}
}

// routesTo is that these are the IPv4 routes of a namespace to dst, or all if dst
// is empty.
func routesTo(path, dst, want string) look {
	what := short(path) + "'s routes"
	if dst != "" {
		what += " to " + dst
	}
	return look{what, want, eventually(path, func() (string, error) {
		list, err := routes()
		var to []string
		for _, r := range list {
			if strings.HasPrefix(r, dst) {
				to = append(to, r)
			}
		}
		return orNone(to), err
	})}
}

// routes reads the calling thread's IPv4 routes: proc_pid_net(5).
func routes() (list []string, err error) {
	rows, err := table("route")
	for _, f := range rows {
		dst, mask, via := hexAddr(f[1]), hexAddr(f[7]), hexAddr(f[2])
		m := mask.As4()
		to := fmt.Sprintf("%s/%d", dst, bits.OnesCount32(binary.BigEndian.Uint32(m[:])))
		if mask.IsUnspecified() {
			to = "default"
		}
		if !via.IsUnspecified() {
			to += " via " + via.String()
		}
		list = append(list, to+" dev "+f[0])
	}
	return list, err
}

// neighbour is what a namespace knows of the link-layer address of ip.
func neighbour(path, ip, dev, want string) look {
	what := fmt.Sprintf("%s's neighbour %s on %s", short(path), ip, dev)
	return look{what, want, eventually(path, func() (string, error) {
		rows, err := table("arp")
		for _, f := range rows {
			if f[0] != ip || f[5] != dev {
				continue
			}
			if f[2] == "0x0" {
				return "INCOMPLETE", err
			}
			return "known by its MAC address", err
		}
		return "none", err
	})}
}

// table reads a file of /proc/thread-self/net without its heading.
func table(name string) (rows [][]string, err error) {
	b, err := os.ReadFile("/proc/thread-self/net/" + name)
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if i > 0 {
			rows = append(rows, strings.Fields(line))
		}
	}
	return rows, err
}

// hexAddr reads an address of /proc/net/route, which is in the machine's order.
func hexAddr(s string) netip.Addr {
	b, _ := hex.DecodeString(s)
	if len(b) != 4 {
		return netip.Addr{}
	}
	var a [4]byte
	binary.NativeEndian.PutUint32(a[:], binary.BigEndian.Uint32(b))
	return netip.AddrFrom4(a)
}

// chains are the chains of one's own in a namespace's filter table.
func chains(path, want string) look {
	return look{short(path) + "'s own chains", want, func(ctx context.Context, _ string) (saw string, err error) {
		err = netns.Do(path, func() error {
			out, err := exec.CommandContext(ctx, "iptables", "-S").CombinedOutput()
			if err != nil {
				return fmt.Errorf("iptables -S: %w: %s", err, out)
			}
			var own []string
			for _, line := range strings.Split(string(out), "\n") {
				if name := strings.TrimPrefix(line, "-N "); name != line {
					own = append(own, name)
				}
			}
			saw = orNone(own)
			return nil
		})
		return saw, err
	}}
}

// namespaces is which namespaces have a name.
func namespaces(want string) look {
	return look{"named namespaces", want, eventually(host, func() (string, error) {
		names, err := filepath.Glob("/run/netns/*")
		for i, n := range names {
			names[i] = filepath.Base(n)
		}
		sort.Strings(names)
		return strings.Join(names, ", "), err
	})}
}

// gets is what `cnet probe TARGET` meets in a namespace: the client that the
// server saw, or the errno.
func gets(from, target, want string) look {
	return look{short(from) + " -> " + target, want, func(ctx context.Context, want string) (saw string, err error) {
		t, err := probe.Parse(target)
		if err != nil {
			return "", err
		}
		timeout := time.Second // shorter than a SYN is waited for, so that a lost one is sent anew
		if want == silence {
			timeout = doubt
		}
		for end := time.Now().Add(patience); ; {
			saw, err = ask(ctx, from, t, timeout)
			if err != nil || saw == want || want == silence || ctx.Err() != nil || time.Now().After(end) {
				return saw, err
			}
			wait(ctx, interval)
		}
	}}
}

// ask probes once.
func ask(ctx context.Context, from string, t probe.Target, timeout time.Duration) (saw string, err error) {
	err = netns.Do(from, func() error {
		r := probe.Run(ctx, t, probe.Options{Timeout: timeout})
		switch {
		case r.OK:
			saw = "answers to client " + clientOf(r.Body)
		case r.Errno == "ETIMEDOUT":
			saw = silence
		default:
			saw = strings.TrimSpace(r.Errno + "  " + sentence(r.Error))
		}
		return nil
	})
	return saw, err
}

func clientOf(body string) string {
	for _, line := range strings.Split(body, "\n") {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "client" {
			if a, err := netip.ParseAddrPort(f[1]); err == nil {
				return a.Addr().String()
			}
		}
	}
	return "unknown"
}

const refused = "ECONNREFUSED  Connection refused"

func client(ip string) string { return "answers to client " + ip }

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// arrives is the source address that the outside's server wrote down last.
func arrives(want string) look {
	return look{"the outside's log: a datagram came from", want, eventually(host, func() (string, error) {
		b, err := os.ReadFile(world.Log)
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		from, _, _ := strings.Cut(lines[len(lines)-1], " ")
		a, _ := netip.ParseAddrPort(from)
		return a.Addr().String(), err
	})}
}

// eventually looks inside a namespace until it sees what is wanted.
func eventually(path string, read func() (string, error)) func(context.Context, string) (string, error) {
	return func(ctx context.Context, want string) (saw string, err error) {
		for end := time.Now().Add(patience); ; {
			err = netns.Do(path, func() (err error) {
				saw, err = read()
				return err
			})
			if err != nil || saw == want || ctx.Err() != nil || time.Now().After(end) {
				return saw, err
			}
			wait(ctx, interval/10)
		}
	}
}

// wait waits, but not longer than ctx.
func wait(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
