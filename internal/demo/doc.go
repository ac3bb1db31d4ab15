// Package demo tells how container networking works, from an empty namespace to
// a published port, and does each thing as it tells it.
//
// It runs in a sandbox with a world. Every step makes its facts, shows the
// commands that do the same by hand, looks at what happens, and compares that
// with what it claims: a story that is not true on this kernel fails.
//
// The story itself is in story.go and the files beside it; the rest is the stage.
package demo
