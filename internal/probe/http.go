package probe

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
)

// get asks over a connection that stands already, so that what fails before is
// connect's errno and nothing of HTTP. It knows no proxy and no redirect. The
// server may keep a client from staying for more.
func (r *Result) get(c *client) error {
	req, err := c.request()
	if err != nil {
		return err
	}
	if err := req.Write(c.conn); err != nil {
		return err
	}
	limit := &io.LimitedReader{R: c.conn, N: 2 * bodyMax}
	in := bufio.NewReader(limit)
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
	if err == nil && c.whole {
		limit.N = math.MaxInt64
		_, err = io.Copy(io.Discard, res.Body)
	}
	unread := in.Buffered() > 0 || len(body) == bodyMax && !c.whole
	c.over = res.Close || unread
	return notHTTP(err)
}

func (c *client) request() (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, c.target.String(), nil)
	if err != nil {
		return nil, err
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
	return req, nil
}

// notHTTP marks an answer that came and could not be read, if err says so.
func notHTTP(err error) error {
	var network net.Error
	if err == nil || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return err
	}
	return errors.Join(errNotHTTP, err)
}
