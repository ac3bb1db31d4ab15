#!/bin/sh
# Make a Debian or Ubuntu machine a cnet lab: install what cnet uses, a Go that
# can build it, and cnet itself with its completion and man pages; and have
# systemd bring its networks up at boot. Run it as root, as often as you like:
# what is there already is left alone.
#
#   scripts/provision.sh                        build this source tree and install it
#   CNET_BINARY=./cnet scripts/provision.sh     install a binary built elsewhere (needs no Go)
#
# The usual settings are respected: GOPROXY, GOFLAGS, http_proxy and their like.
set -eu

prefix=/usr/local
unit=$prefix/lib/systemd/system/cnet.service
source=$(cd "$(dirname "$0")/.." && pwd)

# iputils-ping and tcpdump are for the people in the lab, the rest is for cnet:
# kmod has modprobe, procps has sysctl.
packages="bash-completion ca-certificates conntrack curl iproute2 iptables
	iputils-ping kmod man-db nftables procps tcpdump"

# The kernel loads its modules when they are first used, br_netfilter aside; and
# iptables-legacy loads its own by modprobe, which fails in a sandbox without root.
modules="br_netfilter ip_tables ip6_tables"

say() { printf 'provision: %s\n' "$*"; }

fail() {
	printf 'provision: %s\n' "$*" >&2
	exit 1
}

main() {
	[ "$(id -u)" -eq 0 ] || fail "this installs packages, so it needs root: run it with sudo"
	command -v apt-get >/dev/null || fail "this needs a Debian or Ubuntu system: there is no apt-get here"
	export DEBIAN_FRONTEND=noninteractive

	[ -n "${CNET_BINARY:-}" ] || packages="$packages git make"
	# shellcheck disable=SC2086 # a list of words
	install_packages $packages
	load_modules
	if [ -n "${CNET_BINARY:-}" ]; then
		install_binary "$CNET_BINARY"
	else
		install_go
		install_source
	fi
	enable_unit
	say "installed $prefix/bin/cnet $("$prefix/bin/cnet" version | sed -n '1s/^cnet *//p')"
}

install_packages() {
	missing=
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
	done
	if [ -z "$missing" ]; then
		say "the packages are there: $*"
		return
	fi
	say "installing packages:$missing"
	apt-get -q update
	# shellcheck disable=SC2086
	apt-get -q -y --no-install-recommends install $missing
}

# load_modules loads them now and at every boot.
load_modules() {
	conf=/etc/modules-load.d/cnet.conf
	# shellcheck disable=SC2086
	if ! printf '%s\n' $modules | cmp -s - "$conf"; then
		mkdir -p "${conf%/*}"
		printf '%s\n' $modules >"$conf"
		say "wrote $conf"
	fi
	absent=
	for module in $modules; do
		modprobe -q "$module" || absent="$absent $module"
	done
	[ -z "$absent" ] || say "this kernel does not have these modules, or not as modules:$absent"
}

# install_go looks at the Go on the PATH, then at the distribution's, then at
# Debian's backports of it: Debian 12's own is too old.
install_go() {
	export GOTOOLCHAIN=local HOME="${HOME:-/root}"
	wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' "$source/go.mod")
	present=$(go version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
	if [ -n "$present" ] && at_least "$present" "$wanted"; then
		say "Go $present is there"
		return
	fi
	if at_least "$(candidate)" "$wanted"; then
		install_packages golang-go
		return
	fi
	add_backports
	at_least "$(candidate -t "$backports")" "$wanted" ||
		fail "no package here has Go $wanted or newer: install Go, or give CNET_BINARY=path"
	say "installing golang-go from $backports"
	apt-get -q -y --no-install-recommends -t "$backports" install golang-go
}

at_least() { dpkg --compare-versions "$1" ge "$2"; }

# candidate prints the version of Go that apt would install: "2:1.19~1" is 1.19.
candidate() { apt-cache "$@" policy golang-go | sed -n 's/^ *Candidate: *[0-9]*:\([0-9.]*\).*/\1/p'; }

# add_backports uses the mirror that apt uses already.
add_backports() {
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	backports=$codename-backports
	# shellcheck disable=SC2016 # apt's own variable
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Codename: $codename" | head -n 1)
	[ -n "$mirror" ] || fail "the distribution's Go is older than $wanted: install a newer one, or give CNET_BINARY=path"
	list=/etc/apt/sources.list.d/cnet-backports.list
	if [ ! -e "$list" ]; then
		echo "deb $mirror $backports main" >"$list"
		say "wrote $list"
	fi
	apt-get -q update
}

# install_source is "make install". The source may be another user's (a synced
# folder), and git then refuses to tell the version without safe.directory.
install_source() {
	say "building $source"
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$source \
		make -C "$source" install PREFIX="$prefix"
}

# install_binary puts the files where "make install" puts them.
install_binary() {
	[ -x "$1" ] || fail "CNET_BINARY=$1 is not a program"
	say "installing $1"
	install -D -m 755 "$1" "$prefix/bin/cnet"
	mkdir -p "$prefix/share/bash-completion/completions" "$prefix/share/man/man1"
	"$prefix/bin/cnet" completion bash >"$prefix/share/bash-completion/completions/cnet"
	"$prefix/bin/cnet" man "$prefix/share/man/man1"
	install -D -m 644 "$source/scripts/cnet.service" "$unit"
}

# enable_unit has systemd, where it is, run "cnet up" now and at every boot.
enable_unit() {
	command -v systemctl >/dev/null || return 0
	systemctl --quiet enable cnet.service
	[ -d /run/systemd/system ] || return 0 # not running: a system that is being made
	systemctl daemon-reload
	systemctl start cnet.service
}

main
