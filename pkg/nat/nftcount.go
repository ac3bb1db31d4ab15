package nat

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Count is what a counter of nf_tables has seen.
type Count struct {
	Packets uint64 `json:"packets"` // of a published port: connections
	Bytes   uint64 `json:"bytes"`
}

func countIn(raw []byte) (c Count) {
	data := attrAt(raw, unix.NFTA_EXPR_DATA).value
	if n := attrAt(data, unix.NFTA_COUNTER_PACKETS).value; len(n) == 8 {
		c.Packets = binary.BigEndian.Uint64(n)
	}
	if n := attrAt(data, unix.NFTA_COUNTER_BYTES).value; len(n) == 8 {
		c.Bytes = binary.BigEndian.Uint64(n)
	}
	return c
}
