package nat

import "github.com/cnetlab/cnet/pkg/fact"

// Kinds are the kinds of facts of this package.
func Kinds() []fact.Kind {
	return []fact.Kind{
		fact.KindOf[Hook](),
		fact.KindOf[Forward](),
		fact.KindOf[Masquerade](),
		fact.KindOf[Hairpin](),
		fact.KindOf[Loopback](),
		fact.KindOf[Publish](),
		fact.KindOf[Endpoint](),
		fact.KindOf[Balance](),
		fact.KindOf[Refuse](),
		fact.KindOf[Spare](),
		fact.KindOf[Redirect](),
		fact.KindOf[Tracked](),
		fact.KindOf[Rule](),
		fact.KindOf[Found](),
	}
}
