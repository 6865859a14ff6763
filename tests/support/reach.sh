# What the scripts on the contract share: probes of what a container reaches, and the two families as one table. Sourced behind lib.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # used by the scripts; set by lib.sh

check_status() {	# SENTENCE STATUS CMD... : the command ends with exactly that status
	local sentence=$1 wanted=$2 status=0; shift 2
	remember "$@" || status=$?
	if [ $status = "$wanted" ]; then pass "$sentence"; else echo "status $status, wanted $wanted" >>"$last"; fail "$sentence"; fi
}

check_refused_fast() {	# SENTENCE CONTAINER URL : refused, and within three seconds
	local start status=0
	start=$(date +%s%N)
	remember fast_get "$2" "$3" || status=$?
	if [ $status = 1 ] && [ $(($(date +%s%N) - start)) -lt 3000000000 ]; then
		pass "$1"
	else
		echo "status $status after $((($(date +%s%N) - start) / 1000000)) ms" >>"$last"
		fail "$1"
	fi
}

# A command that is checked reads nothing and has its output in $last, so neither a here-document nor $last can be given to it: text is judged by these two.
check_has() {	# SENTENCE REGEX TEXT
	printf '%s\n' "$3" >"$last"
	if grep -qE -- "$2" "$last"; then pass "$1"; else fail "$1"; fi
}
check_lacks() {	# SENTENCE REGEX TEXT ; no text at all proves nothing
	printf '%s\n' "$3" >"$last"
	if [ -n "$3" ] && ! grep -qE -- "$2" "$last"; then pass "$1"; else fail "$1"; fi
}

check_reached() { check_output "$1" '^world $' get "$2" "$3"; }	# SENTENCE CONTAINER URL

reaches() { if [ "$(fast_get "$1" "$2" 2>/dev/null)" = world ]; then echo yes; else echo no; fi; }	# CONTAINER URL

world_listens() { in_world busybox httpd -f -p "[::]:$1" -h /srv/bed/www; }	# PORT : one more http server on each address of the world
in_world() { ip netns exec world "$@" </dev/null >/dev/null 2>&1 & }

world_names() {	# NAME,ADDRESS... : more names of the world; its resolver is started again
	local old resolver
	printf 'host-record=%s\n' "$@" >>/srv/bed/names.conf
	old=$(cat /run/dnsmasq.world.pid)
	mapfile -d '' -t resolver <"/proc/$old/cmdline"
	kill "$old"
	world_resolver_ended() { ! kill -0 "$old" 2>/dev/null || grep -q "^State:.*Z" "/proc/$old/status"; }
	eventually 5 world_resolver_ended	# its address is free only then
	in_world "${resolver[@]}"
}

# Rootless networks have IPv6 by themselves, podman's default bridge has not.
network_v6=()
make_network_v6() {
	[ "$mode" = rootful ] || return 0
	pod network create --ipv6 --subnet 10.124.0.0/24 --subnet fd12:3456::/64 six >/dev/null || return 1
	network_v6=(--network six)
}
wait_v6() { eventually 8 eval "judge $1 ip -6 route show default | grep -q . && ! judge $1 ip -6 addr show tentative | grep -q inet6"; }	# CONTAINER

make_refusal() {	# builds the probe of refusals once
	gcc -O1 -Wall -o /srv/bed/refusal /mnt/checkout/tests/support/refusal.c
}

# CONTAINER N : the last N of what was done to it, by its log, in order; what it was refused meanwhile is between
actions() { shield logs --container "$1" -n 10000 | sed -n 's/.*"action": *"\([a-z_]*\)".*/\1/p' | grep -vx blocked | tail -n "$2" | paste -sd' '; }
has_command() { shield help "$1" >/dev/null 2>&1; }

# The bed discards what is written to /etc and the homes, but /usr may be the machine's own: what is written below it goes into a layer of the bed's.
layer_usr() {
	mkdir -p /srv/bed/layer/upper /srv/bed/layer/work
	mount -t overlay overlay -o lowerdir=/usr/share/containers,upperdir=/srv/bed/layer/upper,workdir=/srv/bed/layer/work /usr/share/containers
}
