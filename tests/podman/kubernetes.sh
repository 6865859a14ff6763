#!/bin/bash
# The runtime of a RuntimeClass, driven as by containerd's shim and by CRI-O, whose conmon is the real one: real crun, a root out of busybox, a
# network namespace that was set up before and is given by its path, kubelet's resolv.conf with the cluster's DNS. There is no cluster in this.
. "$(dirname "$0")/../support/lib.sh"
runtime=/opt/terok-shield/libexec/terok-shield/kubernetes/crun
node=/etc/terok/shield
state=/var/lib/terok/shield
work=/srv/bed/pods
default_caps='CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'	# containerd's

# ---- what kubelet, the runtimes and the network plugin do ------------------------

id_of() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }
quoted() { sed 's/[^ ]\+/"&"/g; s/ \+/,/g' <<<"$1"; }
capabilities() { local all; all=$(quoted "$(sed 's/[^ ]\+/CAP_&/g' <<<"$1")"); echo "{\"bounding\":[$all],\"effective\":[$all],\"permitted\":[$all]}"; }
bundle() { echo "$work/$1"; }

network() {	# POD NUMBER : as a network plugin: a namespace with an address, a route, no masquerading
	ip netns add "$1"
	ip link add "v$2" type veth peer name eth0 netns "$1"
	ip addr add "10.88.$2.1/24" dev "v$2"
	ip -6 addr add "fd88:$2::1/64" dev "v$2" nodad
	ip link set "v$2" up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "10.88.$2.2/24" dev eth0
	ip -n "$1" -6 addr add "fd88:$2::2/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "10.88.$2.1"
	ip -n "$1" -6 route add default via "fd88:$2::1"
}

# What a container is made of; each check changes what it is about.
fresh() {	# POD
	pod_name=$1 family=containerd kind=sandbox sandbox=$(id_of "$1") netns=/run/netns/$1 caps=$default_caps annotations='' pids='{"type":"pid"},' net=''
}

say_kind() {	# FAMILY KIND SANDBOX
	case $1 in
	containerd) echo "\"io.kubernetes.cri.container-type\":\"$2\",\"io.kubernetes.cri.sandbox-id\":\"$3\"" ;;
	crio) echo "\"io.kubernetes.cri-o.ContainerType\":\"$2\",\"io.kubernetes.cri-o.SandboxID\":\"$3\",\"io.kubernetes.cri-o.TTY\":\"false\"" ;;
	esac
}

config() {	# NAME ARG... : its config.json, as `fresh` and what came after it say
	local name=$1 args; shift
	args=$(printf ',"%s"' "$@")
	mkdir -p "$(bundle "$name")"
	[ -n "$net" ] || net="{\"type\":\"network\",\"path\":\"$netns\"},"
	[ -n "${kind_said:-}" ] || kind_said=$(say_kind $family $kind "$sandbox")
	cat >"$(bundle "$name")/config.json" <<-END
	{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":[${args#,}],"env":["PATH=/bin"],"cwd":"/","capabilities":$(capabilities "$caps"),
	"rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":18446744073709551615}]},
	"root":{"path":"$work/root"},"hostname":"pod","mounts":[{"destination":"/proc","type":"proc","source":"proc"},
	{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]},
	{"destination":"/etc/resolv.conf","type":"bind","source":"$work/resolv.conf","options":["bind","ro"]}],
	"linux":{"namespaces":[$pids$net{"type":"ipc"},{"type":"uts"},{"type":"mount"}]},
	"annotations":{"io.kubernetes.other":"1"${annotations:+,$annotations},$kind_said}}
	END
	kind_said=
	net=
}

# The real ones give no --cgroup-manager: the bed must not touch the machine's cgroups.
global() {	# NAME : global options as each of the two calls with
	case $family in
	containerd) echo "--root /run/k8s --log $(bundle "$1")/log.json --log-format json --cgroup-manager disabled" ;;
	crio) echo "--root=/run/k8s --cgroup-manager=disabled" ;;
	esac
}
call() {	# NAME COMMAND ARG...
	# shellcheck disable=SC2046  # words
	as "$user" "$runtime" $(global "$1") "${@:2}"
}

create_containerd() {	# NAME FOLDER
	rm -f "$2/log.json"
	call "$1" create --bundle "$2" --pid-file "$2/init.pid" "$(id_of "$1")" >"$2/out" 2>&1 </dev/null && return
	if [ -s "$2/log.json" ]; then cat "$2/log.json"; else cat "$2/out"; fi	# as its shim does
	return 1
}
create_crio() {	# NAME FOLDER : conmon says in its pipe what has become of it
	local id; id=$(id_of "$1")
	mkdir -p $work/exits $work/sockets
	rm -f "$2/sync"
	env -i _OCI_SYNCPIPE=3 _OCI_STARTPIPE=4 /usr/bin/conmon -b "$2" -c "$id" -u "$id" -n "$1" -r "$runtime" -p "$2/init.pid" -P "$2/conmon.pid" -l "$2/log" --log-level info \
		--exit-dir $work/exits --socket-dir-path $work/sockets --persist-dir "$2" --runtime-arg --root=/run/k8s --runtime-arg --cgroup-manager=disabled 3>"$2/sync" 4<<<x >"$2/out" 2>&1 </dev/null
	eventually 25 grep -q '}' "$2/sync"
	grep -q '"pid": *[1-9]' "$2/sync" || { cat "$2/out" "$2/sync"; return 1; }
}
create() { "create_$family" "$1" "$(bundle "$1")"; }	# NAME : what it prints when it fails is what the caller gets to see
run() { create "$1" && call "$1" start "$(id_of "$1")"; }	# NAME
delete() { call "$1" kill "$(id_of "$1")" 9; sleep 0.2; call "$1" delete --force "$(id_of "$1")"; }	# NAME
pid() { cat "$(bundle "$1")/init.pid"; }

sandbox() { config "$1" sleep 3600; run "$1"; }	# NAME
workload() {	# NAME : in the sandbox of the pod in $pod_name
	kind=container
	[ $family = crio ] || netns=/proc/$(pid "$pod_name")/ns/net
	config "$1" sleep 3600
	run "$1"
}
process() {	# NAME CMD... : as kubelet's exec: the process as the manifest has it
	local args; args=$(printf ',"%s"' "${@:2}")
	echo "{\"user\":{\"uid\":0,\"gid\":0},\"args\":[${args#,}],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\",\"capabilities\":$(capabilities "$caps")}" >"$work/process.json"
	call "$1" exec --process "$work/process.json" "$(id_of "$1")"
}
fetch() { process "$1" timeout 8 wget -q -O- "$2"; }	# NAME URL
fast_fetch() { process "$1" timeout 4 wget -q -O- "$2"; }
node_shield() { shield --state-dir $state "$@"; }
not_started() { ! call "$1" state "$(id_of "$1")" 2>/dev/null | grep -q '"status"'; }	# NAME

refused() {	# SENTENCE REGEX NAME : it is not created, the reason is where the caller looks, nothing is left
	if create "$3" >"$last" 2>&1; then fail "$1"; delete "$3" >/dev/null 2>&1; return; fi
	if ! grep -qE "$2" "$last"; then echo "wanted /$2/" >>"$last"; fail "$1"; return; fi
	check "$1" not_started "$3"
}

# ---- the node --------------------------------------------------------------------

mkdir -p $work/root
tar -C $work/root -xf /srv/bed/image.tar
chmod 755 $work
printf 'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n' >$work/resolv.conf

if [ "$mode" = rootless ]; then
	fresh one
	chown -R "$user" $work
	family=containerd
	config one sleep 3600
	check_failure "a user other than root shields no pods" "pods are root's to shield" create one
	check "and nothing was started" not_started one
	finish
	exit
fi

mount -t tmpfs tmpfs /var/lib
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n world route add 10.88.0.0/16 via 10.99.0.2
ip -n world -6 route add fd88::/16 via fd99::2
ip addr add 10.96.0.10/32 dev lo
ip addr add 10.96.0.20/32 dev lo
dnsmasq --conf-file=/dev/null --pid-file=/run/dnsmasq.cluster.pid --no-resolv --no-hosts --listen-address=10.96.0.10 --bind-interfaces --user=root --group=root \
	--host-record=web.default.svc.cluster.local,10.96.0.20 --local=/cluster.local/ --server=10.99.0.1
busybox httpd -p 10.96.0.20:80 -h /srv/bed/www

fresh one
network one 1
config one sleep 3600
refused "a node without configuration starts no pod" 'not configured for shielded pods' one
mkdir -p $node/profiles
printf 'default_profiles: [node]\ndns: {upstream: [10.96.0.10]}\n' >$node/config.yml
printf 'both.test\n' >$node/profiles/node.txt
printf 'allowed.test\nv6.test\nweb.default.svc.cluster.local\n10.96.0.0/12\n' >$node/profiles/my.txt
chmod 666 $node/config.yml
refused "a configuration that others can write is refused" 'config\.yml can be written by group or others' one
chmod 644 $node/config.yml
chown tb1 $node/profiles/node.txt
refused "a profile of another user's is refused" 'node\.txt does not belong to root' one
chown root $node/profiles/node.txt

# ---- a pod, by each of the two ---------------------------------------------------

shielded() {	# SENTENCE NAME : both halves of the policy hold in a container
	check_output "$1: an allowed name works" '^world $' fetch "$2" http://allowed.test/
	check_not "$1: another address fails" fast_fetch "$2" http://203.0.113.20/
	check_not "$1: another IPv6 address fails" fast_fetch "$2" 'http://[2001:db8:1::20]/'
}

for family in containerd crio; do
	pod=$family number=$((${number:-1} + 1)) by=$family
	fresh $pod
	family=$by
	annotations='"terok.shield.profiles":"my","terok.shield.ports":"8080"'
	network $pod $number
	check "$family: a sandbox starts" sandbox $pod
	check_equal "$family: its bundle is root's alone" '0 700' "$(stat -c '%u %a' $state/containers/"$sandbox")"
	check_output "$family: the shield is up" '^up $' node_shield status "$sandbox"
	check "$family: a number too large for a double is as it was" grep -q '"hard":18446744073709551615' "$(bundle $pod)/config.json"
	check "$family: a container starts in it" workload $pod-a
	shielded "$family" $pod-a
	check_output "$family: an allowed name has IPv6 too" '^world $' fetch $pod-a http://v6.test/
	check_output "$family: a name of the cluster works, by the resolv.conf that kubelet made" '^world $' fetch $pod-a http://web/
	check_not "$family: a name that is not allowed fails" fast_fetch $pod-a http://other.test/
	check "$family: and was asked of nobody" never_asked other.test
	process $pod-a nslookup secret.example.test 203.0.113.53 >/dev/null 2>&1
	check "$family: questions to another resolver reach nobody" no_stray_dns
	check_equal "$family: CAP_NET_RAW is gone, and the other capabilities are there" 00000000a80405fb "$(process $pod-a grep CapBnd /proc/1/status | cut -f2)"
	check_equal "$family: a process of exec has it neither" 00000000a80405fb "$(process $pod-a grep CapEff /proc/self/status | cut -f2)"
	caps="$default_caps NET_ADMIN"
	check_failure "$family: exec does not give CAP_NET_ADMIN" 'CAP_NET_ADMIN, which can remove the rules' process $pod-a true
	caps=$default_caps
	check_failure "$family: nor by an option" "option '--cap' is not supported" call $pod-a exec --cap CAP_NET_ADMIN "$(id_of $pod-a)" true
	check_output "$family: other commands pass" '"status": ?"running"' call $pod-a state "$(id_of $pod-a)"
	check "$family: verify finds that it holds, from outside and by trying" node_shield verify "$sandbox"

	check "$family: a second container starts" workload $pod-b
	shielded "$family, second container" $pod-b
	check "$family: allow, at the node" node_shield allow "$sandbox" 203.0.113.40
	check_output "$family: it holds for one container" '^world $' fetch $pod-a http://203.0.113.40/
	check_output "$family: and for the other" '^world $' fetch $pod-b http://203.0.113.40/
	check "$family: a container ends and is deleted" delete $pod-a
	check "$family: and is made anew, with rules that have changed since" workload $pod-a
	shielded "$family, after a container's restart" $pod-a
	shielded "$family, the container that was not restarted" $pod-b

	nsenter -t "$(pid $pod-a)" -n busybox httpd -p 8080 -h /srv/bed/www
	nsenter -t "$(pid $pod-a)" -n busybox httpd -p 8081 -h /srv/bed/www
	check_output "$family: a port that the pod names can be connected to" '^world $' timeout 4 busybox wget -q -O- "http://10.88.$number.2:8080/"
	check_not "$family: another one not" timeout 4 busybox wget -q -T 2 -O- "http://10.88.$number.2:8081/"
	ip netns pids $pod | while read -r process; do [ "$(cat "/proc/$process/comm")" != busybox ] || kill "$process"; done

	# Who claims to be in the pod and is not.
	kind=container netns=/run/netns/one
	config $pod-c sleep 3600
	check_not "$family: a container in another namespace is refused" create $pod-c
	check_output "$family: and the sandbox's log says why" 'not in the network namespace of its sandbox' cat $state/containers/"$sandbox"/hook-error.log
	netns=/proc/1/ns/net
	config $pod-c sleep 3600
	check_not "$family: a container in the node's namespace is refused" create $pod-c
	netns=/run/netns/$pod caps="$default_caps NET_ADMIN"
	config $pod-c sleep 3600
	refused "$family: a container with CAP_NET_ADMIN is refused" 'CAP_NET_ADMIN, which can remove the rules: leave out privileged' $pod-c
	caps=$default_caps
	ip netns exec $pod nft insert rule inet terok_shield output accept
	config $pod-c sleep 3600
	check_not "$family: no container joins rules that were changed" create $pod-c
	check_output "$family: and the sandbox's log says so" 'rules of the sandbox are not what they should be' cat $state/containers/"$sandbox"/hook-error.log
	check "$family: up puts them back" node_shield up "$sandbox"
	check "$family: and then a third container starts" workload $pod-c

	# The end, in both orders.
	if [ $family = containerd ]; then
		for name in a b c; do check "$family: container $name is deleted" delete $pod-$name; done
		check "$family: the sandbox is deleted" delete $pod
	else
		check "$family: the sandbox ends before its containers" delete $pod
		check_not "$family: an allowed name fails then" fast_fetch $pod-a http://allowed.test/
		check_not "$family: another address still fails" fast_fetch $pod-a http://203.0.113.20/
		kind=container
		config $pod-d sleep 3600
		refused "$family: no container joins a sandbox that is gone" 'has no shield' $pod-d
		for name in a b c; do check "$family: container $name is deleted" delete $pod-$name; done
	fi
	check "$family: the forwarder has ended" eventually 5 no_proxies
	check "$family: the audit log stays" grep -q '"action":"setup"' $state/containers/"$sandbox"/audit.jsonl
done

# ---- without annotations ---------------------------------------------------------

family=containerd
fresh one
check "a pod without annotation starts" sandbox one
check "and its container" workload one-a
check_output "the node's default profile holds" '^world $' fetch one-a http://both.test/
check_not "and no other" fast_fetch one-a http://allowed.test/

# ---- what is refused -------------------------------------------------------------

network two 9
bad() {	# SENTENCE REGEX ANNOTATION...
	fresh two
	annotations=$3
	config two sleep 3600
	refused "$1" "$2" two
}
bad "an annotation that names a state folder is refused" "terok.shield.\* it may set profiles and ports only" '"terok.shield.state_dir":"/tmp/x"'
bad "one that names a sandbox too" "it may set profiles and ports only" "\"terok.shield.sandbox\":\"$(id_of one)\""
bad "a profile that does not exist is refused" 'nosuch' '"terok.shield.profiles":"nosuch"'
bad "a profile's name that is a path is refused" 'is no name of a profile' '"terok.shield.profiles":"my:../../../etc/passwd"'
bad "a profile's name with terminal codes is refused, and shown without them" 'no name of a profile' '"terok.shield.profiles":"\u001b[2J\u0007"'
bad "ports that are none are refused" 'begins with no port' '"terok.shield.ports":"8080:all"'
bad "an annotation that is there twice is refused" 'is there twice' '"terok.shield.profiles":"my","terok.shield.profiles":"node"'
bad "a pod that says to be of both runtimes is refused" 'both containerd and CRI-O' "$(say_kind crio sandbox "$(id_of two)")"
fresh two
config two sleep 3600
sed -i 's/"io.kubernetes.cri.container-type":"sandbox",//; s/"io.kubernetes.cri.sandbox-id":"[0-9a-f]*"/"x":"y"/' "$(bundle two)/config.json"
refused "a container of neither runtime is refused" 'for containerd and CRI-O only' two
fresh two
family=crio kind_said=$(say_kind crio container "$(id_of one)")
config two sleep 3600
check_not "a sandbox that says to be a container of another pod is refused" create two
family=crio kind_said=$(say_kind crio sandbox "$(id_of one)")
config two sleep 3600
refused "a sandbox that says to be another is refused" 'says that it is the sandbox' two
family=crio kind_said=$(say_kind crio container "$(id_of two)")
config two-a sleep 3600
refused "a container whose sandbox this runtime did not make is refused" 'drop_infra_ctr = false' two-a
family=containerd
fresh two
pids=
config two sleep 3600
refused "a pod among the node's processes is refused" 'leave out hostPID' two
fresh two
net=' '
config two sleep 3600
refused "a pod on the node's network is refused" 'leave out hostNetwork' two
netns=/proc/1/ns/net
config two sleep 3600
check_not "also when it names the namespace by a path" create two
fresh two
caps="$default_caps SYS_ADMIN NET_ADMIN SYS_MODULE"
config two sleep 3600
refused "a privileged pod is refused" 'leave out privileged' two
fresh two
config two sleep 3600
check_failure "a restore is refused" 'cannot be restored' call two restore --bundle "$(bundle two)" "$(id_of two)"
for program in terok-shield-runtime-strict terok-shield-node terok-shield-hook; do
	mount --bind /dev/null /opt/terok-shield/libexec/terok-shield/$program
	config two sleep 3600
	refused "without $program no pod starts" "$program is missing or cannot be executed" two
	umount /opt/terok-shield/libexec/terok-shield/$program
done
check "and with all of it one does" sandbox two
kill -9 "$(supervisors | tail -1)"
family=containerd kind=container
config two-a sleep 3600
refused "no container joins a sandbox whose forwarder is gone" 'the forwarder of sandbox .* is gone: delete the pod' two-a

# ---- nothing is left -------------------------------------------------------------

fresh two
for name in one-a one two; do check "$name is deleted" delete $name; done
check "no forwarder is left" eventually 5 no_proxies
check_equal "no container is left" '' "$(call one list -q)"
check_equal "no hook or node program is left" '' "$(pgrep -f 'terok-shield-(hook|node)')"
check "no stray question left the pods" no_stray_dns
finish
