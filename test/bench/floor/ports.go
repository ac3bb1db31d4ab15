package main

import (
	"errors"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const target = 80 // the container's port behind every published one

// ports is a map of ports and a socket to change it by.
type ports struct {
	conn *nftables.Conn
	set  *nftables.Set
}

func open() (*ports, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, err
	}
	return &ports{conn, mapOf(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "floor"})}, nil
}

func mapOf(t *nftables.Table) *nftables.Set {
	return &nftables.Set{Table: t, Name: "ports", IsMap: true,
		KeyType: nftables.TypeInetService, DataType: nftables.TypeIPAddr, KeyByteOrder: binaryutil.BigEndian}
}

// table makes the map and the one rule that looks into it:
//
//	tcp dport @ports: dnat to the address there, port 80
func table() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	t := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "floor"})
	set := mapOf(t)
	if err := conn.AddSet(set, nil); err != nil {
		return err
	}
	chain := conn.AddChain(&nftables.Chain{Table: t, Name: "prerouting", Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest})
	conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: set.Name, SetID: set.ID},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(target)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	}})
	return conn.Flush()
}

func publish(first, last int) error {
	p, err := open()
	if err != nil {
		return err
	}
	return p.change(first, last, p.conn.SetAddElements)
}

func unpublish(first, last int) error {
	p, err := open()
	if err != nil {
		return err
	}
	return errors.Join(p.change(first, last, p.conn.SetDeleteElements), p.conn.CloseLasting())
}

// change adds or deletes ports of the first container, up to 5,000 in one
// transaction: more than that is too long for a socket as it comes.
func (p *ports) change(first, last int, how func(*nftables.Set, []nftables.SetElement) error) error {
	const chunk, most = 500, 5000 // of a message, of a transaction
	for n := first; n <= last; n += chunk {
		end := n + chunk - 1
		if end > last {
			end = last
		}
		if err := how(p.set, elements(n, end)); err != nil {
			return err
		}
		if (end-first+1)%most == 0 || end == last {
			if err := p.conn.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func elements(first, last int) []nftables.SetElement {
	list := make([]nftables.SetElement, 0, last-first+1)
	for n := first; n <= last; n++ {
		list = append(list, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(uint16(n)), Val: address(0, 1)})
	}
	return list
}
