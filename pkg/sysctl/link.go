package sysctl

import (
	"regexp"
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

var perLink = regexp.MustCompile(`^(/proc/sys/net/ipv[46]/conf/)[^/]+/`)

// ofNewLinks is the setting that a link's own begins with.
func (s Setting) ofNewLinks() Setting {
	s.Name = strings.TrimPrefix(perLink.ReplaceAllString(s.path(), "${1}default/"), root)
	return s
}
