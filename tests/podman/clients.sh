#!/bin/bash
# The resolvers and programs that people have, with a profile of names only: each works with a name that is allowed, and fails with one that is not.
# glibc, musl and c-ares; curl, git, apt, pip and npm over https.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
. "$(dirname "$0")/../support/repositories.sh"

# ---- the world: names of each kind, and its repositories, over https alone

{
	echo "cname=chain.clients.test,one.hops.test"
	echo "cname=one.hops.test,two.hops.test"
	echo "cname=two.hops.test,end.hops.test"
	for n in $(seq 40); do echo "host-record=big.clients.test,203.0.113.$((n + 100))"; done
	for n in $(seq 100); do echo "host-record=huge.clients.test,203.0.113.$((n + 100))"; done
} >>/srv/bed/names.conf
world_names both.clients.test,198.51.100.61,2001:db8:1::61 six.clients.test,2001:db8:1::62 four.clients.test,198.51.100.63 end.hops.test,198.51.100.64 \
	git.forge.test,198.51.100.31 archive.distro.test,198.51.100.32 index.wheels.test,198.51.100.33 files.wheels.test,198.51.100.33 registry.nodes.test,198.51.100.34
make_repositories https
check "the world has an https server and an authority of its own" \
	world_https {both,six,four,chain}.clients.test other.test git.forge.test archive.distro.test index.wheels.test files.wheels.test registry.nodes.test
programs+=(-v /srv/bed/ca:/ca:ro -v /srv/bed/programs:/programs:ro)
lookups=(glibc musl musl_static cares)
build_lookups() {	# the same program for each libc, and one for c-ares
	local source=/mnt/checkout/tests/support options=(-O1 -Wall -Wextra -std=gnu17)
	mkdir -p /srv/bed/programs && cd /srv/bed/programs &&
		gcc "${options[@]}" -o glibc "$source/lookup.c" && musl-gcc "${options[@]}" -o musl "$source/lookup.c" &&
		musl-gcc -static "${options[@]}" -o musl_static "$source/lookup.c" && gcc "${options[@]}" -o cares "$source/lookup_cares.c" -lcares
}
check "a program that looks names up is built with each resolver" build_lookups

look() { inside "$1" "/programs/$2" "${@:3}"; }	# CONTAINER LOOKUP NAME [4|6]
get_curl() { [ "$(inside "$1" curl -sS --max-time 10 --cacert /ca/ca.pem "${@:2}")" = world ]; }	# CONTAINER ARGS...

# ---- with another name in the profile each fails, and nothing of it leaves

profile other other.test
check "a container that is allowed another name starts" shield run strict --profiles other -- -d "${programs[@]}" $image sleep 900
judge_begin 203.0.113.20
fresh strict
for lookup in "${lookups[@]}"; do
	check_not "$lookup: a name that is not in the profile is not found" look strict "$lookup" both.clients.test
	check_output "$lookup: the one that is works" '^203\.0\.113\.20 reached $' look strict "$lookup" other.test 4
done
check_not "getent: a name that is not in the profile is not found" inside strict getent ahosts both.clients.test
check_not "curl: a name that is not in the profile fails" get_curl strict https://both.clients.test/
check "curl: the one that is works" get_curl strict https://other.test/
check_not "git: it fails" get_git strict https
check_not "apt: it fails" get_apt strict https
check_not "pip: it fails" get_pip strict https
[ -z "$has_npm" ] || check_not "npm: it fails" get_npm strict https
none_left "without the names"
for name in clients.test hops.test forge.test distro.test wheels.test nodes.test; do
	check "without the names: the world was not asked for $name" never_asked $name
done
check "it is removed" pod rm -f -t 0 strict

# ---- with the names

profile names clients.test many.test git.forge.test archive.distro.test =index.wheels.test =files.wheels.test registry.nodes.test
check "a network with IPv6 for rootful containers" make_network_v6
check "a container that is allowed the names starts" shield run web --profiles names -- -d "${programs[@]}" $image sleep 900
check "one with IPv6 starts" shield run six --profiles names -- -d "${network_v6[@]}" "${programs[@]}" $image sleep 900
wait_v6 six

has_least() {	# N CONTAINER LOOKUP NAME : finds as many addresses, and reaches the first
	local least=$1; shift
	look "$@" >/srv/bed/found || { cat /srv/bed/found; return 1; }
	tail -1 /srv/bed/found | grep -q '^reached$' && [ "$(($(wc -l </srv/bed/found) - 1))" -ge "$least" ] || { wc -l /srv/bed/found; return 1; }
}
at_once() {	# CONTAINER LOOKUP : thirty at the same time, each for a name of its own
	[ "$(inside "$1" sh -c 'for n in $(seq 30); do /programs/$0 n$n.many.test & done; wait' "$2" | grep -c '^reached$')" = 30 ]
}
with_resolv_conf() { judge "$1" unshare -m sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "${@:2}"; }	# CONTAINER FILE CMD...
printf 'nameserver 127.0.0.1\nsearch nowhere.test hops.test clients.test\noptions ndots:2\n' >/srv/bed/search.conf

declare -A most=([glibc]=100 [musl]=48 [musl_static]=48 [cares]=100)
[ "$suite" != bookworm ] || most[musl]=20 most[musl_static]=20	# before 1.2.4 it does not ask by TCP, and takes what fits into 512 octets
for lookup in "${lookups[@]}"; do
	check_output "$lookup: an IPv4 address" '^198\.51\.100\.61 reached $' look web "$lookup" both.clients.test 4
	check_output "$lookup: an IPv6 address" '^2001:db8:1::61 reached $' look six "$lookup" both.clients.test 6
	check "$lookup: A and AAAA at once, from one socket" has_least 2 web "$lookup" both.clients.test
	check_output "$lookup: a name with IPv6 alone" '^2001:db8:1::62 reached $' look six "$lookup" six.clients.test
	check_output "$lookup: a name with IPv4 alone" '^198\.51\.100\.63 reached $' look web "$lookup" four.clients.test
	check_output "$lookup: a chain of names of which the first is allowed" '^198\.51\.100\.64 reached $' look web "$lookup" chain.clients.test
	check "$lookup: an answer of more than 512 octets" has_least $((most[$lookup] < 40 ? most[$lookup] : 40)) web "$lookup" big.clients.test 4
	check "$lookup: one that fits into no datagram" has_least "${most[$lookup]}" web "$lookup" huge.clients.test 4
	check_not "$lookup: a name that does not exist is not found" look web "$lookup" nothing.clients.test
	check_output "$lookup: search domains are gone through" '198\.51\.100\.61 .*reached $' with_resolv_conf web /srv/bed/search.conf "/srv/bed/programs/$lookup" both
	check "$lookup: thirty at the same time" at_once web "$lookup"
done
check_output "getent: both families" '198\.51\.100\.61 .*2001:db8:1::61 |2001:db8:1::61 .*198\.51\.100\.61 ' inside six getent ahosts both.clients.test
check_output "getent: IPv6 alone" '^2001:db8:1::62 ' inside six getent ahostsv6 six.clients.test
for options in single-request single-request-reopen rotate use-vc edns0 ndots:5; do
	check_output "glibc with the option $options" 'reached $' inside web env "RES_OPTIONS=$options" /programs/glibc both.clients.test
done

check "curl over https" get_curl web https://both.clients.test/
check "curl over https and IPv6" get_curl six -6 https://both.clients.test/
check "curl over https to a name with IPv6 alone" get_curl six https://six.clients.test/
check "curl over https through a chain of names" get_curl web https://chain.clients.test/
check_not "curl does not take a name for which there is no certificate" get_curl web https://big.clients.test/
fresh web
check "git clones over https" get_git web https
check "apt updates and downloads a package over https" get_apt web https
check "pip downloads a wheel from an index over https and a second name at its address" get_pip web https
[ -z "$has_npm" ] || check "npm installs a package over https" get_npm web https
check_not "an address that no name has brought is refused" fast_get web http://203.0.113.90/
check "they are removed" pod rm -f -t 0 web six
check "no packet reached a DNS port anywhere else" no_stray_dns
finish
