#!/bin/bash
# 200 names at once from inside, then 200 connects: none may come before its address is in the set, so none may be refused.
. "$(dirname "$0")/../support/lib.sh"
profile my many.test
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
cat > /srv/bed/many <<'END'
rm -f /tmp/r.*
# Each process looks its name up and connects as soon as it has the answer: a connect before the set is written would be refused, which ends it at once.
# The world's server has ten connections waiting at most; on a busy machine others are tried again by the kernel, after 1, 3, 7 and 15 seconds.
for n in $(seq 200); do
	(timeout 30 wget -q -O- http://n$n.many.test/ >/tmp/r.$n 2>&1 || echo failed >>/tmp/r.$n) &
done
wait
cat /tmp/r.* | sort | uniq -c
END
check_output "200 names looked up and connected to at once all work" '^ *200 world $' as "$user" podman exec -i web sh -c "$(cat /srv/bed/many)"
check_equal "all 200 addresses are in the set" 200 "$(shield rules web | grep -oE 'comment "n[0-9]+\.many\.test"' | sort -u | wc -l)"
blocked=$(shield logs --container web -n 1000 | grep -c '"blocked"' || true)
check_equal "not one connection was blocked" 0 "$blocked"
check "the container is removed" pod rm -f -t 0 web
finish
