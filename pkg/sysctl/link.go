package sysctl

import (
	"path"
	"strings"
)

// Link is the name of the setting of one link, family ipv4 or ipv6. A link name
// that holds a dot (eth0.5) needs the form with slashes (sysctl(8)).
func Link(family, link, setting string) string {
	sep := "."
	if strings.Contains(link, ".") {
		sep = "/"
	}
	return strings.Join([]string{"net", family, "conf", link, setting}, sep)
}

// perLink reports whether the setting is of one link, and is not there without it.
func (s Setting) perLink() bool {
	ok, _ := path.Match(root+"net/ipv[46]/conf/*/*", s.path())
	return ok
}

// ofNewLinks is the setting that a link's own begins with.
func (s Setting) ofNewLinks() Setting {
	if s.perLink() {
		dir, setting := path.Split(s.path())
		s.Name = strings.TrimPrefix(path.Join(path.Dir(path.Clean(dir)), "default", setting), root)
	}
	return s
}
