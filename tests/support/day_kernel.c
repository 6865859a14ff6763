/* What the kernel's learned sets must hold, and until when: what goes to the set writer is noted on its way (ld's --wrap), and counts when the kernel has acknowledged it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/rule.h"
#include "support/day.h"

#define STAGED_MAX 1024
#define JIFFIES_MS 20 /* more than the kernel's rounding makes */

struct kernel kernel;

/* What is on its way. */
static struct {
	struct element element;
	bool removed, renewed;
} staged[STAGED_MAX];
static size_t staged_count;

static int64_t real_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time); /* this one is nobody's but ours, and real */
	return time.tv_sec * SECOND + time.tv_nsec / 1000000;
}

static struct element *element_slot(const struct setwriter_key *key)
{
	bool v6 = key->addr.family == ADDR_V6;
	unsigned port = !key->port ? PORT_NONE : key->protocol == RULE_TCP ? PORT_TCP : PORT_UDP;

	return &kernel.elements[((unsigned)v6 * PLACES + place_of(key->addr.octets, v6)) * PORTS + port];
}

struct element *element_find(const struct setwriter_key *key)
{
	struct element *element = element_slot(key);

	return element->end_ms ? element : NULL;
}

static void element_remove(struct element *element)
{
	element->end_ms = 0;
	kernel.count--;
}

const char *key_text(const struct setwriter_key *key)
{
	static char text[ADDR_TEXT_MAX];

	return addr_format(&key->addr, text);
}

int __real_setwriter_add(struct setwriter *writer, const struct setwriter_key *key, uint64_t timeout_ms, const char *comment, bool renew);
int __real_setwriter_delete(struct setwriter *writer, const struct setwriter_key *key);
int __real_setwriter_commit(struct setwriter *writer);
void __real_setwriter_reset(struct setwriter *writer);

int __wrap_setwriter_add(struct setwriter *writer, const struct setwriter_key *key, uint64_t timeout_ms, const char *comment, bool renew)
{
	int result = __real_setwriter_add(writer, key, timeout_ms, comment, renew);
	struct element *element = &staged[staged_count].element;

	if (result)
		return result;
	assert_true(staged_count < STAGED_MAX);
	*element = (struct element){.key = *key, .end_ms = now.awake_ms + (int64_t)timeout_ms, .timeout_ms = timeout_ms};
	snprintf(element->comment, sizeof(element->comment), "%s", comment);
	staged[staged_count].removed = false;
	staged[staged_count++].renewed = renew;
	return 0;
}

int __wrap_setwriter_delete(struct setwriter *writer, const struct setwriter_key *key)
{
	int result = __real_setwriter_delete(writer, key);

	if (result)
		return result;
	assert_true(staged_count < STAGED_MAX);
	staged[staged_count].element.key = *key;
	staged[staged_count++].removed = true;
	return 0;
}

static void element_added(const struct element *added, bool renewed)
{
	struct element *element = element_slot(&added->key);
	bool v6 = added->key.addr.family == ADDR_V6;
	int64_t too_long_ms = added->end_ms - kernel.may_last_ms[v6][place_of(added->key.addr.octets, v6)];

	if (too_long_ms > 0)
		day_fail("%s was admitted for %lld s longer than any name may have it (%s)", key_text(&added->key),
			(long long)too_long_ms / SECOND, added->comment);
	if (element->end_ms && kernel.older && !renewed)
		return; /* such a kernel leaves it as it is */
	kernel.count += !element->end_ms;
	*element = *added;
	if (kernel.count > kernel.count_max)
		kernel.count_max = kernel.count;
}

int __wrap_setwriter_commit(struct setwriter *writer)
{
	int64_t begun_ms = real_ms();
	int result = __real_setwriter_commit(writer);

	for (size_t i = 0; i < staged_count && !result; i++) {
		struct element *element = element_find(&staged[i].element.key);

		staged[i].element.begun_ms = begun_ms;
		staged[i].element.written_ms = real_ms();
		if (!staged[i].removed)
			element_added(&staged[i].element, staged[i].renewed);
		else if (element)
			element_remove(element);
	}
	staged_count = 0;
	return result;
}

void __wrap_setwriter_reset(struct setwriter *writer)
{
	staged_count = 0;
	__real_setwriter_reset(writer);
}

void kernel_expire(struct setwriter *writer)
{
	for (size_t i = 0; i < COUNT(kernel.elements); i++) {
		struct element *element = &kernel.elements[i];

		if (!element->end_ms || element->end_ms > now.awake_ms)
			continue;
		assert_int_equal(__real_setwriter_delete(writer, &element->key), 0);
		if (__real_setwriter_commit(writer))
			day_fail("%s was not in the kernel's set any more", key_text(&element->key));
		element_remove(element);
	}
}

void kernel_timeouts(struct setwriter *writer, bool left)
{
	for (size_t i = 0; i < COUNT(kernel.elements); i++) {
		struct element *element = &kernel.elements[i];
		uint64_t timeout_ms = element->timeout_ms;

		if (!element->end_ms)
			continue;
		if (left) /* an element that ends at this moment is there for the worker's first look still */
			timeout_ms = element->end_ms > now.awake_ms + SECOND ? (uint64_t)(element->end_ms - now.awake_ms) : SECOND;
		element->begun_ms = real_ms();
		assert_int_equal(__real_setwriter_add(writer, &element->key, timeout_ms, element->comment, true), 0);
		assert_int_equal(__real_setwriter_commit(writer), 0);
		element->written_ms = real_ms();
	}
}

/* What is left of it counts from when it was written last. */
static bool expires_rightly(const struct element *element, uint64_t expires_ms, int64_t looked_ms)
{
	int64_t least_ms = (int64_t)element->timeout_ms - (real_ms() - element->begun_ms),
		most_ms = (int64_t)element->timeout_ms - (looked_ms - element->written_ms);

	return (int64_t)expires_ms >= least_ms - JIFFIES_MS && (int64_t)expires_ms <= most_ms + JIFFIES_MS;
}

struct listing {
	int64_t begun_ms;
	size_t count;
};

static int kernel_element_check(void *context, const struct setwriter_element *found)
{
	struct element *element = element_find(&found->key);
	struct listing *listing = context;

	listing->count++;
	if (!element)
		day_fail("%s is in the kernel's set and should not be (%s)", key_text(&found->key), found->comment);
	if (!kernel.older && !expires_rightly(element, found->expires_ms, listing->begun_ms))
		day_fail("%s was written %lld ms ago with a timeout of %llu ms, and the kernel will end it in %llu ms",
			key_text(&found->key), (long long)(real_ms() - element->written_ms), (unsigned long long)element->timeout_ms,
			(unsigned long long)found->expires_ms);
	return 0;
}

void kernel_check(void)
{
	struct listing listing = {.begun_ms = real_ms()};

	if (kernel.gone)
		return;
	assert_int_equal(setwriter_each(kernel.judge, kernel_element_check, &listing), 0);
	if (listing.count != kernel.count)
		day_fail("the kernel holds %zu elements, not %zu", listing.count, kernel.count);
}

void kernel_emptied(void)
{
	kernel.count = 0;
	memset(kernel.elements, 0, sizeof(kernel.elements));
	memset(kernel.needed_ms, 0, sizeof(kernel.needed_ms));
}
