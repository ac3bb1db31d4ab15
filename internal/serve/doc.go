// Package serve is a web server on plain sockets.
//
// A web server is a process, and it does less than its name promises. The
// kernel owns the ports, answers the clients' SYNs, shakes hands with them and
// queues the finished connections, whether or not the process is awake. The
// process asks for all this in four system calls, and then takes one
// connection after another out of the queue:
//
//	        the process                    the kernel
//
//	socket()  ───────────────▶  an endpoint without an address
//	bind()    ───────────────▶  the endpoint owns ADDRESS:PORT here
//	listen()  ───────────────▶  SYNs are answered from now on     ◀── SYN
//	                            ┌──────────────┐                   ──▶ SYN, ACK
//	accept()  ◀──────────────── │ accept queue │                  ◀── ACK
//	                            └──────────────┘
//	read()    ◀───────────────  GET / HTTP/1.1                    ◀── data
//	write()   ───────────────▶  HTTP/1.1 200 OK                    ──▶ data
//	close()   ───────────────▶  FIN
//
// "Here" is a network namespace: the one in which socket() was called. Two
// namespaces have two port 80s, and a socket stays in its namespace wherever
// its process goes afterwards.
//
// Read [Server.Listen] first, then [Server.Run]. The calls are made by hand, in
// kernel.go; HTTP itself is left to net/http. With UDP there is nothing to
// accept: datagrams come from anyone, in udp.go.
//
// socket(7), tcp(7), udp(7), ip(7), ipv6(7), listen(2), accept(2).
package serve
