# Debian packages that each purpose needs; sourced, never run. The names are the same on Debian 12 and 13.
# shellcheck shell=bash disable=SC2034  # read by those who source it

# To build terok-shield.
packages_build="gcc libc6-dev cmake ninja-build pkg-config libevent-dev libssl-dev libldns-dev libnftables-dev libmnl-dev libnftnl-dev libcjson-dev
	libyaml-dev libidn2-dev libncurses-dev"

# To run it: podman with everything that its rootless and rootful networks use.
packages_run="podman crun slirp4netns passt uidmap netavark aardvark-dns nftables iptables"

# What the bed adds: an image out of one binary, servers for its world, tools that look from outside, a terminal, programs that a container learns with.
packages_bed="busybox-static iproute2 iputils-ping util-linux procps dnsmasq-base bind9-dnsutils tmux git python3-pip patch"

# What the tests add to that.
packages_test="libcmocka-dev openssl"

# The programs and resolvers that tests/podman/clients.sh takes into its containers.
packages_clients="curl openssl musl-tools libc-ares-dev"

# npm brings hundreds of packages: it is installed in the other distribution's userland, and on the machine itself only where a skip is a failure and there is none.
packages_node="npm"

# What only the machine that runs all tests needs: the second compiler, and the tool that makes the other distribution's userland.
packages_driver="clang libclang-rt-dev debootstrap debian-archive-keyring git"

# Servers and forwarders that ours is compared with (tests/netns/test_differential.c), and one that it asks by TLS (test_tls.c). They bring services that listen on the machine's own port 53, so they are
# installed only where a skip is a failure; elsewhere the test skips unless somebody has them.
packages_servers="nsd bind9 unbound dnsmasq-base"

# promtool, which says whether metrics are Prometheus' (tests/netns/test_cmd_metrics.c). Its package brings a server too, so the same holds.
packages_checkers="prometheus"

packages_missing() {	# PACKAGE... : prints those that are not installed
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
	done
}

packages_install() {	# PACKAGE... : installs what is missing, as root or through sudo; says so, and shows apt's own words only when it fails
	local missing root='' log
	missing=$(packages_missing "$@" | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || root=sudo
	echo "installing with apt-get: $missing"
	log=$(mktemp)
	# shellcheck disable=SC2086  # a list of words
	if ! { $root apt-get -q update && $root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1; then
		tail -20 "$log" >&2
		echo "apt-get could not install what is missing (all of it in $log)" >&2
		return 1
	fi
	rm -f "$log"
}
