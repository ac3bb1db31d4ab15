package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// docker is a daemon of its own, with all its files in the sandbox.
func docker(tool string, network ...string) lane {
	var global, run []string
	return lane{tool: tool,
		setup: func(h *host) error {
			daemon, err := find("dockerd")
			if err != nil {
				return err
			}
			h.version = output(daemon, "--version")
			socket := "unix://" + filepath.Join(h.dir, "docker.sock")
			global = []string{"docker", "--host", socket}
			err = h.daemon(daemon, "--host", socket, "--data-root", filepath.Join(h.dir, "data"), "--exec-root", filepath.Join(h.dir, "exec"),
				"--pidfile", filepath.Join(h.dir, "pid"), "--storage-driver", "vfs", "--log-level", "error")
			if err != nil {
				return err
			}
			if err := h.await(append(global, "info")...); err != nil {
				return err
			}
			dir, err := root(h)
			if err != nil {
				return err
			}
			if err := h.run("sh", "-c", fmt.Sprintf("tar -C %s -c . | docker --host %s import - bench", dir, socket)); err != nil {
				return err
			}
			run = append(append(global[:len(global):len(global)], "run", "--detach", "--name", "c0"), network...)
			run = append(run, "bench", "/cnet", "serve", "--addr", ":80")
			return engineRound(h, global, run)
		},
		round: func(h *host) error { return engineRound(h, global, run) }}
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
