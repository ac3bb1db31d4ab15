// Package topology is what the user asked for: networks, containers, the
// attachments between them and the published ports. It is a small document that
// a person can read and write.
//
// The package is pure. Its verbs (AddNetwork, Connect, Publish …) take a
// topology and what is known of the host, and either change the topology or
// refuse with a sentence; [Compile] turns a topology into the ordered list of
// facts that make it true. Neither touches the kernel.
package topology
