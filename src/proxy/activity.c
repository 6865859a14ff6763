/* What was asked and reached. */
#include "proxy/activity.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dns/message.h"

#define BLOCK_ROWS  128
#define BUCKETS     ACTIVITY_ROWS
#define NONE        UINT16_MAX
#define SWEEP_PARTS 8

_Static_assert(ACTIVITY_ROWS < NONE && ACTIVITY_ROWS % BLOCK_ROWS == 0, "rows are numbered by 16 bits and lie in whole blocks");

/* A name that several rows may have. */
struct known_name {
	uint32_t rows;
	struct name name; /* cut behind its octets */
};

enum row_kind {
	ROW_NAME,
	ROW_CONNECTION,
	ROW_ADDRESS,
};

/* By which a row is found; for a connection the name too. */
struct row_key {
	uint8_t kind; /* enum row_kind */
	uint8_t verdict;
	uint8_t protocol;
	uint8_t has_port;
	uint16_t port;
	struct addr dest;
};

struct row {
	struct row_key key;
	uint16_t next;         /* in its bucket */
	uint16_t older, newer; /* in its list */
	uint16_t other_type;   /* of a name: what the last of its folds is about */
	uint32_t first_s, last_s;
	uint64_t count;
	struct known_name *name; /* NULL: none is known */
	struct fold folds[3];    /* of a name: A, AAAA, another; of a connection: events, audit */
};

/* Rows by their last event. */
struct list {
	uint16_t oldest, newest;
	uint16_t count;
};

struct activity {
	void (*repeats)(void *context, const struct activity_repeats *repeats);
	void *context;
	struct hash_key hash_key;
	uint16_t count;
	uint16_t sweep_next;
	uint64_t full;
	struct list lists[2]; /* let through, refused */
	uint16_t buckets[BUCKETS];
	struct row *blocks[ACTIVITY_ROWS / BLOCK_ROWS];
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
	if (now_s - fold->told_s < ACTIVITY_FOLD_S)
		return false;
	*count = fold->untold;
	fold->told_s = now_s;
	fold->untold = 0;
	return true;
}

struct activity *activity_new(void (*repeats)(void *context, const struct activity_repeats *repeats), void *context)
{
	struct activity *activity = calloc(1, sizeof(*activity));

	if (!activity)
		return NULL;
	activity->repeats = repeats;
	activity->context = context;
	activity->hash_key = hash_key_random();
	for (unsigned i = 0; i < 2; i++)
		activity->lists[i].oldest = activity->lists[i].newest = NONE;
	memset(activity->buckets, 0xff, sizeof(activity->buckets));
	return activity;
}

static struct row *row_at(const struct activity *activity, uint16_t number)
{
	return &activity->blocks[number / BLOCK_ROWS][number % BLOCK_ROWS];
}

static void name_release(struct known_name *name)
{
	if (name && !--name->rows)
		free(name);
}

void activity_free(struct activity *activity)
{
	if (!activity)
		return;
	for (uint16_t i = 0; i < activity->count; i++)
		name_release(row_at(activity, i)->name);
	for (unsigned i = 0; i < ACTIVITY_ROWS / BLOCK_ROWS; i++)
		free(activity->blocks[i]);
	free(activity);
}

size_t activity_count(const struct activity *activity)
{
	return activity->count;
}

uint64_t activity_full(const struct activity *activity)
{
	return activity->full;
}

/* ---- repeats ---- */

static void fold_tell(const struct activity *activity, const struct row *row, unsigned number)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	struct activity_repeats repeats = {
		.is_query = row->key.kind == ROW_NAME,
		.name = row->name ? &row->name->name : NULL,
		.verdict = row->key.verdict,
		.dest = row->key.dest,
		.has_port = row->key.has_port,
		.port = row->key.port,
		.protocol = row->key.protocol,
		.audit = row->key.kind == ROW_CONNECTION && number == 1,
		.count = row->folds[number].untold,
	};

	if (repeats.is_query)
		repeats.query_type = number < 2 ? types[number] : row->other_type;
	activity->repeats(activity->context, &repeats);
}

static void row_tell(struct activity *activity, struct row *row, uint32_t told_before_s)
{
	for (unsigned i = 0; i < 3; i++) {
		struct fold *fold = &row->folds[i];

		if (!fold->untold || fold->told_s > told_before_s)
			continue;
		fold_tell(activity, row, i);
		fold->told_s = (uint32_t)(clock_now_ms() / 1000) + 1;
		fold->untold = 0;
	}
}

void activity_sweep(struct activity *activity)
{
	uint32_t now_s = (uint32_t)(clock_now_ms() / 1000) + 1;
	unsigned part = activity->count / SWEEP_PARTS + 1;

	for (unsigned i = 0; i < part && activity->count; i++) {
		if (activity->sweep_next >= activity->count)
			activity->sweep_next = 0;
		row_tell(activity, row_at(activity, activity->sweep_next++), now_s > ACTIVITY_FOLD_S ? now_s - ACTIVITY_FOLD_S : 0);
	}
}

/* ---- rows ---- */

static uint16_t *bucket_of(struct activity *activity, const struct row_key *key, const struct name *name)
{
	uint8_t octets[24 + NAME_WIRE_MAX] = {
		key->kind, key->verdict, key->protocol, key->has_port, (uint8_t)(key->port >> 8), (uint8_t)key->port, key->dest.family};
	size_t length = 7;

	if (key->kind == ROW_NAME) {
		memcpy(octets + length, name->wire, name->length);
		length += name->length;
	} else {
		memcpy(octets + length, key->dest.octets, sizeof(key->dest.octets));
		length += sizeof(key->dest.octets);
	}
	return &activity->buckets[hash_bytes(&activity->hash_key, octets, length) % BUCKETS];
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
	if (key->kind == ROW_ADDRESS)
		return true;
	return row->name && name ? name_equal(&row->name->name, name) : !row->name && !name;
}

static uint16_t row_find(struct activity *activity, const struct row_key *key, const struct name *name)
{
	uint16_t number = *bucket_of(activity, key, name);

	while (number != NONE && !row_is(row_at(activity, number), key, name))
		number = row_at(activity, number)->next;
	return number;
}

static struct list *list_of(struct activity *activity, const struct row_key *key)
{
	return &activity->lists[key->kind != ROW_ADDRESS && key->verdict != ACTIVITY_ALLOWED && key->verdict != ACTIVITY_BYPASSED];
}

static void list_remove(struct activity *activity, uint16_t number)
{
	struct row *row = row_at(activity, number);
	struct list *list = list_of(activity, &row->key);

	*(row->older == NONE ? &list->oldest : &row_at(activity, row->older)->newer) = row->newer;
	*(row->newer == NONE ? &list->newest : &row_at(activity, row->newer)->older) = row->older;
	list->count--;
}

static void list_add(struct activity *activity, uint16_t number)
{
	struct row *row = row_at(activity, number);
	struct list *list = list_of(activity, &row->key);

	row->older = list->newest;
	row->newer = NONE;
	*(list->newest == NONE ? &list->oldest : &row_at(activity, list->newest)->newer) = number;
	list->newest = number;
	list->count++;
}

/* Takes the row out that is to go, after telling what was not told of it. Returns its number. */
static uint16_t row_evict(struct activity *activity)
{
	const struct list *list = &activity->lists[activity->lists[1].count > ACTIVITY_ROWS / 2];
	uint16_t number = list->oldest;
	struct row *row = row_at(activity, number);
	uint16_t *at = bucket_of(activity, &row->key, row->name ? &row->name->name : NULL);

	row_tell(activity, row, UINT32_MAX);
	while (*at != number)
		at = &row_at(activity, *at)->next;
	*at = row->next;
	list_remove(activity, number);
	name_release(row->name);
	activity->full++;
	return number;
}

/* The number of a row that is in no list and no bucket. NONE without memory. */
static uint16_t row_take(struct activity *activity)
{
	struct row **block = &activity->blocks[activity->count / BLOCK_ROWS % (ACTIVITY_ROWS / BLOCK_ROWS)];

	if (activity->count == ACTIVITY_ROWS)
		return row_evict(activity);
	if (!*block && !(*block = calloc(BLOCK_ROWS, sizeof(**block))))
		return NONE;
	return activity->count++;
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
static struct known_name *name_share(struct activity *activity, const struct name *name)
{
	static const enum activity_verdict verdicts[] = {ACTIVITY_ALLOWED, ACTIVITY_BYPASSED};

	for (unsigned i = 0; i < 2; i++) {
		struct row_key key = {.kind = ROW_NAME, .verdict = verdicts[i]};
		uint16_t number = row_find(activity, &key, name);

		if (number != NONE)
			return row_at(activity, number)->name;
	}
	return name_new(name);
}

/* The row of an event, its last one from now on. name: taken by a new row, NULL for none. */
static struct row *row_touch(struct activity *activity, const struct row_key *key, struct known_name *known, const struct name *name)
{
	uint16_t number = row_find(activity, key, name);
	bool is_new = number == NONE;
	uint16_t *bucket;
	struct row *row;

	if (is_new) {
		if (name && !known && !(known = name_new(name)))
			return NULL;
		if (known)
			known->rows++; /* what goes for this row may have had it too */
		number = row_take(activity);
		if (number == NONE) {
			name_release(known);
			return NULL;
		}
		bucket = bucket_of(activity, key, name);
		row = row_at(activity, number);
		*row = (struct row){.key = *key, .next = *bucket, .first_s = (uint32_t)clock_wall_s(), .name = known};
		*bucket = number;
	} else {
		list_remove(activity, number);
		row = row_at(activity, number);
	}
	list_add(activity, number);
	row->last_s = (uint32_t)clock_wall_s();
	return row;
}

struct fold *activity_query(struct activity *activity, const struct name *name, uint16_t type, enum activity_verdict verdict)
{
	struct row_key key = {.kind = ROW_NAME, .verdict = (uint8_t)verdict};
	struct row *row = row_touch(activity, &key, NULL, name);

	if (!row)
		return NULL;
	row->count++;
	if (type == TYPE_A || type == TYPE_AAAA)
		return &row->folds[type == TYPE_AAAA];
	if (row->other_type != type) {
		if (row->folds[2].untold)
			fold_tell(activity, row, 2);
		row->folds[2] = (struct fold){0};
		row->other_type = type;
	}
	return &row->folds[2];
}

/* The row of the address, NULL when no name has brought it. */
static struct row *address_row(struct activity *activity, const struct addr *addr)
{
	struct row_key key = {.kind = ROW_ADDRESS, .dest = *addr};
	uint16_t number = row_find(activity, &key, NULL);

	return number == NONE ? NULL : row_at(activity, number);
}

struct fold *activity_connection(
	struct activity *activity, const struct packet_record *record, struct name *name, bool *has_name, struct fold **audit)
{
	static const enum activity_verdict verdicts[PACKET_FATES] = {
		[PACKET_ALLOWED] = ACTIVITY_ALLOWED,
		[PACKET_BLOCKED] = ACTIVITY_BLOCKED,
		[PACKET_DENIED] = ACTIVITY_DENIED,
		[PACKET_PRIVATE] = ACTIVITY_PRIVATE,
		[PACKET_BYPASSED] = ACTIVITY_BYPASSED,
	};
	struct row_key key = {
		.kind = ROW_CONNECTION,
		.verdict = (uint8_t)verdicts[record->fate],
		.protocol = record->protocol,
		.has_port = record->has_ports,
		.port = record->has_ports ? record->port : 0,
		.dest = record->dest,
	};
	const struct row *address = address_row(activity, &record->dest);
	struct known_name *known = address ? address->name : NULL;
	struct row *row;

	*has_name = known;
	if (known)
		memcpy(name, &known->name, offsetof(struct name, wire) + known->name.length);
	row = row_touch(activity, &key, known, known ? name : NULL);
	if (!row)
		return NULL;
	row->count++;
	*audit = &row->folds[1];
	return &row->folds[0];
}

void activity_address(struct activity *activity, const struct addr *addr, const struct name *name)
{
	struct row_key key = {.kind = ROW_ADDRESS, .dest = *addr};
	struct row *row = address_row(activity, addr);
	struct known_name *known;

	if (!row || !row->name || !name_equal(&row->name->name, name)) {
		known = name_share(activity, name);
		if (!known)
			return;
		known->rows++; /* ours while the row is made, for which another may go */
		row = row_touch(activity, &key, NULL, NULL);
		if (!row) {
			name_release(known);
			return;
		}
		name_release(row->name);
		row->name = known;
	} else {
		row_touch(activity, &key, NULL, NULL);
	}
}
