// Package sysctl is the chapter on kernel settings.
//
// A setting is a file under /proc/sys that holds a value as text. Its name is
// the path with dots for slashes, so that these three are the same:
//
//	net.ipv4.ip_forward
//	net/ipv4/ip_forward
//	/proc/sys/net/ipv4/ip_forward
//
// Most settings under net belong to a network namespace. Which one is meant
// depends on the thread that opens the file:
//
//	/proc/sys/net/ipv4/ip_forward
//	            |
//	            +-- opened on the host ------> 1   the host is a router
//	            +-- opened inside web -------> 0   web is not
//
// Many settings stand once for each link, net.ipv4.conf.LINK, with the settings
// all and default beside them. Some of these count if either the link's or all's
// is set, others only as a maximum; the kernel's page on ip-sysctl says which. A
// link whose name holds a dot is written with slashes:
// net/ipv4/conf/eth0.5/route_localnet.
//
// To change a setting of the host is to change the host for all who use it. So a
// [Setting] remembers the value that it found, and puts it back at the end,
// unless somebody else has changed it since.
//
// Sources: sysctl(8), proc(5), "IP Sysctl" in the kernel's documentation
// (networking/ip-sysctl).
package sysctl
