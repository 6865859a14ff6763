#!/bin/bash
# A container stays shielded through every way podman has to start it again, and does not start when the shield cannot be had.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
shielded() {	# SENTENCE : both halves of the policy hold
	check_output "$1: the state is up" '^up $' shield status web
	check_output "$1: an allowed name works" '^world $' get web http://allowed.test/
	check_not "$1: another address fails" fast_get web http://203.0.113.20/
}
check "allow before the restart" shield allow web 203.0.113.40
check "deny before the restart" shield deny web 198.51.100.77
check "podman restart" pod restart -t 0 web
shielded "after podman restart"
check_output "what was allowed is still allowed" '^world $' get web http://203.0.113.40/
check_output "what was denied is still denied" '198\.51\.100\.77' set_elements web deny_v4
check "podman stop" pod stop -t 0 web
check "the forwarder ends with a stop" eventually 5 no_proxies
check_output "the status of a stopped container is inactive" '^inactive $' shield status web
check "podman start" pod start web
shielded "after podman stop and start"
pod kill web >/dev/null 2>&1
pod wait web >/dev/null 2>&1	# kill does not wait, and podman takes the network down after it
check "the forwarder ends with a kill" eventually 5 no_proxies
check "podman start" pod start web
shielded "after podman kill and start"

# The installation goes away while the container is stopped.
pod stop -t 0 web >/dev/null 2>&1
mount -t tmpfs tmpfs /opt/terok-shield
check_failure "podman start fails while terok-shield is not installed, and says what is missing" 'terok-shield' as "$user" timeout 60 podman start web
check_output "and the container does not run" 'false $' pod inspect -f '{{.State.Running}}' web
umount /opt/terok-shield
check "podman start works when it is installed again" pod start web
shielded "after it was installed again"
check "the container is removed" pod rm -f -t 0 web

check "a container with --restart=always starts" shield run again --profiles my -- -d --restart=always $image sh -c 'sleep 2; timeout 4 wget -q -O- http://203.0.113.20/ && echo LEAKED; timeout 4 wget -q -O- http://allowed.test/'
sleep 14
pod logs again >"$last" 2>&1
check "it was restarted and reached what is allowed" test "$(grep -c world "$last")" -ge 2
check_not "it never reached what is not" grep -q LEAKED "$last"
check "the container is removed" pod rm -f -t 0 again
check "no forwarder is left" eventually 5 no_proxies
finish
