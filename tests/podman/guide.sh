#!/bin/bash
# The getting-started guide of the older tool, walked from its first line to its last, as a user types it: the same commands, the same names, the bundled
# profiles. What the guide says is copied here as comments, what it prints is compared. The world of the bed plays the internet.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"

# The internet: the guide's names, a server on the port of https, and an image called alpine:latest.
world_names example.com,203.0.113.20 github.com,198.51.100.13 conda.anaconda.org,198.51.100.14 project.example,198.51.100.15
world_listens 443
names_there() { [ "$(dig +short +tries=1 +time=1 github.com @10.99.0.1)" = 198.51.100.13 ]; }
check "the world has the guide's names" eventually 5 names_there
check "the probe of refusals compiles" make_refusal
check "the image is there" pod tag $image docker.io/library/alpine:latest
profile my-project =project.example 198.51.100.30
bundle=$containers/my-container

# Verify the installation:
#	terok-shield --version
check_output "guide: --version prints its own, podman's and what it uses for nft" '^terok-shield [0-9]+\.[0-9]+\.[0-9]+[^ ]* podman [0-9.]+ [^ ].*nft' shield --version

# Quick start
#	terok-shield run my-container -- alpine:latest sh
check "guide: terok-shield run my-container -- alpine:latest sh" shield run my-container -- alpine:latest sh
# 2. Installs OCI hooks in the container's state directory
check "guide: it installs OCI hooks in the container's state directory" test -s "$bundle/hooks/terok-shield-createRuntime.json" -a -s "$bundle/hooks/terok-shield-poststop.json"
# 3. Launches podman run with all required flags
check_output "guide: it launches podman run with annotations" '^dev-standard ' pod inspect -f '{{index .Config.Annotations "terok.shield.profiles"}}' my-container
check_lacks "guide: and without the capabilities to change the rules" 'CAP_NET_(ADMIN|RAW)' "$(pod inspect -f 'bounding {{.BoundingCaps}}' my-container)"
check "it is removed" pod rm -f my-container
# The container starts with a default-deny firewall — only destinations in the default dev-standard profile are reachable.
check "a container to look into" shield run my-container -- -d alpine:latest sleep 600
check_reached "guide: destinations in the default dev-standard profile are reachable" my-container http://github.com/
check_not "guide: only those: no other name" fast_get my-container http://example.com/
check_not "guide: only those: no other address" fast_get my-container http://203.0.113.20/
check "it is removed" pod rm -f -t 0 my-container

# Multiple profiles
#	terok-shield run my-container --profiles dev-standard dev-python my-project -- alpine:latest sh
check "guide: terok-shield run my-container --profiles dev-standard dev-python my-project -- alpine:latest sh" \
	shield run my-container --profiles dev-standard dev-python my-project -- alpine:latest sh
check "it is removed" pod rm -f my-container
check_output "guide: the names of all three are reachable" '^world world world $' \
	shield run my-container --profiles dev-standard dev-python my-project -- --rm alpine:latest \
	sh -c 'wget -q -O- http://github.com/; wget -q -O- http://conda.anaconda.org:443/; wget -q -O- http://project.example/'

# Passing extra podman flags
#	terok-shield run my-container -- --rm -it -e FOO=bar alpine:latest sh
at_terminal() { printf 'echo FOO is $FOO; exit\n' | as "$user" timeout 30 script -qec 'terok-shield run my-container -- --rm -it -e FOO=bar alpine:latest sh' /dev/null | tr -d '\r'; }
check_output "guide: terok-shield run my-container -- --rm -it -e FOO=bar alpine:latest sh" 'FOO is bar' at_terminal
# Shield-managed flags are set automatically and cannot be overridden
for flag in --name=other --hooks-dir=/tmp --annotation=terok.shield.profiles=other --cap-drop=CHOWN --security-opt=label=disable; do
	check_failure "guide: $flag cannot be overridden" "Flag\(s\) managed by terok-shield, cannot override: ${flag%%=*} " shield run my-container -- "$flag" alpine:latest sh
	check_status "and that is a usage error" 2 shield run my-container -- "$flag" alpine:latest sh
done

# Scripting and advanced usage: use terok-shield prepare to get the podman flags without launching.
check_output "guide: terok-shield prepare prints the flags" '^.*--volume [^ ]*/my-container/resolv\.conf:/etc/resolv\.conf:ro,Z --annotation terok\.shield\.profiles=dev-standard .*--cap-drop NET_ADMIN --cap-drop NET_RAW .*--name my-container $' shield prepare my-container
from_prepare() { as "$user" sh -c 'eval "podman run $(terok-shield prepare my-container) --rm alpine:latest wget -q -O- http://github.com/"'; }
check_output "guide: a container starts with them" '^world $' from_prepare
check_output "prepare --json prints an array" '^\["--.*"--name","my-container"\] $' shield prepare my-container --json

# What happens at startup
check "a container to look into" shield run my-container --profiles dev-standard my-project -- -d alpine:latest sleep 600
# 1. Podman fires the OCI hook  2. it enters the container's network namespace  3. default-deny policy with the allowlisted IPs  4. it verifies the rules
check_output "guide: nftables rules are applied: default-deny, with the allowlisted addresses" 'set allow_v4 .*198\.51\.100\.30.*chain output .*policy drop;' judge my-container nft list table inet terok_shield
check_output "guide: and are verified" '^up $' shield status my-container
# 5. If any step fails, the container is torn down (fail-closed)
check "the container stops" pod stop -t 0 my-container
chmod 777 "$bundle"
check_failure "guide: if a step fails, the container is torn down" . as "$user" timeout 60 podman start my-container
check_output "guide: and does not run" '^false $' pod inspect -f '{{.State.Running}}' my-container
chmod 700 "$bundle"
check "mended, it starts" pod start my-container
# All other outbound traffic is rejected with an ICMP error.
check_output "guide: all other traffic is rejected with an ICMP error" '^icmp 3 13 $' judge my-container /srv/bed/refusal 203.0.113.20 9999
# Allowlisting private-range addresses or large CIDRs generates a notice in the audit log.
check "a private range is allowed" shield allow my-container 10.99.0.0/24
check_output "guide: that generates a notice in the audit log" '"action": ?"note", ?"dest": ?"10\.99\.0\.0/24"' shield logs --container my-container
check "a large network is allowed" shield allow my-container 128.0.0.0/4
check_output "guide: that does too" '"action": ?"note", ?"dest": ?"128\.0\.0\.0/4"' shield logs --container my-container

# Allow or deny destinations at runtime
check_not "before, example.com is not reachable" fast_get my-container http://example.com/
#	terok-shield allow my-container example.com
check_output "guide: # Allowed example.com -> <resolved-ip> for my-container" '^Allowed example\.com -> 203\.0\.113\.20 for my-container $' shield allow my-container example.com
check_reached "guide: it takes effect immediately" my-container http://example.com/
#	terok-shield allow my-container 203.0.113.10
check_output "guide: terok-shield allow my-container 203.0.113.10" '^Allowed 203\.0\.113\.10 -> 203\.0\.113\.10 for my-container $' shield allow my-container 203.0.113.10
check_reached "guide: so does this" my-container http://203.0.113.10/
#	terok-shield deny my-container example.com
check_output "guide: terok-shield deny my-container example.com" '^Denied example\.com \(203\.0\.113\.20\) for my-container $' shield deny my-container example.com
check_not "guide: and so does this, by name" fast_get my-container http://example.com/
check_not "guide: and by address" fast_get my-container http://203.0.113.20/
# Allowed IPs are persisted to live.allowed, and denying a preset IP persists it to deny.list, so both survive down/up bypass cycles and container restarts.
check "guide: allowed addresses are persisted to live.allowed" grep -qx '203\.0\.113\.10' "$bundle/live.allowed"
check_output "a preset address is denied" '^Denied 198\.51\.100\.30 \(198\.51\.100\.30\) for my-container $' shield deny my-container 198.51.100.30
check "guide: denying a preset address persists it to deny.list" grep -qx '198\.51\.100\.30' "$bundle/deny.list"
survive() {	# SENTENCE
	check_reached "guide: what was allowed survives $1" my-container http://203.0.113.10/
	check_not "guide: what was denied survives $1" fast_get my-container http://198.51.100.30/
	check_not "guide: a denied name survives $1" fast_get my-container http://example.com/
}
check "down" shield down my-container
check "up" shield up my-container
survive "a down/up cycle"
check "podman restart" pod restart -t 0 my-container
survive "a restart"

# Inspect the firewall
#	terok-shield rules my-container
check_output "guide: terok-shield rules my-container" '^State: up .*table inet terok_shield .*203\.0\.113\.10' shield rules my-container
#	watch terok-shield rules my-container
learned() { shield rules my-container | grep -cE 'expires.*comment "github\.com"'; }
check_equal "before it is asked for, a name is not in the sets" 0 "$(learned)"
check_reached "the name is asked for" my-container http://github.com/
check_equal "guide: watch the allow sets grow as names are resolved" 1 "$(learned)"
#	terok-shield logs --container my-container -n 10
check_output "guide: terok-shield logs --container my-container -n 10" '"action": ?"denied".*"action": ?"shield_down".*"action": ?"shield_up"' shield logs --container my-container -n 10
line_count() { shield logs --container my-container -n 10 | wc -l; }
check_equal "guide: it shows ten entries" 10 "$(line_count)"
each_is_json() { shield logs --container my-container -n 10 | grep -vcE '^\{"ts": ?"[0-9-]+T[0-9:]+\+00:00", ?"container": ?"my-container", ?"action": ?"[a-z_]+".*\}$' | grep -qx 0; }
check "guide: each is an entry of the audit log" each_is_json

# Bypass mode
check_output "allowed ranges would hide the bypass: they are taken back" 'Denied 10\.99\.0\.0/24.*Denied 128\.0\.0\.0/4' shield deny my-container 10.99.0.0/24 128.0.0.0/4
check "podman rm" pod rm -f -t 0 my-container
rm -f "$bundle/deny.list"
check "a container to bypass" shield run my-container -- -d alpine:latest sleep 600
#	terok-shield down my-container          # bypass (private ranges still blocked)
check_output "guide: terok-shield down my-container" '^Shield down for my-container $' shield down my-container
check_reached "guide: bypass" my-container http://203.0.113.30/
check_not "guide: private ranges still blocked" fast_get my-container http://10.99.0.1/
#	terok-shield down my-container --all    # bypass everything
check_output "guide: terok-shield down my-container --all" '^Shield down for my-container \(all traffic\) $' shield down my-container --all
check_reached "guide: bypass everything" my-container http://10.99.0.1/
#	terok-shield up my-container            # restore deny-all
check_output "guide: terok-shield up my-container" '^Shield up for my-container $' shield up my-container
check_not "guide: restore deny-all" fast_get my-container http://203.0.113.30/
check_not "guide: for private ranges too" fast_get my-container http://10.99.0.1/
check "the container is removed" pod rm -f -t 0 my-container

# What the guide only refers to.
check_output "terok-shield alone prints help" '[Uu]sage.*run.*allow.*deny.*rules' shield
check_output "profiles lists bundled and own" '(^| )base .*dev-node .*dev-python .*dev-standard .*my-project .*nvidia-hpc ' shield profiles
check_output "status" 'Version:.*Podman:.*Mode:.*Hooks:.*Health:.*Audit:.*Profiles:' shield status
check_status "an unknown command is a usage error" 2 shield no-such-command
finish
