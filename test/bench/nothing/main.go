// Command nothing does nothing: what it takes is what any Go program takes to
// start and to end.
package main

func main() {}
