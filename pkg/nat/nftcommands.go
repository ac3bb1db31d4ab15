package nat

import (
	"slices"

	"github.com/cnetlab/cnet/pkg/fact"
)

func (nftBackend) commands(verb fact.Verb, v value) (list []fact.Command) {
	objects := v.nftables()
	switch verb {
	case fact.Make:
		for _, o := range objects {
			list = append(list, nftCommand(o.addWords()))
		}
	case fact.Break:
		slices.Reverse(objects)
		for _, o := range objects {
			if words := o.delWords(); words != nil {
				list = append(list, nftCommand(words))
			}
		}
	case fact.Show:
		for _, o := range objects {
			show := nftCommand(o.showWords())
			if !slices.ContainsFunc(list, func(c fact.Command) bool { return slices.Equal(c.Argv, show.Argv) }) {
				list = append(list, show)
			}
		}
	case fact.Mend:
		for _, o := range objects {
			list = append(list, nftMending(o)...)
		}
	}
	return list
}

// nftMending sets an object right, whatever stands there. To add a table, a set
// or a chain that is there is no fault, unless a base chain stands elsewhere.
func nftMending(o nftObject) []fact.Command {
	add := nftCommand(o.addWords())
	switch o := o.(type) {
	case nftChain:
		flush := nftCommand(o.words("flush"))
		if o.kind != "" {
			again := add.String() + " 2> /dev/null || { " + nftCommand(o.delWords()).String() + "; " + add.String() + "; }"
			return []fact.Command{fact.Cmd("sh", "-ec", again), flush}
		}
		return []fact.Command{add, flush}
	case nftElement:
		del := nftCommand(o.delWords())
		del.MayFail = true // it may be missing
		return []fact.Command{del, add}
	}
	return []fact.Command{add}
}

func nftCommand(words []string) fact.Command { return fact.Cmd(append([]string{"nft"}, words...)...) }
