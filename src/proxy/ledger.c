/* What was asked and reached. */
#include "proxy/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dns/message.h"

#define BLOCK_ROWS  128
#define BUCKETS     LEDGER_ROWS
#define NONE        UINT16_MAX
#define SWEEP_PARTS 8
#define FOLDS_MAX   3

_Static_assert(LEDGER_ROWS < NONE && LEDGER_ROWS % BLOCK_ROWS == 0, "rows are numbered by 16 bits and lie in whole blocks");

/* A name that several rows may have. */
struct known_name {
	uint32_t rows;
	struct name name; /* cut behind its octets */
};

/* By which a row is found; for a connection the name too. */
struct row_key {
	uint8_t kind : 3; /* enum activity_kind */
	uint8_t verdict : 4;
	bool has_port : 1;
	uint8_t protocol;
	uint16_t port;
	struct addr dest;
};

/* LEDGER_ROWS of them are no rarity: what is here counts. */
struct row {
	struct row_key key;
	uint16_t next;                /* in its bucket */
	uint16_t older, newer;        /* in its list */
	uint32_t first, last;         /* seconds since the epoch, until 2106 */
	struct fold folds[FOLDS_MAX]; /* of a name: A, AAAA, another; of a connection: events, audit, hub */
	uint64_t count;               /* queries, attempts, an address's packets */
	union {
		uint16_t other_type; /* of a name: what the last of its folds is about */
		struct {
			uint32_t birth; /* of a connection: which of those that had this number */
			uint32_t made;
		};
		uint64_t bytes; /* of an address */
	};
	struct known_name *name; /* NULL: none is known */
};

_Static_assert(sizeof(struct row) == 96, "no room is lost in it");

/* Rows by their last event. */
struct list {
	uint16_t oldest, newest;
	uint16_t count;
};

struct ledger {
	void (*repeats)(void *context, const struct ledger_repeats *repeats);
	void *context;
	struct hash_key hash_key;
	uint16_t count;
	uint16_t sweep_next;
	uint32_t births;
	bool changed;
	int64_t since;
	uint64_t full;
	struct list lists[2]; /* let through, refused */
	uint16_t buckets[BUCKETS];
	struct row *blocks[LEDGER_ROWS / BLOCK_ROWS];
};

bool fold_take(struct fold *fold, uint16_t epoch, uint64_t *count)
{
	uint32_t now_s = (uint32_t)(clock_now_ms() / 1000) + 1;

	*count = 1;
	if (!fold->told_s || fold->epoch != epoch) {
		*fold = (struct fold){.told_s = now_s, .epoch = epoch};
		return true;
	}
	fold->untold++;
	if (now_s - fold->told_s < LEDGER_FOLD_S)
		return false;
	*count = fold->untold;
	fold->told_s = now_s;
	fold->untold = 0;
	return true;
}

struct ledger *ledger_new(void (*repeats)(void *context, const struct ledger_repeats *repeats), void *context)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return NULL;
	ledger->repeats = repeats;
	ledger->context = context;
	ledger->hash_key = hash_key_random();
	for (unsigned i = 0; i < 2; i++)
		ledger->lists[i].oldest = ledger->lists[i].newest = NONE;
	memset(ledger->buckets, 0xff, sizeof(ledger->buckets));
	ledger->since = clock_wall_s();
	return ledger;
}

static struct row *row_at(const struct ledger *ledger, uint16_t number)
{
	return &ledger->blocks[number / BLOCK_ROWS][number % BLOCK_ROWS];
}

static void name_release(struct known_name *name)
{
	if (name && !--name->rows)
		free(name);
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (uint16_t i = 0; i < ledger->count; i++)
		name_release(row_at(ledger, i)->name);
	for (unsigned i = 0; i < LEDGER_ROWS / BLOCK_ROWS; i++)
		free(ledger->blocks[i]);
	free(ledger);
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->count;
}

uint64_t ledger_full(const struct ledger *ledger)
{
	return ledger->full;
}

/* ---- repeats ---- */

static void fold_tell(const struct ledger *ledger, const struct row *row, unsigned number)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	struct ledger_repeats repeats = {
		.is_query = row->key.kind == ACTIVITY_NAME,
		.name = row->name ? &row->name->name : NULL,
		.verdict = row->key.verdict,
		.dest = row->key.dest,
		.has_port = row->key.has_port,
		.port = row->key.port,
		.protocol = row->key.protocol,
		.audit = row->key.kind == ACTIVITY_CONNECTION && number == 1,
		.count = row->folds[number].untold,
	};

	if (repeats.is_query)
		repeats.query_type = number < 2 ? types[number] : row->other_type;
	ledger->repeats(ledger->context, &repeats);
}

static void row_tell(struct ledger *ledger, struct row *row, uint32_t told_before_s)
{
	static const uint8_t folds[] = {
		[ACTIVITY_NAME] = FOLDS_MAX, [ACTIVITY_CONNECTION] = 2, [ACTIVITY_ADDRESS] = 0, [ACTIVITY_SHARED] = 0};

	for (unsigned i = 0; i < folds[row->key.kind]; i++) {
		struct fold *fold = &row->folds[i];

		if (!fold->untold || fold->told_s > told_before_s)
			continue;
		fold_tell(ledger, row, i);
		fold->told_s = (uint32_t)(clock_now_ms() / 1000) + 1;
		fold->untold = 0;
	}
}

void ledger_sweep(struct ledger *ledger)
{
	uint32_t now_s = (uint32_t)(clock_now_ms() / 1000) + 1;
	unsigned part = ledger->count / SWEEP_PARTS + 1;

	for (unsigned i = 0; i < part && ledger->count; i++) {
		if (ledger->sweep_next >= ledger->count)
			ledger->sweep_next = 0;
		row_tell(ledger, row_at(ledger, ledger->sweep_next++), now_s > LEDGER_FOLD_S ? now_s - LEDGER_FOLD_S : 0);
	}
}

/* ---- rows ---- */

static uint16_t *bucket_of(struct ledger *ledger, const struct row_key *key, const struct name *name)
{
	uint8_t octets[24 + NAME_WIRE_MAX] = {key->kind, key->verdict, key->dest.family};
	size_t length = 7;

	if (key->kind == ACTIVITY_CONNECTION) { /* those of an address are to stand together, whatever ports they are for */
		octets[3] = key->protocol;
		octets[4] = key->has_port;
		octets[5] = (uint8_t)(key->port >> 8);
		octets[6] = (uint8_t)key->port;
	}
	if (key->kind != ACTIVITY_NAME) {
		memcpy(octets + length, key->dest.octets, sizeof(key->dest.octets));
		length += sizeof(key->dest.octets);
	}
	if (key->kind != ACTIVITY_ADDRESS && name) {
		memcpy(octets + length, name->wire, name->length);
		length += name->length;
	}
	return &ledger->buckets[hash_bytes(&ledger->hash_key, octets, length) % BUCKETS];
}

static bool key_equal(const struct row_key *a, const struct row_key *b)
{
	return a->kind == b->kind && a->verdict == b->verdict && a->protocol == b->protocol && a->has_port == b->has_port &&
	       a->port == b->port && addr_equal(&a->dest, &b->dest);
}

/* The name of an address is what it brings, not what it is found by. */
static bool row_is(const struct row *row, const struct row_key *key, const struct name *name)
{
	if (!key_equal(&row->key, key))
		return false;
	if (key->kind == ACTIVITY_ADDRESS)
		return true;
	return row->name && name ? name_equal(&row->name->name, name) : !row->name && !name;
}

static uint16_t row_find(struct ledger *ledger, const struct row_key *key, const struct name *name)
{
	uint16_t number = *bucket_of(ledger, key, name);

	while (number != NONE && !row_is(row_at(ledger, number), key, name))
		number = row_at(ledger, number)->next;
	return number;
}

static struct list *list_of(struct ledger *ledger, const struct row_key *key)
{
	bool has_verdict = key->kind == ACTIVITY_NAME || key->kind == ACTIVITY_CONNECTION;

	return &ledger->lists[has_verdict && key->verdict != ACTIVITY_ALLOWED && key->verdict != ACTIVITY_BYPASSED];
}

static void list_remove(struct ledger *ledger, uint16_t number)
{
	struct row *row = row_at(ledger, number);
	struct list *list = list_of(ledger, &row->key);

	*(row->older == NONE ? &list->oldest : &row_at(ledger, row->older)->newer) = row->newer;
	*(row->newer == NONE ? &list->newest : &row_at(ledger, row->newer)->older) = row->older;
	list->count--;
}

static void list_add(struct ledger *ledger, uint16_t number)
{
	struct row *row = row_at(ledger, number);
	struct list *list = list_of(ledger, &row->key);

	row->older = list->newest;
	row->newer = NONE;
	*(list->newest == NONE ? &list->oldest : &row_at(ledger, list->newest)->newer) = number;
	list->newest = number;
	list->count++;
}

/* Takes the row out that is to go, after telling what was not told of it. Returns its number. */
static uint16_t row_evict(struct ledger *ledger)
{
	const struct list *list = &ledger->lists[ledger->lists[1].count > LEDGER_ROWS / 2];
	uint16_t number = list->oldest;
	struct row *row = row_at(ledger, number);
	uint16_t *at = bucket_of(ledger, &row->key, row->name ? &row->name->name : NULL);

	row_tell(ledger, row, UINT32_MAX);
	while (*at != number)
		at = &row_at(ledger, *at)->next;
	*at = row->next;
	list_remove(ledger, number);
	name_release(row->name);
	ledger->full++;
	return number;
}

/* The number of a row that is in no list and no bucket. NONE without memory. */
static uint16_t row_take(struct ledger *ledger)
{
	struct row **block = &ledger->blocks[ledger->count / BLOCK_ROWS % (LEDGER_ROWS / BLOCK_ROWS)];

	if (ledger->count == LEDGER_ROWS)
		return row_evict(ledger);
	if (!*block && !(*block = calloc(BLOCK_ROWS, sizeof(**block))))
		return NONE;
	return ledger->count++;
}

static struct known_name *name_new(const struct name *name)
{
	struct known_name *known = malloc(offsetof(struct known_name, name.wire) + name->length);

	if (!known)
		return NULL;
	known->rows = 0;
	memcpy(&known->name, name, offsetof(struct name, wire) + name->length);
	return known;
}

/* The name as a row of it, or of its being bypassed, has it; otherwise a new one. */
static struct known_name *name_share(struct ledger *ledger, const struct name *name)
{
	static const enum activity_verdict verdicts[] = {ACTIVITY_ALLOWED, ACTIVITY_BYPASSED};

	for (unsigned i = 0; i < 2; i++) {
		struct row_key key = {.kind = ACTIVITY_NAME, .verdict = verdicts[i]};
		uint16_t number = row_find(ledger, &key, name);

		if (number != NONE)
			return row_at(ledger, number)->name;
	}
	return name_new(name);
}

/* The number of an event's row, its last one from now on; NONE without memory. known: of the name, if it is there already. */
static uint16_t row_touch(struct ledger *ledger, const struct row_key *key, struct known_name *known, const struct name *name)
{
	uint16_t number = row_find(ledger, key, name);
	bool is_new = number == NONE;
	uint16_t *bucket;
	struct row *row;

	if (is_new) {
		if (name && !known && !(known = name_new(name)))
			return NONE;
		if (known)
			known->rows++; /* what goes for this row may have had it too */
		number = row_take(ledger);
		if (number == NONE) {
			name_release(known);
			return NONE;
		}
		bucket = bucket_of(ledger, key, name);
		row = row_at(ledger, number);
		*row = (struct row){
			.key = *key,
			.next = *bucket,
			.first = (uint32_t)clock_wall_s(),
			.name = known,
		};
		if (key->kind == ACTIVITY_CONNECTION)
			row->birth = ++ledger->births;
		*bucket = number;
	} else {
		list_remove(ledger, number);
		row = row_at(ledger, number);
	}
	list_add(ledger, number);
	row->last = (uint32_t)clock_wall_s();
	ledger->changed = true;
	return number;
}

struct fold *ledger_query(struct ledger *ledger, const struct name *name, uint16_t type, enum activity_verdict verdict)
{
	struct row_key key = {.kind = ACTIVITY_NAME, .verdict = (uint8_t)verdict};
	uint16_t number = row_touch(ledger, &key, NULL, name);
	struct row *row;

	if (number == NONE)
		return NULL;
	row = row_at(ledger, number);
	row->count++;
	if (type == TYPE_A || type == TYPE_AAAA)
		return &row->folds[type == TYPE_AAAA];
	if (row->other_type != type) {
		if (row->folds[2].untold)
			fold_tell(ledger, row, 2);
		row->folds[2] = (struct fold){0};
		row->other_type = type;
	}
	return &row->folds[2];
}

static struct row_key address_key(const struct setwriter_key *element)
{
	return (struct row_key){
		.kind = ACTIVITY_ADDRESS,
		.protocol = element->protocol,
		.has_port = element->port,
		.port = element->port,
		.dest = element->addr,
	};
}

/* The name that has brought the address of a connection; NULL when none has. Of several it is one whose ports let the connection through,
 * and of these the last. */
static struct known_name *address_name(struct ledger *ledger, const struct row_key *connection)
{
	struct row_key key = {.kind = ACTIVITY_ADDRESS, .dest = connection->dest};
	const struct row *best = NULL;
	bool best_fits = false;

	for (uint16_t number = *bucket_of(ledger, &key, NULL); number != NONE; number = row_at(ledger, number)->next) {
		const struct row *row = row_at(ledger, number);
		bool fits = !row->key.has_port || (row->key.port == connection->port && row->key.protocol == connection->protocol);

		if (row->key.kind != ACTIVITY_ADDRESS || !row->name || !addr_equal(&row->key.dest, &key.dest))
			continue;
		if (best && (best_fits > fits || (best_fits == fits && best->last >= row->last)))
			continue;
		best = row;
		best_fits = fits;
	}
	return best ? best->name : NULL;
}

bool ledger_connection(
	struct ledger *ledger, const struct packet_record *record, const struct name *name, struct ledger_connection *connection)
{
	static const enum activity_verdict verdicts[PACKET_FATES] = {
		[PACKET_ALLOWED] = ACTIVITY_ALLOWED,
		[PACKET_BLOCKED] = ACTIVITY_BLOCKED,
		[PACKET_DENIED] = ACTIVITY_DENIED,
		[PACKET_PRIVATE] = ACTIVITY_PRIVATE,
		[PACKET_BYPASSED] = ACTIVITY_BYPASSED,
	};
	struct row_key key = {
		.kind = ACTIVITY_CONNECTION,
		.verdict = (uint8_t)verdicts[record->fate],
		.protocol = record->protocol,
		.has_port = record->has_ports,
		.port = record->has_ports ? record->port : 0,
		.dest = record->dest,
	};
	struct known_name *known = name ? name_share(ledger, name) : address_name(ledger, &key);
	uint16_t number;
	struct row *row;

	if (known)
		known->rows++; /* ours, whether a new row takes it or not */
	number = row_touch(ledger, &key, known, known ? &known->name : NULL);
	name_release(known);
	if (number == NONE)
		return false;
	row = row_at(ledger, number);
	row->count++;
	*connection = (struct ledger_connection){
		.name = row->name ? &row->name->name : NULL,
		.events = &row->folds[0],
		.audit = &row->folds[1],
		.hub = &row->folds[2],
		.row = {.number = number, .birth = row->birth},
	};
	return true;
}

void ledger_made(struct ledger *ledger, struct ledger_ticket ticket)
{
	struct row *row = row_at(ledger, ticket.number);

	if (row->key.kind != ACTIVITY_CONNECTION || row->birth != ticket.birth)
		return;
	row->made++;
	ledger->changed = true;
}

/* One of the names that share the address of key. first: when it has brought it; 0: now. False without memory. */
static bool shared_touch(struct ledger *ledger, const struct row_key *key, struct known_name *known, uint32_t first)
{
	struct row_key shared = *key;
	uint16_t number;

	shared.kind = ACTIVITY_SHARED;
	known->rows++; /* ours while the row is made, for which another may go */
	number = row_touch(ledger, &shared, known, &known->name);
	if (number != NONE && first)
		row_at(ledger, number)->first = first;
	name_release(known);
	return number != NONE;
}

/* A row of the address that another name has brought. */
static const struct row *address_of_another(struct ledger *ledger, const struct row_key *key, const struct name *name, bool only_unshared)
{
	for (uint16_t number = *bucket_of(ledger, key, NULL); number != NONE; number = row_at(ledger, number)->next) {
		const struct row *row = row_at(ledger, number);
		struct row_key shared = row->key;

		shared.kind = ACTIVITY_SHARED;
		if (row->key.kind == ACTIVITY_ADDRESS && row->name && addr_equal(&row->key.dest, &key->dest) &&
			!name_equal(&row->name->name, name) && (!only_unshared || row_find(ledger, &shared, &row->name->name) == NONE))
			return row;
	}
	return NULL;
}

/* Whose a connection is cannot be told for certain once two names have one address: the packet log comes a little after the packet, and
 * programs ask for several names before they connect. So each of them is noted, with the time since when it may have been meant. */
static void address_share(struct ledger *ledger, const struct row_key *key, struct known_name *known)
{
	const struct row *other = address_of_another(ledger, key, &known->name, false);

	if (!other || !shared_touch(ledger, key, known, 0))
		return;
	while ((other = address_of_another(ledger, key, &known->name, true)))
		if (!shared_touch(ledger, &other->key, other->name, other->first))
			return;
}

void ledger_address(struct ledger *ledger, const struct setwriter_key *element, const struct name *name)
{
	struct row_key key = address_key(element);
	struct known_name *known = name_share(ledger, name);
	uint16_t number;
	struct row *row;

	if (!known)
		return;
	known->rows++; /* ours while rows are made, for which another may go */
	address_share(ledger, &key, known);
	number = row_touch(ledger, &key, NULL, NULL);
	if (number == NONE) {
		name_release(known);
		return;
	}
	row = row_at(ledger, number);
	name_release(row->name);
	row->name = known;
}

bool ledger_knows_address(struct ledger *ledger, const struct setwriter_key *element)
{
	struct row_key key = address_key(element);

	return row_find(ledger, &key, NULL) != NONE;
}

void ledger_traffic(struct ledger *ledger, const struct setwriter_key *element, uint64_t packets, uint64_t bytes)
{
	struct row_key key = address_key(element);
	uint16_t number = row_touch(ledger, &key, NULL, NULL);

	if (number == NONE)
		return;
	row_at(ledger, number)->count += packets;
	row_at(ledger, number)->bytes += bytes;
}

/* ---- the file ---- */

bool ledger_take_changed(struct ledger *ledger)
{
	bool changed = ledger->changed;

	ledger->changed = false;
	return changed;
}

int64_t ledger_since(const struct ledger *ledger)
{
	return ledger->since;
}

void ledger_row(const struct ledger *ledger, size_t number, struct activity_row *out, char text[NAME_TEXT_MAX])
{
	const struct row *row = row_at(ledger, (uint16_t)number);

	*out = (struct activity_row){
		.kind = row->key.kind,
		.verdict = row->key.verdict,
		.dest = row->key.dest,
		.protocol = row->key.protocol,
		.has_port = row->key.has_port,
		.port = row->key.port,
		.first = row->first,
		.last = row->last,
	};
	if (row->name) {
		name_to_text(&row->name->name, text);
		out->name = text;
	}
	if (row->key.kind == ACTIVITY_CONNECTION)
		out->made = row->made;
	if (row->key.kind == ACTIVITY_ADDRESS) {
		out->packets = row->count;
		out->bytes = row->bytes;
	} else {
		out->count = row->count;
	}
}

void ledger_begin(struct ledger *ledger, int64_t since, uint64_t full)
{
	ledger->since = since;
	ledger->full = full;
}

static void row_restore(struct row *row, const struct activity_row *from)
{
	row->first = (uint32_t)from->first;
	row->last = (uint32_t)from->last;
	row->count = from->kind == ACTIVITY_ADDRESS ? from->packets : from->count;
	if (from->kind == ACTIVITY_CONNECTION)
		row->made = (uint32_t)from->made;
	if (from->kind == ACTIVITY_ADDRESS)
		row->bytes = from->bytes;
}

int ledger_restore(struct ledger *ledger, const struct activity_row *from)
{
	struct row_key key = {
		.kind = (uint8_t)from->kind,
		.verdict = (uint8_t)from->verdict,
		.protocol = from->protocol,
		.has_port = from->has_port,
		.port = from->port,
		.dest = from->dest,
	};
	struct known_name *known = NULL;
	struct name name;
	uint16_t number;

	if (from->name && name_from_text(&name, from->name, strlen(from->name)))
		return -EINVAL;
	if (from->kind == ACTIVITY_ADDRESS && from->name)
		ledger_address(ledger, &(struct setwriter_key){from->dest, from->protocol, from->port}, &name);
	if ((from->kind == ACTIVITY_CONNECTION || from->kind == ACTIVITY_SHARED) && from->name && (known = name_share(ledger, &name)))
		known->rows++; /* ours, whether a new row takes it or not */
	number = row_touch(ledger, &key, known, from->name && from->kind != ACTIVITY_ADDRESS ? &name : NULL);
	name_release(known);
	if (number == NONE)
		return -ENOMEM;
	row_restore(row_at(ledger, number), from);
	return 0;
}

static int compare_last(const void *a, const void *b, void *context)
{
	const struct row *left = row_at(context, *(const uint16_t *)a), *right = row_at(context, *(const uint16_t *)b);

	return (left->last > right->last) - (left->last < right->last);
}

void ledger_restored(struct ledger *ledger)
{
	uint16_t *numbers = malloc(LEDGER_ROWS * sizeof(*numbers));

	ledger->changed = false;
	if (!numbers)
		return; /* then it goes on in the order of the file */
	for (uint16_t i = 0; i < ledger->count; i++)
		numbers[i] = i;
	qsort_r(numbers, ledger->count, sizeof(*numbers), compare_last, ledger);
	for (uint16_t i = 0; i < ledger->count; i++) {
		list_remove(ledger, numbers[i]);
		list_add(ledger, numbers[i]);
	}
	free(numbers);
}
