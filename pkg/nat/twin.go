package nat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Twin returns the name of the other iptables of this host if its tables hold
// rules or a policy of DROP, too; empty if they do not. The command iptables
// keeps its rules either in the legacy tables or in nf_tables; a packet has to
// pass both, and neither command shows the other's rules (xtables-nft(8)).
func Twin(ctx context.Context, ipv6 bool) (string, error) {
	path, err := find(program(ipv6) + "-save")
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("find the kind of %s: %w", program(ipv6), err)
	}
	twin := program(ipv6) + "-nft"
	if strings.Contains(filepath.Base(path), "nft") {
		if twin = program(ipv6) + "-legacy"; !legacyTables(ipv6) {
			return "", nil
		}
	}
	text, err := run(ctx, twin+"-save", "")
	if errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if idle(string(text)) {
		return "", nil
	}
	return twin, nil
}

// idle reports whether the output of iptables-save(8) has neither rules nor a
// policy that drops.
func idle(text string) bool {
	for _, row := range strings.Split(text, "\n") {
		w := split(row)
		if len(w) > 0 && w[0] == "-A" || len(w) > 1 && row[0] == ':' && w[1] == "DROP" {
			return false
		}
	}
	return true
}

// legacyTables reports whether the kernel has legacy tables at all. Asking
// iptables-legacy would make them.
func legacyTables(ipv6 bool) bool {
	name := "/proc/thread-self/net/ip_tables_names"
	if ipv6 {
		name = "/proc/thread-self/net/ip6_tables_names"
	}
	tables, err := os.ReadFile(name)
	return err == nil && len(tables) > 0
}
