#!/bin/bash
# Records the walk in the bed of this machine's suite and writes docs/walk.svg from it. Needs root; the build of `bed.sh build` is used.
set -eu -o pipefail
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
suite=$("$top/tests/support/bed.sh" suite)
"$top/tests/support/bed.sh" prepare "$suite"
"$top/tests/support/bed.sh" build "$suite"
record=$(mktemp)
trap 'rm -f "$record"' EXIT
SHIELD_BED_USERS=tb1 "$top/tests/support/bed.sh" run "$suite" bash -c 'as tb1 bash /mnt/checkout/tests/support/walk.sh localhost/bb:latest allowed.test other.test' | tee "$record"
awk -f "$top/docs/walk-svg.awk" "$record" > "$top/docs/walk.svg"
