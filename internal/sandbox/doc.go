// Package sandbox is a throw-away host: network, mount and process namespaces of
// its own, made without root where the kernel lets users make user namespaces.
//
//	the machine                      the sandbox
//
//	cnet sandbox ── starts ────────▶ process 1: mounts, lo, the world
//	     │                               │
//	     ├─ signals, over a pipe ───────▶├─ starts the command, reaps the orphans
//	     ◀─ the command's exit code ─────┘
//
// When process 1 ends, for whatever reason, the kernel ends all other processes
// of the sandbox, and with the last of them go its namespaces, links and mounts.
// Nothing has to be cleaned up, and so nothing is left behind.
//
// namespaces(7), pid_namespaces(7), user_namespaces(7).
package sandbox
