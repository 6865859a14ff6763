/* Leases: what the forwarder believes that the learned sets hold. */
#include "proxy/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/lease_table.h"

#define SWEEP_PARTS 8
#define SWEEP_AFTER_MS 1000 /* an element ends a little later than its lease; one that is believed gone and is not would keep its timeout on older kernels */

struct staging {
	struct setwriter_key key;
	uint64_t timeout_ms;
	int64_t expires_ms;
	unsigned owner;
	bool renew;
	char comment[SETWRITER_COMMENT_MAX + 1];
};

#define STAGING_MAX 512

struct leases {
	struct setwriter *writer;
	void (*failed)(void *context, unsigned owner, int error);
	const struct leases_watcher *watcher; /* NULL: nobody watches */
	void *context; /* of all of these */
	struct lease_table table;
	uint32_t sweep_next;
	uint64_t asked;
	struct staging staged[STAGING_MAX];
	size_t staged_count;
};

struct leases *leases_new(struct setwriter *writer, void (*failed)(void *context, unsigned owner, int error), void *context)
{
	struct leases *leases = calloc(1, sizeof(*leases));

	if (!leases)
		return NULL;
	leases->writer = writer;
	leases->failed = failed;
	leases->context = context;
	if (lease_table_init(&leases->table)) {
		free(leases);
		return NULL;
	}
	return leases;
}

void leases_watch(struct leases *leases, const struct leases_watcher *watcher)
{
	leases->watcher = watcher;
}

static void lease_tell(const struct leases *leases, const struct lease *lease, enum lease_change change, const struct name *name)
{
	int64_t left_ms = change == LEASE_ENDED ? 0 : lease->expires_ms - clock_awake_ms();
	struct name first;

	if (!leases->watcher)
		return;
	if (!name && lease->names) {
		first.length = lease->names->length;
		memcpy(first.wire, lease->names->wire, first.length);
		name = &first;
	}
	leases->watcher->changed(leases->context, change, &lease->key, name, left_ms > 0 ? (uint32_t)(left_ms / 1000) : 0);
}

static void names_free(struct lease *lease)
{
	while (lease->names) {
		struct lease_name *next = lease->names->next;

		free(lease->names);
		lease->names = next;
	}
}

void leases_free(struct leases *leases)
{
	if (!leases)
		return;
	for (uint32_t i = 0; i < leases->table.end; i++)
		names_free(lease_table_at(&leases->table, i));
	lease_table_clear(&leases->table);
	free(leases);
}

static void lease_remove(struct leases *leases, struct lease *lease)
{
	names_free(lease);
	lease_table_remove(&leases->table, lease);
}

/* Notes that name needs the lease until then, and was the last to be asked for. */
static int name_note(struct leases *leases, struct lease *lease, const struct name *name, int64_t until_ms)
{
	struct lease_name **first_to_end = NULL, **found = NULL, *entry;
	unsigned count = 0;

	for (struct lease_name **at = &lease->names; *at && !found; at = &(*at)->next) {
		if ((*at)->length == name->length && !memcmp((*at)->wire, name->wire, name->length))
			found = at;
		if (!first_to_end || (*at)->until_ms < (*first_to_end)->until_ms)
			first_to_end = at;
		count++;
	}
	if (found || count == LEASE_NAMES_MAX) {
		entry = *(found ? found : first_to_end);
		*(found ? found : first_to_end) = entry->next;
	}
	if (!found) {
		if (count == LEASE_NAMES_MAX)
			free(entry);
		entry = malloc(sizeof(*entry) + name->length);
		if (!entry)
			return -ENOMEM;
		entry->until_ms = until_ms;
		entry->length = name->length;
		memcpy(entry->wire, name->wire, name->length);
	}
	if (until_ms > entry->until_ms)
		entry->until_ms = until_ms;
	entry->next = lease->names;
	lease->names = entry;
	lease->asked = ++leases->asked;
	if (!found && entry->next)
		lease_tell(leases, lease, LEASE_SHARED, name);
	return 0;
}

static int staging_add(struct leases *leases, const struct staging *staging)
{
	return setwriter_add(leases->writer, &staging->key, staging->timeout_ms, staging->comment, staging->renew);
}

int lease_ensure(struct leases *leases, const struct setwriter_key *key, const struct name *name, uint32_t ttl_s, unsigned owner, bool *staged)
{
	int64_t now_ms = clock_awake_ms();
	int64_t until_ms = now_ms + (int64_t)(ttl_s + LEASE_GRACE_S) * 1000;
	char comment[NAME_TEXT_MAX];
	struct staging *staging;
	struct lease *lease;
	int result = 0;

	lease = lease_table_get(&leases->table, key, &result);
	if (!lease)
		return result;
	result = name_note(leases, lease, name, until_ms);
	if (result)
		return result;
	if (lease->known && !lease->staged && lease->expires_ms >= until_ms)
		return 0;
	if (leases->staged_count == STAGING_MAX) {
		result = leases_commit(leases);
		if (result)
			return result;
	}
	staging = &leases->staged[leases->staged_count];
	*staging = (struct staging){
		.key = *key,
		.expires_ms = until_ms + LEASE_SLACK_S * 1000,
		.owner = owner,
		.renew = lease->known || lease->staged || lease->expires_ms,
	};
	/* another name, in this batch or in one on the way, may have wanted it for longer: the last addition counts */
	if (lease->staged && lease->staged_ms > staging->expires_ms)
		staging->expires_ms = lease->staged_ms;
	if (lease->known && lease->expires_ms > staging->expires_ms)
		staging->expires_ms = lease->expires_ms;
	staging->timeout_ms = (uint64_t)(staging->expires_ms - now_ms);
	if (name_to_text(name, comment) <= SETWRITER_COMMENT_MAX)
		strcpy(staging->comment, comment); /* a longer one is left out rather than cut: a cut name would be another name */
	result = staging_add(leases, staging);
	if (result == -ENOBUFS) {
		result = leases_commit(leases);
		if (!result) {
			leases->staged[0] = *staging;
			staging = &leases->staged[0];
			result = staging_add(leases, staging);
		}
	}
	if (result)
		return result;
	leases->staged_count++;
	lease->staged = true;
	lease->staged_ms = staging->expires_ms;
	*staged = true;
	return 0;
}

/* What was staged is held. What two clients of one answer have staged is told once. */
static void staging_tell(const struct leases *leases, const struct lease *lease, const struct staging *staging, int64_t until_ms)
{
	struct name name;

	if (leases->watcher && staging->expires_ms > until_ms)
		lease_tell(leases, lease, staging->renew ? LEASE_RENEWED : LEASE_LEARNED,
			   *staging->comment && !name_from_text(&name, staging->comment, strlen(staging->comment)) ? &name : NULL);
}

/* The batch of [first, last) was acknowledged, or not. */
static void staged_settle(struct leases *leases, size_t first, size_t last, bool held)
{
	for (size_t i = first; i < last; i++) {
		const struct staging *staging = &leases->staged[i];
		struct lease *lease = lease_table_find(&leases->table, &staging->key);

		if (!lease)
			continue;
		lease->staged = false;
		if (held) {
			int64_t until_ms = lease->known ? lease->expires_ms : 0;

			lease->expires_ms = until_ms > staging->expires_ms ? until_ms : staging->expires_ms;
			lease->known = true;
			staging_tell(leases, lease, staging, until_ms);
		} else {
			lease->known = false;
		}
	}
}

/* The batch failed whole: each owner's part alone. Parts of one owner stand together, since an answer is staged in one go. */
static int commit_apart(struct leases *leases)
{
	int last_error = 0;
	size_t first = 0;

	while (first < leases->staged_count) {
		size_t last = first;
		int result = 0;

		for (; last < leases->staged_count && leases->staged[last].owner == leases->staged[first].owner; last++)
			if (!result)
				result = staging_add(leases, &leases->staged[last]);
		if (!result)
			result = setwriter_commit(leases->writer);
		else
			setwriter_reset(leases->writer);
		staged_settle(leases, first, last, !result);
		if (result) {
			last_error = result;
			leases->failed(leases->context, leases->staged[first].owner, result);
		}
		first = last;
	}
	return last_error;
}

int leases_commit(struct leases *leases)
{
	int result;

	if (!leases->staged_count)
		return 0;
	result = setwriter_commit(leases->writer);
	if (!result)
		staged_settle(leases, 0, leases->staged_count, true);
	else
		result = commit_apart(leases);
	leases->staged_count = 0;
	return result;
}

void leases_doubt(struct leases *leases)
{
	for (uint32_t i = 0; i < leases->table.end; i++)
		lease_table_at(&leases->table, i)->known = false;
}

/* Takes off the names that may not stay. True when names were there and none is left; first: one of those taken off. */
static bool names_review(struct lease *lease, bool (*may_keep)(void *context, const struct name *name, const struct setwriter_key *key), void *context,
			 struct name *first)
{
	bool had = lease->names;

	for (struct lease_name **at = &lease->names; *at;) {
		struct lease_name *entry = *at;
		struct name name = {.length = entry->length};

		memcpy(name.wire, entry->wire, entry->length);
		if (may_keep(context, &name, &lease->key)) {
			at = &entry->next;
			continue;
		}
		*first = name;
		*at = entry->next;
		free(entry);
	}
	return had && !lease->names;
}

/* A counter that went back is a new element's: on older kernels a renewal makes one. */
static uint64_t grown(uint64_t now, uint64_t *before)
{
	uint64_t more = now >= *before ? now - *before : now;

	*before = now;
	return more;
}

static void traffic_tell(const struct leases *leases, struct lease *lease, const struct setwriter_element *element)
{
	uint64_t packets = grown(element->packets, &lease->counted_packets), bytes = grown(element->bytes, &lease->counted_bytes);

	if (packets && leases->watcher)
		leases->watcher->counted(leases->context, &lease->key, packets, bytes);
}

int leases_review(struct leases *leases, bool (*may_keep)(void *context, const struct name *name, const struct setwriter_key *key),
		  void (*removed)(void *context, const struct setwriter_key *key, const struct name *name), void *context)
{
	int last_error = 0;

	for (uint32_t i = 0; i < leases->table.end; i++) {
		struct lease *lease = lease_table_at(&leases->table, i);
		struct name name = {.length = 1};
		struct setwriter_element element;
		bool found;
		int result;

		if (!lease->used || (lease->names && !names_review(lease, may_keep, context, &name)))
			continue;
		if (!lease->names && !lease->known && !lease->expires_ms) { /* never written */
			lease_remove(leases, lease);
			continue;
		}
		result = setwriter_look(leases->writer, &lease->key, &found, &element);
		if (!result && found)
			traffic_tell(leases, lease, &element);
		if (!result && found)
			result = setwriter_delete(leases->writer, &lease->key) ?: setwriter_commit(leases->writer);
		if (result && result != -ENOENT) {
			last_error = result;
			continue;
		}
		lease_tell(leases, lease, LEASE_ENDED, &name);
		removed(context, &lease->key, &name);
		lease_remove(leases, lease);
	}
	return last_error;
}

#define DELETED_AT_ONCE 64 /* as many as a batch surely holds */

/* Keys of elements that are more than can be known. */
struct surplus {
	struct setwriter_key *keys;
	size_t count, capacity;
};

struct adoption {
	struct leases *leases;
	struct surplus surplus;
};

static int surplus_add(struct surplus *surplus, const struct setwriter_key *key)
{
	if (surplus->count == surplus->capacity) {
		size_t capacity = surplus->capacity ? surplus->capacity * 2 : DELETED_AT_ONCE;
		struct setwriter_key *keys = realloc(surplus->keys, capacity * sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		surplus->keys = keys;
		surplus->capacity = capacity;
	}
	surplus->keys[surplus->count++] = *key;
	return 0;
}

static int adopt_element(void *context, const struct setwriter_element *element)
{
	struct adoption *adoption = context;
	int64_t expires_ms = clock_awake_ms() + (int64_t)element->expires_ms;
	struct lease *lease;
	struct name name;
	int result = 0;

	lease = lease_table_get(&adoption->leases->table, &element->key, &result);
	if (!lease)
		return result == -ENOSPC ? surplus_add(&adoption->surplus, &element->key) : result;
	lease->known = true;
	lease->expires_ms = expires_ms;
	lease->packets = lease->counted_packets = element->packets;
	lease->counted_bytes = element->bytes;
	if (!element->comment[0] || name_from_text(&name, element->comment, strlen(element->comment)))
		return 0;
	result = name_note(adoption->leases, lease, &name, expires_ms);
	lease_tell(adoption->leases, lease, LEASE_FOUND, &name);
	return result;
}

static int keys_delete(struct setwriter *writer, const struct setwriter_key *keys, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && !result; i++)
		result = setwriter_delete(writer, &keys[i]);
	if (result)
		setwriter_reset(writer);
	return result ?: setwriter_commit(writer);
}

/* Many in a batch; one by one where one of them has ended by itself meanwhile, which fails its batch. */
static int surplus_delete(struct setwriter *writer, const struct surplus *surplus)
{
	for (size_t i = 0; i < surplus->count; i += DELETED_AT_ONCE) {
		size_t count = surplus->count - i < DELETED_AT_ONCE ? surplus->count - i : DELETED_AT_ONCE;
		int result = keys_delete(writer, surplus->keys + i, count);

		if (result != -ENOENT && result)
			return result;
		for (size_t j = 0; result == -ENOENT && j < count; j++) {
			int alone = keys_delete(writer, surplus->keys + i + j, 1);

			if (alone && alone != -ENOENT)
				return alone;
		}
	}
	return 0;
}

int leases_adopt(struct leases *leases)
{
	struct adoption adoption = {.leases = leases};
	int result;

	do { /* a listing of a table that the kernel makes larger meanwhile leaves some out */
		adoption.surplus.count = 0;
		result = setwriter_each(leases->writer, adopt_element, &adoption);
		result = result ?: surplus_delete(leases->writer, &adoption.surplus);
	} while (!result && adoption.surplus.count);
	free(adoption.surplus.keys);
	return result;
}

void leases_sweep(struct leases *leases)
{
	uint32_t part = leases->table.end / SWEEP_PARTS + 1;
	int64_t now_ms = clock_awake_ms();

	for (; part && leases->sweep_next < leases->table.end; part--) {
		struct lease *lease = lease_table_at(&leases->table, leases->sweep_next++);

		if (!lease->used || lease->staged || lease->expires_ms + SWEEP_AFTER_MS >= now_ms)
			continue;
		if (lease->expires_ms)
			lease_tell(leases, lease, LEASE_ENDED, NULL);
		lease_remove(leases, lease);
	}
	if (leases->sweep_next == leases->table.end)
		leases->sweep_next = 0;
}

static int count_look(void *context, const struct setwriter_element *element)
{
	struct leases *leases = context;
	struct lease *lease = lease_table_find(&leases->table, &element->key);

	if (lease)
		traffic_tell(leases, lease, element);
	return 0;
}

int leases_count_now(struct leases *leases)
{
	return setwriter_each(leases->writer, count_look, leases);
}

struct renewal {
	struct leases *leases;
	int64_t before_ms;
	void (*due)(void *context, const struct name *name, enum addr_family family);
	void *context;
};

static int renewal_look(void *context, const struct setwriter_element *element)
{
	struct renewal *renewal = context;
	struct lease *lease = lease_table_find(&renewal->leases->table, &element->key);
	bool moved;

	if (!lease)
		return 0;
	traffic_tell(renewal->leases, lease, element);
	if (element->packets < lease->packets) /* a new element's: on older kernels a renewal makes one */
		lease->packets = 0;
	moved = element->packets > lease->packets;
	if (lease->expires_ms >= renewal->before_ms || !moved)
		return 0;
	lease->packets = element->packets;
	for (struct lease_name *entry = lease->names; entry; entry = entry->next) {
		struct name name = {.length = entry->length};

		memcpy(name.wire, entry->wire, entry->length);
		renewal->due(renewal->context, &name, lease->key.addr.family);
	}
	return 0;
}

int leases_renewable(struct leases *leases, uint32_t within_s, void (*due)(void *context, const struct name *name, enum addr_family family), void *context)
{
	struct renewal renewal = {
		.leases = leases,
		.before_ms = clock_awake_ms() + (int64_t)within_s * 1000,
		.due = due,
		.context = context,
	};
	bool any = leases->watcher && leases->table.count && leases->table.count <= LEASES_COUNTED;

	for (uint32_t i = 0; i < leases->table.end && !any; i++) {
		const struct lease *lease = lease_table_at(&leases->table, i);

		any = lease->known && lease->expires_ms < renewal.before_ms;
	}
	return any ? setwriter_each(leases->writer, renewal_look, &renewal) : 0;
}

/* Adds those of one lease. Returns how many there are then. */
static size_t lease_names(const struct lease *lease, int64_t now_ms, struct name *names, size_t count, size_t max, uint32_t *ttl_s)
{
	for (const struct lease_name *entry = lease->names; entry && count < max; entry = entry->next) {
		int64_t left_ms = entry->until_ms - now_ms - LEASE_GRACE_S * INT64_C(1000);
		uint32_t left_s = left_ms > 0 ? (uint32_t)(left_ms / 1000) : 0;
		size_t i = 0;

		if (entry->until_ms <= now_ms)
			continue;
		if (left_s < *ttl_s)
			*ttl_s = left_s;
		names[count].length = entry->length;
		memcpy(names[count].wire, entry->wire, entry->length);
		while (!name_equal(&names[i], &names[count])) /* at the latest, with itself */
			i++;
		count += i == count;
	}
	return count;
}

size_t leases_names(const struct leases *leases, const struct addr *addr, struct name *names, size_t max, uint32_t *ttl_s)
{
	const struct lease *lease = lease_table_first(&leases->table, addr);
	int64_t now_ms = clock_awake_ms();
	size_t count = 0;

	*ttl_s = UINT32_MAX;
	for (; lease; lease = lease_table_next(&leases->table, lease))
		if (lease->expires_ms > now_ms)
			count = lease_names(lease, now_ms, names, count, max, ttl_s);
	return count;
}

bool leases_name(const struct leases *leases, const struct addr *addr, uint8_t protocol, uint16_t port, struct name *name)
{
	const struct lease *lease = lease_table_first(&leases->table, addr), *best = NULL;
	bool best_fits = false;

	for (; lease; lease = lease_table_next(&leases->table, lease)) {
		bool fits = !lease->key.port || (lease->key.port == port && lease->key.protocol == protocol);

		if (!lease->names || (best && best_fits > fits) || (best && best_fits == fits && best->asked > lease->asked))
			continue;
		best = lease;
		best_fits = fits;
	}
	if (!best)
		return false;
	name->length = best->names->length;
	memcpy(name->wire, best->names->wire, best->names->length);
	return true;
}

size_t leases_count(const struct leases *leases)
{
	return leases->table.count;
}
