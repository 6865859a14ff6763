#!/bin/bash
# Runs as root inside the bed (tests/support/bed.sh): what the shield adds to podman, and what its commands take. podman.sh RUNS
# Prints lines `command/NAME MILLISECONDS`, medians; everything else is for people.
set -u
runs=${1:-20}
set -- rootless
. "$(dirname "$0")/../tests/support/lib.sh"
profile my allowed.test
network=()
while read -r flag; do network=("$flag"); done < <(shield prepare cost --profiles my --json | grep -oE '(pasta|slirp4netns):[^"]*' | head -1 | sed 's/^/--network=/')

timed() {	# CMD... : microseconds on standard output; `failed` when it fails
	local begun=${EPOCHREALTIME/[.,]/}
	"$@" >"$last" 2>&1 </dev/null || { echo failed; sed 's/^/    | /' "$last" >&2; return; }
	echo $((${EPOCHREALTIME/[.,]/} - begun))
}
less=0	# milliseconds that are taken off
median() {	# NAME VALUE... : in milliseconds
	local name=$1; shift
	case "$*" in *failed* | "") echo "$name: a call failed, no figure"; return ;; esac
	printf '%s\n' "$@" | sort -n | awk -v name="$name" -v less="$less" \
		'{ v[NR] = $1 } END { printf "command/%s %.3f\n", name, (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2000 - less }'
}
measure() {	# NAME CMD...
	local name=$1 values=(); shift
	for _ in $(seq "$runs"); do values+=("$(timed "$@")"); done
	median "$name" "${values[@]}"
}
# The commands are called straight, as the user; what becoming that user costs (setpriv and env) is measured as nothing_ms and taken off.
direct() { setpriv --reuid=tb1 --regid=tb1 --init-groups --inh-caps=-all env -i PATH="$BED_PATH" HOME=/home/tb1 XDG_RUNTIME_DIR=/run/user/4711 "$@"; }

# ---- run against plain podman, in turns ----
plain=() shielded=()
for _ in 1 2; do pod run --rm "${network[@]}" $image true; shield run cost --profiles my -- --rm $image true; done >/dev/null 2>&1
for _ in $(seq "$runs"); do
	plain+=("$(timed pod run --rm "${network[@]}" $image true)")
	shielded+=("$(timed shield run cost --profiles my -- --rm $image true)")
done
p=$(median run_plain_ms "${plain[@]}") s=$(median run_shielded_ms "${shielded[@]}")
echo "$p"; echo "$s"
awk -v p="${p##* }" -v s="${s##* }" 'BEGIN { if (p + 0 && s + 0) printf "command/run_cost_ms %.3f\n", s - p }'

# ---- commands on a running container ----
shield run web --profiles my -- -d $image sleep 600 >"$last" 2>&1 || { cat "$last"; exit 1; }
nothing=$(measure nothing_ms direct /bin/true)
echo "$nothing"
less=${nothing##* }
measure version_ms direct terok-shield --help
measure status_ms direct terok-shield status web
verdicts() {	# SUFFIX: allow and deny of a name, in turns
	local values_allow=() values_deny=()
	for _ in $(seq "$runs"); do
		values_allow+=("$(timed direct terok-shield allow web other.test)")
		values_deny+=("$(timed direct terok-shield deny web other.test)")
	done
	median "allow$1_ms" "${values_allow[@]}"
	median "deny$1_ms" "${values_deny[@]}"
}
verdicts ''
# With a connection open somewhere, deny has the kernel walk its table of connections.
pod exec -d web wget -q -O /dev/null http://allowed.test/cgi-bin/clock
sleep 1
verdicts _open
measure rules_ms direct terok-shield rules web

# ---- with 10,000 learned elements ----
pid=$(pod inspect -f '{{.State.Pid}}' web)
{
	echo "add element inet terok_shield learned_v4 {"
	for n in $(seq 0 9999); do echo "20.1.$((n / 250)).$((n % 250 + 1)) timeout 1h comment \"h$n.allowed.test\","; done
	echo "}"
} >/srv/bed/elements
nsenter -t "$pid" -n nft -f /srv/bed/elements || exit 1
measure rules_10000_ms direct terok-shield rules web
measure status_10000_ms direct terok-shield status web
pod rm -f -t 0 web >/dev/null
