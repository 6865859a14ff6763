#!/bin/bash
# The bed: real podman, rootless and rootful, in throw-away namespaces with a small world of servers. Needs root.
#
#   bed.sh suite               prints the Debian suite of this machine (bookworm or trixie)
#   bed.sh prepare SUITE       makes the userland of SUITE ready: this machine's own, or a root made by debootstrap
#   bed.sh build SUITE         builds the checkout with that userland's compiler and libraries and installs it for the beds
#   bed.sh run SUITE CMD...    runs CMD as root in a fresh bed
#   bed.sh enter SUITE CMD...  runs CMD as root in that userland without a bed (no users, no world): for builds and unit tests
#
# In the bed nothing leaks: every process dies when CMD ends, every file outside /mnt/out is discarded, the exit status is CMD's.
#   * private mount, pid, net, uts and ipc namespaces; tmpfs on /run /home /root /srv /opt /tmp /var/tmp /var/lib/containers; /etc an overlay
#   * /mnt/checkout is the checkout, read-only; /mnt/out is kept per checkout and suite (build trees, logs); /opt/terok-shield is what `build` installed,
#     or $SHIELD_PREFIX of the machine
#   * users tb1 and tb2 with subuids; `as USER CMD...` runs CMD as that user in a clean login environment with terok-shield on its PATH
#   * image localhost/bb:latest (busybox), for the users in $SHIELD_BED_USERS
#   * the bed's host has up0 10.99.0.2 fd99::2, on a veth to the network namespace `world` (10.99.0.1 fd99::1), its default route
#   * the world owns 198.51.100.0/24, 203.0.113.0/24 and 2001:db8:1::/64. On each of these addresses: http on 80 and 8080 (`world`; /cgi-bin/clock never ends).
#     DNS on 10.99.0.1 and fd99::1 with the log /srv/bed/dns.log; a rogue resolver that answers anything on 203.0.113.53, 198.51.100.53 and
#     2001:db8:1::53 with the log /srv/bed/rogue.log; an nft counter of whatever reaches a DNS port elsewhere than at the world's resolver
#   * names: see inner_services
#   * cgroups are disabled for podman: the machine's tree is shared
#
# Roots and build trees are kept in $SHIELD_BED_DIR (default /var/tmp/terok-shield-bed) and used again; delete that folder to begin anew.
set -eu
SELF=$(readlink -f "${BASH_SOURCE[0]}")
BED_CHECKOUT=${BED_CHECKOUT:-$(dirname "$(dirname "$(dirname "$SELF")")")}
BED_DIR=${SHIELD_BED_DIR:-/var/tmp/terok-shield-bed}
BED_PATH=/opt/terok-shield/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "${1:-}" = __inner ] || . "$(dirname "$SELF")/packages.sh"

die() { echo "bed: $*" >&2; exit 1; }

# ---- outside: userlands ----------------------------------------------------------

host_suite() { (. /etc/os-release; echo "${VERSION_CODENAME:-unknown}"); }

root_of() {	# SUITE: its root; empty for the machine's own userland
	[ "$1" = "$(host_suite)" ] || echo "$BED_DIR/root/$1"
}

# One per checkout and suite: two checkouts must not share object files.
out_of() { echo "$BED_DIR/out/$1-$(printf %s "$BED_CHECKOUT" | cksum | cut -d' ' -f1)"; }

need_root() { [ "$(id -u)" = 0 ] || die "needs root: namespaces with users in them are made here (try sudo)"; }

make_bed_dir() {	# below a folder that everybody may write to: what is there already must be ours
	mkdir -p -m 755 "$BED_DIR"
	[ -d "$BED_DIR" ] && [ ! -L "$BED_DIR" ] && [ "$(stat -c %u "$BED_DIR")" = 0 ] || die "$BED_DIR is not a folder of root's: remove it or set SHIELD_BED_DIR"
	mkdir -p "$BED_DIR/root" "$BED_DIR/out"
}

mirror() {	# the package mirror that this machine's apt uses for its own suite
	local uri
	uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | awk -v suite="$(host_suite)" '
		$3 == "main" && ($2 == suite || $2 == "stable" || $2 == "oldstable") { print $1; exit }')
	[ -n "$uri" ] || die "apt has no source of Debian main for $(host_suite): cannot tell which mirror to use"
	echo "$uri"
}

cmd_prepare() {
	local suite=$1 root
	root=$(root_of "$suite")
	# shellcheck disable=SC2086  # lists of words
	if [ -z "$root" ]; then
		packages_install $packages_build $packages_run $packages_bed $packages_test $packages_clients
		[ -z "${SHIELD_NO_SKIP:-}" ] || [ -x /usr/bin/npm ] || packages_install $packages_node
		return
	fi
	need_root
	make_bed_dir
	local want="$packages_build $packages_run $packages_bed $packages_test $packages_clients $packages_node"
	[ "$(cat "$root/.packages" 2>/dev/null)" != "$want" ] || return 0
	packages_install debootstrap debian-archive-keyring
	local uri; uri=$(mirror)
	if [ ! -e "$root/.bootstrapped" ]; then
		echo "debootstrap $suite into $root"
		rm -rf --one-file-system "$root"
		debootstrap --variant=minbase "$suite" "$root" "$uri" >"$BED_DIR/root/$suite.log" 2>&1 || { tail -20 "$BED_DIR/root/$suite.log" >&2; die "debootstrap $suite failed"; }
		touch "$root/.bootstrapped"
	fi
	echo "installing packages in $root"
	# shellcheck disable=SC2016,SC2086  # expanded inside; lists of words
	unshare --mount --propagation private bash -euc '
		root=$1 suite=$2 uri=$3; shift 3
		mount -t proc proc "$root/proc"; mount --bind /dev "$root/dev"
		cp -L /etc/resolv.conf "$root/etc/resolv.conf"
		cp /etc/hosts "$root/etc/hosts"
		# how this machine reaches its mirror
		apt-config dump | grep -i "^Acquire::[a-z]*::Proxy" > "$root/etc/apt/apt.conf.d/90proxy" || true
		printf "#!/bin/sh\nexit 101\n" > "$root/usr/sbin/policy-rc.d"; chmod +x "$root/usr/sbin/policy-rc.d"
		echo "deb $uri $suite main" > "$root/etc/apt/sources.list"
		export DEBIAN_FRONTEND=noninteractive
		chroot "$root" apt-get -q update
		chroot "$root" apt-get -q -y --no-install-recommends install "$@"
		chroot "$root" apt-get clean' sh "$root" "$suite" "$uri" $want >"$BED_DIR/root/$suite.packages.log" 2>&1 ||
		{ tail -20 "$BED_DIR/root/$suite.packages.log" >&2; die "installing packages in $root failed"; }
	echo "$want" > "$root/.packages"
}

# ---- outside: make the namespaces --------------------------------------------------

launch() {	# KIND (bed|plain) SUITE CMD...
	local kind=$1 suite=$2 root out; shift 2
	need_root
	root=$(root_of "$suite")
	[ -z "$root" ] || [ -e "$root/.packages" ] || die "no userland of $suite yet: $SELF prepare $suite"
	make_bed_dir
	out=$(out_of "$suite")
	mkdir -p "$out/prefix"
	exec env -i PATH="$BED_PATH" HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
		BED_KIND="$kind" BED_SUITE="$suite" BED_ROOT="$root" BED_OUT="$out" BED_CHECKOUT="$BED_CHECKOUT" BED_PREFIX="${SHIELD_PREFIX:-$out/prefix}" \
		SHIELD_BED_USERS="${SHIELD_BED_USERS:-root tb1 tb2}" SHIELD_NO_SKIP="${SHIELD_NO_SKIP:-}" \
		SHIELD_FULL="${SHIELD_FULL:-}" SHIELD_SEED="${SHIELD_SEED:-}" \
		unshare --mount --net --pid --uts --ipc --fork --kill-child --propagation private bash "$SELF" __inner "$@"
}

cmd_build() {	# quiet unless it fails
	local suite=$1 log
	make_bed_dir
	log=$(out_of "$suite")/build.log
	mkdir -p "$(dirname "$log")"
	# The test programs are built too: what compiles here with this suite's libraries is part of the proof.
	# shellcheck disable=SC2016  # expanded inside
	"$SELF" enter "$suite" bash -euc '
		cmake -S /mnt/checkout -B /mnt/out/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DSHIELD_WERROR=ON -DCMAKE_INSTALL_PREFIX=/opt/terok-shield
		ninja -C /mnt/out/release
		find /opt/terok-shield -mindepth 1 -delete
		umask 022; ninja -C /mnt/out/release install' >"$log" 2>&1 || { tail -40 "$log" >&2; die "building for $suite failed, see $log"; }
}

# ---- inside ----------------------------------------------------------------------

as() {	# USER CMD... : a clean login environment, nothing inherited
	local user=$1 id; shift
	if [ "$user" = root ]; then
		(cd /root && exec env -i PATH="$BED_PATH" HOME=/root USER=root LOGNAME=root SHELL=/bin/sh TERM=dumb LANG=C.UTF-8 "$@")
		return
	fi
	id=$(id -u "$user")
	(cd "/home/$user" && exec setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all \
		env -i PATH="$BED_PATH" HOME="/home/$user" USER="$user" LOGNAME="$user" SHELL=/bin/sh TERM=dumb LANG=C.UTF-8 XDG_RUNTIME_DIR="/run/user/$id" "$@")
}

tmpfs() { mount -t tmpfs -o "mode=$1" tmpfs "$2"; }

inner_mounts() {
	local root=$BED_ROOT
	mount --make-rprivate /
	# First what is to be seen at fixed places, since some of it may lie below folders that are hidden later.
	tmpfs 755 "$root/mnt"
	mkdir "$root/mnt/checkout" "$root/mnt/out" "$root/mnt/prefix"
	mount --bind "$BED_CHECKOUT" "$root/mnt/checkout"
	mount -o remount,bind,ro "$root/mnt/checkout"
	mount --bind "$BED_OUT" "$root/mnt/out"
	mount --bind "$BED_PREFIX" "$root/mnt/prefix"
	if [ -n "$root" ]; then	# pivot_root, not chroot: in a chroot the kernel refuses user namespaces
		mount --rbind "$root" "$root"
		mkdir -p "$root/.old"
		mount --rbind /dev "$root/dev"
		cd "$root"
		pivot_root . .old
		cd /
		mount -t proc proc /proc
		umount -l /.old
	else
		mount -t proc proc /proc	# over the old one, fully visible: otherwise nested mounts of proc are refused
	fi
	tmpfs 755 /opt
	mkdir /opt/terok-shield
	mount --bind /mnt/prefix /opt/terok-shield
	umount -R /sys 2>/dev/null || true
	mount -t sysfs sysfs /sys
	mount -t cgroup2 none /sys/fs/cgroup
	tmpfs 755 /run
	mkdir -p /run/lock /run/user /run/netns
	tmpfs 1777 /tmp
}

inner_bed_mounts() {
	mkdir -p /var/lib/containers
	umount -R /var/lib/containers 2>/dev/null || true
	tmpfs 755 /var/lib/containers
	tmpfs 755 /srv
	tmpfs 755 /home
	tmpfs 700 /root
	tmpfs 1777 /var/tmp
	mkdir /srv/bed
	mkdir -p /run/etc/upper /run/etc/work
	mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
	mknod /run/tun c 10 200
	chmod 666 /run/tun
	mkdir -p /dev/net
	[ -e /dev/net/tun ] || : > /dev/net/tun
	mount --bind /run/tun /dev/net/tun
	mount --make-rshared /	# podman wants it; the peer group is new, so it stays private to the bed
	hostname bed
}

inner_users() {
	local user id=4711 first=1000000
	for user in tb1 tb2; do
		userdel "$user" 2>/dev/null || true
		useradd -u $id -U -d /home/$user -m -s /bin/bash $user
		sed -i "/^$user:/d" /etc/subuid /etc/subgid	# exactly one range each
		echo "$user:$first:65536" | tee -a /etc/subuid >> /etc/subgid
		install -d -m 700 -o $user -g $user /run/user/$id
		id=$((id + 1)) first=$((first + 65536))
	done
}

inner_configuration() {
	rm -rf /etc/containers/containers.conf.d
	mkdir -p /etc/containers
	cat > /etc/containers/containers.conf <<-END
	[network]
	network_backend = "netavark"
	[containers]
	cgroups = "disabled"
	default_ulimits = [ "nofile=1024:1024", "nproc=4096:4096" ]
	log_driver = "k8s-file"
	[engine]
	runtime = "crun"
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	END
	[ -e /etc/containers/policy.json ] || echo '{"default":[{"type":"insecureAcceptAnything"}]}' > /etc/containers/policy.json
	rm -f /etc/resolv.conf
	echo "nameserver 10.99.0.1" > /etc/resolv.conf
}

inner_network() {
	ip link set lo up
	ip netns add world
	ip link add up0 type veth peer name w0 netns world
	ip addr add 10.99.0.2/24 dev up0
	ip -6 addr add fd99::2/64 dev up0 nodad
	ip link set up0 up
	ip -n world link set lo up
	ip -n world addr add 10.99.0.1/24 dev w0
	ip -n world -6 addr add fd99::1/64 dev w0 nodad
	ip -n world link set w0 up
	ip -n world route add local 198.51.100.0/24 dev lo
	ip -n world route add local 203.0.113.0/24 dev lo
	ip -n world -6 route add local 2001:db8:1::/64 dev lo
	ip -n world addr add 203.0.113.53/32 dev lo
	ip -n world addr add 198.51.100.53/32 dev lo
	ip -n world -6 addr add 2001:db8:1::53/128 dev lo nodad
	ip route add default via 10.99.0.1
	ip -6 route add default via fd99::1
	# Whatever arrives at a DNS port and is not for the world's resolver has walked around the forwarder. What a script's containers may reach
	# it says with judge_begin of lib.sh; whatever arrives for another address of the world is forbidden.
	ip netns exec world nft -f - <<-'END'
	table inet judge {
		counter stray { }
		counter forbidden { }
		set fine_v4 { type ipv4_addr; }
		set fine_v6 { type ipv6_addr; }
		chain input {
			type filter hook input priority 0;
			ip daddr 10.99.0.1 accept
			ip6 daddr fd99::1 accept
			ip daddr { 198.51.100.0/24, 203.0.113.0/24 } ip daddr != @fine_v4 counter name forbidden
			ip6 daddr 2001:db8:1::/64 ip6 daddr != @fine_v6 counter name forbidden
			meta l4proto { tcp, udp } th dport { 53, 853 } counter name stray
		}
	}
	END
}

in_world() { ip netns exec world "$@" </dev/null >/dev/null 2>&1 & }

inner_services() {
	local n
	mkdir -p /srv/bed/www/cgi-bin
	echo world > /srv/bed/www/index.html
	printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nwhile date; do sleep 0.2; done\n' > /srv/bed/www/cgi-bin/clock
	chmod 755 /srv/bed/www/cgi-bin/clock
	{	# names of the world; everything else below .test does not exist
		echo "host-record=allowed.test,198.51.100.10"
		echo "host-record=other.test,203.0.113.20"
		echo "host-record=v6.test,2001:db8:1::10"
		echo "host-record=otherv6.test,2001:db8:1::20"
		echo "host-record=both.test,198.51.100.11,2001:db8:1::11"
		echo "host-record=inside.test,10.99.0.1"
		echo "host-record=metadata.test,169.254.169.254"
		for n in $(seq 200); do
			echo "host-record=n$n.many.test,198.51.100.$((n + 20))"
		done
		echo "address=/half.test/198.51.100.12"	# as some servers do: NXDOMAIN for AAAA where there is an A
		echo "local=/test/"
	} > /srv/bed/names.conf
	in_world dnsmasq --conf-file=/srv/bed/names.conf --pid-file=/run/dnsmasq.world.pid --no-resolv --no-hosts --keep-in-foreground \
		--listen-address=10.99.0.1,fd99::1 --bind-interfaces --user=root --group=root --cache-size=0 \
		--log-queries --log-facility=/srv/bed/dns.log --local-ttl=60
	in_world dnsmasq --conf-file=/dev/null --pid-file=/run/dnsmasq.rogue.pid --no-resolv --no-hosts --keep-in-foreground \
		--listen-address=203.0.113.53,198.51.100.53,2001:db8:1::53 --bind-interfaces --user=root --group=root --cache-size=0 \
		--log-queries --log-facility=/srv/bed/rogue.log --address=/#/203.0.113.66 --address=/#/2001:db8:1::66
	for n in 80 8080; do
		in_world busybox httpd -f -p "[::]:$n" -h /srv/bed/www	# both families
	done
}

make_image() {	# TAR: the root of a busybox image
	local root
	root=$(mktemp -d /srv/bed/image.XXXXXX)
	chmod 755 "$root"
	mkdir "$root"/{bin,etc,tmp,proc,sys,dev,run,var,root}
	chmod 1777 "$root/tmp"
	cp /bin/busybox "$root/bin/busybox"
	chroot "$root" /bin/busybox --install -s /bin
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n' > "$root/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\n' > "$root/etc/group"
	tar -C "$root" -cf "$1" .
	rm -r "$root"
	chmod 644 "$1"
}

inner_images() {
	local user
	make_image /srv/bed/image.tar
	for user in $SHIELD_BED_USERS; do
		as "$user" podman import -q /srv/bed/image.tar localhost/bb:latest >/dev/null
	done
}

inner_wait() {	# until the world answers
	local n
	for n in $(seq 50); do
		[ -n "$(dig +short +tries=1 +time=1 allowed.test @10.99.0.1 2>/dev/null)" ] && wget_world && return
		sleep 0.1
	done
	die "the world's servers do not answer"
}

wget_world() { [ "$(busybox wget -q -O- http://198.51.100.10/ 2>/dev/null)" = world ]; }

cmd_inner() {
	inner_mounts
	if [ "$BED_KIND" = bed ]; then
		inner_bed_mounts
		inner_users
		inner_configuration
		inner_network
		inner_services
		inner_images
		inner_wait
	else
		ip link set lo up
	fi
	export -f as
	export BED_PATH
	cd /
	[ $# -gt 0 ] || set -- bash -i
	local status=0
	"$@" || status=$?
	exit $status
}

case ${1:-} in
suite) host_suite ;;
prepare) cmd_prepare "$2" ;;
build) cmd_build "$2" ;;
run) shift; launch bed "$@" ;;
enter) shift; launch plain "$@" ;;
__inner) shift; cmd_inner "$@" ;;
*) sed -n '2,/^set -eu/{/^set -eu/!s/^# \{0,1\}//p}' "$SELF"; exit 2 ;;
esac
