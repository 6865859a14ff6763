#!/bin/bash
# verify says what holds and what does not, and run --verify does so before the workload starts, at every start.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
mkdir -p /srv/bed/proof /srv/bed/hooks /etc/containers/containers.conf.d
chmod 777 /srv/bed/proof
verdict() { shield verify "$1" --json | tr '{' '\n' | sed -n "s/^\"name\":\"$2\",.*\"verdict\":\"\([a-z-]*\)\".*/\1/p"; }	# CONTAINER CHECK

check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check_output "verify finds that all of it holds" 'The shield of web holds in state up: .* 0 FAILED, 0 NOT TRIED' shield verify web
id=$(pod inspect -f '{{.Id}}' web)
check_output "a container is accepted by its id" '"holds":true' shield verify "${id:0:12}" --json
for name in capture-udp-v4 capture-tcp-v4 denied-address-udp-v4 denied-address-tcp-v4 metadata-tcp-v4 denied-name-v6 capabilities port-53 resolv-conf next-start; do
	check_equal "it has tried $name" ok "$(verdict web $name)"
done
check "no question of verify's reached the world" never_asked invalid
check "nor did a packet to a DNS port" no_stray_dns
for state in down "down --all" block up; do
	# shellcheck disable=SC2086  # a word and an option
	check "the state goes to $state" shield ${state%% *} web ${state#"${state%% *}"}
	check_output "verify finds that it holds in $state" '"holds":true' shield verify web --json
done

check "a process gets rights by podman exec" pod exec -d --privileged web sleep 8
check_failure "verify sees it" 'capabilities +FAILED' shield verify web
check "once it has ended all holds again" eventually 15 shield verify web
judge web nft flush chain inet terok_shield capture
check_failure "verify sees that the capture is gone" 'rules +FAILED.*capture-udp-v4 +FAILED' shield verify web
check "up restores it" shield up web
check "and verify is content" shield verify web
pod stop -t 0 web >/dev/null 2>&1
check_failure "a container that does not run cannot be verified" 'web does not run' shield verify web
check "the container is removed" pod rm -f -t 0 web
check_failure "an unknown option is wrong usage" 'unknown option' shield verify web --nosuch
shield verify web --nosuch >/dev/null 2>&1; check_equal "with exit status 2" 2 $?

# ---- run --verify ----
attempt() { rm -f /srv/bed/proof/ran; as "$user" timeout 60 terok-shield run "${@:2}" "$1" --profiles my -- --rm -v /srv/bed/proof:/proof $image sh -c 'echo said; touch /proof/ran; exit 7'; }
attempt_and_status() { attempt "$@"; echo $?; }
check_output "run --verify runs the workload and adds nothing to what it says" '^said 7 $' attempt_and_status web --verify
check "the workload ran" test -e /srv/bed/proof/ran
check_output "run --verify -i hands its input on" '^word $' sh -c "echo word | setpriv --reuid=$user --regid=$user --init-groups --inh-caps=-all env -i PATH=$BED_PATH HOME=$home XDG_RUNTIME_DIR=/run/user/$(id -u "$user") terok-shield run web --verify --profiles my -- -i --rm $image cat"
# podman itself, without a shield, now and then loses what a container says on a terminal that it closes at once
check_output "run --verify -it gives it a terminal" '/dev/pts/' as "$user" script -qec "terok-shield run web --verify --profiles my -- -it --rm $image sh -c 'ls -l /proc/self/fd/0; sleep 1'" /dev/null
check "run --verify -d starts a container" shield run web --verify --profiles my -- -d $image sleep 600
check_output "podman has the verifying runtime for it" 'libexec/terok-shield/verify/crun $' pod inspect -f '{{.OCIRuntime}}' web
check_output "what is allowed works" '^world $' get web http://allowed.test/
check "verify is content" shield verify web
check "podman restart" pod restart -t 0 web
check_output "what is allowed works after it" '^world $' get web http://allowed.test/
check "podman stop" pod stop -t 0 web

# Somebody's own hook opens the rules when ours has verified them: nothing but a look at the start can see it.
cat > /srv/bed/hooks/open.json <<END
{"version":"1.0.0","hook":{"path":"/usr/sbin/nft","args":["nft","insert","rule","inet","terok_shield","output","accept"]},"when":{"always":true},"stages":["createContainer"]}
END
printf '[engine]\nhooks_dir = ["/srv/bed/hooks"]\n' > /etc/containers/containers.conf.d/open.conf
chmod -R a+rX /srv/bed/hooks /etc/containers/containers.conf.d
check_failure "podman start of it fails when its rules are opened" 'denied-address-udp-v4 +FAILED.*does not hold: the container is not started' pod start web
check_output "and it does not run" 'false $' pod inspect -f '{{.State.Running}}' web
check "no forwarder is left" eventually 5 no_proxies
check_output "the log says which check failed" '"action": ?"error".*verify: rules' shield logs --container web
check_failure "run --verify fails and shows the table" 'rules +FAILED.*DOES NOT HOLD' attempt opened --verify
check_not "the workload never ran" test -e /srv/bed/proof/ran
check "no forwarder is left" eventually 5 no_proxies
pod rm -f -t 0 opened >/dev/null 2>&1
check_failure "run --verify -d fails too" 'rules +FAILED.*DOES NOT HOLD' shield run opened --verify --profiles my -- -d $image touch /proof/ran
pod rm -f -t 0 opened >/dev/null 2>&1
check_output "without --verify nobody sees it at the start" '^said 7 $' attempt_and_status opened
rm /etc/containers/containers.conf.d/open.conf
check "podman stop of what did not start" pod stop -t 0 web
check "with the hook gone podman start works again" pod start web
check "and verify is content" shield verify web
check "the container is removed" pod rm -f -t 0 web
check_output "prepare --verify names the verifying runtime" 'libexec/terok-shield/verify/crun ' shield prepare hand --verify --profiles my
check_failure "--verify with --hooks is refused" 'verify with --hooks is refused' shield run web --verify --hooks --profiles my -- $image true
finish
