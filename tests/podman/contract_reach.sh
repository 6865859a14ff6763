#!/bin/bash
# What users of the older tool rely on, first part: who is reached and who is not, how fast a refusal comes and what it says; IPv4 and IPv6 alike.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
profile four =allowed.test
profile six =v6.test
world_listens 443
check "the probe of refusals compiles" make_refusal
check "a network with IPv6 is there" make_network_v6

family() {	# CONTAINER FAMILY NAME ADDRESS OTHER-NAME OTHER-ADDRESS THIRD-ADDRESS INSIDE-ADDRESS REFUSAL ; addresses as they stand in a URL
	local name=$1 family=$2 good=$3 good_address=$4 other=$5 other_address=$6 third=$7 inside=$8 refusal=$9
	local bare=${other_address#[}; bare=${bare%]}
	local bare_inside=${inside#[}; bare_inside=${bare_inside%]}
	local bare_third=${third#[}; bare_third=${bare_third%]}
	check_refused_fast "$family: http to a name that is not allowed fails fast" "$name" "http://$other/"
	check_refused_fast "$family: http to an address that is not allowed fails fast" "$name" "http://$other_address/"
	check_refused_fast "$family: a name on the port of https fails fast" "$name" "http://$other:443/"
	check_refused_fast "$family: an address on the port of https fails fast" "$name" "http://$other_address:443/"
	check_refused_fast "$family: an inside address fails fast" "$name" "http://$inside/"
	check_output "$family: a datagram is refused as prohibited by the administrator" "^$refusal \$" judge "$name" /srv/bed/refusal "$bare" 9999
	check_output "$family: a datagram to the port of QUIC is refused the same" "^$refusal \$" judge "$name" /srv/bed/refusal "$bare" 443
	check_output "$family: a datagram to an inside address is refused the same" "^$refusal \$" judge "$name" /srv/bed/refusal "$bare_inside" 9999

	check_reached "$family: an allowed name is reached" "$name" "http://$good/"
	check_reached "$family: an allowed name is reached on the port of https" "$name" "http://$good:443/"
	check_reached "$family: its address is reached" "$name" "http://$good_address/"
	check_refused_fast "$family: others are still not" "$name" "http://$other_address/"

	check "$family: one more address is allowed" shield allow "$name" "$bare_third"
	check_reached "$family: it is reached" "$name" "http://$third/"
	check_reached "$family: it is reached on the port of https" "$name" "http://$third:443/"
	check_refused_fast "$family: others still are not" "$name" "http://$other_address/"
	check_refused_fast "$family: nor are they on the port of https" "$name" "http://$other_address:443/"

	check_output "$family: an inside address is allowed" "^(note.*)?Allowed $bare_inside -> $bare_inside for $name " shield allow "$name" "$bare_inside"
	check_reached "$family: the inside address is reached once it is allowed" "$name" "http://$inside/"
	check_output "$family: allowing it left a note in the log" '"action": ?"note"' shield logs --container "$name"
	check "$family: the inside address is denied again" shield deny "$name" "$bare_inside"
	check_refused_fast "$family: then it fails fast" "$name" "http://$inside/"
	check_output "$family: a datagram to a denied address is refused the same" "^$refusal \$" judge "$name" /srv/bed/refusal "$bare_inside" 9999
}

check "a shielded container starts" shield run web --profiles four -- -d $image sleep 600
family web IPv4 allowed.test 198.51.100.10 other.test 203.0.113.20 203.0.113.30 10.99.0.1 'icmp 3 13'
check "its twin with IPv6 starts" shield run web6 --profiles six -- -d "${network_v6[@]}" $image sleep 600
check "it has an IPv6 route and address" wait_v6 web6
family web6 IPv6 v6.test '[2001:db8:1::10]' otherv6.test '[2001:db8:1::20]' '[2001:db8:1::30]' '[fd99::1]' 'icmp6 1 1'
check "the containers are removed" pod rm -f -t 0 web web6

# reject: reset refuses TCP without the wait for a retransmission; what is no TCP gets the same as before.
as "$user" mkdir -p "$configuration"
printf 'reject: reset\n' | as "$user" tee "$configuration/config.yml" >/dev/null
check "a container with reject: reset starts" shield run web --profiles four -- -d $image sleep 600
init=$(pod inspect -f '{{.State.Pid}}' web)
start=$(date +%s%N)
check_not "with reject: reset another address fails" nsenter -t "$init" -n timeout 4 bash -c 'exec 3<>/dev/tcp/203.0.113.20/80'
check "with reject: reset it fails at once, before the second at which TCP tries again" test $(($(date +%s%N) - start)) -lt 800000000
check_output "with reject: reset a datagram is refused as before" '^icmp 3 13 $' judge web /srv/bed/refusal 203.0.113.20 9999
check "the container is removed" pod rm -f -t 0 web
finish
