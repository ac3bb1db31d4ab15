// Package fact is the idea that cnet is built on: a change to the kernel is a
// sentence that is true or false.
//
//	"web's eth0 has address 10.77.0.2/24."
//	"Packets for the host's TCP port 8080 go to 10.77.0.2:80."
//
// A [Fact] can say itself, say why it matters, look whether it holds, be made,
// be broken, and name the commands that do the same by hand. A list of facts in
// order describes a whole network. The difference between the facts that were
// made and the facts that are wanted is a [Plan]:
//
//	made    A B C          Diff        break C
//	wanted  A B   D   ------------->   make  D
//
// From this one description come the dry run (the plan, not run), the
// explanation (each sentence as it becomes true), the shell script (the
// commands of all), the check (look at each), the repair (make what does not
// hold) and the rollback (the part that was done, reversed).
//
// The package knows nothing of networks and needs only the standard library.
// The chapters beside it (netns, veth, bridge, route, nat, sysctl) hold the
// facts themselves.
package fact
