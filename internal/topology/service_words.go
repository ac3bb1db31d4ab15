package topology

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// ParseServicePort reads the text form of a service's port: PORT[:BACKENDPORT][/tcp|udp].
func ParseServicePort(spec string) (ServicePort, error) {
	bad := func(err error) (ServicePort, error) {
		return ServicePort{}, fail.New(fail.Usage, "service port "+quote(spec), "%w", err).
			Try("PORT[:BACKENDPORT][/tcp|udp], like 80, 80:8080 or 53/udp")
	}
	rest, proto, found := strings.Cut(spec, "/")
	if !found {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" {
		return bad(fmt.Errorf("the protocol %s is not tcp or udp", quote(proto)))
	}
	front, back, found := strings.Cut(rest, ":")
	if !found {
		back = front
	}
	p := ServicePort{Proto: proto}
	var err error
	if p.Port, err = parsePort(front); err != nil {
		return bad(err)
	}
	if p.To, err = parsePort(back); err != nil {
		return bad(err)
	}
	return p, nil
}

// String is the text form of the port, in full.
func (p ServicePort) String() string { return fmt.Sprintf("%d:%d/%s", p.Port, p.To, p.Proto) }

// MarshalText makes a port its text form in JSON and YAML.
func (p ServicePort) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *ServicePort) UnmarshalText(text []byte) (err error) {
	*p, err = ParseServicePort(string(text))
	return err
}

// ParseBackend reads the text form of a backend: CONTAINER[:PORT].
func ParseBackend(spec string) (b Backend, err error) {
	name, digits, found := strings.Cut(spec, ":")
	if err := CheckName("container", name); err != nil {
		return b, err
	}
	b.Container = name
	if !found {
		return b, nil
	}
	if b.Port, err = parsePort(digits); err != nil {
		return b, fail.New(fail.Usage, "backend "+quote(spec), "%w", err).Try("CONTAINER[:PORT], like c1 or c2:8081")
	}
	return b, nil
}

// String is the text form of the backend.
func (b Backend) String() string {
	if b.Port == 0 {
		return b.Container
	}
	return fmt.Sprintf("%s:%d", b.Container, b.Port)
}

// MarshalText makes a backend its text form in JSON and YAML.
func (b Backend) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads the text form.
func (b *Backend) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBackend(string(text))
	return err
}

// maxWeight is the largest weight: shares are as fine as anybody can count.
const maxWeight = 1_000_000

// ParseWeight reads the text form of a weight: NAME=NUMBER.
func ParseWeight(spec string) (Weight, error) {
	name, digits, _ := strings.Cut(spec, "=")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > maxWeight || !labelForm(name) {
		return Weight{}, fail.New(fail.Usage, "weight "+quote(spec), "it is not of the form NAME=NUMBER, from 0 to %d", maxWeight).
			Try("--weight v1=95 --weight v2=5")
	}
	return Weight{name, n}, nil
}

// String is the text form of the weight.
func (w Weight) String() string { return fmt.Sprintf("%s=%d", w.Name, w.Weight) }

// MarshalText makes a weight its text form in JSON and YAML.
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads the text form.
func (w *Weight) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWeight(string(text))
	return err
}

// ParseCheck reads the short form of a check: tcp, or http:PATH.
func ParseCheck(spec string) (Check, error) {
	kind, path, _ := strings.Cut(spec, ":")
	c := Check{Kind: kind, Path: path}
	return c, c.check()
}

// ParseLabels reads labels of the form KEY=VALUE.
func ParseLabels(specs []string) (map[string]string, error) {
	labels := make(map[string]string, len(specs))
	for _, s := range specs {
		key, value, found := strings.Cut(s, "=")
		if _, twice := labels[key]; twice {
			return nil, fail.New(fail.Usage, "label "+quote(key), "it is given twice")
		}
		if !found {
			return nil, fail.New(fail.Usage, "label "+quote(s), "it has no value").Try("KEY=VALUE, like app=web")
		}
		labels[key] = value
	}
	return labels, checkLabels(labels)
}

// labelForm reports whether s can be the key or the value of a label.
func labelForm(s string) bool {
	return len(s) <= 63 && !strings.HasSuffix(s, "-") && made(s, alphanumeric, func(c byte) bool {
		return alphanumeric(c) || strings.IndexByte("-_./", c) >= 0
	})
}

// checkLabels refuses labels of another form.
func checkLabels(labels map[string]string) error {
	for _, key := range sortedKeys(labels) {
		if value := labels[key]; !labelForm(key) || !labelForm(value) {
			return fail.New(fail.Usage, "label "+quote(key+"="+value), "its key and its value are of letters, digits and -_./, 63 at most, and begin with a letter or digit").
				Try("a label like app=web or version=v2")
		}
	}
	return checkEdgeLabels(labels)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Label changes the labels of a container: those in set are given to it, those
// named by drop are taken away.
func (t *Topology) Label(name string, set map[string]string, drop []string) error {
	c, err := t.Container(name)
	if err != nil {
		return err
	}
	if err := checkLabels(set); err != nil {
		return err
	}
	labels := make(map[string]string, len(c.Labels)+len(set))
	maps.Copy(labels, c.Labels)
	for _, key := range drop {
		if _, has := c.Labels[key]; !has {
			return fail.New(fail.NotFound, "label "+name, "it has no label %s", quote(key)).Try("cnet inspect %s", name)
		}
		delete(labels, key)
	}
	maps.Copy(labels, set)
	if c.Labels = labels; len(labels) == 0 {
		c.Labels = nil
	}
	return nil
}
