/* What is tried inside, and what it has to come to: policy, settings and state in, a list of probes out; then what happened in, verdicts
 * out. Pure.
 *
 * Theory of operation. Nothing may reach the real network but what the rules refuse before it leaves. So a refusal is tried only where
 * why_decide() says that the lists and the state refuse, and first on a documentation address (RFC 5737, RFC 3849): with a broken shield
 * one datagram to such an address leaves for each family, and nothing more is sent. Inside addresses (private ranges, the metadata
 * services') are tried only when the kernel's table is as it should be and the documentation address was refused. Names are random ones
 * below "invalid." (RFC 6761); where the state has such names asked upstream, a question that no forwarder passes on is asked instead.
 *
 * A refusal counts as ours only when two things say so: what the sender got (an ICMP "administratively prohibited" that this namespace
 * itself sent, a reset where the configuration wants one, or EPERM), and the counter of the chain that was to refuse it, which rose by at
 * least the number of such probes. No route, or an error of another kind, proves nothing and is reported as not tried. */
#ifndef CLI_PROBE_PLAN_H
#define CLI_PROBE_PLAN_H

#include "cli/checks.h"
#include "cli/why.h"
#include "fw/counters.h"
#include "policy/addr.h"
#include "policy/name.h"

#define PROBE_COUNT        (CHECK_COUNT - CHECK_INSIDE)
#define PROBE_REFUSED_PORT 9 /* discard */
#define PROBE_RANDOM_SIZE  16

enum probe_kind {
	PROBE_QUESTION, /* of type ANY, which the forwarder answers REFUSED by itself whatever the state is */
	PROBE_NAME,     /* a name that no line allows */
	PROBE_REFUSAL,  /* a datagram or a connection */
};

struct probe {
	enum probe_kind kind;
	struct addr addr;
	uint16_t port;
	bool tcp;
	uint16_t qtype;
	enum counters_chain chain;  /* which counts the refusal */
	enum check_verdict verdict; /* CHECK_UNTRIED: to be tried; otherwise it is not, and this is the verdict already */
	char reason[160];
};

struct probe_plan {
	enum shield_state state;
	const struct settings *settings;
	struct name name;               /* the random one */
	struct probe list[PROBE_COUNT]; /* by check_id - CHECK_INSIDE */
};

/* How a probe ended. */
enum probe_end {
	PROBE_NOT_SENT,  /* an earlier probe was not refused */
	PROBE_NO_FAMILY, /* no such addresses in this namespace */
	PROBE_NO_ROUTE,
	PROBE_ANSWERED,   /* rcode and explained are set */
	PROBE_PASSED,     /* connected, or something came back */
	PROBE_SILENCE,    /* nothing came within the time */
	PROBE_PROHIBITED, /* ICMP "administratively prohibited", of this namespace as far as it can be told */
	PROBE_DROPPED,    /* EPERM: dropped on its way out */
	PROBE_RESET,      /* ECONNREFUSED */
	PROBE_ELSEWHERE,  /* an ICMP error of another machine, named by offender */
	PROBE_ERROR,      /* another error */
};

struct probe_outcome {
	enum probe_end end;
	int error; /* errno, where there was one */
	unsigned rcode;
	bool explained;
	struct addr offender;
};

/* view: as of this moment; tables_hold: every check of the kernel's table was good; random: from getrandom(2). plan borrows the settings.
 * -ENOMEM. */
int probe_plan_make(struct probe_plan *plan, const struct why_view *view, bool tables_hold, const uint8_t random[PROBE_RANDOM_SIZE]);

/* The datagrams to documentation addresses come before everything else. */
bool probe_plan_is_first(unsigned i);

/* May the i-th probe be sent, by how those before it ended? Where it has no way it gets that outcome. Probes by datagram come before those by
 * connection. */
bool probe_plan_may_send(const struct probe_plan *plan, unsigned i, struct probe_outcome outcomes[PROBE_COUNT]);

/* The verdicts. before, after: the counters around the probes. */
void probe_plan_judge(const struct probe_plan *plan, const struct probe_outcome outcomes[PROBE_COUNT], const struct counters *before,
	const struct counters *after, struct checks *checks);

#endif
