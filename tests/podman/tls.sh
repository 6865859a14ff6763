#!/bin/bash
# Upstream servers that are asked by TLS: a container's names go that way only, whatever becomes of the server. The world gets a server for it: a relay in front of its resolver, with a
# certificate of a CA that only the configuration knows.
. "$(dirname "$0")/../support/lib.sh"
tls=/srv/bed/tls
mkdir -m 755 $tls

# certificate FILE NAME : for NAME, by the CA
certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $tls/$1.key -out $tls/$1.csr -subj /CN=server
	echo "subjectAltName=DNS:$2" > $tls/$1.ext
	openssl x509 -req -in $tls/$1.csr -CA $tls/ca.pem -CAkey $tls/ca.key -CAcreateserial -out $tls/$1.pem -days 2 -extfile $tls/$1.ext
}
certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $tls/ca.key -out $tls/ca.pem -days 2 -subj "/CN=test CA" &&
		certificate good dns.test && certificate wrong other.test && chmod 644 $tls/ca.pem
}
cat > $tls/relay.py <<'END'
import socket, ssl, sys, threading

def pump(source, to):
    try:
        while data := source.recv(65536):
            to.sendall(data)
    except OSError:
        pass
    for end in source, to:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def serve(plain, context):
    try:
        client = context.wrap_socket(plain, server_side=True)
        server = socket.create_connection(("10.99.0.1", 53))
    except OSError:
        return plain.close()
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
with socket.create_server(("10.99.0.1", 853)) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], context), daemon=True).start()
END
server=
server_start() {	# CERTIFICATE : in place of the one before
	[ -z "$server" ] || { kill "$server"; wait "$server" 2>/dev/null; }
	ip netns exec world python3 $tls/relay.py "$tls/$1" >$tls/relay.log 2>&1 </dev/null &
	server=$!
	eventually 10 ip netns exec world sh -c 'ss -Hltn "sport = 853" | grep -q .'
}
in_the_clear() { grep -E 'query\[' /srv/bed/dns.log | grep -v ' from 10\.99\.0\.1$'; }	# whoever asked the world's resolver other than the relay
nothing_in_the_clear() { ! in_the_clear; }
worker_of() { basename "$(readlink /proc/"$(pgrep -n -f '^[^ ]*terok-shield-proxy')"/exe)"; }

check "a CA and its certificates are made" certificates
check "the world's server by TLS listens" server_start good
profile my allowed.test other.test
configure 'dns:' '  upstream: ["tls://10.99.0.1"]'
check_failure "a server by TLS without a name is refused, with its place" 'config.yml:2:14: .*needs the name' shield run web --profiles my -- -d $image sleep 600
configure 'dns:' '  upstream: ["tls://10.99.0.1#dns.test", 10.99.0.1]'
check_failure "a list that would fail over to the clear is refused" 'config.yml:2:42: .*not both' shield run web --profiles my -- -d $image sleep 600
configure 'dns:' '  upstream: ["tls://10.99.0.1#dns.test"]' '  ca: /srv/bed/tls/nothing.pem'
check_failure "without the CAs the configuration is not in order" 'dns.ca: /srv/bed/tls/nothing.pem: No such file' shield config check
check_failure "and nothing is started" 'dns.ca: /srv/bed/tls/nothing.pem' shield run web --profiles my -- -d $image sleep 600

: > /srv/bed/dns.log	# what was asked so far was the bed's own
configure 'dns:' '  upstream: ["tls://10.99.0.1#dns.test"]' "  ca: $tls/ca.pem"
check "the configuration is in order" shield config check
check "a container whose names are asked by TLS starts" shield run web --profiles my -- -d $image sleep 600
check_output "an allowed name works at the first try" '^world $' get web http://allowed.test/
check_not "a name that is not allowed fails" fast_get web http://half.test/
check "the question came by TLS" asked_world allowed.test
check "no question came in the clear" nothing_in_the_clear
check_output "the worker is the one with TLS" '^terok-shield-proxy-tls $' worker_of
check_equal "the state is up, and no server fails" "up" "$(shield status web 2>&1)"
check_output "the shield holds" 'ok' shield verify web
check "the worker is replaced by what is installed" shield reload web
check_output "it is still the one with TLS" '^terok-shield-proxy-tls $' worker_of
check_output "an allowed name works then too" '^world $' get web http://other.test/

check "the server comes back with a certificate for another name" server_start wrong
check_not "a new name is not answered" inside web timeout 15 nslookup -type=a new.allowed.test
check "the server has not seen it" never_asked new.allowed.test
check_output "status says which server fails and why" 'note: an upstream server fails: tls://10\.99\.0\.1:853#dns\.test its certificate is refused: [Hh]ostname mismatch' shield status web
check_output "and so does the audit log" 'tls://10\.99\.0\.1:853#dns\.test fails: its certificate is refused' shield logs --container web
check "no question came in the clear" nothing_in_the_clear
check "the server comes back with its own certificate" server_start good
check "names are answered again" eventually 15 inside web timeout 8 wget -q -O- http://allowed.test/
answers_again() { [ "$(shield status web 2>&1)" = up ]; }
again() { inside web nslookup -type=a "n$RANDOM.allowed.test" || true; answers_again; }
check "and status has nothing to say any more" eventually 15 again
check "the container is removed" pod rm -f -t 0 web

configure 'dns:' '  upstream: ["tls://10.99.0.1#dns.test"]' "  ca: $tls/ca.pem" '  via: container'
check "a container that asks through its own network starts" shield run web --profiles my -- -d $image sleep 600
check_output "an allowed name works" '^world $' get web http://allowed.test/
check_output "the shield holds" 'ok' shield verify web
check_not "what runs in it does not reach the server" inside web timeout 4 nc -w 3 10.99.0.1 853
check "no question came in the clear" nothing_in_the_clear
check "the container is removed" pod rm -f -t 0 web

configure 'dns:' '  upstream: ["tls://10.99.0.1#dns.test"]' "  ca: $tls/ca.pem"
check "a network is made" pod network create --subnet 10.123.0.0/24 team
check_output "on a network with podman's own DNS run says that it is not asked" "note: .*names of other containers are not known" shield run web --profiles my -- -d --network team $image sleep 600
check_output "an allowed name works" '^world $' get web http://allowed.test/
check "no question came in the clear" nothing_in_the_clear
check "the container is removed" pod rm -f -t 0 web

configure 'dns: {}'
check "a container whose names are asked in the clear starts" shield run web --profiles my -- -d $image sleep 600
check_output "an allowed name works" '^world $' get web http://allowed.test/
check_output "its worker is the one without TLS" '^terok-shield-proxy $' worker_of
check_not "and has nothing that would use a TLS library" sh -c "grep libevent_openssl /proc/\$(pgrep -n -f '^[^ ]*terok-shield-proxy')/maps"
check "now questions come in the clear, so that would have been seen" in_the_clear
check "the container is removed" pod rm -f -t 0 web
kill "$server"
finish
