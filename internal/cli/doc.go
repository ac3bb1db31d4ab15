// Package cli is cnet's command line: flags in, engine or reader called, result
// shown. One file holds one command. Data goes to standard output, narration
// and errors to standard error.
package cli
