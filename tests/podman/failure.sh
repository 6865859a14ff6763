#!/bin/bash
# The hook's work fails at each step in turn: the container never runs, and the user reads why.
# A podman of our own in front of the real one breaks things after `run` has written the bundle and before the container is made.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
mkdir -p /srv/bed/wrap /srv/bed/proof
chmod 777 /srv/bed/proof
cat > /srv/bed/wrap/podman <<'END'
#!/bin/sh
case " $* " in
*" run "*) . /srv/bed/wrap/break ;;
esac
exec /usr/bin/podman "$@"
END
chmod 755 /srv/bed/wrap /srv/bed/wrap/podman
# An installation that may be broken.
cp -a /opt/terok-shield/. /srv/bed/intact
mount -t tmpfs -o mode=755 tmpfs /opt/terok-shield
mend() { find /opt/terok-shield -mindepth 1 -delete; cp -a /srv/bed/intact/. /opt/terok-shield; : > /srv/bed/wrap/break; }
libexec=/opt/terok-shield/libexec/terok-shield

attempt() {	# runs a container whose command leaves a proof that it ran; ends when whoever had its stderr has closed it, so that nothing said is missed
	rm -f /srv/bed/proof/ran
	as "$user" env "PATH=/srv/bed/wrap:$BED_PATH" timeout 60 terok-shield run web --profiles my -- --rm -v /srv/bed/proof:/proof $image touch /proof/ran 2>&1 | cat
	return "${PIPESTATUS[0]}"
}
fails() {	# SENTENCE REGEX
	check_failure "$1: run fails and says why" "$2" attempt
	check_not "$1: the container's command never ran" test -e /srv/bed/proof/ran
	check "$1: no forwarder is left" eventually 5 no_proxies
	pod rm -f -t 0 web >/dev/null 2>&1
	mend
}

mend
check "unbroken, the container runs" attempt
check "unbroken, its command leaves the proof" test -e /srv/bed/proof/ran

bundle=$containers/web
echo "rm -f $bundle/ruleset.nft $bundle/settings.json" > /srv/bed/wrap/break
fails "no ruleset and no settings in the bundle" 'settings\.json'
echo "rm -f $bundle/profile.allowed $bundle/profile.domains" > /srv/bed/wrap/break
fails "no profile in the bundle" 'profile\.'
echo "echo 'not a rule !!' >> $bundle/profile.domains" > /srv/bed/wrap/break
fails "a damaged list in the bundle" 'profile\.domains'
echo "sed -i 's/^{/{\"unknown\":1,/' $bundle/settings.json" > /srv/bed/wrap/break
fails "an unknown key in the settings" 'unknown'
echo "chmod 777 $bundle" > /srv/bed/wrap/break
fails "a bundle that others may write to" 'writ|mode'
echo "mv $bundle $bundle.real; ln -s $bundle.real $bundle" > /srv/bed/wrap/break
fails "a bundle behind a link" 'state folder'
rm -rf "$bundle" "$bundle.real"

# nft failing, nft that does nothing, nft whose rules let everything through: the last two only the verification can find.
check "the spoiling library compiles" gcc -shared -fPIC -O1 -o /srv/bed/spoil.so /mnt/checkout/tests/support/spoil.c -ldl
chmod 755 /srv/bed/spoil.so
for spoil in fail ignore open; do
	echo $spoil > /etc/spoil
	echo /srv/bed/spoil.so > /etc/ld.so.preload
	attempt >"$last.spoil" 2>&1; status=$?
	rm -f /etc/ld.so.preload
	check_not "nft spoiled ($spoil): run fails" test $status = 0
	check_output "nft spoiled ($spoil): run says why" '.*(ruleset|rules|nft)' cat "$last.spoil"
	check_not "nft spoiled ($spoil): the container's command never ran" test -e /srv/bed/proof/ran
	check "nft spoiled ($spoil): no forwarder is left" eventually 5 no_proxies
	pod rm -f -t 0 web >/dev/null 2>&1
done

rm -f $libexec/terok-shield-supervisor
fails "the supervisor's program is missing" 'terok-shield-supervisor'
printf '#!/bin/sh\nexit 3\n' > $libexec/terok-shield-supervisor
fails "the supervisor dies before anything is ready" 'forwarder.*status 3'
rm -f $libexec/terok-shield-proxy
fails "the forwarder's program is missing" 'terok-shield-proxy|forwarder'
printf '#!/bin/sh\nexit 3\n' > $libexec/terok-shield-proxy
fails "the forwarder dies before it is ready" 'forwarder|terok-shield-proxy'
printf '#!/bin/sh\nexec sleep 600\n' > $libexec/terok-shield-proxy
fails "the forwarder never becomes ready" 'forwarder|terok-shield-proxy'
pkill -f '^sleep 600' 2>/dev/null || true	# only in this bed's own pid namespace
rm -f $libexec/terok-shield-hook
fails "the hook's program is missing" 'terok-shield'
echo "rm -f $libexec/terok-shield-hook" > /srv/bed/wrap/break
chown -R "$user" /opt/terok-shield	# so that the breaking can be done as the user
fails "the hook's program goes away behind run's back" 'terok-shield'
printf '#!/bin/sh\nexit 1\n' > $libexec/terok-shield-hook
fails "the hook fails without a word" '.'

# By hand, as prepare allows: what it prints, with the bundle spoiled in between.
prepared() {	# NAME : the flags, as an array
	mapfile -t flags < <(shield prepare "$1" --profiles my --json | tr -d '\n' | sed 's/^\[ *//; s/ *\]$//; s/", *"/"\n"/g' | sed 's/^"//; s/"$//; s/\\"/"/g; s/\\\\/\\/g')
}
by_hand() { rm -f /srv/bed/proof/ran; as "$user" timeout 60 podman run "${flags[@]}" --rm -v /srv/bed/proof:/proof $image touch /proof/ran; }
refused_by_hand() {	# SENTENCE
	check_failure "$1: podman run fails" '.' by_hand
	check_not "$1: the container's command never ran" test -e /srv/bed/proof/ran
	check "$1: no forwarder is left" eventually 5 no_proxies
	pod rm -f -t 0 hand >/dev/null 2>&1
}
prepared hand
check "what prepare prints starts a container" by_hand
check "and its command runs" test -e /srv/bed/proof/ran
flags_before=("${flags[@]}")
chown -R tb2 "$containers/hand"
chmod -R a+rX "$containers/hand"	# so that it is the owner, not the mode, that is in the way
refused_by_hand "a bundle of another owner"
rm -rf "$containers/hand"
prepared hand
flags=("${flags[@]/terok.shield.version=*/terok.shield.version=0.0.1}")
refused_by_hand "a bundle of another version"
prepared hand
flags=("${flags[@]/terok.shield.state_dir=*/terok.shield.state_dir=/etc}")
refused_by_hand "a state folder under /etc"
rm -rf "$containers/hand"
flags=("${flags_before[@]}")
refused_by_hand "a bundle that is gone"
umount /opt/terok-shield
finish
