#!/bin/bash
# Every kind of network namespace and user namespace that podman makes, and what changes in one while the container runs.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test v6.test
shielded() {	# CONTAINER SENTENCE
	check_output "$2: an allowed name works" '^world $' get "$1" http://allowed.test/
	check_not "$2: another name fails" fast_get "$1" http://other.test/
	check_not "$2: another address fails" fast_get "$1" http://203.0.113.20/
	check_output "$2: the status is up" '^up $' shield status "$1"
}

unreachable() { ! "$@"; }	# dropped, not refused: wget does not end by itself

# User namespaces: at createRuntime only lo is there.
for userns in keep-id auto nomap; do
	if [ "$mode" = rootful ] && [ $userns != auto ]; then continue; fi
	if [ $userns = nomap ] && [ "$suite" = bookworm ]; then continue; fi	# podman 4.3 maps nothing else than the user then, and busybox's files are not readable
	user_option=()
	[ $userns != keep-id ] || user_option=(--user root)
	# auto takes from a range of its own
	if [ "$mode/$userns" = rootful/auto ]; then echo "containers:3000000:1000000" >>/etc/subuid; echo "containers:3000000:1000000" >>/etc/subgid; fi
	check "--userns $userns: a container starts" shield run web --profiles my -- -d --userns $userns "${user_option[@]}" $image sleep 600
	shielded web "--userns $userns"
	check "--userns $userns: verify holds" shield verify web
	check "--userns $userns: it is restarted" pod restart -t 0 web
	shielded web "--userns $userns after a restart"
	check "--userns $userns: another joins" shield run guest -- -d --network container:web $image sleep 600
	shielded guest "beside --userns $userns"
	check "--userns $userns: the second is removed" pod rm -f -t 0 guest
	check "--userns $userns: the first is removed" pod rm -f -t 0 web
done

# No network at all.
check "--network none: a container starts" shield run web --profiles my -- -d --network none $image sleep 600
check_output "--network none: names are answered" '198\.51\.100\.10' inside web nslookup -type=a allowed.test
check_not "--network none: others are not" inside web nslookup -type=a other.test
check_not "--network none: nothing is reached" fast_get web http://198.51.100.10/
check_output "--network none: the status is up" '^up $' shield status web

# An interface that appears late, and without podman's knowledge.
ip link add late0 type veth peer name late1
init=$(pod inspect -f '{{.State.Pid}}' web)
ip link set late1 netns "$init"
ip addr add 192.0.2.1/24 dev late0
ip link set late0 up
judge web ip addr add 192.0.2.2/24 dev late1
judge web ip link set late1 up
judge web ip route add default via 192.0.2.1
sysctl -qw net.ipv4.ip_forward=1
ip -n world route add 192.0.2.0/24 via 10.99.0.2
check_output "a late interface: an allowed name works through it" '^world $' get web http://allowed.test/
check_not "a late interface: another address is refused" fast_get web http://203.0.113.20/
ip netns exec world nft add table inet late '{ chain c { type filter hook input priority 0; ip saddr 192.0.2.2 ip daddr 203.0.113.0/24 counter; }; }'
check_not "a late interface: refused again" fast_get web http://203.0.113.21/
check_output "a late interface: nothing forbidden arrived" 'packets 0 ' ip netns exec world nft list table inet late
judge web busybox httpd -p 81 -h /etc
check_output "a late interface: a server listens" 'root:x:0' judge web busybox wget -q -O- http://127.0.0.1:81/group
check "a late interface: it is not reachable through it" unreachable busybox timeout 4 busybox wget -q -O- http://192.0.2.2:81/group
check "a late interface: verify holds" shield verify web
ip link del late0
ip -n world route del 192.0.2.0/24
check "the container is removed" pod rm -f -t 0 web

# Networks that come and go while the container runs.
check "a network is made" pod network create --subnet 10.125.0.0/24 first
check "a second one is made" pod network create --subnet 10.126.0.0/24 second
check "a container with a server starts in the second" pod run -d --name peer --network second $image httpd -f -p 8000 -h /etc
peer=$(pod inspect -f '{{(index .NetworkSettings.Networks "second").IPAddress}}' peer)
check "a container starts in the first" shield run web --profiles my -- -d --network first $image sh -c 'httpd -p 81 -h /etc; sleep 600'
shielded web "a custom network"
check "the second network is connected" pod network connect second web
interface() { judge web ip -o addr | grep -q '10\.126\.0\.'; }
check "it has an interface there" eventually 5 interface
shielded web "after network connect"
check_not "a server there, which is not allowed, is not reached" fast_get web "http://$peer:8000/passwd"
address=$(pod inspect -f '{{(index .NetworkSettings.Networks "second").IPAddress}}' web)
check "nor is the container's port reached from there" unreachable inside peer timeout 4 wget -q -O- "http://$address:81/passwd"
check "its network is allowed" shield allow web 10.126.0.0/24
check_output "then the server is reached" 'root:x:0' get web "http://$peer:8000/passwd"
check "verify holds with two networks" shield verify web
check "the second network is disconnected" pod network disconnect second web
shielded web "after network disconnect"
check "the first network is disconnected too" pod network disconnect first web
check_not "without a network nothing works" fast_get web http://allowed.test/
check_output "and the status is up" '^up $' shield status web
check "the first network is connected again" pod network connect first web
shielded web "after the network came back"
check "a restart with the networks as they are" pod restart -t 0 web
shielded web "after a restart"
check "both are removed" pod rm -f -t 0 web peer

# IPv6 alone.
check "a network of IPv6 alone is made" pod network create --subnet fd12:3457::/64 six
check "a container starts in it" shield run web --profiles my -- -d -p 18081:81 --network six $image sh -c 'httpd -p 81 -h /etc; httpd -p 82 -h /etc; sleep 600'
has_address() { judge web ip -6 addr show scope global | grep -q inet6 && ! judge web ip -6 addr show tentative | grep -q inet6; }
check "it has an address" eventually 8 has_address
check_equal "and none of IPv4" '' "$(judge web ip -4 -o addr show scope global)"
check_output "IPv6 alone: the status is up" '^up $' shield status web
check_output "IPv6 alone: an allowed name is answered" '2001:db8:1::10' inside web nslookup -type=aaaa v6.test
check_not "IPv6 alone: another name is not" inside web nslookup -type=aaaa otherv6.test
check "IPv6 alone: a container without a shield starts" pod run -d --name bare --network six $image sleep 600
if get bare 'http://[2001:db8:1::10]/' >/dev/null 2>&1; then	# slirp4netns of podman 4.3 takes IPv6 nowhere
	check_output "IPv6 alone: an allowed name works" '^world $' get web http://v6.test/
	check_output "IPv6 alone: another address works without a shield" '^world $' get bare 'http://[2001:db8:1::20]/'
fi
check_not "IPv6 alone: another address fails" fast_get web 'http://[2001:db8:1::20]/'
six=$(judge bare ip -6 -o addr show scope global | sed -n 's/.*inet6 \([^/]*\).*/\1/p')
judge bare busybox httpd -p "[::]:8000" -h /etc
check_not "IPv6 alone: a neighbour is not reached" fast_get web "http://[$six]:8000/group"
check "IPv6 alone: its network is allowed" shield allow web fd12:3457::/64
check_output "IPv6 alone: then it is" 'root:x:0' get web "http://[$six]:8000/group"
check "IPv6 alone: verify holds" shield verify web
six=$(judge web ip -6 -o addr show scope global | sed -n 's/.*inet6 \([^/]*\).*/\1/p')
check_output "IPv6 alone: the published port is reachable by a neighbour" 'root:x:0' get bare "http://[$six]:81/group"
check "IPv6 alone: another port is not" unreachable inside bare timeout 4 wget -q -O- "http://[$six]:82/group"
check "both are removed" pod rm -f -t 0 web bare

# A published port in a custom network.
check "a container with a published port starts in a custom network" shield run web --profiles my -- -d -p 18082:81 --network first $image sh -c 'httpd -p 81 -h /etc; httpd -p 82 -h /etc; sleep 600'
fetch() { busybox timeout 5 busybox wget -q -O- "$1"; }
check "the published port answers" eventually 5 fetch http://127.0.0.1:18082/group
shielded web "with a published port"
check "the container is removed" pod rm -f -t 0 web

# The host's own stays refused.
check_failure "--network host is refused" "host's network" shield run web --profiles my -- -d --network host $image sleep 600
check_failure "a namespace by its path is refused" 'own' shield run web --profiles my -- -d --network ns:/proc/1/ns/net $image sleep 600
check "no packet reached a DNS port anywhere else" no_stray_dns
check "no forwarder is left" eventually 5 no_proxies
finish
