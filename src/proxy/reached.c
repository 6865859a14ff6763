/* Whether a connection that was let out was made. */
#include "proxy/reached.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fw/flows.h"

#define TURN_QUESTIONS 8

struct waiting_flow {
	struct flow_tuple tuple;
	struct ledger_ticket row;
	int64_t due_ms;
};

/* Those that wait are a queue in a ring. */
struct reached {
	struct ledger *ledger;
	int flows_fd;
	int64_t until_ms; /* those that were due by then are being asked for */
	unsigned first, count;
	struct waiting_flow waiting[REACHED_MAX];
};

struct reached *reached_new(struct ledger *ledger, int flows_fd)
{
	struct reached *reached = calloc(1, sizeof(*reached));

	if (!reached)
		return NULL;
	reached->ledger = ledger;
	reached->flows_fd = flows_fd;
	return reached;
}

void reached_free(struct reached *reached)
{
	free(reached);
}

bool reached_ask(struct reached *reached, const struct packet_record *record, struct ledger_ticket row)
{
	struct waiting_flow *waiting = &reached->waiting[(reached->first + reached->count) % REACHED_MAX];
	bool is_echo = (record->protocol == IPPROTO_ICMP || record->protocol == IPPROTO_ICMPV6) && record->source_port;

	if (!record->has_ports && !is_echo)
		return true; /* nothing by which it could be asked for */
	if (reached->count == REACHED_MAX)
		return false;
	*waiting = (struct waiting_flow){
		.tuple = {record->source, record->dest, record->protocol, record->source_port, record->port},
		.row = row,
		.due_ms = clock_now_ms() + REACHED_AFTER_MS,
	};
	reached->count++;
	return true;
}

void reached_second(struct reached *reached)
{
	reached->until_ms = clock_now_ms();
}

bool reached_turn(struct reached *reached)
{
	for (unsigned i = 0; i < TURN_QUESTIONS; i++) {
		const struct waiting_flow *waiting = &reached->waiting[reached->first];
		bool answered;

		if (!reached->count || waiting->due_ms > reached->until_ms)
			return false;
		if (!flows_answered(reached->flows_fd, &waiting->tuple, &answered) && answered)
			ledger_made(reached->ledger, waiting->row);
		reached->first = (reached->first + 1) % REACHED_MAX;
		reached->count--;
	}
	return true;
}

void reached_finish(struct reached *reached)
{
	reached->until_ms = INT64_MAX;
	while (reached_turn(reached))
		;
}
