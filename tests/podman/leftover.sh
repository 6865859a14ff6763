#!/bin/bash
# After a container is removed nothing of its shield is left: no process, no socket, no mount, no network namespace.
. "$(dirname "$0")/../support/lib.sh"
profile my allowed.test
pod run --rm $image true >/dev/null 2>&1	# podman's own pause process and mounts are there from here on
eventually 5 none_running
before=$(census)
check "a shielded container starts" shield run web --profiles my -- -d $image sleep 600
check "its forwarder runs" test -n "$(proxies)"
check_not "the census sees it" test "$before" = "$(census)"
check "it is removed" pod rm -f -t 0 web
clean() { [ "$(census)" = "$before" ]; }
eventually 5 clean
check_equal "nothing is left after podman rm" "$before" "$(census)"

check "a container that ends by itself starts" shield run web --profiles my -- --rm $image true
eventually 5 clean
check_equal "nothing is left after its end" "$before" "$(census)"

check "another one starts" shield run web --profiles my -- -d $image sleep 600
kill -9 "$(pod inspect -f '{{.State.Pid}}' web)"
check "the forwarder ends when init is killed" eventually 5 no_proxies
pod rm -f -t 0 web >/dev/null 2>&1

check "another one starts again" shield run web --profiles my -- -d $image sleep 600
worker=$(proxies)
check "its worker is killed" kill -9 "$worker"
check_output "an allowed name is reached all the same" "^world $" get web http://allowed.test/
check_not "others are not" fast_get web http://203.0.113.20/
check_not "it was another worker that answered" test "$worker" = "$(proxies)"
check_output "the state is what it was" '(^| )up $' shield status web
restarts_are() { shield status web --json | grep -qE "\"restarts\": *$1(,|$)"; }
check "and the status counts it" restarts_are 1
check_output "the log has the reason" 'ended by signal 9' shield logs --container web -n 5
check_output "reload moves it to the installed forwarder" '^Reloaded web' shield reload web
check_output "an allowed name is reached" "^world $" get web http://allowed.test/
check "a reload is no restart" restarts_are 1
worker=$(proxies)
kill -STOP "$worker"
check_output "a worker that hangs is replaced" "^world $" get web http://allowed.test/
check_not "by another one" test "$worker" = "$(proxies)"
kill -9 $(supervisors)
check "the worker ends with its supervisor" eventually 5 no_proxies
check_not "without its forwarder the container has no names" fast_get web http://allowed.test/
check_not "and reaches nothing else" fast_get web http://203.0.113.20/
status_is_error() { shield status web | grep -qx error; }
check "the status says so" eventually 5 status_is_error
check "it is removed all the same" pod rm -f -t 0 web
eventually 5 clean
check_equal "nothing is left" "$before" "$(census)"
finish
