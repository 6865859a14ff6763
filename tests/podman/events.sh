#!/bin/bash
# What the forwarder tells of a workload: each kind of event, once, in order, with the right name and in time; a burst; and what is kept of it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
stream=/srv/bed/events
# Reads the container's events into a file, each line with the time of its arrival in milliseconds before it.
cat >/srv/bed/reader.pl <<'END'
use strict; use Socket; use Time::HiRes qw(time);
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die; connect($socket, pack_sockaddr_un($ARGV[0])) or die "$ARGV[0]: $!";
syswrite $socket, "events\n"; $| = 1;
while (my $line = <$socket>) { printf "%d %s", time() * 1000, $line }
END
# Sends one datagram to each of so many addresses.
cat >/srv/bed/burst.pl <<'END'
use strict; use Socket;
socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die;
send $socket, "x", 0, pack_sockaddr_in(9, pack("N", 0xcb400000 + $_)) for 0 .. $ARGV[0] - 1;
END

read_events() { # CONTAINER
	perl /srv/bed/reader.pl "$containers/$1/control.sock" >$stream 2>&1 &
	reader=$!
	eventually 5 grep -q '"action":"hello"' $stream
}
mark() { begun=$(($(wc -l <$stream) + 1)); } # what comes from here on
since() { tail -n "+$begun" $stream; }
event_count() { since | grep -c "$1" || true; } # REGEX
seen() { since | grep -q "$1"; } # REGEX
check_event() {	# SENTENCE REGEX : exactly one such event came since the mark
	eventually 5 seen "$2"
	since >"$last"
	if [ "$(event_count "$2")" = 1 ]; then pass "$1"; else echo "wanted once /$2/, got $(event_count "$2")" >>"$last"; fail "$1"; fi
}
ordered() {	# REGEX... : their first lines come in this order
	local at=0 line regex
	for regex in "$@"; do
		line=$(since | grep -n "$regex" | head -1 | cut -d: -f1)
		[ -n "$line" ] && [ "$line" -gt $at ] || return 1
		at=$line
	done
}
connection() { echo "\"source\":\"nflog\",\"action\":\"$1\",\"container\":\"web\",$2"; } # ACTION MEMBERS
query() { echo "\"source\":\"dns\",\"action\":\"$1\",\"container\":\"web\",\"domain\":\"$2\""; } # ACTION NAME

profile my =allowed.test '!no.allowed.test'
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check "its events can be read" read_events web
routes=$(judge web ip -6 route show default)

mark
check_reached "an allowed name is reached" web http://allowed.test/
check_event "its address is told as learned" "$(query learned allowed.test),\"dest\":\"198.51.100.10\""
check_event "the connection is told with the name" "$(connection allowed_connection '"domain":"allowed.test","dest":"198.51.100.10","port":80,"proto":"tcp"')"
check "learned comes before the connection" ordered '"action":"learned"' '"action":"allowed_connection"'

mark
inside web timeout 4 nslookup -type=a denied.test >/dev/null 2>&1
check_event "a refused name is told with the reason" "$(query blocked_query denied.test),\"query_type\":\"A\",\"detail\":\"not in the profile\""
fast_get web http://203.0.113.20/ >/dev/null 2>&1
check_event "a refused address is told, a retransmission is not told again" "$(connection queued_connection '"dest":"203.0.113.20","port":80,"proto":"tcp"')"
fast_get web http://10.99.0.1/ >/dev/null 2>&1
check_event "an inside address is told as one" "$(connection private_range '"dest":"10.99.0.1","port":80,"proto":"tcp"')"
judge web dig +tries=1 +time=3 secret.denied.test @8.8.8.8 >/dev/null 2>&1
check_event "a question for another resolver is told as what the forwarder refused" "$(query blocked_query secret.denied.test),\"query_type\":\"A\""
check "they came in the order in which they were done" ordered '"domain":"denied.test"' '"dest":"203.0.113.20"' '"action":"private_range"' '"domain":"secret.denied.test"'
if [ -n "$routes" ]; then
	judge web bash -c 'echo x >/dev/udp/2001:db8:1::20/9' 2>/dev/null
	check_event "a refused IPv6 address is told" "$(connection queued_connection '"dest":"2001:db8:1::20","port":9,"proto":"udp"')"
fi

# From the packet to the reader, the best of five: the machine does other things too.
best=1000000
for i in 1 2 3 4 5; do
	sent=$(judge web bash -c "date +%s%3N; echo x >/dev/udp/203.0.113.20/100$i" 2>/dev/null)
	eventually 5 seen "\"port\":100$i"
	took=$(($(since | grep "\"port\":100$i" | head -1 | cut -d' ' -f1) - sent))
	[ $took -lt $best ] && best=$took
done
check "a packet is told within 100 ms: $best ms" test "$best" -lt 100

mark
judge web perl /srv/bed/burst.pl 10000
told() { since | grep '"action":"queued_connection"' | grep -oE '"dest":"203\.(6[4-9]|[7-9][0-9])\.[0-9.]+"' | sort | uniq -c | awk '$1 == 1' | wc -l; }
lost() { since | grep '"action":"lost"' | grep -oE '"count":[0-9]+' | cut -d: -f2 | awk '{ sum += $1 } END { print sum + 0 }'; }
all_told() { [ $(($(told) + $(lost))) = 10000 ]; }
eventually 10 all_told
check_equal "each of a burst of 10,000 destinations is told once or counted as lost ($(lost) lost)" 10000 $(($(told) + $(lost)))
[ "$mode" = rootful ] && check_equal "and none is lost" 0 "$(lost)"

mark
check "the name is denied" shield deny web allowed.test
check_event "that is told" '"source":"audit","action":"denied","container":"web","dest":"allowed.test"'
check_event "and that its address is no longer held" "$(query ended allowed.test),\"dest\":\"198.51.100.10\""
judge web bash -c 'echo x >/dev/udp/198.51.100.10/9' 2>/dev/null
check_event "a connection there is told with the name that it had" "$(connection '[a-z_]*' '"domain":"allowed.test","dest":"198.51.100.10","port":9,"proto":"udp"')"

mark
check "the shield is bypassed" shield down web
check_event "that is told" '"source":"audit","action":"shield_down","container":"web"'
check_reached "a name that no rule allows is reached" web http://other.test/
check_event "it is told as a bypass, with the name" "$(connection bypass_connection '"domain":"other.test","dest":"203.0.113.20","port":80,"proto":"tcp"')"
check "the shield is back" shield up web
check_event "that is told" '"source":"audit","action":"shield_up","container":"web"'

blocked() { shield logs --container web -n 10000 | grep '"action": *"blocked"'; }
check_output "the audit log has the refused address" '"dest": *"203\.0\.113\.20"' blocked
check "and no line for each of the burst" test "$(blocked | wc -l)" -lt 400
check_not "nothing is left of the events' numbers" sh -c "grep -o '\"seq\":[0-9]*' $stream | cut -d: -f2 | sort -n | uniq -d | grep -v '^0$' | grep ."

kill "$reader" 2>/dev/null
check "the container is removed" pod rm -f -t 0 web
kept=$containers/web/activity.json
check_output "what it did is kept" '"container":"web"' cat "$kept"
check "with the name" grep -q '"kind":"name","name":"allowed.test","verdict":"allowed"' "$kept"
check "the connection, which was made" grep -qE '"kind":"connection","name":"allowed.test","dest":"198.51.100.10","port":80,"proto":"tcp","verdict":"allowed",.*"made":[1-9]' "$kept"
check "what went through the address" grep -qE '"kind":"address","name":"allowed.test","dest":"198.51.100.10","packets":[1-9]' "$kept"
check "and what was refused" grep -q '"kind":"name","name":"denied.test","verdict":"refused"' "$kept"
finish
