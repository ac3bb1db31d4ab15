package proxy

import (
	"bufio"
	"net"
	"net/http"
)

// Answer is an answer whose status is noted.
type Answer struct {
	http.ResponseWriter
	Status int    // 0 until there is one
	Before func() // is called before anything is sent; may be nil
}

// WriteHeader notes the status. Those below 200 are not the last, but for an upgrade.
func (a *Answer) WriteHeader(status int) {
	if status >= 200 {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *Answer) Write(b []byte) (int, error) {
	if a.Status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// Hijack hands the connection over, for an upgrade.
func (a *Answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begin(http.StatusSwitchingProtocols)
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

func (a *Answer) begin(status int) {
	if a.Status == 0 && a.Before != nil {
		a.Before()
	}
	a.Status = status
}

// Unwrap lets [http.ResponseController] find what it controls.
func (a *Answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
