#!/bin/bash
# terok-shield is uninstalled while a shielded container runs: it does not start again unshielded, and docs/migration.md has a way out, which is walked here.
. "$(dirname "$0")/../support/lib.sh"
profile my =allowed.test
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
init=$(pod inspect -f '{{.State.Pid}}' web)
mount -t tmpfs tmpfs /opt/terok-shield
check_failure "podman stop fails while it is gone" 'terok-shield' pod stop -t 0 web
check "the container still runs" kill -0 "$init"
refused_inside() { ! nsenter -t "$init" -n busybox timeout 4 busybox wget -q -O- http://203.0.113.20/; }
check "and is still shielded" refused_inside
case $mode in
rootless) check "the way out: its first process is ended" pod unshare kill -KILL "$init" ;;
rootful) check "the way out: its first process is ended" kill -KILL "$init" ;;
esac
ended() { ! kill -0 "$init" 2>/dev/null || grep -q 'State:.*Z' "/proc/$init/status"; }
check "it is gone" eventually 5 ended
check "its forwarder is gone with it" eventually 5 no_proxies
remember pod rm -f -t 0 web	# says that the runtime is missing, and removes it all the same
check_equal "the way out: podman has forgotten it" "" "$(pod ps -a --format '{{.Names}}' 2>/dev/null)"
umount /opt/terok-shield
check "installed again, the name can be used again" shield run web --profiles my -- -d $image sleep 600
runtime=$(readlink -f /opt/terok-shield)/libexec/terok-shield/crun
init=$(pod inspect -f '{{.State.Pid}}' web)
mount -t tmpfs -o mode=755 tmpfs /opt/terok-shield
mkdir -p "$(dirname "$runtime")"
ln -s "$(command -v crun)" "$runtime"
remember pod stop -t 0 web	# crun may complain: the hook that it is to run at the end is missing too
check "the other way out: a link to the real runtime lets podman stop it" eventually 5 ended
check "and the container is removed" pod rm -f web
check "no forwarder is left" eventually 5 no_proxies
umount /opt/terok-shield
finish
