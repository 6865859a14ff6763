#!/bin/bash
# Numbers and reports of real containers: metrics for Prometheus, health for scripts, and a page about what was done.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/reach.sh"
prom=$home/shield.prom
page=$home/web.html

metric() { shield metrics 2>/dev/null | grep -F "$1" | head -1; } # NAME{LABELS} : its line
is() { [ "$(metric "$1" | awk '{ print $NF }')" = "$2" ] || { metric "$1"; return 1; }; } # NAME{LABELS} NUMBER
at_least() { [ "$(metric "$1" | awk '{ print int($NF) }')" -ge "$2" ] || { metric "$1"; return 1; }; }
health() { shield status "$1" --json | grep -oE '"health": *"[a-z]+"' | cut -d'"' -f4; }
counted() { shield status --json | grep -oE '"containers": *\{[^}]*\}'; }

profile my =allowed.test '!no.allowed.test'
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check "another starts" shield run idle --profiles my -- -d $image sleep 600

check_reached "an allowed name is reached" web http://allowed.test/
inside web timeout 4 nslookup -type=a denied.test >/dev/null 2>&1
fast_get web http://203.0.113.20/ >/dev/null 2>&1
fast_get web http://10.99.0.1/ >/dev/null 2>&1

check "both are up" is 'terok_shield_up{container="idle"}' 1
check "the state is one of six" is 'terok_shield_state{container="web",state="up"}' 1
check "a question is counted" at_least 'terok_shield_dns_queries_total{container="web"}' 2
check "a refused one too" at_least 'terok_shield_dns_queries_refused_total{container="web"}' 1
check "and is not counted for the other container" is 'terok_shield_dns_queries_refused_total{container="idle"}' 0
check "the learned address is counted" is 'terok_shield_learned_elements{container="web",set="learned_v4"}' 1
check "a refused packet is counted" at_least 'terok_shield_refused_packets_total{container="web",chain="blocked"}' 1
check "one to an inside address too" at_least 'terok_shield_refused_packets_total{container="web",chain="private"}' 1
check "how long the set took is measured" at_least 'terok_shield_dns_to_set_duration_seconds_count{container="web"}' 1
check "one container alone" test "$(shield metrics web | grep -c '^terok_shield_up{')" = 1
shield metrics 2>/dev/null | grep -v '^#' | sed 's/ [^ ]*$//' | sort | uniq -d >"$last"
check_equal "each sample comes once" "" "$(cat "$last")"
check "a file for the collector" shield metrics --output "$prom"
check_output "is readable by others" '^644 ' stat -c %a "$prom"
check "and has all of it" grep -q '^terok_shield_up{container="web"} 1$' "$prom"

check_equal "its health is ok" ok "$(health web)"
check "bypassed" shield down web
check_equal "its health says so" bypassed "$(health web)"
check_reached "what no line allows is reached meanwhile" web http://other.test/
check "back" shield up web
check_output "the healths are counted" '"ok": *2' counted
check "the forwarder's processes are stopped" kill -STOP "$(supervisors | head -1)" "$(supervisors | tail -1)" $(proxies)
check "a container whose forwarder does not answer is not up" is 'terok_shield_up{container="web"}' 0
check_equal "and its health is failed" failed "$(health web)"
kill -CONT $(supervisors) $(proxies)
up_again() { is 'terok_shield_up{container="web"}' 1; }
check "it is up again once it answers" eventually 15 up_again
check "a report of a running container" shield report web --output "$page"
check_output "is for its owner alone" '^600 ' stat -c %a "$page"
check "it names the line that let a name through" grep -qF 'my.txt:1' "$page"
check "denied" shield deny web allowed.test
pod rm -f -t 0 idle >/dev/null 2>&1
check "the container is stopped" pod stop -t 0 web
check_equal "its health is inactive" inactive "$(health web)"
check "a stopped one is not up" is 'terok_shield_up{container="web"}' 0
check "a report of a stopped container" shield report web --output "$page"
for word in '<h1>web</h1>' 'allowed.test' '198.51.100.10' 'denied.test' '203.0.113.20' '10.99.0.1' 'inside address' 'other.test' 'shield down' 'no line names it' 'denied since' 'denied.domains:1' '</html>'; do
	check "it has '$word'" grep -qF -- "$word" "$page"
done
check "it runs nothing" sh -c "! grep -qiE '<script|javascript:|<(img|link|iframe|object|embed)' '$page'"
check_failure "there is none of a container that is not" 'no shielded container' shield report nobody
check "the container is removed" pod rm -f -t 0 web
finish
