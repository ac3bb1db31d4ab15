package nat

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Foreign returns a rule that is not cnet's and that rewrites the source of
// forwarded packets, in the words of iptables-save(8) or as a chain of nft(8);
// empty when there is none. Where there is one, somebody else uses this host as
// a router.
func Foreign(ctx context.Context, ipv6 bool) (string, error) {
	snap, err := look(ctx, ipv6)
	if err != nil && !errors.Is(err, exec.ErrNotFound) {
		return "", err
	}
	for chain, rules := range snap.tables["nat"] {
		for _, r := range rules {
			if t := r.target(); !ours(chain) && (t == "MASQUERADE" || t == "SNAT") {
				return "-A " + chain + " " + strings.Join(r.Args, " "), nil
			}
		}
	}
	return foreignNative(ctx, ipv6)
}

// foreignNative looks for the rules that iptables does not show. A kernel without
// nf_tables has none.
func foreignNative(ctx context.Context, ipv6 bool) (string, error) {
	conn, err := nftables.New()
	if err != nil {
		return "", fmt.Errorf("list nf_tables: %w", err)
	}
	family := nftables.TableFamilyIPv4
	if ipv6 {
		family = nftables.TableFamilyIPv6
	}
	chains, err := conn.ListChains()
	if err != nil && !errors.Is(err, unix.EPERM) {
		return "", nil
	}
	for _, c := range chains {
		if ours(c.Name) || ownTable(c.Table) || c.Table.Family != family && c.Table.Family != nftables.TableFamilyINet {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return "", fmt.Errorf("list chain %s of nf_tables: %w", c.Name, err)
		}
		for _, r := range rules {
			if rewritesSource(r) && may(r, family) {
				return fmt.Sprintf("chain %s of nft table %s", c.Name, c.Table.Name), nil
			}
		}
	}
	return "", errors.Join(err, ctx.Err())
}

// ownTable reports whether a table of nf_tables is cnet's.
func ownTable(t *nftables.Table) bool {
	return t.Family == nftables.TableFamilyINet && t.Name == nftTableName
}

func rewritesSource(r *nftables.Rule) bool {
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Masq:
			return true
		case *expr.NAT:
			return e.Type == expr.NATTypeSourceNAT
		}
	}
	return false
}

// may reports whether a rule is for the family. One in a table of both (inet) that
// does not say is taken to be for IPv4, which is what is masqueraded as a rule.
func may(r *nftables.Rule, family nftables.TableFamily) bool {
	if r.Table.Family != nftables.TableFamilyINet {
		return true
	}
	asked := false
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Meta:
			asked = e.Key == expr.MetaKeyNFPROTO
		case *expr.Cmp:
			if asked && len(e.Data) > 0 {
				return nftables.TableFamily(e.Data[0]) == family
			}
		}
	}
	return family == nftables.TableFamilyIPv4
}
