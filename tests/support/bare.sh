#!/bin/bash
# A bare Debian, as a newcomer has it: what debootstrap's minbase variant installs and nothing else, made anew for each call, with this machine's
# network and kernel. A copy of the checkout, without its build folder, is in ~/terok-shield and is the working folder. Needs root.
#
#   bare.sh SUITE CMD...      e.g.  bare.sh trixie ./demo;  bare.sh bookworm .ci/run
#
# The pristine roots are kept in $SHIELD_BED_DIR/bare. SHIELD_BARE_KEEP=1 goes on with the machine that the last call left, packages installed and all.
set -eu
self=$(readlink -f "$0")
checkout=root/terok-shield
if [ "$1" != __inner ]; then
	top=$(dirname "$(dirname "$(dirname "$self")")")
	suite=$1; shift
	dir=${SHIELD_BED_DIR:-/var/tmp/terok-shield-bed}/bare
	mkdir -p "$dir"
	uri=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' | awk '$2 == "main" { print $1; exit }')
	if [ ! -e "$dir/$suite/.pristine" ]; then
		rm -rf --one-file-system "${dir:?}/$suite"
		debootstrap --variant=minbase "$suite" "$dir/$suite" "$uri" >"$dir/$suite.log" 2>&1
		cp -L /etc/resolv.conf /etc/hosts "$dir/$suite/etc/"
		apt-config dump | grep -i '^Acquire::[a-z]*::Proxy' > "$dir/$suite/etc/apt/apt.conf.d/90proxy" || true
		touch "$dir/$suite/.pristine"
	fi
	if [ -z "${SHIELD_BARE_KEEP:-}" ] || [ ! -d "$dir/$suite.now" ]; then
		rm -rf --one-file-system "${dir:?}/$suite.now"
		cp -a "$dir/$suite" "$dir/$suite.now"
	fi
	rm -rf "$dir/$suite.now/$checkout"
	mkdir "$dir/$suite.now/$checkout"
	tar -C "$top" --exclude=./build -c . | tar -C "$dir/$suite.now/$checkout" -x
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" CI="${CI:-}" \
		unshare --mount --pid --uts --ipc --fork --kill-child --propagation private bash "$self" __inner "$dir/$suite.now" "$@"
fi
root=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mkdir -p .old
mount --rbind /dev dev
mount --rbind /sys sys
pivot_root . .old
cd "/$checkout"
mount -t proc proc /proc
umount -l /.old
mount -t tmpfs -o mode=755 tmpfs /run
hostname bare
status=0
"$@" || status=$?
exit $status
