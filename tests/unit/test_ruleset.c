/* fw/ruleset.c: its text is what golden/ holds. With GOLDEN_UPDATE set the files are written instead: read the difference before it is
 * committed, and run golden/capture.sh under each nft version. */
#include "ruleset_cases.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"

static void assert_golden(const char *name, const char *kind, struct text *text)
{
	cleanup_free char *golden = NULL;
	char path[128];

	assert_false(text_failed(text));
	snprintf(path, sizeof(path), "unit/golden/%s%s.nft", name, kind);
	if (getenv("GOLDEN_UPDATE"))
		assert_int_equal(file_replace(AT_FDCWD, path, 0644, text->data, text->length), 0);
	if (file_read(AT_FDCWD, path, 1u << 20, &golden, NULL))
		fail_msg("%s cannot be read", path);
	if (strcmp(golden, text->data))
		fail_msg("not as %s has it:\n%s", path, text->data);
}

static void every_ruleset_is_the_golden_one(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < RULESET_CASES; i++) {
		cleanup_text struct text text = {0};
		struct ruleset_parts parts;
		struct ruleset ruleset = ruleset_case_open(&ruleset_cases[i], &parts);

		ruleset_render(&ruleset, &text);
		assert_golden(ruleset_cases[i].name, "", &text);
		ruleset_parts_free(&parts);
	}
}

static void every_change_is_the_golden_one_and_never_touches_learned_sets(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < RULESET_CASES; i++) {
		cleanup_text struct text text = {0}, sets = {0};
		struct ruleset_parts parts;
		struct ruleset ruleset = ruleset_case_open(&ruleset_cases[i], &parts);

		ruleset_render_change(&ruleset, &text);
		assert_golden(ruleset_cases[i].name, ".change", &text);
		assert_null(strstr(text.data, "delete"));
		assert_null(strstr(text.data, "flush set inet terok_shield learned"));
		ruleset_render_sets(&ruleset, &sets);
		assert_non_null(strstr(text.data, sets.data));
		ruleset_parts_free(&parts);
	}
}

static void every_rule_that_is_expected_is_rendered_in_the_same_words(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < RULESET_CASES; i++) {
		cleanup_text struct text text = {0}, expected = {0};
		struct ruleset_parts parts;
		struct ruleset ruleset = ruleset_case_open(&ruleset_cases[i], &parts);
		size_t rules = 0;

		ruleset_render(&ruleset, &text);
		ruleset_expect(&ruleset, &expected);
		for (char *line = strtok(expected.data, "\n"); line; line = strtok(NULL, "\n")) {
			cleanup_text struct text wanted = {0};

			if (strncmp(line, "rule ", 5))
				continue;
			text_addf(&wanted, "\t\t%s\n", strchr(line + 5, ' ') + 1);
			if (!strstr(text.data, wanted.data))
				fail_msg("'%s' is expected but not rendered", line);
			rules++;
		}
		assert_in_range(rules, 4, 80);
		ruleset_parts_free(&parts);
	}
}

/* The positions of words in output's rules: what stands before what is the firewall. */
static void output_refuses_and_accepts_in_the_order_of_the_design(void **unused)
{
	static const char *const order[] = {
		"chain output",
		"policy drop",
		"@deny_v4 goto denied",
		"@deny_port_v6 goto denied",
		"ip daddr 127.0.0.1 tcp dport 53 accept",
		"oif \"lo\" accept",
		"ct state established,related ct mark { 0x00000001, 0x00000002 } accept",
		"nd-neighbor-solicit",
		"meta mark 0x74656b31 tcp dport 53 accept",
		"\t\ttcp dport 53 goto blocked",
		"\t\tudp dport 53 goto blocked",
		"ip daddr 10.0.2.2 tcp dport { 443, 8080-8081, 65535 } ct mark set 0x00000002 accept",
		"@allow_v4 goto allowed",
		"@allow_port_v6",
		"@learned_v4 goto allowed",
		"@learned_port_v6 goto allowed",
		"ip daddr 192.168.0.0/16 goto private",
		"ip6 daddr fe80::/10 goto private",
		"\t\tgoto blocked\n",
		"chain input",
		"tcp dport { 80, 8000-8020 } ct mark set 0x00000001 accept",
		"udp dport 5000 ct mark set 0x00000001 accept",
		"sctp dport 9-10 ct mark set 0x00000001 accept",
		"\t\tcounter drop\n\t}",
	};
	cleanup_text struct text text = {0};
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(&ruleset_cases[1], &parts);
	const char *position;

	(void)unused;
	ruleset_render(&ruleset, &text);
	position = text.data;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		const char *found = strstr(position, order[i]);

		if (!found)
			fail_msg("'%s' does not come after '%s'", order[i], i ? order[i - 1] : "the beginning");
		position = found;
	}
	ruleset_parts_free(&parts);
}

/* The last rule of a chain in the text of ruleset_expect(), without the chain's name; "" when there is none. */
static const char *last_rule(const char *expected, const char *chain, char rule[256])
{
	char beginning[64];

	*rule = '\0';
	snprintf(beginning, sizeof(beginning), "rule %s ", chain);
	for (const char *line = expected; *line; line += strcspn(line, "\n") + 1)
		if (!strncmp(line, beginning, strlen(beginning)))
			snprintf(rule, 256, "%.*s", (int)(strcspn(line, "\n") - strlen(beginning)), line + strlen(beginning));
	return rule;
}

static void no_chain_leaves_a_packet_to_the_policy(void **unused)
{
	static const char *const filtering[] = {"output", "input"};
	static const char *const verdicts[] = {"counter drop", "reject with icmpx admin-prohibited", "accept"};

	(void)unused;
	for (size_t i = 0; i < RULESET_CASES; i++) {
		cleanup_text struct text text = {0};
		struct ruleset_parts parts;
		struct ruleset ruleset = ruleset_case_open(&ruleset_cases[i], &parts);

		ruleset_expect(&ruleset, &text);
		for (size_t j = 0; j < sizeof(filtering) / sizeof(*filtering); j++) {
			char chain[32], rule[256], target[32] = "";
			const char *last = last_rule(text.data, filtering[j], rule);
			bool ends = false;

			snprintf(chain, sizeof(chain), "%s", filtering[j]);
			if (sscanf(last, "goto %31s", target) == 1) {
				strcpy(chain, target);
				last = last_rule(text.data, chain, rule);
			}
			/* without a condition before it, but for what is counted and logged */
			for (size_t k = 0; k < sizeof(verdicts) / sizeof(*verdicts); k++)
				ends = ends || !strcmp(last, verdicts[k]) ||
				       (!strncmp(last, "counter log ", 12) && !strcmp(last + strlen(last) - strlen(verdicts[k]), verdicts[k]));
			if (!ends)
				fail_msg("%s: %s ends with '%s'", ruleset_cases[i].name, chain, last);
		}
		ruleset_parts_free(&parts);
	}
}

static void block_accepts_nothing(void **unused)
{
	cleanup_text struct text text = {0};
	struct ruleset_parts parts;
	struct ruleset ruleset = ruleset_case_open(&ruleset_cases[4], &parts);

	(void)unused;
	ruleset_expect(&ruleset, &text);
	assert_null(strstr(text.data, " accept\nrule"));
	assert_non_null(strstr(text.data, "rule output counter drop\nrule input counter drop\nrule capture"));
	ruleset_parts_free(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ruleset_is_the_golden_one),
		cmocka_unit_test(every_change_is_the_golden_one_and_never_touches_learned_sets),
		cmocka_unit_test(every_rule_that_is_expected_is_rendered_in_the_same_words),
		cmocka_unit_test(output_refuses_and_accepts_in_the_order_of_the_design),
		cmocka_unit_test(no_chain_leaves_a_packet_to_the_policy),
		cmocka_unit_test(block_accepts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
