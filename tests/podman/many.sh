#!/bin/bash
# 200 names at once from inside, then 200 connects: none may come before its address is in the set, so none may be refused.
. "$(dirname "$0")/../support/lib.sh"
profile my many.test
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
# The world's own server lets ten connections wait and drops what comes on top, to be tried again after 1, 3 and 7 seconds: 300 of these were counted in one run.
cat > /srv/bed/many.py <<'END'
import http.server, os
os.chdir("/srv/bed/www")
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
Server(("", 8081), http.server.SimpleHTTPRequestHandler).serve_forever()
END
ip netns exec world python3 /srv/bed/many.py >/dev/null 2>&1 </dev/null &
server=$!
check "a server for many listens" eventually 10 ip netns exec world sh -c 'ss -Hltn "sport = 8081" | grep -q .'
cat > /srv/bed/many <<'END'
rm -f /tmp/r.*
# Each process looks its name up and connects as soon as it has the answer: a connect before the set is written would be refused.
for n in $(seq 200); do
	(timeout 8 wget -q -O- http://n$n.many.test:8081/ >/tmp/r.$n 2>&1 || echo failed >>/tmp/r.$n) &
done
wait
cat /tmp/r.* | sort | uniq -c
END
check_output "200 names looked up and connected to at once all work" '^ *200 world $' as "$user" podman exec -i web sh -c "$(cat /srv/bed/many)"
check_equal "all 200 addresses are in the set" 200 "$(shield rules web | grep -oE 'comment "n[0-9]+\.many\.test"' | sort -u | wc -l)"
blocked=$(shield logs --container web -n 1000 | grep -c '"blocked"' || true)
check_equal "not one connection was blocked" 0 "$blocked"
dropped=$(ip netns exec world nstat -az TcpExtListenDrops | awk '/ListenDrops/ { print $2 }')
check_equal "the server has taken each connection at once" 0 "${dropped:-unknown}"
kill "$server"
check "the container is removed" pod rm -f -t 0 web
finish
