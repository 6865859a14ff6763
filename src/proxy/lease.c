/* Leases: what the forwarder believes that the learned sets hold. */
#include "proxy/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define SLOTS_FIRST 256
#define SWEEP_PARTS 8
#define SWEEP_AFTER_MS 1000 /* an element ends a little later than its lease; one that is believed gone and is not would keep its timeout on older kernels */

struct lease_name {
	struct lease_name *next; /* asked for before this one */
	int64_t until_ms;
	uint64_t asked; /* grows with each that is asked for */
	uint8_t length;
	uint8_t wire[];
};

struct lease {
	struct setwriter_key key;
	bool used;
	bool staged;	       /* in the batch, not yet acknowledged, until staged_ms */
	bool known;	       /* the kernel acknowledged it until expires_ms */
	int64_t expires_ms, staged_ms;
	uint64_t packets;      /* of the element, when last looked at for a renewal */
	uint64_t counted_packets, counted_bytes; /* of the element, as far as they were told */
	struct lease_name *names;
};

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
	struct hash_key hash_key;
	struct lease *slots;	/* open addressing, linear probing */
	size_t slot_count;	/* a power of two */
	size_t count;
	size_t sweep_next;
	uint64_t asked;
	struct staging staged[STAGING_MAX];
	size_t staged_count;
};

/* Of the address alone: the few ports that a rule names stand beside each other, so that leases_names() finds all of them. */
static uint64_t addr_hash(const struct leases *leases, const struct addr *addr)
{
	uint8_t octets[17];

	memcpy(octets, addr->octets, 16);
	octets[16] = addr->family;
	return hash_bytes(&leases->hash_key, octets, sizeof(octets));
}

static bool key_equal(const struct setwriter_key *a, const struct setwriter_key *b)
{
	return a->port == b->port && a->protocol == b->protocol && addr_equal(&a->addr, &b->addr);
}

/* The slot of the key, or the free one where it would go. */
static struct lease *slot_find(const struct leases *leases, const struct setwriter_key *key)
{
	size_t mask = leases->slot_count - 1, i = addr_hash(leases, &key->addr) & mask;

	while (leases->slots[i].used && !key_equal(&leases->slots[i].key, key))
		i = (i + 1) & mask;
	return &leases->slots[i];
}

static int slots_grow(struct leases *leases)
{
	struct lease *old = leases->slots;
	size_t old_count = leases->slot_count;
	struct lease *slots = calloc(old_count * 2, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	leases->slots = slots;
	leases->slot_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].used)
			*slot_find(leases, &old[i].key) = old[i];
	free(old);
	return 0;
}

struct leases *leases_new(struct setwriter *writer, void (*failed)(void *context, unsigned owner, int error), void *context)
{
	struct leases *leases = calloc(1, sizeof(*leases));

	if (!leases)
		return NULL;
	leases->writer = writer;
	leases->failed = failed;
	leases->context = context;
	leases->hash_key = hash_key_random();
	leases->slot_count = SLOTS_FIRST;
	leases->slots = calloc(SLOTS_FIRST, sizeof(*leases->slots));
	if (!leases->slots) {
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
	for (size_t i = 0; i < leases->slot_count; i++)
		names_free(&leases->slots[i]);
	free(leases->slots);
	free(leases);
}

/* Removes the lease in a slot and moves up those that were pushed behind it (Knuth 6.4, algorithm R). */
static void slot_remove(struct leases *leases, struct lease *lease)
{
	size_t mask = leases->slot_count - 1, hole = (size_t)(lease - leases->slots);

	names_free(lease);
	lease->used = false;
	leases->count--;
	for (size_t i = (hole + 1) & mask; leases->slots[i].used; i = (i + 1) & mask) {
		size_t home = addr_hash(leases, &leases->slots[i].key.addr) & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		leases->slots[hole] = leases->slots[i];
		leases->slots[i].used = false;
		leases->slots[i].names = NULL;
		hole = i;
	}
}

static struct lease *lease_get(struct leases *leases, const struct setwriter_key *key, int *error)
{
	struct lease *lease = slot_find(leases, key);

	if (lease->used)
		return lease;
	if (leases->count == LEASES_MAX) {
		*error = -ENOSPC;
		return NULL;
	}
	if ((leases->count + 1) * 4 > leases->slot_count * 3) {
		*error = slots_grow(leases);
		if (*error)
			return NULL;
		lease = slot_find(leases, key);
	}
	*lease = (struct lease){.key = *key, .used = true};
	leases->count++;
	return lease;
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
	entry->asked = ++leases->asked;
	entry->next = lease->names;
	lease->names = entry;
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

	lease = lease_get(leases, key, &result);
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
		lease = slot_find(leases, key);
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
		struct lease *lease = slot_find(leases, &staging->key);

		if (!lease->used)
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
	for (size_t i = 0; i < leases->slot_count; i++)
		leases->slots[i].known = false;
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

	for (size_t i = 0; i < leases->slot_count;) {
		struct lease *lease = &leases->slots[i];
		struct name name = {.length = 1};
		struct setwriter_element element;
		bool found;
		int result;

		if (!lease->used || (lease->names && !names_review(lease, may_keep, context, &name))) {
			i++;
			continue;
		}
		if (!lease->names && !lease->known && !lease->expires_ms) { /* never written */
			slot_remove(leases, lease);
			continue;
		}
		result = setwriter_look(leases->writer, &lease->key, &found, &element);
		if (!result && found)
			traffic_tell(leases, lease, &element);
		if (!result && found)
			result = setwriter_delete(leases->writer, &lease->key) ?: setwriter_commit(leases->writer);
		if (result && result != -ENOENT) {
			last_error = result;
			i++;
			continue;
		}
		lease_tell(leases, lease, LEASE_ENDED, &name);
		removed(context, &lease->key, &name);
		slot_remove(leases, lease); /* another may have moved into this slot: look at it again */
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

	lease = lease_get(adoption->leases, &element->key, &result);
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
	size_t part = leases->slot_count / SWEEP_PARTS, end = leases->sweep_next + part;
	int64_t now_ms = clock_awake_ms();

	if (end > leases->slot_count)
		end = leases->slot_count;
	for (size_t i = leases->sweep_next; i < end;) {
		struct lease *lease = &leases->slots[i];

		if (!lease->used || lease->staged || lease->expires_ms + SWEEP_AFTER_MS >= now_ms) {
			i++;
			continue;
		}
		if (lease->expires_ms)
			lease_tell(leases, lease, LEASE_ENDED, NULL);
		slot_remove(leases, lease);
	}
	leases->sweep_next = end == leases->slot_count ? 0 : end;
}

static int count_look(void *context, const struct setwriter_element *element)
{
	struct leases *leases = context;
	struct lease *lease = slot_find(leases, &element->key);

	if (lease->used)
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
	struct lease *lease = slot_find(renewal->leases, &element->key);
	bool moved;

	if (!lease->used)
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
	bool any = leases->watcher && leases->count && leases->count <= LEASES_COUNTED;

	for (size_t i = 0; i < leases->slot_count && !any; i++)
		any = leases->slots[i].used && leases->slots[i].known && leases->slots[i].expires_ms < renewal.before_ms;
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
	size_t mask = leases->slot_count - 1, count = 0;
	int64_t now_ms = clock_awake_ms();

	*ttl_s = UINT32_MAX;
	for (size_t i = addr_hash(leases, addr) & mask; leases->slots[i].used; i = (i + 1) & mask) {
		const struct lease *lease = &leases->slots[i];

		if (addr_equal(&lease->key.addr, addr) && lease->expires_ms > now_ms)
			count = lease_names(lease, now_ms, names, count, max, ttl_s);
	}
	return count;
}

bool leases_name(const struct leases *leases, const struct addr *addr, uint8_t protocol, uint16_t port, struct name *name)
{
	size_t mask = leases->slot_count - 1;
	const struct lease_name *best = NULL;
	bool best_fits = false;

	for (size_t i = addr_hash(leases, addr) & mask; leases->slots[i].used; i = (i + 1) & mask) {
		const struct lease *lease = &leases->slots[i];
		bool fits = !lease->key.port || (lease->key.port == port && lease->key.protocol == protocol);

		if (!lease->names || !addr_equal(&lease->key.addr, addr) || (best && best_fits > fits) ||
		    (best && best_fits == fits && best->asked > lease->names->asked))
			continue;
		best = lease->names;
		best_fits = fits;
	}
	if (!best)
		return false;
	name->length = best->length;
	memcpy(name->wire, best->wire, best->length);
	return true;
}

size_t leases_count(const struct leases *leases)
{
	return leases->count;
}
