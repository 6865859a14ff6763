#!/bin/bash
# The walk of the getting-started guide, line by line, with names of the world in place of the guide's.
. "$(dirname "$0")/../support/lib.sh"
profile dev-standard allowed.test	# the user's own wins over the bundled one
profile dev-python v6.test
profile my-project n1.many.test

sorted_profiles() { shield profiles | sort; }
check_output "terok-shield --version" '^terok-shield [0-9]+\.[0-9]+\.[0-9]+ podman [0-9].*nft' shield --version
check_output "terok-shield alone prints help" '[Uu]sage.*run.*allow.*deny.*rules' shield
check_output "terok-shield profiles lists bundled and own" 'base dev-node dev-python dev-standard my-project nvidia-hpc ' sorted_profiles
check_output "run NAME -- IMAGE CMD uses dev-standard" '^world $' shield run my-container -- --rm $image wget -q -O- http://allowed.test/
check_output "with several profiles" '^world world $' shield run my-container --profiles dev-standard dev-python my-project -- --rm $image sh -c 'wget -q -O- http://allowed.test/; wget -q -O- http://n1.many.test/'
check_output "with podman flags behind --" '^bar $' shield run my-container -- --rm -i -e FOO=bar $image sh -c 'echo $FOO'
check_output "prepare prints the flags and ends in --name" '--annotation .*terok\.shield\.profiles=dev-standard.*--name my-container $' shield prepare my-container
check_output "prepare --json prints an array" '^ *\[.*"--name", *"my-container" *\] $' shield prepare my-container --json
check "run -d" shield run my-container -- -d $image sleep 600
check_output "allow NAME DOMAIN" '^Allowed other\.test -> 203\.0\.113\.20 for my-container $' shield allow my-container other.test
check_output "allow NAME ADDRESS" '^Allowed 203\.0\.113\.10 -> 203\.0\.113\.10 for my-container $' shield allow my-container 203.0.113.10
check_output "deny NAME DOMAIN" '^Denied other\.test \(203\.0\.113\.20\) for my-container $' shield deny my-container other.test
check_output "rules NAME" '^State: up .*table inet terok_shield.*203\.0\.113\.10' shield rules my-container
check "what was allowed is kept in live.allowed" grep -q '^203\.0\.113\.10' "$containers/my-container/live.allowed"
check "what was denied is kept in denied.domains" grep -q '^=\?other\.test' "$containers/my-container/denied.domains"
check_output "logs --container NAME -n 10" '"action": ?"allowed"' shield logs --container my-container -n 10
check_output "status" 'Version:.*Podman:.*Mode:.*Hooks:.*Health:.*Audit:.*Profiles:' shield status
check_output "status NAME" '^up $' shield status my-container
check_failure "an unknown command is a usage error" '[Uu]sage|unknown' shield no-such-command
check "the container is removed" pod rm -f -t 0 my-container
finish
