package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// engine runs containers: of what it takes, the network's part is the difference
// to the same with no network. Its daemon, if it has one, and all its files are in
// the sandbox.
type engine struct {
	run, image, remove []string
}

func engines() []lane {
	none, port := []string{"--network", "none"}, []string{"--publish", "8080:80"}
	return []lane{
		engineLane("podman, no network", podman, none), engineLane("podman, one port", podman, port),
		engineLane("docker, no network", docker, none), engineLane("docker, one port", docker, port),
	}
}

func engineLane(tool string, prepare func(h *host, root string) (engine, error), network []string) lane {
	var run, remove []string
	round := func(h *host) error {
		return each(
			func() error { return h.time("up", run...) },
			func() error { return h.timeGone(remove...) })
	}
	return lane{tool: tool, round: round,
		setup: func(h *host) error {
			dir, err := root(h)
			if err != nil {
				return err
			}
			e, err := prepare(h, dir)
			if err != nil {
				return err
			}
			remove = e.remove
			for _, words := range [][]string{e.run, network, e.image, {"/cnet", "serve", "--addr", ":80"}} {
				run = append(run, words...)
			}
			return round(h) // the first makes the network
		}}
}

// root makes a root folder with nothing but a server in it, and shows control
// groups, which engines insist on.
func root(h *host) (string, error) {
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return "", fmt.Errorf("mount cgroup2: %w", err)
	}
	dir := filepath.Join(h.dir, "root")
	for _, sub := range []string{"dev", "etc", "proc", "run", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	program, err := os.ReadFile(filepath.Join(h.bin, "cnet"))
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "cnet"), program, 0o755)
}

func podman(h *host, root string) (engine, error) {
	program, err := find("podman")
	if err != nil {
		return engine{}, err
	}
	h.version = output(program, "--version")
	words := func(more ...string) []string {
		return append([]string{program, "--root", filepath.Join(h.dir, "storage"), "--runroot", filepath.Join(h.dir, "run"),
			"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--log-level", "error"}, more...)
	}
	return engine{
		run:    words("run", "--detach", "--name", "c0", "--cgroups", "disabled"),
		image:  []string{"--rootfs", root},
		remove: words("rm", "--force", "--time", "0", "c0"),
	}, nil
}

func docker(h *host, root string) (engine, error) {
	program, err := find("dockerd")
	if err != nil {
		return engine{}, err
	}
	h.version = output(program, "--version")
	file := func(name string) string { return filepath.Join(h.dir, name) }
	socket := "unix://" + file("docker.sock")
	words := func(more ...string) []string { return append([]string{"docker", "--host", socket}, more...) }
	err = each(
		func() error {
			return h.daemon(program, "--host", socket, "--data-root", file("data"), "--exec-root", file("exec"),
				"--pidfile", file("pid"), "--storage-driver", "vfs", "--log-level", "error")
		},
		func() error { return h.await(words("info")...) },
		func() error { return h.run("tar", "-C", root, "-cf", file("image.tar"), ".") },
		func() error { return h.run(words("import", file("image.tar"), "bench")...) })
	return engine{
		run:    words("run", "--detach", "--name", "c0"),
		image:  []string{"bench"},
		remove: words("rm", "--force", "c0"),
	}, err
}

// daemon starts a program that runs until the lane ends.
func (h *host) daemon(words ...string) error {
	cmd := exec.Command(words[0], words[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	h.undo = append(h.undo, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.Remove("/sys/fs/cgroup/docker") // the machine's, too
	})
	return nil
}

// await runs a program until it succeeds.
func (h *host) await(words ...string) (err error) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = h.run(words...); err == nil {
			return nil
		}
	}
	return err
}
