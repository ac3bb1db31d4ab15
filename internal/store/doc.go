// Package store keeps cnet's files: one small JSON file per object, written by
// temporary file, fsync and rename; a lock that one process holds at a time;
// and a journal of the change under way.
//
//	/var/lib/cnet/networks/lab.json       what the user asked for; survives a reboot
//	/var/lib/cnet/containers/web.json
//	/run/cnet/ledger/container-web.json   the facts that were made; ends with the boot
//	/run/cnet/journal.json                the change under way, if any
//	/run/cnet/lock                        who is changing something now
//
// It knows nothing of what the files say. Everything but the lock can be read
// by every user of the host.
package store
