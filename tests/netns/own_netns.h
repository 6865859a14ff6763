/* A network namespace of the test program's own, with an interface that swallows what is sent. */
#ifndef TESTS_OWN_NETNS_H
#define TESTS_OWN_NETNS_H

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Enters it. False when the right to do so is missing; with SHIELD_NO_SKIP set that ends the program as failed. */
static inline bool own_netns_enter(void)
{
	static const char commands[] =
		"ip link set lo up && ip link add out0 type veth peer name sink0 && ip link set sink0 up && "
		"ip addr add 192.0.2.2/24 dev out0 && ip addr add 2001:db8::2/64 dev out0 nodad && ip link set out0 up && "
		"ip route add default via 192.0.2.1 && ip route add default via 2001:db8::1 && "
		"ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out0 && ip neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev out0";

	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "SKIPPED, NOTHING TESTED: no right to a network namespace (%s)\n", strerror(errno));
		if (getenv("SHIELD_NO_SKIP"))
			exit(1);
		return false;
	}
	if (system(commands)) {
		fprintf(stderr, "cannot set the network namespace up\n");
		exit(1);
	}
	return true;
}

#endif
