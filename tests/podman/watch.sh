#!/bin/bash
# What a container does, shown while it does it: `watch` in a pipe and on a terminal, `top` on terminals of two sizes. tmux is the terminal; what it shows is compared.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test both.test
tmux() { as "$user" tmux -L shown -f /dev/null "$@"; }
terminal() {	# NAME COLUMNS LINES COMMAND : a terminal in which it runs; when that has ended its status and the terminal's mode are shown
	tmux new-session -d -s "$1" -x "$2" -y "$3" "trap : INT; TERM=tmux-256color $4; echo status \$?; stty -a | grep -o ' echo '; sleep 300"
}
screen() { tmux capture-pane -p -t "$1"; }	# NAME
shows() { screen "$1" | grep -qE -- "$2"; }	# NAME REGEX
shows_not() { ! shows "$@"; }
wide() { screen "$1" | awk -v max="$2" 'length > max { bad = 1 } END { exit bad }'; }
seen() { grep -qE -- "$1" /srv/bed/watch; }

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
as "$user" terok-shield watch web >/srv/bed/watch 2>&1 &
watcher=$!
terminal full 80 24 'terok-shield top web'
terminal lines 70 24 'terok-shield watch --all'
check "watch in a pipe begins with hello" eventually 10 seen '"source":"shield","action":"hello","container":"web"'
check "top says so when there is nothing yet" eventually 10 shows full '^no name has been looked up yet'
check "and that nothing was refused" eventually 10 shows full '^nothing has been refused'

check_output "an allowed name works" '^world $' get web http://allowed.test/
check_not "a name that is not allowed fails" fast_get web http://other.test/
check_not "an address that is not allowed fails" fast_get web http://203.0.113.30:8080/
check_not "a private address fails" fast_get web http://10.99.0.1/
check "watch tells the address that was learned" eventually 10 seen '"action":"learned","container":"web","domain":"allowed.test","dest":"198.51.100.10","lifetime_s":'
check "the connection that was made" eventually 10 seen '"action":"allowed_connection","container":"web","domain":"allowed.test","dest":"198.51.100.10","port":80,"proto":"tcp"'
check "the name that was refused" eventually 10 seen '"action":"blocked_query","container":"web","domain":"other.test","query_type":"A","detail":'
check "the address that was blocked" eventually 10 seen '"action":"queued_connection","container":"web","dest":"203.0.113.30","port":8080,"proto":"tcp"'
check "the private address" eventually 10 seen '"action":"private_range","container":"web","dest":"10.99.0.1","port":80'
check "on a terminal the same is said for people" eventually 10 shows lines '^[0-9:]{8} web refused  other\.test A  not in the profile'
check "also of connections" eventually 10 shows lines '^[0-9:]{8} web BLOCKED  203\.0\.113\.30:8080/tcp'

long=a-label-that-is-quite-long.and-another-one-that-is-no-shorter.and-more.exfiltration.test
check_not "a long name that is not allowed fails" fast_get web "http://$long/"
check "a line fits the terminal, and keeps the end of the name" eventually 10 shows lines '^[0-9:]{8} web refused  a-label.*\.\.\..*\.exfiltration\.test A'
check "top lists the address with its name" eventually 10 shows full '^allowed\.test +198\.51\.100\.10 +[0-9]m[0-9]{2}s +[1-9]'
check "and what was refused with the reason" eventually 10 shows full '^ +[0-9]+ +[0-9]+s  other\.test +not in the profile'
check "blocked connections with their port" eventually 10 shows full '^ +[0-9]+ +[0-9]+s  203\.0\.113\.30:8080/tcp +nothing allows it'
check "private ones too" eventually 10 shows full '^ +[0-9]+ +[0-9]+s  10\.99\.0\.1:80/tcp +a private range'

tmux resize-window -t full -x 60 -y 14
check "top follows a terminal that becomes smaller" eventually 10 shows full '^allowed\.test +198\.51\.100\.10 '
check "and shows its keys at the new bottom" eventually 10 eval '[ "$(screen full | grep -n "q quit" | cut -d: -f1)" = 14 ]'
check "nothing is wider than that" wide full 60
tmux resize-window -t full -x 120 -y 40
check "and one that becomes larger" eventually 10 eval '[ "$(screen full | grep -n "q quit" | cut -d: -f1)" = 40 ]'
sleep 1.5
check "its child inside lives on" shows_not full 'died'

select_line() {	# REGEX KEY... : the keys, then Down until the selected line, which is reversed, matches
	local regex=$1; shift
	tmux send-keys -t full "$@"
	for _ in $(seq 12); do
		sleep 0.3
		tmux capture-pane -e -p -t full | sed $'s/\e\\[[349]*m//g' | grep -qE $'\e''\[([0-9]+;)*7m[^'$'\e'"]*$regex" && return
		tmux send-keys -t full Down
	done
	screen full
	return 1
}
check "a line can be selected" select_line ' other\.test ' Tab
tmux send-keys -t full a
check "a key allows the selected line" eventually 15 shows full '^Allowed other\.test -> 203\.0\.113\.20 for web'
check_output "which works then" '^world $' get web http://other.test/
check "and stands among the addresses" eventually 10 shows full '^other\.test +203\.0\.113\.20 +[0-9]m'
check "no longer among the refusals" shows_not full '^ +[0-9]+ +[0-9]+s  other\.test'
check "a line of the other list can be selected" select_line 'other\.test ' Tab Tab
tmux send-keys -t full d
check "another key denies the selected line" eventually 15 shows full '^Denied other\.test \(203\.0\.113\.20\) for web'
check_not "and it fails" fast_get web http://other.test/
tmux send-keys -t full '?'
check "a key explains the keys" eventually 5 shows full 'as `terok-shield allow` does'
tmux send-keys -t full x
tmux send-keys -t full q
check "q ends it with 0" eventually 5 shows full '^status 0'
check "and the terminal is as it was" eventually 5 shows full '^ echo'

coloured() { tmux capture-pane -e -p -t "$1" | grep -q $'\e\[31m'; }
check "what was refused is red" coloured lines
terminal bare 80 24 'NO_COLOR=1 terok-shield watch web'
check "watch says from where on" eventually 10 shows bare '^[0-9:]{8} watching from here on'
check_not "a name that is not allowed fails" fast_get web http://third.test/
check "and tells of it" eventually 10 shows bare '^[0-9:]{8} refused  third\.test'
check "without colour where NO_COLOR is set" eval '! coloured bare'

proxies | xargs kill -9
check "the events go on when the forwarder's worker was replaced" eventually 10 eval '[ "$(grep -c "\"action\":\"hello\"" /srv/bed/watch)" = 2 ]'
check_not "another name that is not allowed fails" fast_get web http://fourth.test/
check "and the next worker's are told" eventually 10 seen '"action":"blocked_query","container":"web","domain":"fourth.test"'
check "a second container starts" shield run api --profiles my -- -d $image sleep 600
check "watch --all picks it up" eventually 10 shows lines '^[0-9:]{8} api watching'
check_not "what it does" fast_get api http://fifth.test/
check "is told with its name" eventually 10 shows lines '^[0-9:]{8} api refused  fifth\.test'

terminal interrupted 80 24 'terok-shield top web'
terminal terminated 80 24 'terok-shield top web'
terminal left 80 24 'terok-shield top web'
for name in interrupted terminated left; do check "top shows its screen, to be $name" eventually 10 shows $name '^allowed\.test'; done
tmux send-keys -t interrupted C-c
pkill -TERM -P "$(tmux display-message -p -t terminated '#{pane_pid}')" -f 'terok-shield top'
tmux send-keys -t lines C-c
check "the first container is removed" pod rm -f -t 0 web
for name in interrupted terminated left; do
	check "top ends with 0 when it is $name by key, signal or container" eventually 10 shows $name '^status 0'
	check "and the terminal is as it was" eventually 5 shows $name '^ echo'
	check "nothing is left of its screen" shows_not $name 'EXPIRES'
done
check "when the container has ended it says so" shows left '^web has ended'
check "Ctrl-C ends watch with 0" eventually 5 shows lines '^(\^C)?status 0'
check "watch of a container ends with it" eventually 10 eval '! kill -0 $watcher'
wait $watcher
check_equal "with 0" 0 $?
check_output "its last line says that it has ended" '"source":"shield","action":"ended","container":"web"\} $' tail -1 /srv/bed/watch
check_failure "top without a terminal says what to use" 'rules --json' shield top api
check_failure "watch of a container that does not run fails" 'Error: ' shield watch web
check "the second container is removed" pod rm -f -t 0 api
check "no process of ours is left" eventually 5 no_proxies
finish
