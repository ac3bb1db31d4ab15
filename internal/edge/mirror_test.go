package edge

import (
	"net/http"
	"testing"
)

// TestMirrorHears sends a mirror what backends are sent: not what strangers say.
func TestMirrorHears(t *testing.T) {
	heard := make(chan http.Header, 1)
	c := one(t, limits, func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header })
	c.Services = append(c.Services, Service{"none", nil})
	c.Routes[0] = Route{To: []Target{{"none", 1}}, Mirror: "a", Percent: 100}
	_, at := serving(t, c, false)
	ask(t, http.DefaultClient, at, "shop.test", func(r *http.Request) {
		r.Header = http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Forwarded": {"for=192.0.2.1"}, "Connection": {"X-Hop"}, "X-Hop": {"1"}, "X-Told": {"1"}}
	})
	h := <-heard
	if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Host") != "shop.test" || h.Get("Forwarded")+h.Get("X-Hop") != "" || h.Get("X-Told") != "1" {
		t.Errorf("the mirror hears %v", h)
	}
}
