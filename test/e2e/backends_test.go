package e2e

import (
	"os"
	"testing"
)

// What keeps the rules of a row: iptables as the host has it, or the legacy one;
// or the kernel's nf_tables, without a program.
const (
	viaIptables = "iptables"
	viaLegacy   = "legacy"
	viaNftables = "nftables"
)

// backends are what most tests run over. Those in a sandbox of their own call
// useBackend, and a world is told by its environment.
var backends = []string{viaIptables, viaLegacy, viaNftables}

// useBackend has new networks of this process and its children kept so.
func useBackend(t *testing.T, name string) {
	t.Helper()
	switch name {
	case viaLegacy:
		useLegacy(t)
	case viaNftables:
		os.Setenv("CNET_FIREWALL", viaNftables) // nothing else runs in this process
	}
}

// over is the name of a row over a backend.
func over(row, backend string) string {
	if backend == viaIptables {
		return row
	}
	return row + ", " + backend
}
