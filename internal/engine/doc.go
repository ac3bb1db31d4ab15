// Package engine is the only writer. Every change goes the same way:
//
//	lock - load - change the topology - compile - plan - journal - run - save - drop the journal
//
// The caller brings a function that changes the topology; the engine compiles
// the result into facts, compares them with the ledger of facts made, and runs
// the difference. When a step fails, the steps done are taken back. When cnet
// is killed, the next command finds the journal and undoes or finishes the change.
package engine
