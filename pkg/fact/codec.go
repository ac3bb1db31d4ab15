package fact

import (
	"encoding/json"
	"fmt"
)

// Kind is one kind of fact that a [Codec] can read back.
type Kind struct {
	Name   string
	decode func(json.RawMessage) (Fact, error)
}

// KindOf is the kind of the facts of type T, named by the key of its zero value.
func KindOf[T Fact]() Kind {
	var zero T
	return Kind{
		Name: zero.Key().Kind,
		decode: func(raw json.RawMessage) (Fact, error) {
			var f T
			err := json.Unmarshal(raw, &f)
			return f, err
		},
	}
}

// Codec writes facts as JSON and reads them back.
type Codec struct {
	kinds map[string]Kind
}

// NewCodec returns a codec for these kinds.
func NewCodec(kinds ...[]Kind) Codec {
	c := Codec{kinds: make(map[string]Kind)}
	for _, list := range kinds {
		for _, k := range list {
			c.kinds[k.Name] = k
		}
	}
	return c
}

// Kinds returns the names of the kinds that the codec knows, in no order.
func (c Codec) Kinds() []string {
	names := make([]string, 0, len(c.kinds))
	for n := range c.kinds {
		names = append(names, n)
	}
	return names
}

// Record is a fact as it is written down.
type Record struct {
	Kind string          `json:"kind"`
	Say  string          `json:"say"` // for people who read the file
	Fact json.RawMessage `json:"fact"`
}

// Encode returns the record of a fact.
func (c Codec) Encode(f Fact) (Record, error) {
	kind := f.Key().Kind
	if _, ok := c.kinds[kind]; !ok {
		return Record{}, fmt.Errorf("encode fact %q: unknown kind", kind)
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return Record{}, fmt.Errorf("encode fact %q: %w", f.Key(), err)
	}
	return Record{Kind: kind, Say: f.Say(), Fact: raw}, nil
}

// Decode returns the fact of a record.
func (c Codec) Decode(r Record) (Fact, error) {
	k, ok := c.kinds[r.Kind]
	if !ok {
		return nil, fmt.Errorf("decode fact: unknown kind %q (written by a newer cnet?)", r.Kind)
	}
	f, err := k.decode(r.Fact)
	if err != nil {
		return nil, fmt.Errorf("decode fact %q: %w", r.Kind, err)
	}
	return f, nil
}
