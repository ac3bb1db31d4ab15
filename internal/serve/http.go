package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

const headerMax = 16 << 10 // bytes of a request's line and headers

// converse answers the requests of one connection: one, or more when the
// client asks for keep-alive.
func (s *Server) converse(ctx context.Context, c *conn) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	limit := &io.LimitedReader{R: c}
	r := bufio.NewReader(limit)
	for {
		limit.N = headerMax
		_ = c.file.SetDeadline(time.Now().Add(s.idleTime()))
		if ctx.Err() != nil {
			return
		}
		req, err := http.ReadRequest(r)
		if err != nil {
			s.refuse(ctx, c, err, limit.N <= 0)
			return
		}
		if !s.reply(ctx, c, req) {
			return
		}
	}
}

// reply answers one request, and says whether another may follow.
func (s *Server) reply(ctx context.Context, c *conn, req *http.Request) (more bool) {
	line := fmt.Sprintf("%s %s %s", req.Method, req.RequestURI, req.Proto)
	status, body := s.answer(req, s.lines(c.client, c.server, line))
	if !s.hold(ctx) {
		return false
	}
	_ = c.file.SetDeadline(time.Now().Add(s.idleTime()))
	if ctx.Err() != nil {
		return false
	}
	more = status < 400 && req.ContentLength == 0 && asksToStay(req)
	s.log("%s  %s  %d", c.client, printable(line), status)
	if err := write(c, req, status, body, more); err != nil {
		return false
	}
	if req.ContentLength != 0 {
		c.linger(ctx)
	}
	return more
}

func (s *Server) answer(req *http.Request, lines string) (status int, body string) {
	switch {
	case req.ProtoMajor != 1:
		return http.StatusHTTPVersionNotSupported, "this server speaks HTTP/1.1\n"
	case req.ProtoAtLeast(1, 1) && req.Host == "":
		return http.StatusBadRequest, "a request of HTTP/1.1 names its host\n"
	case s.fails():
		return http.StatusInternalServerError, lines + fmt.Sprintf("error    this server fails %d %% of its requests\n", s.FailRate)
	}
	return http.StatusOK, lines
}

// refuse answers what is no request. A client who is gone gets no answer.
func (s *Server) refuse(ctx context.Context, c *conn, err error, tooLong bool) {
	status, body := http.StatusBadRequest, "this is not a request of HTTP/1.1\n"
	switch {
	case tooLong:
		status, body = http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("a request's headers have at most %d bytes\n", headerMax)
	case broken(err):
		return
	}
	s.log("%s  %s  %d", c.client, "a bad request", status)
	if write(c, nil, status, body, false) == nil {
		c.linger(ctx)
	}
}

// write sends a whole answer in one piece.
func write(w io.Writer, req *http.Request, status int, body string, stay bool) error {
	header := http.Header{
		"Content-Type": {"text/plain; charset=utf-8"},
		"Date":         {time.Now().UTC().Format(http.TimeFormat)},
	}
	if stay {
		header.Set("Connection", "keep-alive")
	}
	res := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: header, Close: !stay,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
	var b bytes.Buffer
	if err := res.Write(&b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// asksToStay: a connection is closed after an answer unless the client asks, so
// that each request of a plain client is a connection that NAT sees.
func asksToStay(req *http.Request) bool {
	for _, words := range req.Header["Connection"] {
		for _, word := range strings.Split(words, ",") {
			if strings.EqualFold(strings.TrimSpace(word), "keep-alive") {
				return !req.Close
			}
		}
	}
	return false
}

// lines is what the server has to say.
func (s *Server) lines(client, server netip.AddrPort, request string) string {
	return fmt.Sprintf("name     %s\nclient   %s\nserver   %s\nrequest  %s\n", printable(s.Name), client, server, printable(request))
}

func (s *Server) fails() bool { return rand.Intn(100) < s.FailRate }

// hold keeps an answer back for the latency, unless ctx ends.
func (s *Server) hold(ctx context.Context) bool {
	if s.Latency > 0 {
		wait(ctx, nil, s.Latency)
	}
	return ctx.Err() == nil
}

func (s *Server) log(format string, args ...any) {
	if s.Log == nil {
		return
	}
	s.output.Lock()
	defer s.output.Unlock()
	fmt.Fprintf(s.Log, format+"\n", args...)
}
