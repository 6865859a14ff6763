#!/bin/bash
# kill -9 of each process of a container's start and life, at moments that are drawn: whoever dies, the container does not start or is
# shielded, and nothing is left behind when it is removed. The world's judge counts what gets out.
#   SHIELD_FULL=1 : 50 moments for each process instead of a few; SHIELD_SEED repeats a draw.
. "$(dirname "$0")/../support/lib.sh"
moments=1
[ -z "${SHIELD_FULL:-}" ] || moments=50
RANDOM=${SHIELD_SEED:-$$}
echo "SHIELD_SEED=${SHIELD_SEED:-$$}"
profile my =allowed.test
printf 'reject: reset\n' | as "$user" tee "$configuration/config.yml" >/dev/null
judge_begin 198.51.100.10
# without busybox's timeout: it leaves a process behind that nobody waits for, until there are as many as there may be
attack='{ while :; do wget -T 1 -q -O- http://203.0.113.20/; done & while :; do nslookup out.test 203.0.113.53; done; } >/dev/null 2>&1 &'

start() { shield run web --profiles my -- -d $image sh -c "$attack exec sleep 600"; }
running() { [ "$(pod inspect -f '{{.State.Running}}' web 2>/dev/null)" = true ]; }
remove() { pod rm -f -t 0 web >/dev/null 2>&1; ! pod container exists web; }
victim() {	# which process of the bed is meant; the newest of that kind
	case $1 in
	hook) pgrep -n -f '^[^ ]*terok-shield-hook createRuntime' ;;
	supervisor) pgrep -n -f '^[^ ]*terok-shield-supervisor ' ;;
	worker) pgrep -n -f '^[^ ]*terok-shield-proxy ' ;;
	conmon) pgrep -n -f '^[^ ]*conmon ' ;;
	crun) pgrep -n -f '^[^ ]*crun .*create ' ;;
	esac
}
# Waits for the process as long as the start goes on, then up to so many milliseconds, and kills it.
kill_when_there() {	# WHO MS
	local pid=''
	while [ -z "$pid" ] && kill -0 $starting 2>/dev/null; do pid=$(victim "$1"); done
	[ -n "$pid" ] || return 0
	sleep "0.$(printf %03d $((RANDOM % $2)))"
	kill -9 "$pid" 2>/dev/null && killed=$((killed + 1))
}

# A crun that is killed when all is made leaves a container that waits for its start, and a podman that looks on for four minutes, as it does without
# a shield. The shield lasts as long as that container, so only then it is ended here.
start_is_over() { ! kill -0 $starting 2>/dev/null; }
crun_rest_end() { eventually 5 start_is_over || pkill -9 -f '^[^ ]*crun '; }

# One process, killed at moments of starts. SPAN_MS: how long after it came it is there.
kills_at_start() {	# WHO SPAN_MS
	local who=$1 n starting killed=0 started=0 refused=0 stuck=0
	for n in $(seq $moments); do
		start >"$last.start" 2>&1 </dev/null &
		starting=$!
		kill_when_there "$who" "$2"
		[ "$who" != crun ] || crun_rest_end
		wait $starting
		sleep 0.2	# for what started to attack
		if running; then started=$((started + 1)); else refused=$((refused + 1)); fi
		eventually 10 remove || stuck=$((stuck + 1))
		eventually 5 no_proxies || stuck=$((stuck + 1))
	done
	check_equal "$who killed in $moments starts ($killed times alive; $started ran, $refused did not): removed, nothing left behind" 0 $stuck
	none_left "$who killed in $moments starts"
}

for who in hook supervisor worker; do kills_at_start $who 20; done
kills_at_start conmon 300
kills_at_start crun 150

# One container, whose worker is killed, and then another whose other processes are.
check "a container starts after all that" start
works() { get web http://allowed.test/ | grep -qx world; }
lost=0
for n in $(seq $moments); do
	sleep "0.$(printf %03d $((RANDOM % 400)))"
	kill -9 "$(victim worker)"
	works || lost=$((lost + 1))
done
check_equal "its worker killed $moments times: an allowed name is reached each time" 0 $lost
none_left "a worker killed again and again"
kill -9 "$(victim supervisor)"
check "its worker ends with its supervisor" eventually 5 no_proxies
sleep 0.3
none_left "a supervisor killed"
check "podman restart brings the names back" pod restart -t 0 web
check "an allowed name is reached" works
none_left "restarted after its supervisor was killed"
check "the container is removed" pod rm -f -t 0 web
check "no forwarder is left" eventually 5 no_proxies
finish
