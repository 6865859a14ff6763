/* Egress by DNS, bounded.
 *
 * Theory of operation. Each rule in use has a bucket that holds a minute's worth of names and of octets and is filled again evenly over a minute.
 * Buckets lie in a table of fixed size, found by a keyed hash of the rule's name within a few places; when all of these are taken, the one that was not used for the
 * longest time gives way, which is the one that is fullest by now. Rules are the user's: a workload cannot make more of them.
 *
 * Names that were charged are remembered by their hash, each in the one place where it falls; a name that is asked again tells nobody anything new.
 * A workload can drive names out of there only by new ones, which it has to pay for.
 */
#include "proxy/budget.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define BUCKETS	  512u
#define PROBES	  8u
#define KNOWN	  4096u
#define MINUTE_MS 60000u

/* Levels are in units of 1/60000: a minute fills `limit` in steps of one millisecond. */
struct bucket {
	uint64_t rule; /* 0: free */
	int64_t used_ms, told_ms;
	uint64_t names, octets;
};

struct budget {
	struct hash_key key;
	uint64_t names_max, octets_max;
	struct bucket buckets[BUCKETS];
	uint64_t known[KNOWN];
};

struct budget *budget_new(unsigned names, unsigned octets)
{
	struct budget *budget = calloc(1, sizeof(*budget));

	if (!budget)
		return NULL;
	budget->key = hash_key_random();
	budget->names_max = (uint64_t)names * MINUTE_MS;
	budget->octets_max = (uint64_t)octets * MINUTE_MS;
	return budget;
}

void budget_free(struct budget *budget)
{
	free(budget);
}

void budget_rule_name(const struct name *name, const struct policy_match *match, struct name *rule)
{
	unsigned above = name_label_count(name) - match->depth;
	const uint8_t *at = name->wire;

	while (above--)
		at += *at + 1;
	rule->length = (uint8_t)(name->length - (at - name->wire));
	memcpy(rule->wire, at, rule->length);
}

/* 0 is left for places that are free. */
static uint64_t name_hash(const struct budget *budget, const struct name *name)
{
	uint64_t hash = hash_bytes(&budget->key, name->wire, name->length);

	return hash ? hash : 1;
}

static uint64_t level(uint64_t now, uint64_t max, uint64_t elapsed_ms)
{
	uint64_t filled = now + max / MINUTE_MS * elapsed_ms;

	return elapsed_ms >= MINUTE_MS || filled > max ? max : filled;
}

static struct bucket *bucket_find(struct budget *budget, uint64_t rule, int64_t now_ms)
{
	struct bucket *oldest = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct bucket *bucket = &budget->buckets[(rule + i) % BUCKETS];

		if (bucket->rule == rule)
			return bucket;
		if (!oldest || bucket->used_ms < oldest->used_ms)
			oldest = bucket;
	}
	*oldest = (struct bucket){.rule = rule, .used_ms = now_ms, .told_ms = now_ms - MINUTE_MS, .names = budget->names_max, .octets = budget->octets_max};
	return oldest;
}

static bool bucket_take(const struct budget *budget, struct bucket *bucket, uint64_t octets, int64_t now_ms)
{
	uint64_t elapsed_ms = now_ms > bucket->used_ms ? (uint64_t)(now_ms - bucket->used_ms) : 0;

	bucket->names = level(bucket->names, budget->names_max, elapsed_ms);
	bucket->octets = level(bucket->octets, budget->octets_max, elapsed_ms);
	bucket->used_ms = now_ms;
	if ((budget->names_max && bucket->names < MINUTE_MS) || (budget->octets_max && bucket->octets < octets))
		return false;
	bucket->names -= budget->names_max ? MINUTE_MS : 0;
	bucket->octets -= budget->octets_max ? octets : 0;
	return true;
}

bool budget_take(struct budget *budget, const struct name *name, const struct policy_match *match, bool *first)
{
	int64_t now_ms = clock_now_ms();
	struct bucket *bucket;
	struct name rule;
	uint64_t hash;

	*first = false;
	if (match->kind == RULE_EXACT || (!budget->names_max && !budget->octets_max))
		return true;
	budget_rule_name(name, match, &rule);
	if (rule.length == name->length)
		return true;
	hash = name_hash(budget, name);
	if (budget->known[hash % KNOWN] == hash)
		return true;
	bucket = bucket_find(budget, name_hash(budget, &rule), now_ms);
	if (bucket_take(budget, bucket, (uint64_t)(name->length - rule.length) * MINUTE_MS, now_ms)) {
		budget->known[hash % KNOWN] = hash;
		return true;
	}
	*first = now_ms - bucket->told_ms >= MINUTE_MS;
	if (*first)
		bucket->told_ms = now_ms;
	return false;
}
