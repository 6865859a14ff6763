#!/bin/bash
# Every way in which a container comes back, but those of restart.sh: it dies again and again, its conmon is killed, the machine is rebooted,
# a unit of systemd's starts it. It is shielded each time, or does not start and says why. The world's judge counts what gets out.
. "$(dirname "$0")/../support/lib.sh"
profile my =allowed.test
printf 'reject: reset\n' | as "$user" tee "$configuration/config.yml" >/dev/null	# so that nothing waits for a retransmission
judge_begin 198.51.100.10
# A workload that attacks at once and all the time, and shows that an allowed name works.
# without busybox's timeout: it leaves a process behind that nobody waits for, until there are as many as there may be
attack='{ while :; do wget -T 1 -q -O- http://203.0.113.20/; done & while :; do nslookup out.test 203.0.113.53; done; } >/dev/null 2>&1 &'
works='timeout 8 wget -q -O- http://allowed.test/'

shielded() {	# SENTENCE : both halves of the policy hold
	check_output "$1: the state is up" '^up $' shield status web
	check_output "$1: an allowed name works" '^world $' get web http://allowed.test/
	check_not "$1: another address fails" fast_get web http://203.0.113.20/
	none_left "$1"
}

# ---- it dies ten times
check "a container whose workload dies at once starts" shield run web --profiles my -- -d --restart=always $image sh -c "$attack $works; exit 1"
died_ten_times() { [ "$(pod logs web 2>/dev/null | grep -c world)" -ge 11 ]; }
check "it dies ten times, and reaches what is allowed each time" eventually 60 died_ten_times
none_left "dying ten times"
check "the container is removed" eventually 10 pod rm -f -t 0 web	# podman fails when it dies at that moment
check "no forwarder is left" eventually 5 no_proxies

# ---- conmon is killed
check "a container starts" shield run web --profiles my -- -d $image sh -c "$attack exec sleep 600"
init=$(pod inspect -f '{{.State.Pid}}' web)
check "its conmon is killed" kill -9 "$(pod inspect -f '{{.State.ConmonPid}}' web)"
sleep 1
check_not "its rules stay: another address fails" nsenter -t "$init" -n busybox timeout 2 busybox wget -q -O- http://203.0.113.20/
none_left "without conmon"
remember pod stop -t 0 web	# podman 4.3 does not start it again after that, with crun alone as well
if remember pod start web; then
	shielded "started again after its conmon was killed"
else
	check_output "podman does not start it again and says why" 'must be in Created or Stopped state' cat "$last"
	none_left "not started again after its conmon was killed"
fi
check "it is removed" pod rm -f -t 0 web
check "no forwarder is left" eventually 5 no_proxies
check "another container of that name starts" shield run web --profiles my -- -d --restart=always $image sh -c "$attack exec sleep 600"
shielded "another one after conmon was killed"

# ---- reboot: all processes are gone at once, and what lies in memory with them
everything() { pgrep 'conmon|terok-shield|slirp4netns|pasta|passt|aardvark|netavark|rootlessport|catatonit|podman|sleep|nslookup|wget|timeout'; }
reboot() {
	local mount
	# shellcheck disable=SC2046  # a list
	kill -9 $(everything) 2>/dev/null
	sleep 0.5
	awk '$2 ~ "^/var/lib/containers/.|^/home/.*/containers/|^/run/(netns|containers|user)/.*" && $2 !~ "/world$" { print $2 }' /proc/mounts | tac | while read -r mount; do
		umount -l "$mount" 2>/dev/null
	done
	rm -rf /run/containers /run/libpod /run/crun /run/user/*/* /tmp/* /run/lock/*
	find /run/netns -name 'netns-*' -delete 2>/dev/null
	true
}
again=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/podman-restart.service)
check_output "podman-restart's command line is known" 'start --all --filter restart-policy=always' echo "$again"
unit() { as "$user" sh -c "LOGGING=--log-level=error; $1"; }	# COMMAND : as systemd would run it for this user
reboot
check_equal "after the reboot nothing runs" "" "$(everything)"
mount -t tmpfs tmpfs /opt/terok-shield
remember unit "$again"
check_output "not installed after the reboot: podman-restart says that it misses terok-shield's runtime" 'terok-shield' cat "$last"
check_output "and the container does not run" 'false $' pod inspect -f '{{.State.Running}}' web
umount /opt/terok-shield
check "podman-restart starts it" unit "$again"
shielded "after a reboot"
check "it is removed" pod rm -f -t 0 web
check "no forwarder is left" eventually 5 no_proxies

# ---- units of systemd's
unit_line() {	# KEY FILE : its command line, with what systemd puts in; the bed has no cgroups
	sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$2" | sed -n "s/^$1=//p" | head -1 | sed "s|%t|/run/user/$(id -u "$user")|g; s|%n|web.service|g; s|%[NU]|web|g; s|--cgroups=[a-z-]*|--cgroups=disabled|g"
}
units=/srv/bed/units
mkdir -p $units
check "a container for a unit starts" shield run web --profiles my -- -d $image sh -c "$attack exec sleep 600"
pod generate systemd web >$units/plain.service 2>/dev/null
pod generate systemd --new web >$units/new.service 2>/dev/null
check "the unit of the container: it stops" unit "$(unit_line ExecStop $units/plain.service) web"
check "no forwarder is left" eventually 5 no_proxies
check "the unit of the container: it starts" unit "$(unit_line ExecStart $units/plain.service)"
shielded "started by its unit"
check "the container is removed" pod rm -f -t 0 web
as "$user" mkdir -p "/run/user/$(id -u "$user")"
check "a unit that makes its container anew: it starts" unit "$(unit_line ExecStart $units/new.service)"
shielded "made by its unit"
check "the unit ends it" unit "$(unit_line ExecStopPost $units/new.service)"
check "no forwarder is left" eventually 5 no_proxies
mount -t tmpfs tmpfs /opt/terok-shield
check_failure "not installed: the unit fails and says that it misses terok-shield's runtime" 'terok-shield' unit "$(unit_line ExecStart $units/new.service)"
umount /opt/terok-shield
none_left "a unit without the shield"
pod rm -f -t 0 web >/dev/null 2>&1

# ---- quadlet, which podman has from 4.4 on
quadlet=/usr/libexec/podman/quadlet
if [ -x $quadlet ]; then
	mapfile -t flags < <(shield prepare web --profiles my --json | tr -d '\n' | sed 's/^\[ *//; s/ *\]$//; s/", *"/"\n"/g' | sed 's/^"//; s/"$//')
	mkdir $units/quadlet
	{
		printf '[Container]\nImage=%s\nContainerName=web\nExec=sh -c "%s exec sleep 600"\nPodmanArgs=' $image "$attack"
		printf '%s ' "${flags[@]/#--name/}" | sed 's/  web $//'
		printf '\n'
	} >$units/quadlet/web.container
	whose=()
	[ $mode = rootful ] || whose=(-user)
	QUADLET_UNIT_DIRS=$units/quadlet $quadlet -dryrun "${whose[@]}" >$units/quadlet.service 2>/dev/null
	check_output "quadlet makes a unit" 'terok.shield.profiles=my' cat $units/quadlet.service
	check "quadlet's unit starts it" unit "$(unit_line ExecStart $units/quadlet.service)"
	shielded "made by quadlet's unit"
	check "the container is removed" pod rm -f -t 0 web
fi
check "no forwarder is left" eventually 5 no_proxies
finish
