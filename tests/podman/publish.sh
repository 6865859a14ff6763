#!/bin/bash
# Published ports are reachable from outside, other ports are not; the answer to a connection from outside goes out.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
check "a container with a published port starts" shield run web --profiles my -- -d -p 18080:80 $image sh -c 'httpd -p 80 -h /etc; httpd -p 81 -h /etc; sleep 600'
fetch() { busybox timeout 5 busybox wget -q -O- "$1"; }
check "the published port answers on the host" eventually 5 fetch http://127.0.0.1:18080/group
check_output "it delivers" 'root:x:0' fetch http://127.0.0.1:18080/group
check_output "it is reachable from the world" 'root:x:0' ip netns exec world busybox timeout 5 busybox wget -q -O- http://10.99.0.2:18080/group
if [ "$mode" = rootful ]; then
	address=$(pod inspect -f '{{.NetworkSettings.IPAddress}}' web)
	check_output "a server listens on a port that is not published" 'root:x:0' inside web wget -q -O- http://127.0.0.1:81/group
	unreachable() { ! busybox timeout 4 busybox wget -q -O- "http://$address:81/group"; }
	check "it is not reachable on the bridge" unreachable
fi
check_not "outgoing connections are refused as ever" fast_get web http://203.0.113.20/
check "the container is removed" pod rm -f -t 0 web
finish
