/* What is measured of a running container: the forwarder's `stats` after a known number of queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"
#include "dns/message.h"
#include "state/control.h"
#include "support/rig.h"

#define UPSTREAM_MS 30 /* that the scripted server takes */

static struct rig rig;
static uint8_t reply[MESSAGE_MAX];

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	nanosleep(&(struct timespec){.tv_nsec = UPSTREAM_MS * 1000000L}, NULL);
	return rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4);
}

static int group_setup(void **state)
{
	(void)state;
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	assert_string_equal(rig_forwarder(&rig), "ready");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static uint64_t stat_of(const struct text *stats, const char *key)
{
	char wanted[80];
	const char *at;

	snprintf(wanted, sizeof(wanted), "\n%s ", key);
	at = strstr(stats->data, wanted);
	if (!at)
		fail_msg("stats has no '%s'", key);
	return strtoull(at + strlen(wanted), NULL, 10);
}

static void each_answer_is_measured_once_in_the_histogram_of_its_kind(void **state)
{
	struct text stats = {0};
	struct error error = {0};

	(void)state;
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply)); /* upstream, and into the set */
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply)); /* the cache */
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply));
	assert_true(rig_ask(&rig, "other.test", TYPE_A, 2000, reply)); /* refused */
	text_add(&stats, "\n");
	if (control_request(&rig.bundle, "stats", 2000, &stats, &error))
		fail_msg("%s", error.text);
	assert_int_equal(stat_of(&stats, "queries"), 4);
	assert_int_equal(stat_of(&stats, "answer_upstream_us_count"), 1);
	assert_int_equal(stat_of(&stats, "answer_local_us_count"), 3);
	assert_int_equal(stat_of(&stats, "set_us_count"), 1);
	/* a server that takes so long is not faster in the histogram, and what it did not take part in is not slowed by it */
	assert_true(stat_of(&stats, "answer_upstream_us_sum") >= UPSTREAM_MS * 1000);
	assert_int_equal(stat_of(&stats, "answer_upstream_us_le_25000"), 0);
	assert_int_equal(stat_of(&stats, "answer_upstream_us_le_5000000"), 1);
	assert_true(stat_of(&stats, "answer_local_us_le_25000") >= 2); /* one may have met with a machine that was busy */
	assert_true(stat_of(&stats, "set_us_sum") < stat_of(&stats, "answer_upstream_us_sum"));
	assert_true(stat_of(&stats, "set_us_sum") > 0);
	text_free(&stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_measured_once_in_the_histogram_of_its_kind),
	};
	const char *missing = rig_missing();

	if (missing && !getenv("SHIELD_NO_SKIP")) {
		printf("SKIP: %s\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
