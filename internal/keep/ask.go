package keep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Tell asks the process how it fares, and reads its answer into v.
func (k Kind) Tell(v any) error {
	answer, c, err := k.ask(message{Verb: verbTell})
	if err != nil {
		return fmt.Errorf("ask %s: %w", k.Name, err)
	}
	c.Close()
	if err := json.Unmarshal(answer.Data, v); err != nil {
		return fmt.Errorf("ask %s: %w", k.Name, err)
	}
	return nil
}

// Drain has the process end when its connections have, at the latest after grace:
// it takes no new ones. The func that it returns waits for that, or until ctx ends.
func (k Kind) Drain(grace time.Duration) (wait func(ctx context.Context), err error) {
	_, c, err := k.ask(message{Verb: verbDrain, Grace: grace})
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) { // it had none, and has ended
		return func(context.Context) {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("drain %s: %w", k.Name, err)
	}
	return func(ctx context.Context) {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(grace + patience))
		defer context.AfterFunc(ctx, func() { c.Close() })()
		_, _ = io.Copy(io.Discard, c) // to the end of the connection, which is that of the process
	}, nil
}

// ask says something to the parent and returns its answer with the connection.
func (k Kind) ask(m message) (answer message, c *net.UnixConn, err error) {
	c, err = net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: k.path(".sock")})
	if err != nil {
		return answer, nil, err
	}
	if err = c.SetDeadline(time.Now().Add(patience)); err == nil {
		w := &wire{conn: c}
		if err = w.send(m); err == nil {
			answer, _, err = w.receive()
			err = k.refused(answer, err)
		}
	}
	if err != nil {
		c.Close()
	}
	return answer, c, err
}
