#!/bin/bash
# Learning: real programs are let out once, what they used becomes a profile, and with that profile they do the same again and nothing else.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
. "$(dirname "$0")/../support/repositories.sh"

# ---- the world: a repository for each program, some names of one owner, and names that share an address

world_names git.forge.test,198.51.100.31 archive.distro.test,198.51.100.32 index.wheels.test,198.51.100.33 files.wheels.test,198.51.100.33 \
	registry.nodes.test,198.51.100.34 a.mirrors.test,198.51.100.35 b.mirrors.test,198.51.100.36 c.mirrors.test,198.51.100.37 \
	d111111abcdef8.cloudfront.net,198.51.100.38 denied.test,198.51.100.39 silent.test,10.99.0.77 first.twins.test,198.51.100.42 second.twins.test,198.51.100.42

make_repositories http

workload() {	# CONTAINER WORDS
	local url
	fresh "$1"
	check "$2: git clones over http" get_git "$1" http
	check "$2: apt updates and downloads a package" get_apt "$1" http
	check "$2: pip downloads a wheel from an index and a second name at its address" get_pip "$1" http
	[ -z "$has_npm" ] || check "$2: npm installs a package" get_npm "$1" http
	for url in http://a.mirrors.test/ http://b.mirrors.test/ http://c.mirrors.test/ http://d111111abcdef8.cloudfront.net/ http://198.51.100.40:8080/; do
		check_reached "$2: wget $url" "$1" "$url"
	done
}

# ---- learning

profile my allowed.test
check_output "a container that is started with --learn says so" 'note: web learns' shield run web --learn --profiles my -- -d "${programs[@]}" $image sleep 900
check_equal "its state is the word down" down "$(shield status web 2>/dev/null)"
check_output "a note says that it learns" 'note: it learns' shield status web
check_output "its JSON says that it learns" '"state":"down".*"learning":true' shield status web --json
check_output "rules says that it learns" '^State: down Learning: ' shield rules web
check_output "a destination is denied" 'Denied denied\.test' shield deny web denied.test
check "an address is denied" shield deny web 203.0.113.0/24

workload web "while it learns"
check_reached "while it learns: what its profile allows" web http://allowed.test/
check_not "while it learns a denied name fails" fast_get web http://denied.test/
check_not "while it learns a denied address fails" fast_get web http://203.0.113.20/
check_not "while it learns an inside address fails" fast_get web http://10.99.0.1/
check_not "while it learns the name of an inside address fails" fast_get web http://silent.test/

# The record has the connection under the name that was asked last, which is not the one that it was for.
twins() { inside web nslookup first.twins.test && inside web nslookup second.twins.test && inside web wget -q -O- --header 'Host: first.twins.test' http://198.51.100.42/; }
check "while it learns: two names of one address are asked before it is used" twins

restored() { shield status web --json | grep -q '"state":"down".*"learning":true'; }
check "podman restart" pod restart -t 0 web
check "learning is kept over a restart, as down is" eventually 10 restored
check_reached "and still lets everything outside pass" web http://both.test/

suggestion() { shield suggest web >/srv/bed/suggested 2>/dev/null; }
has_line() { suggestion && grep -qF "$1" /srv/bed/suggested; }	# TEXT
check "the record has what was used last" eventually 20 has_line "=both.test:80/tcp "
lines=("=git.forge.test:80/tcp " "=archive.distro.test:80/tcp " "=index.wheels.test:80/tcp " "=files.wheels.test:80/tcp " "=allowed.test:80/tcp " "*.mirrors.test:80/tcp "
	"=d111111abcdef8.cloudfront.net:80/tcp " "198.51.100.40:8080/tcp " "=first.twins.test:80/tcp " "=second.twins.test:80/tcp ")
[ -z "$has_npm" ] || lines+=("=registry.nodes.test:80/tcp ")
cp /srv/bed/suggested "$last"
for line in "${lines[@]}"; do
	if grep -q "^$(printf %s "$line" | sed 's/[.*]/\\&/g')" /srv/bed/suggested; then pass "it suggests $line"; else fail "it suggests $line"; fi
done
check_has "the general comes first" '^\*\.mirrors\.test' "$(grep -v -e '^#' -e '^$' /srv/bed/suggested | head -1)"
check_has "a name of a shared host has a warning" '^# warning: shared: Amazon CloudFront' "$(cat /srv/bed/suggested)"
check_has "one that may have been meant for another name says so" '^=first\.twins\.test:80/tcp .* to an address that it shares, ' "$(cat /srv/bed/suggested)"
check_has "one that looks generated has a warning" '^# warning: looks generated' "$(cat /srv/bed/suggested)"
check_has "an inside address is a comment" '^#10\.99\.0\.1:80/tcp ' "$(cat /srv/bed/suggested)"
check_lacks "what is denied is not suggested" 'denied\.test|203\.0\.113\.' "$(cat /srv/bed/suggested)"
check_lacks "nothing else is suggested" '^[^#]' "$(grep -vE '^(=(git\.forge|archive\.distro|(index|files)\.wheels|registry\.nodes|allowed|both|(first|second)\.twins)\.test|\*\.mirrors\.test|=d111111abcdef8\.cloudfront\.net|198\.51\.100\.40:8080)' /srv/bed/suggested)"

# ---- the profile

as "$user" sh -c 'cat >"$0/profiles/learned.txt"' "$configuration" </srv/bed/suggested
check_output "the suggestion is a profile with which nothing is wrong" '1 profile: 0 errors, 0 warnings' shield profiles check learned
check_lacks "with that profile nothing is left to suggest" '^[^#]' "$(shield suggest web --profile learned)"
shield suggest web --profile my --diff >/srv/bed/change
check_lacks "as a change of a profile it leaves out what that allows" 'allowed\.test' "$(grep '^+' /srv/bed/change)"
check "patch applies it to the profile" patch -s "$configuration/profiles/my.txt" /srv/bed/change
check_output "and the profile has it then, and is in order" '1 profile: 0 errors, 0 warnings' shield profiles check my
check_has "with what it had before" '^allowed\.test$' "$(cat "$configuration/profiles/my.txt")"

check "it is removed" pod rm -f -t 0 web
check_lacks "the record outlives the container" '^$' "$(shield suggest web | grep '^=git')"
check "a new container of that name, with the profile" shield run web --profiles learned -- -d "${programs[@]}" $image sleep 900
check_output "does not learn" '"state":"up".*"learning":false' shield status web --json
workload web "with the profile"
check_not "a destination that was not used is refused by name" fast_get web http://n2.many.test/
check_not "one is refused by address" fast_get web http://198.51.100.41/
check_not "another port of an address that was used is refused" fast_get web http://198.51.100.40/
check_not "another port of a name that was used is refused" fast_get web http://git.forge.test:8080/
has_more() { shield suggest web --profile learned | grep -q '^=n2\.many\.test ' && shield suggest web --profile learned | grep -q '^=git\.forge\.test:8080/tcp '; }
check "what was refused behind the profile is suggested for it" eventually 20 has_more
check "it is removed" pod rm -f -t 0 web

# ---- what was refused

check "a container whose shield is up" shield run strict --profiles my -- -d $image sleep 900
check_not "is refused a name" fast_get strict http://other.test/
check_not "is refused an address" fast_get strict http://203.0.113.30:8080/
has_refused() { shield suggest strict | grep -q '^=other\.test ' && shield suggest strict | grep -q '^203\.0\.113\.30:8080/tcp '; }
check "what it was refused is suggested" eventually 20 has_refused
check_lacks "and not what it is allowed" '^[^#].*(allowed|forge)\.test' "$(shield suggest strict)"
check "allow" shield allow strict other.test
check_lacks "what it is allowed since is not suggested" '^=other\.test' "$(shield suggest strict)"

# ---- on and off

check_output "learn on" '^Shield down for strict \(learning\) $' shield learn strict on
check_equal "the state is down" down "$(shield status strict 2>/dev/null)"
check_reached "everything outside passes" strict http://n1.many.test/
check_output "up ends it" '^Shield up for strict $' shield up strict
check_output "it does not learn" '"learning":false' shield status strict --json
check_output "learn on" 'learning' shield learn strict on
check_output "learn off ends it" '^Shield up for strict $' shield learn strict off
check_output "the state is up" '^up $' shield status strict
check_output "down" 'Shield down' shield down strict
check_output "learn off leaves a plain bypass alone" '^strict does not learn $' shield learn strict off
check_output "the state is down" '^down $' shield status strict
check_output "block" 'BLOCKED' shield block strict
check "it is removed" pod rm -f -t 0 strict
check_failure "run --learn does not open what block has closed" 'Error: .*block.*terok-shield up' shield run strict --learn --profiles my -- -d $image sleep 900
check_output "the log has both ends of learning" 'shield_down.*learning.*shield_up.*learning ended' shield logs --container strict
check_failure "--diff without --profile is wrong usage" 'needs --profile' shield suggest strict --diff
finish
