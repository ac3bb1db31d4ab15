// Package keep keeps the processes of cnet's own: those for what no kernel does.
//
// Each is a pair. The parent runs as root, and does as little as it can: it holds
// the sockets, reads cnet's files, and starts the child anew when that dies. The
// child is nobody, without a capability, and dies with its parent; it talks to the
// world. A packet that comes while there is no child waits in its socket for the
// next one.
//
//	cnet create … ──"changed"──▶ parent ──sockets, what it must know──▶ child ◀──▶ containers
//	              ◀────"done"──         ◀──────────"done", wishes───
//
// A command that changes something tells the parents, and ends when the children
// know of it. It also starts them when they are first needed, with their sockets
// open, so that nobody is refused meanwhile; and ends them when they are not.
//
// That one runs is known by a lock on a file of /run/cnet, which the command takes
// that starts it and hands down: there is never a second one, nor a moment in which
// one that starts seems not to be there.
//
// flock(2), unix(7) (SCM_RIGHTS), prctl(2) (PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS),
// capabilities(7).
package keep
