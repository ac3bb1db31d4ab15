// Package doctor looks for what on this host will stop container networking,
// before there are networks and after. It reads the host once, into a plain
// struct; each check is a function from that to findings. It changes nothing,
// takes no lock, and loads nothing into the kernel that the host's files name.
// What it cannot see without root it says.
package doctor
