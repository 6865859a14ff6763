#!/bin/bash
# What users of the older tool rely on, third part: what allow and deny keep, profiles, hooks, folders, and errors.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
profile my =allowed.test
bundle=$containers/web
lines() { paste -sd' ' "$bundle/$1"; }

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check "allow of a name" shield allow web other.test
check_equal "enters live.domains" "other.test" "$(lines live.domains)"
check_output "and its address enters the set, with the name" '203\.0\.113\.20 .*comment "other\.test"' set_elements web learned_v4
check "deny of the name" shield deny web other.test
check_equal "enters denied.domains" "other.test" "$(lines denied.domains)"
check_equal "leaves live.domains" "" "$(lines live.domains)"
check_lacks "and its address left the set" '203\.0\.113\.20' "$(judge web nft list set inet terok_shield learned_v4)"
check "deny of a profile's name" shield deny web allowed.test
check_equal "enters denied.domains too" "other.test allowed.test" "$(lines denied.domains)"
check_not "and the name fails" fast_get web http://allowed.test/
check "allow takes it back" shield allow web allowed.test
check_equal "out of denied.domains" "other.test" "$(lines denied.domains)"
check_reached "and the name works" web http://allowed.test/
check "allow of addresses and networks of both families" shield allow web 203.0.113.30 203.0.113.64/28 2001:db8:1::30 2001:db8:2::/48
check_equal "all are in live.allowed" "203.0.113.30 203.0.113.64/28 2001:db8:1::30 2001:db8:2::/48" "$(lines live.allowed)"
check_output "IPv4 is in its set" '203\.0\.113\.30.*203\.0\.113\.64/28' set_elements web allow_v4
check_output "IPv6 is in its set" '2001:db8:1::30.*2001:db8:2::/48' set_elements web allow_v6
check "allow of the same again" shield allow web 203.0.113.30
check_equal "adds no second line" "203.0.113.30 203.0.113.64/28 2001:db8:1::30 2001:db8:2::/48" "$(lines live.allowed)"
check "deny of an address" shield deny web 203.0.113.30
check_equal "leaves live.allowed" "203.0.113.64/28 2001:db8:1::30 2001:db8:2::/48" "$(lines live.allowed)"
check_equal "enters deny.list" "203.0.113.30" "$(lines deny.list)"
check_output "and its set" '203\.0\.113\.30' set_elements web deny_v4
check "a name with a port is allowed" shield allow web =n6.many.test:8080
check_reached "on its port it is reached" web http://n6.many.test:8080/
check_not "on another it is not" fast_get web http://n6.many.test/

# Names that do not resolve.
# Without what goes on by itself: lifetimes and counters.
rules_at_rest() { shield rules web | grep -v expires | sed -E 's/packets [0-9]+ bytes [0-9]+//; s/ +[0-9]+(h[0-9]+m|m[0-9]+s|s) +[0-9]+ +[0-9]+$//'; }
before=$(rules_at_rest)
check_failure "a name that does not resolve gives nothing" 'No IPs allowed for web $' shield allow web no-such-name.test
check_status "and it is not done" 1 shield allow web no-such-name.test
check "denying it hurts nothing either" shield deny web no-such-name.test
check_equal "the rules are as they were" "$before" "$(rules_at_rest)"
check_reached "what was allowed works as ever" web http://allowed.test/
check_output "resolve says what does not resolve and goes on" 'Resolved [0-9]+ IPs for web .*  198\.51\.100\.10 ' shield resolve web
check_output "resolve --force says so" 'Resolved [0-9]+ IPs for web \(forced\) ' shield resolve web --force

# A restart keeps all.
all_lists() { (cd "$bundle" && head -n 100 live.allowed live.domains deny.list denied.domains); }
lists=$(all_lists)
check "podman restart" pod restart -t 0 web
check_equal "keeps the lists" "$lists" "$(all_lists)"
check_output "keeps the state" '^up $' shield status web
check_reached "keeps allowed networks" web http://203.0.113.65/
check_reached "keeps allowed names" web http://n6.many.test:8080/
check_not "keeps denied names" fast_get web http://other.test/
check_not "keeps denied addresses" fast_get web http://203.0.113.30/
check_output "keeps sets: allow_v4" '203\.0\.113\.64/28' set_elements web allow_v4
check_output "keeps sets: allow_v6" '2001:db8:1::30.*2001:db8:2::/48' set_elements web allow_v6
check_output "keeps sets: deny_v4" '203\.0\.113\.30' set_elements web deny_v4

# A stopped container's lists can be changed.
check "podman stop" pod stop -t 0 web
check_output "allow on a stopped container is kept" 'Allowed 203\.0\.113\.50 for web' shield allow web 203.0.113.50
check_output "deny on a stopped container is kept" 'Denied 203\.0\.113\.64/28' shield deny web 203.0.113.64/28
check "podman start" pod start web
check_reached "what was allowed meanwhile works" web http://203.0.113.50/
check_not "what was denied meanwhile fails" fast_get web http://203.0.113.65/
check "the container is removed" pod rm -f -t 0 web

# Profiles.
profile dev-standard =n7.many.test
check "a user's profile with the name of a bundled one" shield prepare over --profiles dev-standard
check "is taken" grep -q '^=n7\.many\.test' "$containers/over/profile.domains"
check_not "and nothing of the bundled one" grep -q 'github' "$containers/over/profile.domains"
count_profiles() { shield profiles | grep -cx "$1"; }
check_equal "it is listed once" 1 "$(count_profiles dev-standard)"
profile one allowed.test 198.51.100.10 198.51.100.0/24 =n8.many.test
profile two allowed.test 198.51.100.0/24 =n8.many.test =n9.many.test 'allowed.test # again'
check "profiles are composed" shield prepare both --profiles one two
twice() { sed 's/[[:space:]]*#.*//' "$containers/both/$1" | sort | uniq -d | grep .; }
check_not "no name is in the composition twice" twice profile.domains
check_not "no network is in the composition twice" twice profile.allowed
check_equal "all names are in it" "=n8.many.test =n9.many.test allowed.test" "$(sed 's/[[:space:]]*#.*//' "$containers/both/profile.domains" | grep . | sort | paste -sd' ')"
check_output "a composition with duplicates starts" '^world $' shield run both --profiles one,two -- --rm $image wget -q -O- http://allowed.test/
check_status "an unknown profile is a failure" 1 shield prepare over --profiles no-such-profile

# A name that podman still has: run is refused by podman, and what the stopped container may reach stays what it was.
profile wide =allowed.test =other.test
check "a container starts" shield run kept --profiles my -- -d $image sleep 600
check "it stops" pod stop -t 0 kept
check_failure "a run of its name with other profiles is refused" 'already in use' shield run kept --profiles wide -- -d $image true
check "it starts again" pod start kept
check_reached "what it was allowed it still is" kept http://allowed.test/
check_not "a run that was refused gives the stopped container nothing" fast_get kept http://other.test/
check "it is removed" pod rm -f -t 0 kept

# Hooks: made anew by each prepare and run, and the same each time.
hooks() { (cd "$containers/over/hooks" && ls && cat ./*.json); }
flags=$(shield prepare over --profiles my)
first=$(hooks)
check_output "both hooks are there" 'terok-shield-createRuntime\.json terok-shield-poststop\.json' hooks
check_equal "prepare again prints the same" "$flags" "$(shield prepare over --profiles my)"
check_equal "and leaves the same hooks" "$first" "$(hooks)"
check_output "a container prepared twice starts" '^world $' shield run over --profiles my -- --rm $image wget -q -O- http://allowed.test/
if has_command setup; then
	check "what setup writes stays in the bed" layer_usr
	case $mode in rootless) where=--user ;; rootful) where=--root ;; esac
	check_output "setup $where installs global hooks" 'Done\. Global hooks installed\.' shield setup $where
	check_output "setup $where again does no harm" 'Done\. Global hooks installed\.' shield setup $where
	check_output "check-environment knows them" 'hooks=global-(user|system)' shield check-environment
	check_output "a container still starts, with one set of rules" '^world $' shield run over --profiles my -- --rm $image wget -q -O- http://allowed.test/
else
	skip "global hooks install twice without harm: there is no setup yet"
fi

# Folders.
with() { as "$user" env "$@"; }
base=$home/elsewhere
as "$user" mkdir -p "$base"
check "XDG_STATE_HOME is followed" with XDG_STATE_HOME="$base/xdg" terok-shield prepare x --profiles my
check "state is below it" test -f "$base/xdg/terok/shield/containers/x/profile.domains"
check "TEROK_SHIELD_STATE_DIR comes first" with XDG_STATE_HOME="$base/no" TEROK_SHIELD_STATE_DIR="$base/own" terok-shield prepare x --profiles my
check "state is in it" test -f "$base/own/containers/x/profile.domains"
check "--state-dir before the command comes before both" with XDG_STATE_HOME="$base/no" TEROK_SHIELD_STATE_DIR="$base/no" terok-shield --state-dir "$base/before" prepare x --profiles my
check "state is in DIR/containers/NAME" test -f "$base/before/containers/x/profile.domains"
check "--state-dir behind the command does the same" shield prepare x --profiles my --state-dir "$base/behind"
check "there" test -f "$base/behind/containers/x/profile.domains"
check "--task-state-dir is the bundle itself" shield prepare x --profiles my --task-state-dir "$base/task"
check "so" test -f "$base/task/profile.domains"
check "nothing was written where another came first" test ! -e "$base/no"
as "$user" mkdir -p "$base/config/terok/shield/profiles" "$base/own-config/profiles"
echo '=xdg.test' | as "$user" tee "$base/config/terok/shield/profiles/xdg.txt" >/dev/null
echo '=own.test' | as "$user" tee "$base/own-config/profiles/own.txt" >/dev/null
check_output "XDG_CONFIG_HOME is followed" '(^| )xdg ' with XDG_CONFIG_HOME="$base/config" terok-shield profiles
check_output "TEROK_SHIELD_CONFIG_DIR comes first" '(^| )own ' with XDG_CONFIG_HOME="$base/config" TEROK_SHIELD_CONFIG_DIR="$base/own-config" terok-shield profiles
check_output "--profiles-dir adds one more" '(^| )own ' shield profiles --profiles-dir "$base/own-config/profiles"
check_equal "a bundle is closed to others" 700 "$(stat -c %a "$base/own/containers/x")"
check_equal "and so are its hooks" 700 "$(stat -c %a "$base/own/containers/x/hooks")"
check "a container with a state folder of its own starts" shield run far --profiles my --state-dir "$base/behind" -- -d $image sleep 600
check_output "it is found without the option, by its annotation" '^up $' shield status far
check_output "allow finds it too" '^Allowed other\.test -> 203\.0\.113\.20 for far $' shield allow far other.test
check_equal "and writes where it is" "other.test" "$(cat "$base/behind/containers/far/live.domains")"
check "it is removed" pod rm -f -t 0 far

# Wrong containers.
wrong() {	# WORD... : a command for a container that does not exist
	check_status "$*: ends with 1" 1 shield "$@"
	check_has "$*: says so" '^Error: .*no-such-container' "$(cat "$last")"
}
wrong rules no-such-container
wrong up no-such-container
wrong down no-such-container
wrong down no-such-container --all
wrong block no-such-container
wrong resolve no-such-container
wrong status no-such-container
wrong logs --container no-such-container
wrong allow no-such-container 203.0.113.1
wrong deny no-such-container 203.0.113.1
check "a container without a shield runs" pod run -d --name plain $image sleep 600
check_status "rules of a container without a shield ends with 1" 1 shield rules plain
check_status "allow for a container without a shield ends with 1" 1 shield allow plain 203.0.113.1
check_status "up of a container without a shield ends with 1" 1 shield up plain
check "it is removed" pod rm -f -t 0 plain
for name in ../web /etc -web 'a b' 'a;b' ''; do
	check_not "the unsafe name '$name' is refused" shield rules "$name"
	check_not "also for prepare: '$name'" shield prepare "$name" --profiles my
done
check_failure "an unsafe name is called so" "Unsafe container name: '\.\./web'" shield prepare ../web --profiles my
check "no folder was made of an unsafe name" test ! -e "$containers/../web" -a ! -e "$containers/a b"
finish
