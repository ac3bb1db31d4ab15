package sysctl

import "strings"

// Link is the name of the setting of one link, family ipv4 or ipv6. A link name
// that holds a dot (eth0.5) needs the form with slashes (sysctl(8)).
func Link(family, link, setting string) string {
	sep := "."
	if strings.Contains(link, ".") {
		sep = "/"
	}
	return strings.Join([]string{"net", family, "conf", link, setting}, sep)
}
