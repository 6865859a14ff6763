/* The names of what is counted and measured, in the words of `stats`. */
#include "proxy/proxy.h"

static const char *const counter_names[COUNTER_COUNT] = {
	[COUNT_QUERIES] = "queries",
	[COUNT_DROPPED] = "dropped",
	[COUNT_MALFORMED] = "malformed",
	[COUNT_BLOCKED] = "blocked",
	[COUNT_CACHED] = "cached",
	[COUNT_MERGED] = "merged",
	[COUNT_UPSTREAM] = "upstream",
	[COUNT_UPSTREAM_TCP] = "upstream_tcp",
	[COUNT_ANSWERED] = "answered",
	[COUNT_REWRITTEN] = "rewritten",
	[COUNT_FILTERED] = "filtered",
	[COUNT_MISMATCHED] = "mismatched",
	[COUNT_BAD_ANSWERS] = "bad_answers",
	[COUNT_TIMEOUTS] = "timeouts",
	[COUNT_FAILED] = "failed",
	[COUNT_SET_FAILURES] = "set_failures",
	[COUNT_PENDING_FULL] = "pending_full",
	[COUNT_CLIENTS_FULL] = "clients_full",
	[COUNT_TCP_FULL] = "tcp_full",
	[COUNT_LEASES_FULL] = "leases_full",
	[COUNT_DOUBTS] = "doubts",
	[COUNT_RENEWALS] = "renewals",
	[COUNT_BUDGET] = "budget",
	[COUNT_CONNECTIONS_ALLOWED] = "connections_allowed",
	[COUNT_CONNECTIONS_BLOCKED] = "connections_blocked",
	[COUNT_CONNECTIONS_DENIED] = "connections_denied",
	[COUNT_CONNECTIONS_PRIVATE] = "connections_private",
	[COUNT_CONNECTIONS_BYPASSED] = "connections_bypassed",
	[COUNT_LOST_KERNEL] = "lost_kernel",
	[COUNT_MADE_UNASKED] = "made_unasked",
	[COUNT_FOLDED] = "folded",
	[COUNT_UPSTREAM_TLS] = "upstream_tls",
	[COUNT_TLS_CONNECTIONS] = "tls_connections",
};

const char *counter_name(enum counter counter)
{
	return counter_names[counter];
}

const char *duration_name(enum duration duration)
{
	static const char *const names[DURATION_COUNT] = {
		[DURATION_LOCAL] = "answer_local",
		[DURATION_UPSTREAM] = "answer_upstream",
		[DURATION_SET] = "set",
	};

	return names[duration];
}
