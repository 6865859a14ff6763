#!/bin/bash
# The faults that were seen in the older tool, one by one: each has a check that would fail if this one had it too.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
profile my =allowed.test

stream() {	# URL : a connection that stays open and delivers, into /tmp/clock of web
	inside web rm -f /tmp/clock
	inside web wget -q -O /tmp/clock "$1/cgi-bin/clock" >/dev/null 2>&1 </dev/null &
	eventually 5 flowing
}
delivered() { inside web wc -l /tmp/clock | cut -d' ' -f1; }
flowing() { [ "$(delivered)" -ge 2 ]; }
stalls() {	# whether the stream has come to a halt
	local before after
	sleep 1
	before=$(delivered); sleep 1.5; after=$(delivered)
	echo "$before lines, then $after"
	[ "${before:-0}" -ge 2 ] && [ "$before" = "$after" ]
}
goes_on() {
	local before
	before=$(delivered)
	more() { [ "$(delivered)" -gt $((before + 2)) ]; }
	eventually 5 more
}
end_stream() { inside web pkill wget >/dev/null 2>&1; }
rule_count() { judge "$1" nft -a list ruleset | grep -c '# handle'; }
asked() { grep -c "query\[A\] $1 " /srv/bed/dns.log; }	# an answer of no AAAA without an SOA is never kept, so only A counts

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600

remember fast_get web http://data.other.test/
check "fault 1: a name that is not allowed is not forwarded" never_asked other.test

for transport in +notcp +tcp; do
	check_output "fault 2: the upstream resolver is not open to the workload ($transport)" 'status: NXDOMAIN' judge web dig $transport +tries=1 +time=3 direct.test @10.99.0.1
done
check "fault 2: nothing of it reached the upstream resolver" never_asked direct.test

check "a network is allowed" shield allow web 198.51.100.64/26
check_reached "an address in it is reached" web http://198.51.100.70/
check "one of its addresses is denied" shield deny web 198.51.100.71
check_not "fault 3: no allow rule stands before the deny" fast_get web http://198.51.100.71/
check_reached "fault 3: and the rest of the network is still allowed" web http://198.51.100.72/

check "a connection through an allowed name is open" stream http://allowed.test
check "block" shield block web
check "fault 4: block leaves no open flow alive" stalls
check "up" shield up web
end_stream
check "bypass" shield down web
check "a connection to what is not allowed is open in the bypass" stream http://203.0.113.20
check "up" shield up web
check "fault 5: up leaves no open flow alive to what is not allowed" stalls
end_stream
check "a connection through an allowed name is open again" stream http://allowed.test
check "up once more" shield up web
check "fault 5, the other side: up does not cut what is allowed" goes_on
check "deny" shield deny web allowed.test
check "fault 6: deny leaves no open flow alive" stalls
end_stream
check "allow" shield allow web allowed.test

check "deny of a name and an address" shield deny web n1.many.test 203.0.113.41
check "allow of a name and an address" shield allow web n2.many.test 203.0.113.42
check "bypass, in which denies alone refuse" shield down web
check "podman restart" pod restart -t 0 web
check_output "the state is kept" '^down $' shield status web
check_not "fault 7: a restart does not forget the deny of an address" fast_get web http://203.0.113.41/
check_not "fault 7: nor that of a name" fast_get web http://n1.many.test/
check "up" shield up web
check_reached "fault 8: a restart does not forget the allow of an address" web http://203.0.113.42/
check_reached "fault 8: nor that of a name" web http://n2.many.test/
check "block" shield block web
check "podman restart" pod restart -t 0 web
check_output "fault 9: a restart does not forget block" '^block $' shield status web
check_equal "fault 9: and nothing is reached" no "$(reaches web http://203.0.113.42/)"
check "up" shield up web
check_reached "an allowed name is reached" web http://allowed.test/

rules_before=$(rule_count web)
check "a rule that accepts everything is slipped in" judge web nft insert rule inet terok_shield output accept
check_output "fault 10: a chain that accepts everything is not taken for a shield" '(^| )error ' shield status web
check "up" shield up web
check_output "fault 10: up puts it right" '^up ' shield status web
check_not "fault 10: and others are refused" fast_get web http://203.0.113.20/
check_equal "with as many rules as before" "$rules_before" "$(rule_count web)"
check "the policy of the chain is made to accept" judge web nft 'add chain inet terok_shield output { policy accept; }'
check_output "fault 10: a policy of accept is not taken for a shield" '(^| )error ' shield status web
check "up" shield up web
check_output "fault 10: up puts that right too" '^up ' shield status web
check "the container is removed" pod rm -f -t 0 web

# Both ways to get the hooks at once: the runtime's and podman's own folder.
check "a container starts whose hooks run once" shield run once --profiles my -- -d $image sleep 600
mapfile -t flags < <(shield prepare double --profiles my --json | tr -d '\n' | sed 's/^\[ *//; s/ *\]$//; s/", *"/"\n"/g' | sed 's/^"//; s/"$//')
check "a container starts whose hooks run twice" pod run "${flags[@]}" --hooks-dir "$containers/double/hooks" -d $image sleep 600
check_equal "fault 11: a second run of the hook does not double the rules" "$(rule_count once)" "$(rule_count double)"
check_equal "fault 11: and there is one forwarder for each" 2 "$(supervisors | wc -l)"
check_equal "fault 11: with one worker" 2 "$(proxies | wc -l)"
check_reached "fault 11: allowed names work" double http://allowed.test/
check_not "fault 11: others do not" fast_get double http://203.0.113.20/
check "both are removed" pod rm -f -t 0 once double
check "and no forwarder stays" eventually 5 no_proxies

profile inside inside.test metadata.test =allowed.test
check "a container whose names have inside addresses starts" shield run web --profiles inside -- -d $image sleep 600
remember fast_get web http://inside.test/
remember fast_get web http://metadata.test/
check_reached "an outside address is learned" web http://allowed.test/
check_lacks "fault 12: private answers are not learned" '10\.99\.0\.1|169\.254\.169\.254' "$(judge web nft list set inet terok_shield learned_v4)"
check_not "fault 12: nor reached" fast_get web http://inside.test/

check "a static address is allowed" shield allow web 203.0.113.30
check_output "it is in the set" '203\.0\.113\.30' judge web nft list set inet terok_shield allow_v4
check_lacks "fault 13: a static address does not expire" 'timeout [0-9]|expires' "$(judge web nft list set inet terok_shield allow_v4)"

check_reached "a name is asked for again" web http://allowed.test/
questions=$(asked allowed.test)
judge web nft delete element inet terok_shield learned_v4 '{ 198.51.100.10 }' >/dev/null 2>&1
check_lacks "the address of a cached answer is taken out of the set" '198\.51\.100\.10' "$(judge web nft list set inet terok_shield learned_v4)"
check_reached "fault 14: a cached answer puts its address back" web http://allowed.test/
check_equal "fault 14: and it did come from the cache" "$questions" "$(asked allowed.test)"

check "bypass" shield down web
check "up" shield up web
check_output "fault 15: up keeps learned addresses that the cache still hands out" '198\.51\.100\.10' set_elements web learned_v4
check_reached "fault 15: so that they work without another question" web http://198.51.100.10/
check_equal "fault 15: none was asked" "$questions" "$(asked allowed.test)"
check "the container is removed" pod rm -f -t 0 web

profile overlap 198.51.100.0/24 198.51.100.10 198.51.100.0/25 2001:db8:1::/64 2001:db8:1::10
check_output "fault 16: a network and an address inside it do not keep a container from starting" '^world $' shield run web --profiles overlap -- --rm $image wget -q -O- http://198.51.100.10/

profile odd =xn--bcher-kva.half.test =under_score.half.test =_dmarc.half.test
check "a container whose names are unusual starts" shield run web --profiles odd -- -d $image sleep 600
for name in xn--bcher-kva.half.test under_score.half.test _dmarc.half.test; do
	check_output "fault 17: $name is not skipped" '^198\.51\.100\.12 $' judge web dig +short +tries=1 +time=3 "$name" @127.0.0.1
done
check_output "fault 17: a name in another script is the same as its ASCII form" 'Allowed .*198\.51\.100\.12' shield allow web 'bücher.half.test'
check_reached "fault 17: what it resolved to is reached" web http://198.51.100.12/
check "the container is removed" pod rm -f -t 0 web

profile six =v6.test
check "a network with IPv6 is there" make_network_v6
check "a container with IPv6 starts" shield run web --profiles six -- -d "${network_v6[@]}" $image sleep 600
check "it has a route and an address" wait_v6 web
check "its neighbours are forgotten" judge web ip -6 neigh flush all
check_reached "fault 18: neighbour discovery is not dropped, IPv6 works" web http://v6.test/
check "the container is removed" pod rm -f -t 0 web

if has_command setup; then
	check "what setup writes stays in the bed" layer_usr
	mkdir -p /usr/share/containers/oci/hooks.d /srv/bed/proof
	chmod 777 /srv/bed/proof
	printf '#!/bin/sh\ntouch /srv/bed/proof/hook\n' >/srv/bed/system-hook
	chmod 755 /srv/bed/system-hook
	echo '{"version":"1.0.0","hook":{"path":"/srv/bed/system-hook"},"when":{"always":true},"stages":["createRuntime"]}' >/usr/share/containers/oci/hooks.d/bed.json
	case $mode in rootless) where=--user ;; rootful) where=--root ;; esac
	check "setup $where" shield setup $where
	# Annotations alone, as a neighbour's own podman run has them: without our runtime.
	mapfile -t flags < <(shield prepare global --profiles my --json | tr -d '\n' | sed 's/^\[ *//; s/ *\]$//; s/", *"/"\n"/g' | sed 's/^"//; s/"$//' | grep -vxE -- '--runtime|.*/libexec/terok-shield/.*')
	check "a container with annotations alone starts" pod run "${flags[@]}" -d $image sleep 600
	check_output "fault 19: podman looks where the global hooks were written" '^up ' shield status global
	check_not "fault 19: and the container is shielded" fast_get global http://203.0.113.20/
	check "fault 20: the system's own hooks still run" test -e /srv/bed/proof/hook
	check "the container is removed" pod rm -f -t 0 global
	umount /usr/share/containers
else
	check "fault 19: no global hook is needed: a container is shielded without any" test ! -e /etc/containers/oci/hooks.d -a ! -e "$home/.config/containers/oci/hooks.d"
	skip "fault 20: setup --user does not silence the system's hooks: there is no setup yet"
fi

check_output "fault 21: the container's own command line is its own" '^cmd --name x --network=host $' shield run web --profiles my -- --rm $image echo cmd --name x --network=host
refused() { check_status "fault 22: $1 is not missed" 2 shield run web --profiles my -- "$@" --rm $image true; }
refused --privileged
refused --pod=new:other
refused --dns 203.0.113.53
refused -v /etc/hosts:/etc/resolv.conf
refused --mount type=bind,source=/etc/hosts,target=/etc/resolv.conf
check_output "fault 23: --profiles does not swallow the container" '^world $' shield run --profiles my web -- --rm $image wget -q -O- http://allowed.test/

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
observe() {	# FILE CMD... : an observer that runs along
	local file=$1; shift
	as "$user" timeout 20 terok-shield "$@" >"$file" 2>&1 </dev/null &
}
both_saw() { grep -q "$1" /srv/bed/observer.1 && grep -q "$1" /srv/bed/observer.2; }
for n in 1 2; do observe /srv/bed/observer.$n logs --container web -f; done
sleep 0.5
check "something happens" shield allow web 203.0.113.39
check "fault 24: two observers do not exclude each other" eventually 5 both_saw '203\.0\.113\.39'
if has_command watch; then
	for n in 1 2; do observe /srv/bed/observer.$n watch web; done
	sleep 1
	remember fast_get web http://203.0.113.20/
	remember fast_get web http://other.test/
	check "fault 24: two that watch see the same refused connection" eventually 5 both_saw '203\.0\.113\.20'
	check "fault 24: and the same refused name" eventually 5 both_saw 'other\.test'
fi

log=$containers/web/audit.jsonl
line='{"ts":"2020-01-01T00:00:00+00:00","container":"web","action":"note","detail":"filling"}'
bulk=4400000	# a little more than the size at which a log is rotated
fill() { yes "$line" | head -c $((bulk / (${#line} + 1) * (${#line} + 1))) | as "$user" tee -a "$log" >/dev/null; }
for n in 1 2 3; do
	fill
	check "a command logs (round $n)" shield allow web 203.0.113.30
done
check "fault 25: the log does not grow without bound" test "$(cat "$containers"/web/audit.jsonl* | wc -c)" -lt $((2 * bulk + 65536))
check_output "fault 25: and its last lines can still be read" '"action":"allowed".*"dest":"203\.0\.113\.30"' shield logs --container web -n 1
fill
read_octets() { awk '/^rchar/ { print $2 }' "/proc/$(proxies | head -1)/io"; }
before=$(read_octets)
for n in $(seq 50); do echo "miss$n.other.test A"; done >/srv/bed/misses
check "fifty names are refused" judge web dig +tries=1 +time=3 -f /srv/bed/misses @127.0.0.1
check "fault 25: the log is not read again for each miss" test $(($(read_octets) - before)) -lt 1000000

id=$(pod inspect -f '{{.Id}}' web)
rm -f "$log" "$log.1"
check "allow by the short id" shield allow "${id:0:12}" 203.0.113.31
check "allow by the full id" shield allow "$id" 203.0.113.32
check "allow by the name" shield allow web 203.0.113.33
check "down by the short id" shield down "${id:0:12}"
check "up by the full id" shield up "$id"
named() { shield logs --container "$1" -n 100 | sed -n 's/.*"container": *"\([^"]*\)".*/\1/p' | sort | uniq -c | tr -s ' '; }
check_equal "fault 26: events name a container in one way" " 5 web" "$(named web)"
check_equal "fault 26: whatever it is called when they are read" " 5 web" "$(named "${id:0:12}")"
check "the container is removed" pod rm -f -t 0 web

# An upstream resolver that never answers, and names that nobody has.
ip netns exec world nft add rule inet judge input udp dport 5300 drop
as "$user" mkdir -p "$configuration"
printf 'dns:\n  upstream: ["10.99.0.1:5300"]\n' | as "$user" tee "$configuration/config.yml" >/dev/null
mapfile -t dead < <(for n in $(seq 30); do echo "dead$n.invalid"; done)
profile dead "${dead[@]}"
start=$(date +%s%N)
check "a container with thirty dead names starts" shield run web --profiles dead -- --rm $image true
check "fault 27: within three seconds" test $(($(date +%s%N) - start)) -lt 3000000000
finish
