#!/bin/bash
# The walk: one container, what it may reach, what it may not, and what changes while it runs.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check_output "the status of a running container is up" '^up $' shield status web
check_output "an allowed name works at the first try" '^world $' get web http://allowed.test/
check_not "a name that is not allowed fails" fast_get web http://other.test/
check "a denied name has not left the container" never_asked other.test
check_not "the address of a name that is not allowed fails" fast_get web http://203.0.113.20/
check_not "the same on another port fails" fast_get web http://203.0.113.20:8080/
check_not "a private address of the world fails" fast_get web http://10.99.0.1/

check_output "rules lists the learned address in learned_v4 with lifetime and name" \
	'198\.51\.100\.10 .*expires [0-9]+.*comment "allowed\.test"' set_elements web learned_v4
check_output "rules begins with the state" '^State: up ' shield rules web

start=$(date +%s%N)
remember fast_get web http://203.0.113.20/
check "a refusal comes within three seconds" test $(($(date +%s%N) - start)) -lt 3000000000

check_output "allow of a name prints the name, its address and the container" '^Allowed other\.test -> 203\.0\.113\.20 for web $' shield allow web other.test
check_output "what was allowed works at once by name" '^world $' get web http://other.test/
check_output "what was allowed works at once by address" '^world $' get web http://203.0.113.20/

inside web sh -c 'wget -q -O /tmp/clock http://other.test/cgi-bin/clock' >/dev/null 2>&1 </dev/null &
lines() { inside web wc -l /tmp/clock | cut -d' ' -f1; }
flowing() { [ "$(lines)" -ge 2 ]; }
check "a connection that stays open delivers" eventually 5 flowing
check_output "deny prints what it denied" '^Denied other\.test \(203\.0\.113\.20\) for web $' shield deny web other.test
sleep 1
before=$(lines); sleep 1.5; after=$(lines)
check "deny ends an open connection" test "${before:-0}" -ge 2 -a "$before" = "$after"
check_not "what was denied fails at once by name" fast_get web http://other.test/
check_not "what was denied fails at once by address" fast_get web http://203.0.113.20/
check_output "the rest still works" '^world $' get web http://allowed.test/

check_output "allow of an address works" '^Allowed 203\.0\.113\.30 -> 203\.0\.113\.30 for web $' shield allow web 203.0.113.30
check_output "the allowed address is reachable" '^world $' get web http://203.0.113.30/
check_not "its neighbour is not" fast_get web http://203.0.113.31/
check_output "deny of an address prints it" '^Denied 203\.0\.113\.30 \(203\.0\.113\.30\) for web $' shield deny web 203.0.113.30
check_not "the denied address fails" fast_get web http://203.0.113.30/

id=$(pod inspect -f '{{.Id}}' web)
check_output "a container is accepted by its short id" '^up $' shield status "${id:0:12}"
check_output "a container is accepted by its full id" '^up $' shield status "$id"
check_output "the log has what was allowed and denied, in order" '"allowed".*other\.test.*"denied".*other\.test' shield logs --container web
check_failure "a container that does not exist is an error" 'Error: ' shield rules nosuch

check "the container is removed" pod rm -f -t 0 web
check "the forwarder ends with its container" eventually 5 no_proxies
check_output "the status of a container that is gone is inactive" '^inactive $' shield status web
finish
