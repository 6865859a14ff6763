#!/bin/bash
# What would open the shield is refused by `run` in every spelling that podman accepts, with the reason, before anything starts.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
refused() { check_failure "refused: $*" 'Error: |usage|Flag\(s\) managed|Error' shield run web --profiles my -- "$@" --rm $image echo STARTED; check_not "not started: $*" grep -q '^STARTED' "$last"; }
refused --privileged
refused --privileged=true
refused --network host
refused --network=host
refused --net host
refused --net=host
refused --network container:other
refused --network=ns:/proc/1/ns/net
refused --cap-add NET_ADMIN
refused --cap-add=net_admin
refused --cap-add=CAP_NET_ADMIN
refused --cap-add CHOWN,NET_RAW
refused --cap-add=SYS_ADMIN
refused --cap-add all
refused --pod other
refused --pod=new:other
refused --dns 8.8.8.8
refused --dns=8.8.8.8
refused -v /etc/hosts:/etc/resolv.conf
refused --volume=/etc/hosts:/etc/resolv.conf:ro
refused --mount type=bind,source=/etc/hosts,target=/etc/resolv.conf
refused --secret s,target=/etc/resolv.conf
refused --secret s,type=mount,target=../../etc/resolv.conf
refused --name other
refused --name=other
refused --annotation terok.shield.profiles=x
refused --hooks-dir /tmp
refused --cap-drop=CHOWN
refused --security-opt label=disable
refused --runtime crun
check_output "the container's own words are its own" '^--privileged --name x $' shield run web --profiles my -- --rm $image echo --privileged --name x
check_failure "a network that is not there is named, with podman's reason" "'nosuch' .*podman network ls.* network not found" shield run web --profiles my -- --network nosuch --rm $image true
pod create --name axb $image true >/dev/null
shield run a.b --profiles my -- $image true >/dev/null 2>&1
pod rm a.b >/dev/null
check "a name with a dot is not that of another container" shield run a.b --profiles my -- $image true
check_failure "a stopped container of the very name holds it" 'the name a\.b is already in use' shield run a.b --profiles my -- $image true
pod rm a.b axb >/dev/null
check_failure "no image is an error" 'No image specified\. Usage: ' shield run web --profiles my --
check_failure "an unsafe name is an error" 'Unsafe container name' shield run ../web --profiles my -- $image true
check_failure "an unknown profile is an error" 'nosuch' shield run web --profiles nosuch -- $image true
profile broken 'allowed.test' 'not a rule !!'
check_failure "a bad line in a profile is an error with file and line" 'broken\.txt:2' shield run web --profiles broken -- $image true
profile tld 'com'
check_failure "a whole top-level domain is an error" 'tld\.txt:1' shield run web --profiles tld -- $image true
profile dead 'no-such-name.invalid' 'gone.test' 'allowed.test'
start=$(date +%s%N)
check "a dead name does not keep a container from starting" shield run web --profiles dead -- --rm $image true
check "nor does it delay it" test $(($(date +%s%N) - start)) -lt 5000000000
check "no name was resolved before the start" never_asked gone.test
finish
