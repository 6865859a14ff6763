#!/bin/bash
# Many starts and stops, and many containers at once: each is shielded, and nothing of them is left.
#   SHIELD_FULL=1 : 200 starts and stops and 100 containers instead of a few.
. "$(dirname "$0")/../support/lib.sh"
starts=4 crowd=5
[ -z "${SHIELD_FULL:-}" ] || { starts=200; crowd=100; }
profile my =allowed.test
printf 'reject: reset\n' | as "$user" tee "$configuration/config.yml" >/dev/null
judge_begin 198.51.100.10
pod run --rm $image true >/dev/null 2>&1	# podman's own pause process and mounts are there from here on
eventually 5 none_running
before=$(census)
clean() { [ "$(census)" = "$before" ]; }
left_by() {	# SENTENCE
	eventually 20 clean
	check_equal "nothing is left after $1" "$before" "$(census)"
	none_left "$1"
}

# The workload's own word: what is allowed it reaches, and nothing else.
try='timeout 1 wget -q -O- http://203.0.113.20/ 2>/dev/null && echo LEAKED; timeout 20 wget -q -O- http://allowed.test/'
worked=0
check "a container starts" shield run web --profiles my -- -d $image sh -c "$try; exec sleep 600"
for n in $(seq $starts); do
	logged() { [ "$(pod logs web 2>/dev/null | grep -c '^world$')" -ge "$n" ]; }
	eventually 20 logged && worked=$((worked + 1))
	remember pod stop -t 0 web || break
	[ "$n" = "$starts" ] || remember pod start web || break
done
check_equal "$starts starts and stops: an allowed name works each time" $starts $worked
check_not "and nothing else" grep -q LEAKED <(pod logs web 2>/dev/null)
check "the container is removed" pod rm -f -t 0 web
left_by "$starts starts and stops"

for n in $(seq $crowd); do
	shield run "crowd$n" --profiles my -- -d $image sh -c "$try; exec sleep 600" >"/srv/bed/crowd.$n" 2>&1 </dev/null &
	[ $((n % 10)) -ne 0 ] || wait	# ten at a time
done
wait
check_equal "$crowd containers at once: all run" $crowd "$(pod ps -q --filter name=crowd | wc -l)"
check_equal "each has its forwarder" $crowd "$(supervisors | wc -l)"
check_equal "and its worker" $crowd "$(proxies | wc -l)"
all_worked() { [ "$(for n in $(seq $crowd); do pod logs "crowd$n" 2>/dev/null; done | grep -c '^world$')" = $crowd ]; }
check "an allowed name works in each" eventually 5 all_worked
check_not "and nothing else" grep -q LEAKED <(for n in $(seq $crowd); do pod logs "crowd$n" 2>/dev/null; done)
check "all are removed" pod rm -f -t 0 --all
left_by "$crowd containers at once"
finish
