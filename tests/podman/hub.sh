#!/bin/bash
# What the socket of a desktop notifier is told of a container, and the notifier's verdict: a program that listens there as it does stands for it.
. "$(dirname "$0")/../support/lib.sh"
runtime_dir=/run/user/$(id -u "$user")
hub=$runtime_dir/terok-shield-events.sock
told=/srv/bed/hub
mkdir -p "$runtime_dir" # root has none here
# Writes what all its clients send into its output, line by line.
cat >/srv/bed/hub.pl <<'END'
use strict; use Socket; use IO::Select; use IO::Handle;
unlink $ARGV[0]; umask 0177; $| = 1;
socket(my $listener, PF_UNIX, SOCK_STREAM, 0) or die; bind($listener, pack_sockaddr_un($ARGV[0])) or die $!; listen($listener, 16) or die;
my $select = IO::Select->new($listener); my %rest;
print "listening\n";
while (my @ready = $select->can_read) {
	for my $from (@ready) {
		if ($from == $listener) { accept(my $client, $listener) or next; $select->add($client); next }
		unless (sysread $from, $rest{$from}, 65536, length($rest{$from} // '')) { $select->remove($from); close $from; next }
		print $1 while $rest{$from} =~ s/^(.*\n)//;
	}
}
END
hub_begin() {
	: >$told
	as "$user" perl /srv/bed/hub.pl "$hub" >>$told 2>&1 &
	hub_pid=$!
	eventually 5 grep -q listening $told
}
hub_end() { kill $hub_pid; wait $hub_pid 2>/dev/null; rm -f "$hub"; }
heard() { grep -qE -- "$1" $told; } # REGEX
heard_times() { grep -cE -- "$1" $told || true; } # REGEX

hub_begin
profile my allowed.test
as "$user" sh -c 'echo "{\"name\":\"first\",\"project\":\"p\"}" >~/task.json'
check "a shielded container starts" shield run web --profiles my -- -d --annotation dossier.task=7 --annotation dossier.name=none \
	--annotation "dossier.meta_path=$home/task.json" $image sleep 600
id=$(head -c 12 "$containers/web/container.id")
check "the hub hears of its start" eventually 5 heard "^\{\"type\":\"container_started\",\"container\":\"$id\",\"name\":\"web\"\}$"
check_equal "the path of the dossier's file is kept" "$home/task.json" "$(cat "$containers/web/meta_path")"

check_not "an address that is not allowed fails" fast_get web http://203.0.113.30:8080/
check "the hub is asked about it, with the dossier of this moment" eventually 5 heard \
	"^\{\"type\":\"pending\",\"container\":\"$id\",\"name\":\"web\",\"id\":\"$id:1\",\"dest\":\"203.0.113.30\",\"port\":8080,\"proto\":6,\"domain\":\"\",\"dossier\":\{\"name\":\"first\",\"task\":\"7\",\"project\":\"p\"\},\"ts\":\"[-0-9T:+]+\"\}$"
check "the audit log has the dossier too" eventually 5 grep -q '"action":"blocked","dest":"203.0.113.30","port":8080,"proto":"tcp","dossier":{"name":"first","task":"7","project":"p"}}' "$containers/web/audit.jsonl"
as "$user" sh -c 'echo "{\"name\":\"second\"}" >~/task.json.new && mv ~/task.json.new ~/task.json'
fast_get web http://203.0.113.30:8080/ >/dev/null 2>&1
check_not "another one fails" fast_get web http://203.0.113.20:8081/
check "the task's new name is told" eventually 5 heard '"dest":"203.0.113.20","port":8081,.*"dossier":\{"name":"second","task":"7"\}'
check_equal "the first is not asked about again so soon" 1 "$(heard_times '"dest":"203.0.113.30"')"
check_not "an inside address fails" fast_get web http://10.99.0.1/
as "$user" rm "$home/task.json"
check_not "a third one fails" fast_get web http://203.0.113.21:8082/
check "without the file there are only the annotations" eventually 5 heard '"dest":"203.0.113.21","port":8082,.*"dossier":\{"name":"none","task":"7"\}'
check_equal "an inside address is not asked about" 0 "$(heard_times '10\.99\.0\.1')"

check_output "the notifier's verdict is a command" "^Allowed 203.0.113.30 -> 203.0.113.30 for web $" shield allow "$id" 203.0.113.30
check "and lets the container through" get web http://203.0.113.30:8080/

check "down" shield down web
check "down --all" shield down web --all
check "up" shield up web
check "block" shield block web
check "and up again" shield up web
shifts() { grep -oE '"type":"shield_[a-z_]+","container":"'"$id"'","name":"web"' $told | cut -d'"' -f4 | tr '\n' ' '; }
check_equal "the hub hears of each but block, which it has no word for" "shield_down shield_down_all shield_up shield_up " "$(shifts)"

hub_end
check "without a hub, down is no slower or louder" shield down web
check "nor up" shield up web
fast_get web http://203.0.113.22:1/ >/dev/null 2>&1
hub_begin
sleep 1.2
fast_get web http://203.0.113.23:1/ >/dev/null 2>&1
check "the next hub is asked" eventually 5 heard "\"container\":\"$id\",.*\"dest\":\"203.0.113.23\""
check "verify finds nothing wrong" shield verify web
check "the container stops" pod stop -t 0 web
check "the hub hears of its end" eventually 5 heard "^\{\"type\":\"container_exited\",\"container\":\"$id\",\"name\":\"web\",\"reason\":\"(exited|stopped)\"\}$"
pod rm -f web >/dev/null 2>&1

check "a file of the system's is not read" shield run other --profiles my -- -d --annotation dossier.meta_path=/etc/passwd $image sleep 600
check "which the audit log says" grep -q 'dossier.meta_path is not read' "$containers/other/audit.jsonl"
check_not "its folder has no path" test -e "$containers/other/meta_path"
pod rm -f -t 0 other >/dev/null 2>&1
hub_end
finish
