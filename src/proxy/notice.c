/* What is worth noticing. */
#include "proxy/notice.h"

#include "proxy/blocked.h"
#include "proxy/events.h"
#include "proxy/reached.h"

static const struct {
	const char *action; /* of the event */
	enum counter counter;
	bool audited;
} fates[PACKET_FATES] = {
	[PACKET_ALLOWED] = {"allowed_connection", COUNT_CONNECTIONS_ALLOWED, false},
	[PACKET_BLOCKED] = {"queued_connection", COUNT_CONNECTIONS_BLOCKED, true},
	[PACKET_DENIED] = {"blocked_connection", COUNT_CONNECTIONS_DENIED, true},
	[PACKET_PRIVATE] = {"private_range", COUNT_CONNECTIONS_PRIVATE, true},
	[PACKET_BYPASSED] = {"bypass_connection", COUNT_CONNECTIONS_BYPASSED, false},
};

/* Whether the event is to be told to readers now. What nobody reads is not folded: whoever comes later hears of the next one. */
static bool is_told(struct proxy *proxy, struct fold *fold, uint64_t *count)
{
	*count = 1;
	if (!events_wanted(proxy->events)) {
		events_count(proxy->events);
		return false;
	}
	if (!fold || fold_take(fold, events_epoch(proxy->events), count))
		return true;
	proxy->counters[COUNT_FOLDED]++;
	return false;
}

/* ---- names ---- */

void notice_query(struct proxy *proxy, const struct question *question, bool bypassed)
{
	ledger_query(proxy->ledger, &question->name, question->type, bypassed ? ACTIVITY_BYPASSED : ACTIVITY_ALLOWED);
}

static void tell_query_blocked(struct proxy *proxy, const struct name *name, uint16_t type, const char *why, uint64_t count)
{
	struct events_entry entry = {
		.source = "dns", .action = "blocked_query", .domain = name, .query_type = type, .detail = why, .count = count};

	events_tell(proxy->events, &entry);
}

void notice_query_blocked(struct proxy *proxy, const struct question *question, enum activity_verdict verdict, const char *why)
{
	struct fold *fold = ledger_query(proxy->ledger, &question->name, question->type, verdict);
	uint64_t count;

	if (is_told(proxy, fold, &count))
		tell_query_blocked(proxy, &question->name, question->type, why, count);
}

void notice_address(struct proxy *proxy, const struct addr *addr, const struct name *name)
{
	ledger_address(proxy->ledger, &(struct setwriter_key){.addr = *addr}, name);
}

static void lease_changed(
	void *context, enum lease_change change, const struct setwriter_key *key, const struct name *name, uint32_t lifetime_s)
{
	static const char *const actions[] = {[LEASE_LEARNED] = "learned", [LEASE_RENEWED] = "renewed", [LEASE_ENDED] = "ended"};
	struct proxy *proxy = context;
	struct events_entry entry = {
		.source = "dns",
		.domain = name,
		.dest = &key->addr,
		.has_port = key->port,
		.port = key->port,
		.protocol = key->protocol,
		.lifetime_s = lifetime_s,
	};

	if (change == LEASE_FOUND || change == LEASE_SHARED) { /* by the next worker; of the ledger alone */
		if (name && (change == LEASE_SHARED || !ledger_knows_address(proxy->ledger, key)))
			ledger_address(proxy->ledger, key, name);
		return;
	}
	if (name && change != LEASE_ENDED)
		ledger_address(proxy->ledger, key, name);
	entry.action = actions[change];
	events_tell(proxy->events, &entry);
}

static void lease_counted(void *context, const struct setwriter_key *key, uint64_t packets, uint64_t bytes)
{
	ledger_traffic(((struct proxy *)context)->ledger, key, packets, bytes);
}

const struct leases_watcher notice_leases = {lease_changed, lease_counted};

/* ---- connections ---- */

static void tell_connection(
	struct proxy *proxy, enum packet_fate fate, const struct packet_record *record, const struct name *name, uint64_t count)
{
	struct events_entry entry = {
		.source = "nflog",
		.action = fates[fate].action,
		.domain = name,
		.dest = &record->dest,
		.has_port = record->has_ports,
		.port = record->port,
		.protocol = record->protocol,
		.count = count,
	};

	events_tell(proxy->events, &entry);
}

/* To the audit log, and to the hub what its user may be asked about: nothing allows it, and nothing denies it. */
static void tell_blocked(struct proxy *proxy, const struct packet_record *record, const struct ledger_connection *connection)
{
	struct blocked_connection blocked = {.record = *record, .name = connection->name};
	uint64_t count;

	if (proxy->settings.audit && fates[record->fate].audited)
		blocked.is_audited = fold_take(connection->audit, 0, &blocked.count);
	if (blocked_has_hub(proxy->blocked) && record->fate == PACKET_BLOCKED)
		blocked.is_pending = fold_take(connection->hub, 0, &count);
	if (blocked.is_audited || blocked.is_pending)
		blocked_tell(proxy->blocked, &blocked);
}

void notice_packet(struct proxy *proxy, const struct packet_record *record)
{
	struct ledger_connection connection = {0};
	struct name name;
	bool has_name = leases_name(proxy->leases, &record->dest, record->protocol, record->has_ports ? record->port : 0, &name);
	uint64_t count;

	proxy->counters[fates[record->fate].counter]++;
	if (!ledger_connection(proxy->ledger, record, has_name ? &name : NULL, &connection)) {
		events_count(proxy->events);
		return;
	}
	if ((record->fate == PACKET_ALLOWED || record->fate == PACKET_BYPASSED) && !reached_ask(proxy->reached, record, connection.row))
		proxy->counters[COUNT_MADE_UNASKED]++;
	if (is_told(proxy, connection.events, &count))
		tell_connection(proxy, record->fate, record, connection.name, count);
	tell_blocked(proxy, record, &connection);
}

void notice_lost(struct proxy *proxy, uint64_t count)
{
	proxy->counters[COUNT_LOST_KERNEL] += count;
	proxy->lost_untold += count;
}

void notice_lost_tell(struct proxy *proxy)
{
	struct events_entry entry = {.source = "shield", .action = "lost", .detail = "kernel", .count = proxy->lost_untold};

	if (!proxy->lost_untold)
		return;
	proxy->lost_untold = 0;
	events_tell(proxy->events, &entry);
}

/* ---- what was done ---- */

void notice_done(struct proxy *proxy, const char *action, const char *dest, const char *detail)
{
	struct events_entry entry = {.source = "audit", .action = action, .dest_text = dest, .detail = detail};

	events_tell(proxy->events, &entry);
}

/* ---- later ---- */

/* What the last one was refused for, as far as its row knows. */
static const char *repeats_why(enum activity_verdict verdict)
{
	return verdict == ACTIVITY_ALLOWED ? "budget" : verdict == ACTIVITY_DENIED ? "denied" : "not in the profile";
}

void notice_repeats(void *context, const struct ledger_repeats *repeats)
{
	static const enum packet_fate fate_of[] = {
		[ACTIVITY_ALLOWED] = PACKET_ALLOWED,
		[ACTIVITY_BYPASSED] = PACKET_BYPASSED,
		[ACTIVITY_REFUSED] = PACKET_BLOCKED,
		[ACTIVITY_BLOCKED] = PACKET_BLOCKED,
		[ACTIVITY_DENIED] = PACKET_DENIED,
		[ACTIVITY_PRIVATE] = PACKET_PRIVATE,
	};
	struct proxy *proxy = context;
	struct packet_record record = {
		.dest = repeats->dest, .protocol = repeats->protocol, .has_ports = repeats->has_port, .port = repeats->port};

	if (repeats->audit)
		blocked_tell(proxy->blocked,
			&(struct blocked_connection){.record = record, .name = repeats->name, .count = repeats->count, .is_audited = true});
	else if (repeats->is_query)
		tell_query_blocked(proxy, repeats->name, repeats->query_type, repeats_why(repeats->verdict), repeats->count);
	else
		tell_connection(proxy, fate_of[repeats->verdict], &record, repeats->name, repeats->count);
}

void notice_second(struct proxy *proxy)
{
	notice_lost_tell(proxy);
	ledger_sweep(proxy->ledger);
	blocked_second(proxy->blocked);
}
