#!/bin/bash
# A custom network whose containers find each other by name through podman's own DNS.
. "$(dirname "$0")/../support/lib.sh"
check "a network is made" pod network create --subnet 10.123.0.0/24 team
profile team =peer 10.123.0.0/24 allowed.test
check "the first container starts" shield run peer --profiles team -- -d --network team $image httpd -f -p 8000 -h /etc
check "the second container starts" shield run web --profiles team -- -d --network team $image sleep 600
address=$(pod inspect -f '{{(index .NetworkSettings.Networks "team").IPAddress}}' peer)
check_output "a peer is found by its name" "$address" inside web nslookup -type=a peer
check_output "an allowed name of the world works beside it" '^world $' get web http://allowed.test/
check_not "a name that is not allowed fails" fast_get web http://other.test/
check_not "its address fails" fast_get web http://203.0.113.20/
check_output "the peer's server answers itself" 'root:x:0' get peer http://127.0.0.1:8000/passwd
unreachable() { ! fast_get web "http://$address:8000/passwd"; }
check "a peer that publishes no port is not reachable behind its own shield" unreachable
check "the containers are removed" pod rm -f -t 0 web peer

check "a peer that publishes its port starts" shield run peer --profiles team -- -d --network team -p 18000:8000 $image httpd -f -p 8000 -h /etc
check "the second container starts again" shield run web --profiles team -- -d --network team $image sleep 600
check_output "a peer's published port is reachable by its name" 'root:x:0' get web http://peer:8000/passwd
check "no query for a peer reached the world" never_asked peer
check "no packet reached a DNS port anywhere else" no_stray_dns
check "the containers are removed" pod rm -f -t 0 web peer
finish
