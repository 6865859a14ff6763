# Repositories of the world for the programs that people fetch with, and those programs in a container: git, apt, pip, npm. Sourced behind lib.sh.
# What is made lies below the world's web servers and is the same for http and https; SCHEME is one of these two.
# shellcheck shell=bash disable=SC2034,SC2154  # used by the scripts; set by lib.sh
www=/srv/bed/www

# Debian's own programs, seen from a container of the bed's image; /ca has the world's authority where world_https() has made one.
programs=(-v /usr:/usr:ro -v /etc/ssl:/etc/ssl:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro -e HOME=/tmp -e GIT_CONFIG_NOSYSTEM=1)
has_npm=$([ -x /usr/bin/npm ] && echo yes)

# ---- the world's side

make_repository() {	# a bare one, as any http server can serve it
	local tree=/srv/bed/tree
	git init -q "$tree" && echo world >"$tree/README" && git -C "$tree" add README &&
		git -C "$tree" -c user.name=bed -c user.email=bed@bed.test commit -qm "The world" &&
		git clone -q --bare "$tree" "$www/project.git" && git -C "$www/project.git" update-server-info
}

make_archive() {	# of one Debian package
	local tree=/srv/bed/package
	mkdir -p "$tree/DEBIAN" "$www/debian" &&
		printf 'Package: world\nVersion: 1.0\nArchitecture: all\nMaintainer: bed <bed@bed.test>\nDescription: the world\n' >"$tree/DEBIAN/control" &&
		dpkg-deb -b "$tree" "$www/debian/world.deb" >/dev/null &&
		{
			cat "$tree/DEBIAN/control"
			echo "Filename: ./world.deb"
			echo "Size: $(stat -c %s "$www/debian/world.deb")"
			echo "SHA256: $(sha256sum <"$www/debian/world.deb" | cut -d' ' -f1)"
		} >"$www/debian/Packages"
}

make_index() {	# SCHEME : of one wheel, which lies at another name
	mkdir -p "$www/simple/world" &&
		echo "<a href=\"$1://files.wheels.test/world-1.0-py3-none-any.whl\">world-1.0-py3-none-any.whl</a>" >"$www/simple/world/index.html" &&
		/usr/bin/python3 - "$www/world-1.0-py3-none-any.whl" <<-'END'
			import sys, zipfile
			with zipfile.ZipFile(sys.argv[1], "w") as wheel:
			    wheel.writestr("world.py", "name = 'world'\n")
			    wheel.writestr("world-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: world\nVersion: 1.0\n")
			    wheel.writestr("world-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: bed\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
			    wheel.writestr("world-1.0.dist-info/RECORD", "world.py,,\nworld-1.0.dist-info/METADATA,,\nworld-1.0.dist-info/WHEEL,,\nworld-1.0.dist-info/RECORD,,\n")
		END
}

make_registry() {	# SCHEME : of one node package
	local tree=/srv/bed/node/package
	mkdir -p "$tree" && echo '{"name":"world-node","version":"1.0.0"}' >"$tree/package.json" &&
		tar -C /srv/bed/node -czf "$www/world-node-1.0.0.tgz" package &&
		printf '{"name":"world-node","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"world-node","version":"1.0.0","dist":{"tarball":"%s://registry.nodes.test/world-node-1.0.0.tgz","shasum":"%s"}}}}' \
			"$1" "$(sha1sum <"$www/world-node-1.0.0.tgz" | cut -d' ' -f1)" >"$www/world-node"
}

make_repositories() {	# SCHEME : a check for each
	check "the world has a git repository" make_repository
	check "the world has an archive of packages" make_archive
	check "the world has an index of wheels" make_index "$1"
	if [ -n "$has_npm" ]; then
		check "the world has a registry of node packages" make_registry "$1"
	else
		skip "npm: $suite has no /usr/bin/npm"
	fi
}

# An authority of the world's own, and a server on port 443 of each of its addresses whose certificate has these names.
world_https() {	# NAME...
	local folder=/srv/bed/tls names
	mkdir -p /srv/bed/ca "$folder" || return 1
	names=$(printf ',DNS:%s' "$@")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=the world" -keyout "$folder/ca.key" -out /srv/bed/ca/ca.pem \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign &&
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=world" -keyout "$folder/key.pem" -out "$folder/request" &&
		printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\n' "${names#,}" >"$folder/extensions" &&
		openssl x509 -req -in "$folder/request" -CA /srv/bed/ca/ca.pem -CAkey "$folder/ca.key" -days 2 -extfile "$folder/extensions" -out "$folder/cert.pem" || return 1
	cat >"$folder/server.py" <<-'END'
		import functools, http.server, socket, ssl
		class Server(http.server.ThreadingHTTPServer):
		    address_family = socket.AF_INET6
		    def server_bind(self):
		        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
		        super().server_bind()
		class Handler(http.server.SimpleHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"	# an answer's end is told by its length: some take an end of TLS without a farewell amiss
		server = Server(("::", 443), functools.partial(Handler, directory="/srv/bed/www"))
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain("/srv/bed/tls/cert.pem", "/srv/bed/tls/key.pem")
		server.socket = context.wrap_socket(server.socket, server_side=True)
		server.serve_forever()
	END
	in_world /usr/bin/python3 "$folder/server.py"
	eventually 10 ip netns exec world /usr/bin/python3 -c 'import socket; socket.create_connection(("198.51.100.1", 443))'
}

# ---- the container's side: each fetches what the world has, anew

fresh() { inside "$1" rm -rf /tmp/work && inside "$1" mkdir -p /tmp/work/lists/partial /tmp/work/cache/archives/partial; }
get_git() {	# CONTAINER SCHEME
	inside "$1" timeout 20 git -c http.sslCAInfo=/ca/ca.pem clone -q "$2://git.forge.test/project.git" /tmp/work/project &&
		[ "$(inside "$1" cat /tmp/work/project/README)" = world ]
}
apt_for() {	# CONTAINER SCHEME ARGS...
	local name=$1 scheme=$2; shift 2
	inside "$name" sh -c 'cd /tmp/work && : >status && echo "deb [trusted=yes] $0://archive.distro.test/debian ./" >sources.list &&
		exec timeout 40 apt-get -q -o Dir::State=/tmp/work -o Dir::State::status=/tmp/work/status -o Dir::Cache=/tmp/work/cache -o Dir::Etc=/tmp/work \
		-o Dir::Etc::SourceList=/tmp/work/sources.list -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::Languages=none \
		-o Acquire::https::CaInfo=/ca/ca.pem -o APT::Update::Error-Mode=any "$@"' "$scheme" "$@"
}
get_apt() { apt_for "$1" "$2" update && apt_for "$1" "$2" download world && inside "$1" test -s /tmp/work/world_1.0_all.deb; }	# CONTAINER SCHEME
get_pip() {	# CONTAINER SCHEME
	local trust=(--cert /ca/ca.pem)
	[ "$2" = https ] || trust=(--trusted-host index.wheels.test --trusted-host files.wheels.test)
	inside "$1" timeout 40 /usr/bin/python3 -m pip --disable-pip-version-check --no-cache-dir --retries 0 download -q --no-deps -d /tmp/work/wheels \
		--index-url "$2://index.wheels.test/simple/" "${trust[@]}" world &&
		inside "$1" test -s /tmp/work/wheels/world-1.0-py3-none-any.whl
}
get_npm() {	# CONTAINER SCHEME
	inside "$1" timeout 60 sh -c 'mkdir -p /tmp/work/node && cd /tmp/work/node &&
		exec npm install --cafile /ca/ca.pem --registry "$0://registry.nodes.test/" --no-audit --no-fund --no-update-notifier --fetch-retries=0 world-node' "$2" &&
		inside "$1" test -s /tmp/work/node/node_modules/world-node/package.json
}
