package probe

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// get asks over a connection that stands already, so that what fails before is
// connect's errno and nothing of HTTP. It knows no proxy and no redirect. The
// server may keep a client from staying for more.
func (r *Result) get(c *client) error {
	req, err := http.NewRequest(http.MethodGet, r.Target.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "cnet-probe")
	for name, values := range c.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	req.Close = !c.stays
	if c.stays {
		req.Header.Set("Connection", "keep-alive")
	}
	if err := req.Write(c.conn); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(c.conn, 2*bodyMax))
	res, err := http.ReadResponse(in, req)
	for err == nil && res.StatusCode < 200 { // more follows: RFC 9110, section 15.2
		res, err = http.ReadResponse(in, req)
	}
	if err != nil {
		return notHTTP(err)
	}
	defer res.Body.Close()
	r.Status = res.StatusCode
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyMax))
	r.Body = string(body)
	c.over = res.Close
	return err
}

// notHTTP marks an answer that came and could not be read.
func notHTTP(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return err
	}
	return errors.Join(errNotHTTP, err)
}
