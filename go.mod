module github.com/cnetlab/cnet

go 1.21.0

require (
	github.com/VictoriaMetrics/metrics v1.35.1
	github.com/coreos/go-iptables v0.8.0
	github.com/goccy/go-yaml v1.18.0
	github.com/google/go-cmp v0.6.0
	github.com/google/nftables v0.2.0
	github.com/miekg/dns v1.1.63
	github.com/rogpeppe/go-internal v1.12.0
	github.com/spf13/cobra v1.9.1
	github.com/spf13/pflag v1.0.6
	github.com/vishvananda/netlink v1.3.1
	github.com/vishvananda/netns v0.0.5
	golang.org/x/net v0.31.0
	golang.org/x/sys v0.29.0
	golang.org/x/term v0.28.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/josharian/native v1.1.0 // indirect
	github.com/mdlayher/netlink v1.7.2 // indirect
	github.com/mdlayher/socket v0.5.0 // indirect
	github.com/valyala/fastrand v1.1.0 // indirect
	github.com/valyala/histogram v1.2.0 // indirect
	golang.org/x/mod v0.18.0 // indirect
	golang.org/x/sync v0.9.0 // indirect
	golang.org/x/text v0.20.0 // indirect
	golang.org/x/tools v0.22.0 // indirect
)
