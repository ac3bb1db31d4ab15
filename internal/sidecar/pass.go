package sidecar

import (
	"context"
	"io"
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
)

// pass leads a connection on byte for byte. Where nobody is reached at the first
// backend of a service, the next is called. A client whose server does not answer
// is reset, which it hears as ECONNRESET: its connect has succeeded already.
func (p *Proxy) pass(c *client) {
	p.open.Add(1)
	defer p.open.Done()
	c.served()
	defer c.Close()
	p.meter.tcp.Inc()
	s := p.state.Load()
	up, err := p.reach(s, c)
	if err != nil {
		p.meter.lost.Inc()
		_ = c.SetLinger(0)
		return
	}
	defer up.Close()
	defer context.AfterFunc(p.ctx, func() { c.Close(); up.Close() })()
	back := make(chan struct{})
	go func() {
		defer close(back)
		n, err := io.Copy(c.TCPConn, up.TCPConn)
		p.meter.received.Add(int(n))
		if err != nil || up.back.Load() { // who is cut off is not told that this was all
			_ = c.SetLinger(0)
			c.Close()
			return
		}
		_ = c.CloseWrite()
	}()
	n, _ := c.WriteTo(up.TCPConn)
	p.meter.sent.Add(int(n))
	_ = up.CloseWrite()
	<-back
}

// reach calls who is to answer a connection.
func (p *Proxy) reach(s *state, c *client) (*noted, error) {
	choose := s.choice(c.to)
	var tried []proxy.Backend
	for n := 0; ; n++ {
		b, err := p.circuit.Pick(choose, tried)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(p.ctx, max(s.config.Timeout, time.Second))
		up, err := p.dial(ctx, "tcp", b.At.String())
		cancel()
		p.circuit.End(b.At, err == nil)
		if err == nil {
			return up.(*noted), nil
		}
		tried = append(tried, b)
		if n >= s.config.Retries || !proxy.IsUnreached(err) {
			return nil, err
		}
	}
}
