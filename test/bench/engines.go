package main

import (
	"os"
	"path/filepath"
)

// engines run containers, so that of what they take the part of the network is
// the difference to the same with no network.
func engines() []lane {
	return []lane{
		podman("podman run, no network", "--network", "none"),
		podman("podman run, one port", "--publish", "8080:80"),
		docker("docker run, no network", "--network", "none"),
		docker("docker run, one port", "--publish", "8080:80"),
	}
}

// root makes a root folder with nothing but a server in it.
func root(h *host) (string, error) {
	dir := filepath.Join(h.dir, "root")
	program, err := os.ReadFile(filepath.Join(h.bin, "cnet"))
	if err != nil {
		return "", err
	}
	for _, sub := range []string{"dev", "etc", "proc", "run", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "cnet"), program, 0o755)
}

func podman(tool string, network ...string) lane {
	var global, run []string
	return lane{tool: tool,
		setup: func(h *host) error {
			program, err := find("podman")
			if err != nil {
				return err
			}
			h.version = output(program, "--version")
			dir, err := root(h)
			if err != nil {
				return err
			}
			store := func(name string) string { return filepath.Join(h.dir, name) }
			global = []string{program, "--root", store("storage"), "--runroot", store("run"), "--storage-driver", "vfs",
				"--cgroup-manager", "cgroupfs", "--events-backend", "file", "--log-level", "error"}
			run = append(append(global[:len(global):len(global)], "run", "--detach", "--name", "c0", "--cgroups", "disabled"), network...)
			run = append(run, "--rootfs", dir, "/cnet", "serve", "--addr", ":80")
			return engineRound(h, global, run) // the first one makes the network
		},
		round: func(h *host) error { return engineRound(h, global, run) }}
}

func engineRound(h *host, global, run []string) error {
	remove := append(global[:len(global):len(global)], "rm", "--force", "c0")
	return each(
		func() error { return h.time("up", run...) },
		func() error { return h.timeGone(remove...) })
}
