#!/bin/bash
# Makes the pictures of docs/ in the bed of this machine's suite: walk.svg from a recording of the walk, watch.svg and top.svg from their screens. Needs root; the build
# of `bed.sh build` is used.
#
#   record.sh [walk] [screens]     both when none is named
set -eu -o pipefail
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
bed=$top/tests/support/bed.sh
suite=$("$bed" suite)
"$bed" prepare "$suite"
"$bed" build "$suite"
record=$(mktemp -d)
trap 'rm -rf "$record"' EXIT
[ $# -gt 0 ] || set -- walk screens
in_bed() { SHIELD_BED_USERS=tb1 "$bed" run "$suite" bash -c "$1"; }
for what; do
	case $what in
	walk)
		in_bed 'as tb1 bash /mnt/checkout/tests/support/walk.sh localhost/bb:latest allowed.test other.test' | tee "$record/walk"
		awk -f "$top/docs/walk-svg.awk" "$record/walk" >"$top/docs/walk.svg"
		;;
	screens)
		in_bed 'install -d -o tb1 /srv/bed/screens && as tb1 bash /mnt/checkout/tests/support/screens.sh localhost/bb:latest /srv/bed/screens >&2 &&
			tar -C /srv/bed/screens -c watch top' | tar -C "$record" -x
		for screen in watch top; do
			awk -v columns=96 -v label="The screen of terok-shield $screen" -f "$top/docs/screen-svg.awk" "$record/$screen" >"$top/docs/$screen.svg"
		done
		;;
	*) sed -n '2,/^set -eu/{/^set -eu/!s/^# \{0,1\}//p}' "$0"; exit 2 ;;
	esac
done
