package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// mininetScript measures inside: what Python takes to start is not counted.
const mininetScript = `
import json, sys, time
from mininet.net import Mininet
from mininet.topo import SingleSwitchTopo
from mininet.nodelib import LinuxBridge
begun = time.time()
net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None)
net.start()
up = time.time()
net.stop()
down = time.time()
print(json.dumps({"up": (up - begun) * 1000, "down": (down - up) * 1000}))
`

// mininet is n hosts on a Linux bridge.
func mininet(n int) lane {
	const python = "/usr/bin/python3" // that of the distribution, which has the package
	return lane{tool: "mininet", x: n,
		setup: func(h *host) error {
			h.version = output(python, "-c", "import mininet.net; print('mininet', mininet.net.VERSION)")
			if exec.Command(python, "-c", "import mininet.net").Run() != nil {
				return fmt.Errorf("there is no mininet here")
			}
			_, err := find("brctl")
			return err
		},
		round: func(h *host) error {
			cmd := exec.Command(python, "-c", mininetScript, strconv.Itoa(n))
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return err
			}
			if err := json.Unmarshal(out, &h.figures); err != nil {
				return err
			}
			h.figures["gone"] = h.figures["down"]
			return nil
		}}
}
