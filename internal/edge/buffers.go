package edge

import "sync"

// buffers are what answers are copied with, each used again: to make one for each
// request would cost more memory than all else that is done for it.
type buffers struct{ free sync.Pool }

type buffer [32 << 10]byte

// Get and Put are [httputil.BufferPool].
func (b *buffers) Get() []byte {
	if one, ok := b.free.Get().(*buffer); ok {
		return one[:]
	}
	return new(buffer)[:]
}

func (b *buffers) Put(p []byte) { b.free.Put((*buffer)(p)) }
