#!/bin/bash
# Every way to ask some other resolver ends at the forwarder, which answers with the same policy; nothing of a denied name leaves.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
routes=$(judge web ip -6 route show default)

check_equal "the container's resolver is the forwarder" "nameserver 127.0.0.1" "$(inside web grep nameserver /etc/resolv.conf)"
for server in 203.0.113.53 198.51.100.53 10.99.0.1 8.8.8.8; do
	check_output "a UDP query to $server is answered by the forwarder" '^198\.51\.100\.10 $' judge web dig +short +tries=1 +time=3 allowed.test "@$server"
	check_output "a TCP query to $server is answered by the forwarder" '^198\.51\.100\.10 $' judge web dig +short +tcp +tries=1 +time=3 allowed.test "@$server"
	check_output "a denied name asked of $server over UDP does not exist" 'status: NXDOMAIN' judge web dig +tries=1 +time=3 "secret.denied.test" "@$server"
	check_output "a denied name asked of $server over TCP does not exist" 'status: NXDOMAIN' judge web dig +tcp +tries=1 +time=3 "secret.denied.test" "@$server"
done
if [ -n "$routes" ]; then
	for server in 2001:db8:1::53 fd99::1; do
		check_output "a UDP query to $server is answered by the forwarder" '^198\.51\.100\.10 $' judge web dig +short +tries=1 +time=3 allowed.test "@$server"
		check_output "a TCP query to $server is answered by the forwarder" '^198\.51\.100\.10 $' judge web dig +short +tcp +tries=1 +time=3 allowed.test "@$server"
		check_output "a denied name asked of $server does not exist" 'status: NXDOMAIN' judge web dig +tries=1 +time=3 secret.denied.test "@$server"
	done
fi
check_output "the answer to a denied name says why when EDNS was spoken" 'EDE: 15' judge web dig +edns +tries=1 +time=3 secret.denied.test @127.0.0.1
check_output "a program with a resolver of its own built in gets the same policy" '198\.51\.100\.10' inside web nslookup -type=a allowed.test 203.0.113.53
check_not "DNS over TLS to another resolver is refused" inside web timeout 4 nc -w 3 203.0.113.53 853
check_output "ANY is not forwarded" 'status: (REFUSED|NOTIMP|NOERROR)' judge web dig +tcp +tries=1 +time=3 any allowed.test @127.0.0.1
check_not "ANY did not reach the world" grep -q 'query\[ANY\]' /srv/bed/dns.log
check_output "the forwarder listens on the IPv6 loopback too" '^198\.51\.100\.10 $' judge web dig +short +tries=1 +time=3 allowed.test @::1
check_output "a question of another class is refused" 'status: (REFUSED|NOTIMP|FORMERR)' judge web dig +tries=1 +time=3 -c CH txt version.bind @127.0.0.1
check_not "a label below an allowed exact name's sibling does not resolve" judge web sh -c 'dig +short +tries=1 data.notallowed.test @127.0.0.1 | grep .'

profile inside inside.test metadata.test
check "a container whose profile names inside addresses starts" shield run web2 --profiles inside -- -d $image sleep 600
check_equal "a private address is not relayed for an allowed name" "" "$(judge web2 dig +short +tries=1 +time=3 inside.test @127.0.0.1)"
check_equal "the metadata service's address is not relayed for an allowed name" "" "$(judge web2 dig +short +tries=1 +time=3 metadata.test @127.0.0.1)"
check_not "a private address behind an allowed name is not reachable" fast_get web2 http://10.99.0.1/

ip netns exec world dnsmasq --conf-file=/srv/bed/names.conf --port=5300 --pid-file=/run/dnsmasq.5300.pid --no-resolv --no-hosts --keep-in-foreground \
	--listen-address=10.99.0.1 --bind-interfaces --user=root --group=root --cache-size=0 --log-queries --log-facility=/srv/bed/dns5300.log >/dev/null 2>&1 </dev/null &
server=$!
configure 'dns:' '  upstream: ["10.99.0.1:5300"]' '  via: container'
check "a container whose names are asked through its own network, at a server with another port, starts" shield run web3 --profiles my -- -d $image sleep 600
check_output "an allowed name is answered" '198\.51\.100\.10' inside web3 nslookup -type=a allowed.test
check "by that server" grep -q 'query\[A\] allowed\.test' /srv/bed/dns5300.log
check_not "which what runs in the container does not reach" judge web3 dig +tries=1 +time=2 secret.denied.test @10.99.0.1 -p 5300
check_not "nor does its question" grep -q 'denied\.test' /srv/bed/dns5300.log
check_output "the shield holds" 'ok' shield verify web3
configure 'dns: {}'
kill "$server"

check "no query of a denied name reached the world's resolver" never_asked denied.test
check "no packet reached a DNS port anywhere else" no_stray_dns
check "nothing reached the rogue resolver" sh -c '! grep -q "query\[" /srv/bed/rogue.log'
check "the containers are removed" pod rm -f -t 0 web web2 web3
finish
