package probe

import (
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Target
		text string
	}{
		{"http://web", Target{HTTP, "web", 80, "/"}, "http://web:80/"},
		{"http://web/", Target{HTTP, "web", 80, "/"}, "http://web:80/"},
		{"HTTP://web:8080/a/b?c=d#e", Target{HTTP, "web", 8080, "/a/b?c=d"}, "http://web:8080/a/b?c=d"},
		{"http://10.77.0.2:80/%20", Target{HTTP, "10.77.0.2", 80, "/%20"}, "http://10.77.0.2:80/%20"},
		{"http://[fd77::2]/", Target{HTTP, "fd77::2", 80, "/"}, "http://[fd77::2]:80/"},
		{"http://[fe80::1%25eth0]:81/", Target{HTTP, "fe80::1%eth0", 81, "/"}, "http://[fe80::1%25eth0]:81/"},
		{"web:80", Target{TCP, "web", 80, ""}, "tcp://web:80"},
		{"web-1.lab:80", Target{TCP, "web-1.lab", 80, ""}, "tcp://web-1.lab:80"},
		{"10.77.0.2:1", Target{TCP, "10.77.0.2", 1, ""}, "tcp://10.77.0.2:1"},
		{"[fd77::2]:65535", Target{TCP, "fd77::2", 65535, ""}, "tcp://[fd77::2]:65535"},
		{"[fe80::1%eth0]:80", Target{TCP, "fe80::1%eth0", 80, ""}, "tcp://[fe80::1%eth0]:80"},
		{"tcp://web:80", Target{TCP, "web", 80, ""}, "tcp://web:80"},
		{"udp://web:53", Target{UDP, "web", 53, ""}, "udp://web:53"},
		{"UDP://[::1]:53", Target{UDP, "::1", 53, ""}, "udp://[::1]:53"},
	} {
		got, err := Parse(c.in)
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("Parse(%q) = %+v (%s), %v; want %+v (%s)", c.in, got, got, err, c.want, c.text)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, words := range map[string]string{
		"":                               "HOST:PORT or a URL",
		"web":                            "port is missing",
		"10.77.0.2":                      "port is missing",
		"web:":                           "1 to 65535",
		"web:0":                          "1 to 65535",
		"web:65536":                      "1 to 65535",
		"web:-1":                         "1 to 65535",
		"web:http":                       "1 to 65535",
		":80":                            "host is missing",
		"fd77::2":                        "brackets",
		"fd77::2:80":                     "brackets",
		"[fd77::2]":                      "brackets",
		"[fd77::zz]:80":                  "looks like one",
		"10.77.0.256:80":                 "looks like one",
		"10.77.0:80":                     "looks like one",
		"80:80":                          "looks like one",
		"web/:80":                        "only http has paths",
		"udp://web:53/x":                 "only http has paths",
		"we b:80":                        "neither an IP address nor a host name",
		"web\n:80":                       "neither",
		"-web:80":                        "neither",
		"web..lab:80":                    "neither",
		strings.Repeat("a", 64) + ":80":  "neither",
		strings.Repeat("a.", 150) + ":1": "neither",
		"https://web/":                   "https is not supported",
		"HTTPS://web/":                   "https is not supported",
		"ftp://web/":                     "http, tcp or udp",
		"sctp://web:1":                   "http, tcp or udp",
		"://web:1":                       "http, tcp or udp",
		"http://":                        "host is missing",
		"http:///x":                      "host is missing",
		"http://web:/":                   "missing",
		"http://web:0/":                  "1 to 65535",
		"http://web:70000/":              "1 to 65535",
		"http://me:secret@web/":          "no user name",
		"http://fd77::2/":                "looks like one",
		"http://we b/":                   "not a URL",
		"http://web/\x00":                "not a URL",
		"http://web/%zz":                 "not a URL",
		"[fe80::1%a b]:80":               "no link has",
	} {
		got, err := Parse(in)
		if fail.KindOf(err) != fail.Usage || err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("Parse(%q) = %+v, %v; want a usage error with %q", in, got, err, words)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://web", "http://[fe80::1%25eth0]:81/a?b#c", "web:80", "[::1]:80", "udp://1.2.3.4:53", "https://x", "http://web//x?%20", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := Parse(s)
		if err != nil {
			if fail.KindOf(err) != fail.Usage || len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Parse(%q): kind %d: %q", s, fail.KindOf(err), err)
			}
			return
		}
		again, err := Parse(target.String())
		if err != nil || again != target {
			t.Fatalf("Parse(%q) = %#v, but its text %s is %#v, %v", s, target, target, again, err)
		}
	})
}
