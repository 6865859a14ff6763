#!/bin/bash
# Allows that end by themselves, and questions about what was refused.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600

# ---- allows that end ----

check_output "a name is allowed for some seconds" '^Allowed other\.test -> 203\.0\.113\.20 for web' shield allow web other.test --for 15s
check_output "an address is" '^Allowed 203\.0\.113\.30 -> ' shield allow web 203.0.113.30 --for 15s
check_output "a network is" '^Allowed 203\.0\.113\.64/28 -> ' shield allow web 203.0.113.64/28 --for 15s
check_output "the name works" '^world $' get web http://other.test/
check_output "the address works" '^world $' get web http://203.0.113.30/
check_output "the network works" '^world $' get web http://203.0.113.70/
check_output "why says until when" 'until' shield why web other.test
inside web sh -c 'wget -q -O /tmp/clock http://other.test/cgi-bin/clock' >/dev/null 2>&1 </dev/null &
lines() { inside web wc -l /tmp/clock | cut -d' ' -f1; }
flowing() { [ "$(lines)" -ge 2 ]; }
check "a connection that stays open delivers" eventually 5 flowing
sleep 15
check_not "the name's time is over" fast_get web http://other.test/
check_not "so is its address's" fast_get web http://203.0.113.20/
check_not "so is the address's" fast_get web http://203.0.113.30/
check_not "so is the network's" fast_get web http://203.0.113.70/
before=$(lines); sleep 1.5; after=$(lines)
check "what was open through it has ended" test "${before:-0}" -ge 2 -a "$before" = "$after"
check_output "the rest still works" '^world $' get web http://allowed.test/

# ---- also when everything restarts ----

check "a name, an address and a network for longer" shield allow web other.test 203.0.113.30 203.0.113.64/28 --for 40s
begun=$SECONDS
check_output "the container restarts" web pod restart -t 0 web
for place in other.test 203.0.113.30 203.0.113.70; do
	check_output "$place works after the restart" '^world $' get web "http://$place/"
done
kill -9 "$(proxies)"
check_output "and with another worker" '^world $' get web http://other.test/
sleep $((begun + 42 - SECONDS))
for place in other.test 203.0.113.20 203.0.113.30 203.0.113.70; do
	check_not "$place has ended in its time" fast_get web "http://$place/"
done
check "both lists change once more, which takes out what has ended" shield allow web =n1.many.test 198.51.100.99
check_not "what has ended is in no list" grep -rqE 'other\.test|203\.0\.113' "$containers/web/live.allowed" "$containers/web/live.domains"
check_failure "a time that is none is refused" '(--for|time)' shield allow web other.test --for sometimes

# ---- questions ----

asked=/srv/bed/asked
clearance() {	# ANSWERS CMD... : what is refused is asked about while CMD runs
	local answers=$1; shift
	: >"$asked"
	{ sleep 3; printf %b "$answers"; sleep 2; } | shield simple-clearance web >"$asked" 2>&1 &
	local asking=$!
	eventually 5 grep -q Watching "$asked"
	"$@" >/dev/null 2>&1 </dev/null
	wait $asking
}
clearance 'allow\n' fast_get web http://other.test/
check_output "the question is as it always was" '^Watching for blocked connections\.\.\. \(Ctrl-C to stop\) .*\[BLOCKED\] other\.test.* — allow/deny\? ' cat "$asked"
check_output "the answer too" '✓ allowed other\.test' cat "$asked"
check_output "what was allowed works" '^world $' get web http://other.test/
clearance 'd\n' fast_get web http://203.0.113.30/
check_output "an address is asked about with its port" '\[BLOCKED\] 203\.0\.113\.30 .*:80 — allow/deny\? ' cat "$asked"
check_output "and denied" '✗ denied 203\.0\.113\.30' cat "$asked"
check_output "what was denied is on the list" '203\.0\.113\.30' cat "$containers/web/deny.list"
clearance '' fast_get web http://203.0.113.30/
check_not "what is denied is not asked about" grep -q BLOCKED "$asked"
check "the container is removed" pod rm -f -t 0 web
check "no forwarder is left" eventually 5 no_proxies
finish
