package topology

import "github.com/cnetlab/cnet/internal/fail"

// A stack is what the members of a pod share: a namespace with its addresses and
// published ports. It has the name of its first member and lives as long as the
// last. One of them holds it in the topology; the others share that one's.

// StackName is the name of the stack that the container holds.
func (c Container) StackName() string {
	if c.Stack != "" {
		return c.Stack
	}
	return c.Name
}

// Holder returns the member that holds the container's stack, to be changed in
// place: for most containers, the container itself.
func (t *Topology) Holder(name string) (*Container, error) {
	c, err := t.Container(name)
	if err != nil || c.Share == "" {
		return c, err
	}
	return t.Container(c.Share)
}

// Stack is the container that holds the stack of a container: itself, or another.
func (t *Topology) Stack(k Container) Container {
	if holder, err := t.Container(k.Share); k.Share != "" && err == nil {
		return *holder
	}
	return k
}

// Holding returns the container that holds the stack of that name, or nil.
func (t *Topology) Holding(name string) *Container {
	if c, err := t.Container(name); err == nil && c.Share == "" && c.Stack == "" {
		return c
	}
	for i := range t.Containers {
		if c := &t.Containers[i]; c.Stack == name {
			return c
		}
	}
	return nil
}

// Pod are the names of the containers in the stack that a container holds.
func (t *Topology) Pod(holder string) (names []string) {
	for _, c := range t.Containers {
		if c.Name == holder || c.Share == holder {
			names = append(names, c.Name)
		}
	}
	return names
}

// handOn gives the stacks of containers that go to members that stay: to the one
// that the stack is named for, else to the first. Nothing changes in the kernel.
func (t *Topology) handOn(gone map[string]bool, rest []Container) {
	heirs := make(map[string]*Container) // by the name of the holder that goes
	for i := range rest {
		c := &rest[i]
		if old, err := t.Container(c.Share); err == nil && gone[old.Name] && (heirs[old.Name] == nil || c.Name == old.Stack) {
			heirs[old.Name] = c
		}
	}
	for i := range rest {
		if heir := heirs[rest[i].Share]; heir != nil && heir.Name != rest[i].Name {
			rest[i].Share = heir.Name
		}
	}
	for _, heir := range heirs {
		if old, err := t.Container(heir.Share); err == nil {
			heir.hold(*old)
		}
	}
}

// hold makes the container the holder of what was another's stack.
func (c *Container) hold(old Container) {
	c.Share, c.Stack = "", old.StackName()
	if c.Stack == c.Name {
		c.Stack = ""
	}
	c.Netns, c.NetnsID, c.NetnsBoot = old.Netns, old.NetnsID, old.NetnsBoot
	c.Networks, c.Publish, c.Sidecar = old.Networks, old.Publish, old.Sidecar
}

// pods splits the containers of a file into those that hold a stack and those that
// share one. Who shares with one of the latter shares with its holder.
func (t *Topology) pods() (holders, sharers []Container) {
	with := make(map[string]string, len(t.Containers))
	for _, c := range t.Containers {
		with[c.Name] = c.Share
	}
	for _, c := range t.Containers {
		if c.Share == "" {
			holders = append(holders, c)
			continue
		}
		for i := 0; with[c.Share] != "" && i < len(with); i++ { // not for ever in a circle
			c.Share = with[c.Share]
		}
		sharers = append(sharers, c)
	}
	return holders, sharers
}

// settle has everybody share with the one who holds the stack, where that one has
// joined another's.
func (t *Topology) settle() {
	for i := range t.Containers {
		c := &t.Containers[i]
		if holder, err := t.Holder(c.Share); err == nil {
			c.Share = holder.Name
		}
	}
}

// unstacked refuses a container that would take the name of a stack that lives,
// or give its own the name of another.
func (x *index) unstacked(s ContainerSpec) error {
	what := "container " + s.Name
	if holder := x.stacks()[s.Name]; holder != "" && holder != s.Share {
		return fail.New(fail.Conflict, what, "the stack of that name lives on: container %s is in it", holder).
			Try("cnet create %s --share %s, to join it, or another name", s.Name, holder)
	}
	if s.Stack == "" {
		return nil
	}
	if err := CheckName("stack", s.Stack); err != nil {
		return err
	}
	if holder := x.stacks()[s.Stack]; holder != "" {
		return fail.New(fail.Conflict, what, "container %s holds the stack %s", holder, s.Stack)
	}
	if c, err := x.topo.Container(s.Stack); x.fresh[s.Stack] || err == nil && c.Share != s.Name {
		return fail.New(fail.Conflict, what, "the stack %s is that of the container of its name", s.Stack).
			Try("share: %s", s.Stack)
	}
	x.stacks()[s.Stack] = s.Name
	return nil
}

// stacks are the holders of stacks that have another name than they, by stack.
func (x *index) stacks() map[string]string {
	if x.held == nil {
		x.held = make(map[string]string)
		for _, c := range x.topo.Containers {
			if c.Stack != "" {
				x.held[c.Stack] = c.Name
			}
		}
	}
	return x.held
}
