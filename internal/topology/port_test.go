package topology

import (
	"net/netip"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
)

func TestParsePort(t *testing.T) {
	ip := netip.MustParseAddr
	for spec, want := range map[string]Port{
		"80":                       {netip.Addr{}, 80, 80, 80, "tcp"},
		"8080:80":                  {netip.Addr{}, 8080, 8080, 80, "tcp"},
		"53:53/udp":                {netip.Addr{}, 53, 53, 53, "udp"},
		"127.0.0.1:8080:80":        {ip("127.0.0.1"), 8080, 8080, 80, "tcp"},
		"0.0.0.0:8080:80":          {ip("0.0.0.0"), 8080, 8080, 80, "tcp"},
		"[::1]:8080:80/tcp":        {ip("::1"), 8080, 8080, 80, "tcp"},
		"[2001:db8::2]:80":         {ip("2001:db8::2"), 80, 80, 80, "tcp"},
		"8000-8010:9000-9010/sctp": {netip.Addr{}, 8000, 8010, 9000, "sctp"},
		"8000-8010":                {netip.Addr{}, 8000, 8010, 8000, "tcp"},
		"1:65535":                  {netip.Addr{}, 1, 1, 65535, "tcp"},
	} {
		got, err := ParsePort(spec)
		if err != nil || got != want {
			t.Errorf("ParsePort(%q) = %+v, %v; want %+v", spec, got, err, want)
		}
		if again, err := ParsePort(got.String()); err != nil || again != got {
			t.Errorf("ParsePort(%q), its own text, = %+v, %v", got.String(), again, err)
		}
	}
}

func TestParsePortRefuses(t *testing.T) {
	for _, spec := range []string{
		"", ":", "0", "70000", "65536", "-1", "+80", "8080:0", "0:80", "a:b", "80:", ":80", "80-", "-80",
		"90-80", "8000-8010:9000-9009", "8000:80-81", "80/icmp", "80/", "80/tcp/udp", "80 ", " 80", "8 0",
		"256.1.1.1:80:80", "1.2.3:80:80", "::1:80:80", "[::1]80", "[::1", "[]:80", "[fe80::1]:80:80",
		"224.0.0.1:80:80", "::80", "a:80:80", "0x50", "８０", "80\n", "[::ffff:1.2.3.4]:80:80", "[fe80::1%eth0]:80",
	} {
		p, err := ParsePort(spec)
		if err == nil {
			t.Errorf("ParsePort(%q) = %v, want an error", spec, p)
		} else if fail.KindOf(err) != fail.Usage {
			t.Errorf("ParsePort(%q): kind %d, want usage", spec, fail.KindOf(err))
		}
	}
}

func TestPortsOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"8080:80", "8080:81", true},
		{"8080:80", "8081:80", false},
		{"8080:80", "8080:80/udp", false},
		{"8000-8010", "8010:80", true},
		{"127.0.0.1:80:80", "80", true},
		{"127.0.0.1:80:80", "127.0.0.2:80:80", false},
		{"127.0.0.1:80:80", "0.0.0.0:80:80", true},
		{"[::1]:80:80", "0.0.0.0:80:80", false},
		{"[::1]:80:80", "[::]:80:80", true},
	} {
		a, _ := ParsePort(c.a)
		b, _ := ParsePort(c.b)
		if a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%s and %s: overlap %v, want %v", c.a, c.b, !c.want, c.want)
		}
	}
}
