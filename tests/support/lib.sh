# What every test script in tests/podman starts with. It runs as root inside a bed: SCRIPT MODE, where MODE is rootless (user tb1) or rootful.
# Each check prints one line, `ok - sentence`, `not ok - sentence` or `skip - sentence`, which tests/run counts; the last line says that the script came to its end.
# shellcheck shell=bash disable=SC2034  # used by the scripts
set -u
mode=${1:?usage: SCRIPT rootless|rootful}
suite=${BED_SUITE:?runs inside a bed only: tests/run podman SUITE NAME}
image=localhost/bb:latest
case $mode in
rootless) user=tb1 home=/home/tb1 ;;
rootful) user=root home=/root ;;
*) echo "unknown mode $mode" >&2; exit 2 ;;
esac
configuration=$home/.config/terok/shield
containers=$home/.local/state/terok/shield/containers
failures=0
last=/srv/bed/last	# what the last command printed, both streams

shield() { as "$user" terok-shield "$@"; }
pod() { as "$user" podman "$@"; }
inside() { local name=$1; shift; as "$user" podman exec "$name" "$@"; }	# CONTAINER CMD...
configure() { as "$user" mkdir -p "$configuration"; printf '%s\n' "$@" | as "$user" tee "$configuration/config.yml" >/dev/null; }	# LINE... of config.yml
judge() { nsenter -t "$(pod inspect -f '{{.State.Pid}}' "$1")" -n "${@:2}"; }	# CONTAINER CMD... : the bed's program in the container's network namespace

pass() { echo "ok - $*"; }
fail() {
	echo "not ok - $*"
	failures=$((failures + 1))
	[ ! -s "$last" ] || sed 's/^/    | /' "$last" | tail -25
}
skip() { echo "skip - $*"; }

# The output goes to another file first: what is run may be a look at the output before.
remember() {
	local status=0
	"$@" >"$last.new" 2>&1 </dev/null || status=$?
	mv -f "$last.new" "$last"
	return $status
}

check() {	# SENTENCE CMD... : the command succeeds
	local sentence=$1; shift
	if remember "$@"; then pass "$sentence"; else fail "$sentence"; fi
}

check_not() {	# SENTENCE CMD... : the command runs and fails; one that cannot be run at all (125, 126, 127) or is cut off (124, 137, 143) proves nothing
	local sentence=$1 status=0; shift
	remember "$@" || status=$?
	case $status in
	0 | 124 | 125 | 126 | 127 | 137 | 143) echo "status $status" >>"$last"; fail "$sentence" ;;
	*) pass "$sentence" ;;
	esac
}

check_output() {	# SENTENCE REGEX CMD... : the command succeeds and its output, newlines as blanks, matches
	local sentence=$1 regex=$2 status=0; shift 2
	remember "$@" || status=$?
	if [ $status = 0 ] && [[ "$(tr '\n' ' ' <"$last")" =~ $regex ]]; then
		pass "$sentence"
	else
		echo "status $status, wanted /$regex/" >>"$last"
		fail "$sentence"
	fi
}

check_failure() {	# SENTENCE REGEX CMD... : the command fails and its output matches
	local sentence=$1 regex=$2 status=0; shift 2
	remember "$@" || status=$?
	if [ $status != 0 ] && [ $status != 124 ] && [[ "$(tr '\n' ' ' <"$last")" =~ $regex ]]; then
		pass "$sentence"
	else
		echo "status $status, wanted a failure and /$regex/" >>"$last"
		fail "$sentence"
	fi
}

check_equal() {	# SENTENCE WANTED GOT
	if [ "$2" = "$3" ]; then pass "$1"; else printf 'wanted: %s\ngot:    %s\n' "$2" "$3" >"$last"; fail "$1"; fi
}

eventually() {	# SECONDS CMD... : tries every 100 ms
	local tries=$(($1 * 10)); shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

profile() {	# NAME LINE... : writes a profile of the user's own
	local name=$1; shift
	as "$user" mkdir -p "$configuration/profiles"
	printf '%s\n' "$@" | as "$user" tee "$configuration/profiles/$name.txt" >/dev/null
}

get() { inside "$1" timeout 8 wget -q -O- "$2"; }	# CONTAINER URL
fast_get() { inside "$1" timeout 4 wget -q -O- "$2"; }	# a refusal has to come within that time

set_elements() {	# CONTAINER SET : the lines of that set as `rules` shows them
	shield rules "$1" | awk -v set="$2" '$1 == "set" && $2 == set { on = 1 } on { print } on && /^\t?}|^ *}$/ { exit }'
}

asked_world() { grep -qiE "query\[[A-Z0-9]+\] ([^ ]*\.)?$1 " /srv/bed/dns.log; }	# NAME : whether a question for it or below it reached the world's resolver
never_asked() { ! asked_world "$1"; }
stray_dns() { ip netns exec world nft -j list counter inet judge stray | grep -o '"packets": *[0-9]*' | grep -o '[0-9]*$'; }
no_stray_dns() { [ "$(stray_dns)" = 0 ] || { stray_dns; cat /srv/bed/rogue.log; return 1; }; }

judge_begin() {	# ADDRESS... : from now on whatever reaches an address of the world that is not one of these was forbidden
	local address
	for address; do
		case $address in
		*:*) ip netns exec world nft add element inet judge fine_v6 "{ $address }" ;;
		*) ip netns exec world nft add element inet judge fine_v4 "{ $address }" ;;
		esac
	done
	ip netns exec world nft reset counter inet judge forbidden >/dev/null
}
forbidden() { ip netns exec world nft list counter inet judge forbidden | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
none_left() {	# SENTENCE : and the judge begins to count anew
	check_equal "$1: nothing forbidden left" 0 "$(forbidden)"
	ip netns exec world nft reset counter inet judge forbidden >/dev/null
}

supervisors() { pgrep -f '^[^ ]*terok-shield-supervisor' || true; }	# one for each container's forwarder
proxies() { pgrep -f '^[^ ]*terok-shield-proxy' || true; }	# and its worker
no_proxies() { [ -z "$(supervisors)$(proxies)" ]; }

census() {	# what there is of containers: processes, control sockets, mounts, network namespaces, what runtime and shield keep of those that run
	echo "processes $(pgrep -f 'terok-shield|conmon|slirp4netns|pasta|aardvark' | wc -l)"
	echo "sockets $(ss -Hxl 2>/dev/null | grep -c 'control\.sock')"
	echo "mounts $(wc -l </proc/self/mounts)"
	echo "files $(find /run/netns /run/user/*/netns 2>/dev/null | grep -vE '/(world|netns)$' | grep -v rootless | wc -l)"
	echo "records $(find /run/crun /run/user/*/crun "$containers" -mindepth 1 \( -name runtime.json -o -name control.sock -o -name status -o -path "$containers/*/.*" \) 2>/dev/null | wc -l)"
}
none_running() { ! pgrep -f 'terok-shield|conmon|slirp4netns|pasta|aardvark'; }

finish() {	# the last line of every script
	echo "end of $(basename "$0" .sh) $mode $suite"
	[ "$failures" = 0 ]
}
