/* fw/verify.c: what the two nft versions read back is the ruleset, and nothing that differs from it is. */
#include "ruleset_cases.h"

#include <errno.h>
#include <fcntl.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fw/verify.h"

static const char *const versions[] = {"1.0.6", "1.1.3"};
#define VERSIONS   (sizeof(versions) / sizeof(*versions))
#define EVERYTHING (&ruleset_cases[1])

static char *golden(const char *name, const char *version)
{
	char path[128], *json = NULL;

	snprintf(path, sizeof(path), "unit/golden/%s.%s.json", name, version);
	if (file_read(AT_FDCWD, path, 4u << 20, &json, NULL))
		fail_msg("%s cannot be read", path);
	return json;
}

static void what_either_nft_reads_back_is_verified(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < RULESET_CASES * VERSIONS; i++) {
		const struct ruleset_case *ruleset_case = &ruleset_cases[i / VERSIONS];
		cleanup_free char *json = golden(ruleset_case->name, versions[i % VERSIONS]);
		struct ruleset_parts parts;
		struct ruleset ruleset = ruleset_case_open(ruleset_case, &parts);
		struct error error = {0};

		if (verify_ruleset(&ruleset, json, &error))
			fail_msg("%s, nft %s: %s", ruleset_case->name, versions[i % VERSIONS], error.text);
		ruleset_parts_free(&parts);
	}
}

static void the_state_is_told_whatever_was_expected(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < RULESET_CASES; i++) {
		cleanup_free char *json = golden(ruleset_cases[i].name, versions[0]);
		struct ruleset_parts parts;
		struct ruleset ruleset = ruleset_case_open(&ruleset_cases[i], &parts);
		struct error error = {0};

		ruleset.state = SHIELD_UP;
		assert_int_equal(verify_state(&ruleset, json, &error), ruleset_cases[i].state);
		ruleset_parts_free(&parts);
	}
}

static void a_listing_of_another_state_is_not_verified(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < RULESET_CASES; i++) {
		for (size_t j = 0; j < RULESET_CASES; j++) {
			cleanup_free char *json = golden(ruleset_cases[j].name, versions[0]);
			struct ruleset_parts parts;
			struct ruleset ruleset = ruleset_case_open(&ruleset_cases[i], &parts);
			struct error error = {0};

			assert_int_equal(verify_ruleset(&ruleset, json, &error), i == j ? 0 : -EBADMSG);
			ruleset_parts_free(&parts);
		}
	}
}

/* The text with the first `find` behind `after` replaced. Caller frees. */
static char *edited(const char *json, const char *after, const char *find, const char *replace)
{
	const char *start = strstr(json, after), *position = start ? strstr(start, find) : NULL;
	struct text text = {0};

	if (!position)
		fail_msg("'%s' after '%s' is not in the listing", find, after);
	text_add_bytes(&text, json, (size_t)(position - json));
	text_add(&text, replace);
	text_add(&text, position + strlen(find));
	return text_take(&text);
}

static void every_edit_is_a_difference(void **unused)
{
	static const struct {
		const char *after, *find, *replace;
		const char *shown; /* in the message */
	} edits[] = {
		{"", "\"terok_shield\", \"handle\"", "\"terok_shield\", \"flags\": [\"dormant\"], \"handle\"", "dormant"},
		{"", "{\"table\":", "{\"table\": {\"family\": \"ip\", \"name\": \"terok_shield\", \"handle\": 9}}, {\"table\":", "unknown"},
		{"", "{\"table\":", "{\"flowtable\": {\"family\": \"inet\", \"name\": \"f\"}}, {\"table\":", "flowtable"},
		{"", "{\"table\":", "{\"map\": {\"family\": \"inet\", \"name\": \"m\"}}, {\"table\":", "map"},
		{"", "{\"table\":", "{\"counter\": {\"family\": \"inet\", \"name\": \"c\"}}, {\"table\":", "counter"},
		{"\"name\": \"output\"", "\"policy\": \"drop\"", "\"policy\": \"accept\"", "policy accept"},
		{"\"name\": \"output\"", "\"hook\": \"output\"", "\"hook\": \"forward\"", "hook forward"},
		{"\"name\": \"output\"", "\"prio\": 0", "\"prio\": 1", "priority 1"},
		{"\"name\": \"output\"", "\"prio\": 0", "\"prio\": 0.5", "unknown"},
		{"\"name\": \"output\"", "\"type\": \"filter\"", "\"type\": \"route\"", "type route"},
		{"\"name\": \"capture\"", "\"prio\": -100", "\"prio\": 100", "priority 100"},
		{"\"name\": \"denied\"", "\"name\": \"denied\"", "\"name\": \"denied\", \"comment\": \"x\"", "comment"},
		{"\"name\": \"learned_v4\"", "\"timeout\"", "\"dynamic\"", "dynamic"},
		{"\"name\": \"learned_v4\"", "131072", "65536", "65536"},
		{"\"name\": \"learned_v4\"", "\"size\"", "\"timeout\": 3600, \"size\"", "timeout"},
		{"\"name\": \"learned_v4\"", "counter", "quota", "quota"},
		{"\"name\": \"allow_v4\"", "10.1.2.3", "10.1.2.4", "10.1.2.3"},
		{"\"name\": \"allow_v4\"", "\"10.1.2.3\"", "\"10.1.2.3\", \"8.8.8.8\"", "8.8.8.8"},
		{"\"name\": \"allow_v4\"", "\"10.1.2.3\"", "{\"elem\": {\"val\": \"10.1.2.3\", \"timeout\": 60}}", "unknown"},
		{"\"name\": \"allow_v4\"", "\"10.1.2.3\"", "{\"range\": [\"10.1.2.3\", \"10.1.2.4\"]}", "10.1.2.4"},
		{"\"name\": \"allow_v4\"", "\"10.1.2.3\"", "{\"range\": [\"10.1.2.4\", \"10.1.2.3\"]}", "unknown"},
		{"\"name\": \"allow_v4\"", "\"10.1.2.3\"", "{\"range\": [\"0.0.0.0\", \"255.255.255.255\"]}", "0.0.0.0/0"},
		{"\"name\": \"allow_v6\"", "\"2001:db9::1\"", "{\"range\": [\"::\", \"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"]}", "::/0"},
		{"\"name\": \"allow_port_v4\"", "443", "444", "443"},
		{"\"name\": \"allow_port_v4\"", "443", "{\"range\": [1, 443]}", "unknown"},
		{"\"name\": \"allow_v4\"", "\"timeout\": 600, ", "", "unknown"},
		{"\"name\": \"allow_v4\"", "\"timeout\": 600, ", "\"timeout\": 0, ", "unknown"},
		{"\"name\": \"allow_v4\"", "until 2026-01-02T03:14:05", "until 2026-01-02T03:14:06",
			"198.51.100.0/30 until 2026-01-02T03:14:0"},
		{"\"name\": \"allow_v4\"", "until 2026-01-02T03:14:05", "until 2026", "unknown"},
		{"\"name\": \"allow_v4\"", "until 2026", "since 2026", "unknown"},
		{"\"name\": \"allow_v4\"", "\"10.1.2.3\"",
			"{\"elem\": {\"val\": \"10.1.2.3\", \"timeout\": 60, \"comment\": \"until 2026-01-02T03:06:05+00:00\"}}",
			"10.1.2.3"},
		{"\"name\": \"deny_v4\"", "\"192.0.2.66\", ", "", "192.0.2.66"},
		{"\"chain\": \"output\"", "\"@deny_v4\"", "\"@deny_v6\"", "@deny_v6"},
		{"\"chain\": \"output\"", "\"op\": \"==\"", "\"op\": \"!=\"", "unknown"},
		{"\"chain\": \"output\"", "{\"goto\": {\"target\": \"denied\"}}", "{\"accept\": null}", "accept"},
		{"\"chain\": \"output\"", "{\"goto\": {\"target\": \"denied\"}}", "{\"jump\": {\"target\": \"denied\"}}", "jump"},
		{"\"chain\": \"output\"", "{\"goto\": {\"target\": \"denied\"}}",
			"{\"goto\": {\"target\": \"denied\"}}, {\"accept\": null}", "accept"},
		{"\"chain\": \"output\"", "127.0.0.1", "127.0.0.2", "127.0.0.2"},
		{"\"chain\": \"output\"", "\"right\": 53", "\"right\": 54", "dport 54"},
		{"\"chain\": \"output\"", "\"right\": 53", "\"right\": 53.5", "unknown"},
		{"\"chain\": \"output\"", "[2, 4]", "[2, 4, 8]", "8"},
		{"\"chain\": \"output\"", "\"op\": \"in\"", "\"op\": \"==\"", "unknown"},
		{"\"chain\": \"output\"", "[133, 135, 136]", "[133, 135, 136, 128]", "128"},
		{"\"chain\": \"output\"", "1952803633", "1952803634", "0x74656b32"},
		{"\"chain\": \"output\"", "{\"range\": [8080, 8081]}", "{\"range\": [8080, 8082]}", "8082"},
		{"\"chain\": \"output\"", "{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 8}}",
			"{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 9}}", "10.0.0.0/9"},
		{"\"chain\": \"output\"", "{\"set\": [1, 2]}", "{\"set\": [1, 2, 3]}", "0x00000003"},
		{"\"chain\": \"output\"", "{\"ct\": {\"key\": \"mark\"}}", "{\"ct\": {\"key\": \"zone\"}}", "ct zone"},
		{"\"chain\": \"allowed\"", "\"value\": 2", "\"value\": 1", "0x00000001"},
		{"\"chain\": \"allowed\"", "{\"ct\": {\"key\": \"mark\"}}", "{\"meta\": {\"key\": \"mark\"}}", "unknown"},
		{"\"chain\": \"blocked\"", "\"group\": 100", "\"group\": 101", "group 101"},
		{"\"chain\": \"blocked\"", "BLOCKED\"", "BLOCKED\\\" group 100 accept\\nrule x\"", "unknown"},
		{"\"chain\": \"blocked\"", "\"expr\": 3", "\"expr\": 1", "unknown"},
		{"\"chain\": \"blocked\"", "tcp reset", "icmp", "unknown"},
		{"\"chain\": \"capture\"", "{\"redirect\": {\"port\": 53}}", "{\"redirect\": {\"port\": 54}}", ":54"},
		{"\"chain\": \"capture\"", "{\"redirect\": {\"port\": 53}}", "{\"redirect\": {\"port\": 53, \"flags\": \"random\"}}",
			"random"},
		{"\"chain\": \"capture\"", "{\"return\": null}", "{\"accept\": null}", "accept"},
	};
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(EVERYTHING, &parts);

	(void)unused;
	for (size_t i = 0; i < VERSIONS * sizeof(edits) / sizeof(*edits); i++) {
		size_t edit = i / VERSIONS;
		cleanup_free char *json = golden(EVERYTHING->name, versions[i % VERSIONS]);
		cleanup_free char *changed = edited(json, edits[edit].after, edits[edit].find, edits[edit].replace);
		struct error error = {0};

		if (verify_ruleset(&ruleset, changed, &error) != -EBADMSG)
			fail_msg("verified with %s instead of %s", edits[edit].replace, edits[edit].find);
		if (!strstr(error.text, edits[edit].shown))
			fail_msg("'%s' is not in the message: %s", edits[edit].shown, error.text);
		assert_int_equal(verify_state(&ruleset, changed, &error), SHIELD_ERROR);
	}
	ruleset_parts_free(&parts);
}

#define OBJECTS_MAX 128

/* The listing's objects, each printed, in this order. */
static void assert_refused(const struct ruleset *ruleset, char *const *objects, int count, const char *doing, int i)
{
	cleanup_text struct text text = {0};
	struct error error = {0};

	text_add(&text, "{\"nftables\":[");
	for (int j = 0; j < count; j++)
		text_addf(&text, "%s%s", j ? "," : "", objects[j]);
	text_add(&text, "]}");
	if (verify_ruleset(ruleset, text.data, &error) != -EBADMSG)
		fail_msg("verified after %s %s", doing, objects[i]);
}

static const char *chain_of(const cJSON *object)
{
	const cJSON *chain = cJSON_GetObjectItemCaseSensitive(object->child, "chain");

	return chain ? chain->valuestring : "";
}

static void a_missing_doubled_or_displaced_object_is_a_difference(void **unused)
{
	cleanup_free char *json = golden(EVERYTHING->name, versions[0]);
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(EVERYTHING, &parts);
	cJSON *document = cJSON_Parse(json), *list = document->child;
	char *objects[OBJECTS_MAX], *changed[OBJECTS_MAX + 1];
	int count = cJSON_GetArraySize(list), displaced = 0;

	(void)unused;
	assert_in_range(count, 60, OBJECTS_MAX);
	for (int i = 0; i < count; i++)
		objects[i] = cJSON_PrintUnformatted(cJSON_GetArrayItem(list, i));
	for (int i = 1; i < count; i++) {
		const char *chain = chain_of(cJSON_GetArrayItem(list, i));

		memcpy(changed, objects, (size_t)i * sizeof(*objects));
		memcpy(changed + i, objects + i + 1, (size_t)(count - i - 1) * sizeof(*objects));
		assert_refused(&ruleset, changed, count - 1, "removing", i);
		memcpy(changed + i + 1, objects + i, (size_t)(count - i) * sizeof(*objects));
		changed[i] = objects[i];
		assert_refused(&ruleset, changed, count + 1, "doubling", i);
		if (i + 1 == count || !*chain || strcmp(chain, chain_of(cJSON_GetArrayItem(list, i + 1))))
			continue;
		memcpy(changed, objects, (size_t)count * sizeof(*objects));
		changed[i] = objects[i + 1];
		changed[i + 1] = objects[i];
		assert_refused(&ruleset, changed, count, "displacing", i);
		displaced++;
	}
	assert_in_range(displaced, 30, 60);
	for (int i = 0; i < count; i++)
		cJSON_free(objects[i]);
	cJSON_Delete(document);
	ruleset_parts_free(&parts);
}

static void networks_may_come_back_cut_and_joined_in_any_way(void **unused)
{
	static const struct {
		const char *find, *replace;
	} spellings[] = {
		{"{\"prefix\": {\"addr\": \"192.0.2.0\", \"len\": 23}}", "{\"range\": [\"192.0.2.0\", \"192.0.3.254\"]}, \"192.0.3.255\""},
		{"{\"prefix\": {\"addr\": \"192.0.2.0\", \"len\": 23}}, {\"prefix\": {\"addr\": \"192.0.4.0\", \"len\": 24}}",
			"{\"range\": [\"192.0.2.0\", \"192.0.4.255\"]}"},
		{"\"198.51.100.7\"", "{\"prefix\": {\"addr\": \"198.51.100.7\", \"len\": 32}}"},
		{"{\"prefix\": {\"addr\": \"255.255.255.0\", \"len\": 24}}", "{\"range\": [\"255.255.255.0\", \"255.255.255.255\"]}"},
		{"{\"prefix\": {\"addr\": \"2001:db8::\", \"len\": 32}}",
			"{\"range\": [\"2001:db8::\", \"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\"]}"},
	};
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(EVERYTHING, &parts);

	(void)unused;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		cleanup_free char *json = golden(EVERYTHING->name, versions[0]);
		cleanup_free char *changed = edited(json, "\"name\": \"allow_v4\"", spellings[i].find, spellings[i].replace);
		struct error error = {0};

		if (verify_ruleset(&ruleset, changed, &error))
			fail_msg("%s: %s", spellings[i].replace, error.text);
	}
	ruleset_parts_free(&parts);
}

static void what_was_learned_and_counted_makes_no_difference(void **unused)
{
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(EVERYTHING, &parts);
	cleanup_free char *json = golden(EVERYTHING->name, versions[0]);
	cleanup_free char *counted =
		edited(json, "\"chain\": \"blocked\"", "{\"counter\": null}", "{\"counter\": {\"packets\": 7, \"bytes\": 900}}");
	cleanup_free char *learned = edited(counted, "\"name\": \"learned_v4\"", "\"flags\"",
		"\"elem\": [{\"elem\": {\"val\": \"198.51.100.10\", \"timeout\": 60, \"expires\": 59}}], \"flags\"");
	struct error error = {0};

	(void)unused;
	if (verify_ruleset(&ruleset, learned, &error))
		fail_msg("%s", error.text);
	ruleset_parts_free(&parts);
}

static void what_is_no_listing_is_refused(void **unused)
{
	static const char *const texts[] = {"", "{", "[]", "null", "{\"nftables\": {}}", "{\"nftables\": []}",
		"{\"nftables\": [], \"more\": 1}", "{\"nftables\": []} x", "{\"nftables\": [1, null, {}, {\"a\": 1, \"b\": 2}]}"};
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(&ruleset_cases[0], &parts);

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct error error = {0};

		assert_int_equal(verify_ruleset(&ruleset, texts[i], &error), -EBADMSG);
		assert_int_equal(error.code, EBADMSG);
	}
	ruleset_parts_free(&parts);
}

/* Not inlined: gcc 12 would take `at` for a pointer to golden()'s own variable. */
static void __attribute__((noinline)) replaced(const char *json, const char *from, const char *to, struct text *text)
{
	const char *at = strstr(json, from);

	assert_non_null(at);
	text_add_bytes(text, json, (size_t)(at - json));
	text_add(text, to);
	text_add(text, at + strlen(from));
}

static void each_kind_differs_by_itself(void **unused)
{
	static const struct {
		const char *from, *to;
		enum verify_kind kind;
	} cases[] = {
		{"\"policy\": \"drop\"", "\"policy\": \"accept\"", VERIFY_CHAINS},
		{"\"flags\": [\"interval\"]", "\"flags\": [\"constant\"]", VERIFY_SETS},
		{"{\"rule\":", "{\"map\":", VERIFY_RULES},
	};
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(EVERYTHING, &parts);
	struct error differences[VERIFY_KINDS] = {0}, error = {0};
	cleanup_free char *json = golden(EVERYTHING->name, versions[0]);

	(void)unused;
	if (verify_parts_each(&ruleset, json, NULL, differences, &error))
		fail_msg("%s", error.text);
	for (unsigned kind = 0; kind < VERIFY_KINDS; kind++)
		if (differences[kind].code)
			fail_msg("%s", differences[kind].text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text spoiled = {0};

		memset(differences, 0, sizeof(differences));
		replaced(json, cases[i].from, cases[i].to, &spoiled);
		assert_int_equal(verify_parts_each(&ruleset, spoiled.data, NULL, differences, &error), 0);
		/* What is no rule any more is also something that no shield makes. */
		for (unsigned kind = 0; kind < VERIFY_KINDS; kind++)
			if ((differences[kind].code != 0) != (kind == cases[i].kind || (kind == VERIFY_TABLE && cases[i].kind == VERIFY_RULES)))
				fail_msg("case %zu, kind %u: %s", i, kind, differences[kind].text);
	}
	ruleset_parts_free(&parts);
}

/* The kernel's clock and ours are not one: what ends about now may be there or not. */
static void an_element_that_is_about_to_end_may_be_gone_and_one_that_has_ended_may_be_there(void **unused)
{
	cleanup_free char *json = golden(EVERYTHING->name, versions[0]);
	cleanup_free char *more = edited(json, "\"name\": \"allow_v4\"", "\"10.1.2.3\"",
		"\"10.1.2.3\", {\"elem\": {\"val\": \"203.0.113.77\", \"timeout\": 600, \"comment\": \"until 2026-01-02T03:04:05+00:00\"}}");
	static const struct {
		int64_t left_s;
		int result;
	} cases[] = {{1, 0}, {RULESET_END_SLACK_S, 0}, {RULESET_END_SLACK_S + 1, -EBADMSG}};
	struct ruleset_parts parts;
	struct ruleset ruleset;

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ruleset = ruleset_case_open(EVERYTHING, &parts);
		ruleset_parts_add(&parts.allowed, "203.0.113.77", cases[i].left_s);
		assert_int_equal(netset_normalize(&parts.allowed), 0);
		assert_int_equal(verify_ruleset(&ruleset, json, NULL), cases[i].result);
		ruleset_parts_free(&parts);
	}
	ruleset = ruleset_case_open(EVERYTHING, &parts);
	assert_int_equal(verify_ruleset(&ruleset, more, NULL), 0);
	clock_fake(-1, -1);
	clock_fake(1000, RULESET_CASES_NOW_S - 1);
	assert_int_equal(verify_ruleset(&ruleset, more, NULL), -EBADMSG);
	clock_fake(-1, -1);
	ruleset_parts_free(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_either_nft_reads_back_is_verified),
		cmocka_unit_test(each_kind_differs_by_itself),
		cmocka_unit_test(the_state_is_told_whatever_was_expected),
		cmocka_unit_test(a_listing_of_another_state_is_not_verified),
		cmocka_unit_test(every_edit_is_a_difference),
		cmocka_unit_test(an_element_that_is_about_to_end_may_be_gone_and_one_that_has_ended_may_be_there),
		cmocka_unit_test(a_missing_doubled_or_displaced_object_is_a_difference),
		cmocka_unit_test(networks_may_come_back_cut_and_joined_in_any_way),
		cmocka_unit_test(what_was_learned_and_counted_makes_no_difference),
		cmocka_unit_test(what_is_no_listing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
