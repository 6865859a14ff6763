#!/bin/bash
# What users of the older tool rely on, second part: up, down, down --all and block in any order and twice, allow and deny around them, and the log of it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
profile my =allowed.test

# All that a state means, as one line: the word of `status`, the first line of `rules`, and what is reached.
seen() { echo "$(shield status web), $(shield rules web | head -1), allowed $(reaches web http://allowed.test/) other $(reaches web http://other.test/) $(reaches web http://203.0.113.20/) inside $(reaches web http://10.99.0.1/)"; }
up='up, State: up, allowed yes other no no inside no'
down='down, State: down, allowed yes other yes yes inside no'
down_all='down_all, State: down_all, allowed yes other yes yes inside yes'
block='block, State: block, allowed no other no no inside no'

goes() {	# SENTENCE REGEX-OF-OUTPUT SEEN ARG... : the command prints that, and the state is that
	local sentence=$1 regex=$2 wanted=$3; shift 3
	check_output "$sentence: it says so" "^$regex \$" shield "$@"
	check_equal "$sentence: it is so" "$wanted" "$(seen)"
}
goes_up() { goes "$1" 'Shield up for web' "$up" up web; }
goes_down() { goes "$1" 'Shield down for web' "$down" down web; }
goes_down_all() { goes "$1" 'Shield down for web \(all traffic\)' "$down_all" down web --all; }
goes_block() { goes "$1" 'Shield BLOCKED for web — all traffic dropped' "$block" block web; }

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check_equal "a container begins in up" "$up" "$(seen)"
goes_up "up when it is up"
goes_down "down"
goes_down "down twice"
goes_down_all "down --all after down"
goes_down_all "down --all twice"
goes_down "down after down --all closes the inside again"
goes_up "up after down"
goes_up "up twice"
goes_down_all "down --all after up"
goes_up "up after down --all"
goes_block "block"
goes_block "block twice"
goes_down "down after block"
goes_block "block after down"
goes_up "up after block"
check_equal "each was logged, in order" \
	"shield_up shield_down shield_down shield_down shield_down shield_down shield_up shield_up shield_down shield_up shield_block shield_block shield_down shield_block shield_up" \
	"$(actions web 15)"

# allow before, during and after a bypass.
check "allow before a bypass" shield allow web 203.0.113.30 n1.many.test
check "the bypass" shield down web
check "allow during it" shield allow web 203.0.113.31 n2.many.test
check "its end" shield up web
check "allow after it" shield allow web 203.0.113.32 n3.many.test
kept() {	# SENTENCE
	for target in 203.0.113.30 n1.many.test 203.0.113.31 n2.many.test 203.0.113.32 n3.many.test; do
		check_reached "$1: $target is reached" web "http://$target/"
	done
	check_not "$1: another one is not" fast_get web http://203.0.113.33/
}
kept "after the bypass"
check "a bypass of everything" shield down web --all
check "its end" shield up web
kept "after a second bypass"
check_equal "the allowed addresses are in live.allowed" "203.0.113.30 203.0.113.31 203.0.113.32" "$(paste -sd' ' "$containers/web/live.allowed")"
check_equal "the allowed names are in live.domains" "n1.many.test n2.many.test n3.many.test" "$(paste -sd' ' "$containers/web/live.domains")"

# A deny holds in a bypass, whenever it was said.
check "deny before a bypass" shield deny web 203.0.113.40 n4.many.test
check "the bypass" shield down web
check_reached "what nobody denied is reached" web http://203.0.113.43/
check "deny during it" shield deny web 203.0.113.41 n5.many.test
denied() {	# SENTENCE
	for target in 203.0.113.40 n4.many.test 203.0.113.41 n5.many.test; do
		check_not "$1: $target is not reached" fast_get web "http://$target/"
	done
}
denied "in down"
check "a bypass of everything" shield down web --all
denied "in down --all"
check_reached "what nobody denied is reached in it" web http://203.0.113.43/
check "its end" shield up web
denied "in up"
check "allow takes a deny back" shield allow web 203.0.113.40
check_reached "and the address is reached" web http://203.0.113.40/

check_equal "allow, deny and the bypasses are logged in the order in which they happened" \
	"allowed allowed shield_down allowed allowed shield_up allowed allowed shield_down shield_up denied denied shield_down denied denied shield_down shield_up allowed" \
	"$(actions web 18)"
in_order() { shield logs --container web -n 1000 | sed -n 's/.*"ts": *"\([^"]*\)".*/\1/p' | sort -c; }
check "the times in the log never go back" in_order

# Fast toggles.
toggle() { for _ in 1 2 3 4 5; do shield down web && shield up web || return; done; }
check "ten fast toggles all succeed" toggle
check_equal "they end right" "$up" "$(seen)"
check_equal "each of the ten is in the log" "shield_down shield_up shield_down shield_up shield_down shield_up shield_down shield_up shield_down shield_up" "$(actions web 10)"
at_once() {
	local pids=() pid bad=0
	for n in 1 2 3 4 5; do
		shield down web & pids+=($!)
		shield up web & pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
	return $bad
}
check "ten toggles at once all succeed" at_once
check_output "whichever came last holds whole" '^(up|down) $' shield status web
check "a last up" shield up web
check_equal "and it is up" "$up" "$(seen)"
check "the container is removed" pod rm -f -t 0 web

# preview
preview() { shield preview "$@" | awk '/chain output/ { on = 1 } on { print } on && /^\t}/ { exit }'; }
check_output "preview: the policy is drop and private ranges are refused" 'policy drop;.*10\.0\.0\.0/8.*goto private.*fc00::/7' preview
check_output "preview begins with its title" '^# Ruleset preview \(enforce\): ' shield preview
check_output "preview --down: the policy is accept and private ranges are refused" 'policy accept;.*10\.0\.0\.0/8.*goto private.*fc00::/7' preview --down
check_output "preview --down has its title" '^# Ruleset preview \(bypass\): ' shield preview --down
check_output "preview --down --all: the policy is accept" 'policy accept;' preview --down --all
check_output "preview --down --all has its title" '^# Ruleset preview \(bypass \(all traffic\)\): ' shield preview --down --all
all_preview() { shield preview --down --all; }
no_private() { local text; text=$(all_preview) && ! grep -qE '10\.0\.0\.0/8|100\.64|169\.254|172\.16|192\.168|fc00|fe80' <<<"$text"; }
check "preview --down --all: no private range is in it" no_private
check_failure "preview --all alone is an error" '--all requires --down' shield preview --all
check_status "and a usage error" 2 shield preview --all
finish
