#!/bin/bash
# The main job, shown: a shielded container in which an allowed name works and another is refused, with its rules before and after.
# Prints each command as a user would type it and what it printed; ends non-zero when any step did not behave.
#
#   walk.sh IMAGE ALLOWED REFUSED     run as the user whose podman it is, with terok-shield on the PATH; the names are fetched over http
#
# The profile `walk`, which allows ALLOWED alone, is written into a configuration folder that is made for the occasion; it and the container's state are discarded.
set -u
image=$1 allowed=$2 refused=$3
name=shield-walk
bold='' plain='' red=''
[ ! -t 1 ] || { bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'; }
bad=0
work=$(mktemp -d)
if podman container inspect "$name" >/dev/null 2>&1; then
	echo "a container $name exists already: podman rm -f $name" >&2
	exit 1
fi
export TEROK_SHIELD_STATE_DIR=${XDG_STATE_HOME:-$HOME/.local/state}/terok/shield-walk
trap 'podman rm -f -t 0 "$name" >/dev/null 2>&1; rm -rf "$work" "$TEROK_SHIELD_STATE_DIR"' EXIT
mkdir -p "$work/configuration/profiles"
echo "$allowed" > "$work/configuration/profiles/walk.txt"
export TEROK_SHIELD_CONFIG_DIR=$work/configuration

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
wrong() { printf '%s!! %s%s\n' "$red" "$*" "$plain"; bad=1; }

step() {	# works|fails REGEX CMD... : the command works or fails as expected and prints what matches
	local expected=$1 regex=$2 status=0; shift 2
	printf '%s$ %s%s\n' "$bold" "$(printf '%s ' "$@" | sed 's/ $//')" "$plain"
	"$@" >"$work/output" 2>&1 </dev/null || status=$?
	sed -n '1,8p; 9s/.*/[...]/p' "$work/output"
	if [ "$expected" = works ] && [ $status != 0 ]; then
		wrong "this should have worked, and ended with $status"
	elif [ "$expected" = fails ] && [ $status = 0 ]; then
		wrong "this should have failed, and did not"
	fi
	tr '\n' ' ' <"$work/output" | grep -qE -- "$regex" || wrong "the output should have matched /$regex/"
}

learned() {	# the learned sets as `rules` shows them, without the rest of the table
	printf '%s$ terok-shield rules %s | sed -n "/set learned_v/,/^.}/p"%s\n' "$bold" "$name" "$plain"
	terok-shield rules "$name" >"$work/rules" 2>&1 || wrong "rules failed: $(cat "$work/rules")"
	sed -n '/set learned_v/,/^.}/p' "$work/rules"
}
count_learned() { grep -c "comment \"[^\"]*$allowed\"" "$work/rules"; }

say "A container whose profile allows $allowed and nothing else."
step works '[0-9a-f]{12}' terok-shield run "$name" --profiles walk -- -d "$image" sleep 600
say "Nothing has been learned yet."
learned
before=$(count_learned)
say "An allowed name works, at the first try."
step works . podman exec "$name" wget -q -O - "http://$allowed/"
say "Another name is refused."
step fails . podman exec "$name" wget -q -O - "http://$refused/"
say "The set has grown by what the allowed name resolved to."
learned
after=$(count_learned)
[ "$after" -gt "$before" ] || wrong "nothing was learned: $before addresses before, $after after"
say "Allowed while it runs, the other name works at once; denied, it is refused again."
step works "^Allowed $refused -> " terok-shield allow "$name" "$refused"
step works . podman exec "$name" wget -q -O - "http://$refused/"
step works "^Denied $refused" terok-shield deny "$name" "$refused"
step fails . podman exec "$name" wget -q -O - "http://$refused/"
say "What happened, from its log."
step works '"allowed".*"denied"' terok-shield logs --container "$name" -n 5
[ $bad = 0 ] || wrong "not every step behaved"
exit $bad
