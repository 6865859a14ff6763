#!/bin/bash
# The IPv6 twin of the walk.
. "$(dirname "$0")/../support/lib.sh"
profile my v6.test
network=()
if [ "$mode" = rootful ]; then	# the default bridge has no IPv6
	check "a network with IPv6 is made" pod network create --ipv6 --subnet 10.124.0.0/24 --subnet fd12:3456::/64 six
	network=(--network six)
fi
check "a shielded container starts" shield run web --profiles my -- -d "${network[@]}" $image sleep 600
has_route() { judge web ip -6 route show default | grep -q .; }
has_address() { judge web ip -6 addr show scope global | grep -q 'inet6' && ! judge web ip -6 addr show tentative | grep -q inet6; }
check "the container has an IPv6 route and address" eventually 8 eval 'has_route && has_address'
check_output "an allowed name works" '^world $' get web http://v6.test/
check_not "a name that is not allowed fails" fast_get web http://otherv6.test/
check_not "its address fails" fast_get web 'http://[2001:db8:1::20]/'
check_output "rules lists the learned address in learned_v6 with lifetime and name" \
	'2001:db8:1::10 .*expires [0-9]+.*comment "v6\.test"' set_elements web learned_v6
check_output "allow prints the address" '^Allowed otherv6\.test -> 2001:db8:1::20 for web $' shield allow web otherv6.test
check_output "what was allowed works at once" '^world $' get web http://otherv6.test/
inside web sh -c 'wget -q -O /tmp/clock http://otherv6.test/cgi-bin/clock' >/dev/null 2>&1 </dev/null &
lines() { inside web wc -l /tmp/clock | cut -d' ' -f1; }
flowing() { [ "$(lines)" -ge 2 ]; }
check "a connection that stays open delivers" eventually 5 flowing
check_output "deny prints the address" '^Denied otherv6\.test \(2001:db8:1::20\) for web $' shield deny web otherv6.test
sleep 1
before=$(lines); sleep 1.5; after=$(lines)
check "deny ends an open connection" test "${before:-0}" -ge 2 -a "$before" = "$after"
check_not "what was denied fails by name" fast_get web http://otherv6.test/
check_not "what was denied fails by address" fast_get web 'http://[2001:db8:1::20]/'
check_output "allow of an address works" 'Allowed 2001:db8:1::30 -> 2001:db8:1::30 for web' shield allow web 2001:db8:1::30
check_output "the allowed address is reachable" '^world $' get web 'http://[2001:db8:1::30]/'
check_not "a private address fails" fast_get web 'http://[fd99::1]/'
for server in 2001:db8:1::53 fd99::1; do
	check_output "a UDP query to $server is answered by the forwarder" '^2001:db8:1::10 $' judge web dig +short +tries=1 +time=3 aaaa v6.test "@$server"
	check_output "a TCP query to $server is answered by the forwarder" '^2001:db8:1::10 $' judge web dig +short +tcp +tries=1 +time=3 aaaa v6.test "@$server"
done
check "no packet reached a DNS port anywhere else" no_stray_dns
check "the container is removed" pod rm -f -t 0 web
finish
