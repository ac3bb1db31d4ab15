package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/cnetlab/cnet/pkg/netns"
)

// plugins are the CNI plugins bridge and portmap, called as a runtime calls them:
// one program for each, with the configuration at standard input.
type plugins struct {
	bridge, portmap string
	backend         string // of the firewall
	host            *host
}

// attachment is a container as the plugins know it.
type attachment struct {
	name  string
	ports []portMapping
	prev  json.RawMessage // what bridge said of it
}

type portMapping struct {
	Host      int    `json:"hostPort"`
	Container int    `json:"containerPort"`
	Protocol  string `json:"protocol"`
}

func mappings(first, n int) (list []portMapping) {
	for i := 0; i < n; i++ {
		list = append(list, portMapping{first + i, 80, "tcp"})
	}
	return list
}

func cniTool(backend string) string { return "CNI, " + backend }

func (p *plugins) find(h *host) (err error) {
	p.host = h
	folders := append(strings.Split(os.Getenv("CNI_PATH"), ":"), "/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
	for program, path := range map[string]*string{"bridge": &p.bridge, "portmap": &p.portmap} {
		if *path, err = find(program, folders...); err != nil {
			return err
		}
	}
	info, err := buildinfo.ReadFile(p.bridge)
	if err != nil {
		return err
	}
	h.version = "bridge, portmap " + info.Main.Version
	return nil
}

// call runs a plugin with a verb and returns what it prints.
func (p *plugins) call(plugin, verb string, a *attachment, conf map[string]any) ([]byte, error) {
	conf["cniVersion"], conf["name"] = "1.0.0", "bench"
	if a.prev != nil {
		conf["prevResult"] = a.prev
	}
	in, err := json.Marshal(conf)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(plugin)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "CNI_COMMAND="+verb, "CNI_CONTAINERID="+a.name, "CNI_NETNS=/run/netns/"+a.name,
		"CNI_IFNAME=eth0", "CNI_PATH="+p.bridge[:strings.LastIndex(p.bridge, "/")])
	out, err := cmd.Output()
	if cmd.ProcessState != nil {
		p.host.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", plugin, verb, err, out)
	}
	return out, nil
}

func (p *plugins) bridgeConf() map[string]any {
	return map[string]any{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "ipMasqBackend": p.backend,
		"ipam": map[string]any{"type": "host-local", "dataDir": "/run/cni",
			"ranges": [][]map[string]any{{{"subnet": "10.88.0.0/16"}}}, "routes": []map[string]any{{"dst": "0.0.0.0/0"}}}}
}

func (p *plugins) publish(verb string, a *attachment) error {
	_, err := p.call(p.portmap, verb, a, map[string]any{"type": "portmap", "backend": p.backend, "snat": true,
		"capabilities":  map[string]bool{"portMappings": true},
		"runtimeConfig": map[string]any{"portMappings": a.ports}})
	return err
}

// up makes the namespace, as a runtime does, and has the plugins wire it.
func (p *plugins) up(a *attachment) error {
	if err := (netns.Named{Path: "/run/netns/" + a.name}).Make(context.Background()); err != nil {
		return err
	}
	out, err := p.call(p.bridge, "ADD", a, p.bridgeConf())
	if err != nil {
		return err
	}
	a.prev = out
	if len(a.ports) == 0 {
		return nil
	}
	return p.publish("ADD", a)
}

func (p *plugins) down(a *attachment) error {
	err := p.publish("DEL", a)
	if err != nil {
		return err
	}
	_, err = p.call(p.bridge, "DEL", a, p.bridgeConf())
	a.prev = nil
	return errors.Join(err, netns.Named{Path: "/run/netns/" + a.name}.Break(context.Background()))
}

// prepare makes the network, which stays because one container does.
func (p *plugins) prepare(h *host) error {
	return each(
		func() error { return p.find(h) },
		func() error { return os.MkdirAll("/run/netns", 0o755) },
		func() error { return p.up(&attachment{name: "keep"}) })
}

func cniPlugins(backend string) lane {
	p := &plugins{backend: backend}
	a := &attachment{name: "c0", ports: mappings(8080, 1)}
	return lane{tool: cniTool(backend), setup: p.prepare,
		round: func(h *host) error {
			return each(
				func() error { return h.clock("up", func() error { return p.up(a) }) },
				func() error { return h.clockGone(func() error { return p.down(a) }) })
		}}
}

// cniPort is the k-th port, of a container of its own; the others have fifty each.
func cniPort(backend string, k int) lane {
	p := &plugins{backend: backend}
	web := &attachment{name: "web"}
	return lane{tool: cniTool(backend), x: k,
		setup: func(h *host) error {
			if err := each(func() error { return p.prepare(h) }, func() error { return p.up(web) }); err != nil {
				return err
			}
			web.ports = mappings(firstPort+k-1, 1)
			for done := 0; done < k-1; done += perContainer {
				n := k - 1 - done
				if n > perContainer {
					n = perContainer
				}
				if err := p.up(&attachment{name: fmt.Sprintf("c%d", done), ports: mappings(firstPort+done, n)}); err != nil {
					return err
				}
			}
			return nil
		},
		round: func(h *host) error { return p.inAndOut(h, web) }}
}

// cniPorts is n ports of one container in one call.
func cniPorts(backend string, n int) lane {
	p := &plugins{backend: backend}
	web := &attachment{name: "web"}
	return lane{tool: cniTool(backend),
		setup: func(h *host) error {
			err := each(func() error { return p.prepare(h) }, func() error { return p.up(web) })
			web.ports = mappings(firstPort, n)
			return err
		},
		round: func(h *host) error { return p.inAndOut(h, web) }}
}

func (p *plugins) inAndOut(h *host, a *attachment) error {
	return each(
		func() error { return h.clock("publish", func() error { return p.publish("ADD", a) }) },
		func() error { return h.clock("unpublish", func() error { return p.publish("DEL", a) }) })
}
