/* The rulesets whose text is kept in golden/NAME.nft, and what the two nft versions read back of them in golden/NAME.VERSION.json. */
#ifndef TESTS_RULESET_CASES_H
#define TESTS_RULESET_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fw/ruleset.h"

struct ruleset_case {
	const char *name;
	enum shield_state state;
	bool with_everything; /* every setting and every kind of network; otherwise defaults and no networks */
};

static const struct ruleset_case ruleset_cases[] = {
	{"up", SHIELD_UP, false},
	{"up-everything", SHIELD_UP, true},
	{"down-everything", SHIELD_DOWN, true},
	{"down_all", SHIELD_DOWN_ALL, false},
	{"block", SHIELD_BLOCK, false},
};
#define RULESET_CASES (sizeof(ruleset_cases) / sizeof(*ruleset_cases))

struct ruleset_parts {
	struct settings settings;
	struct netset allowed, denied;
};

#define RULESET_CASES_NOW_S 1767323045 /* 2026-01-02T03:04:05+00:00 */

/* left_s: until it ends; 0: it does not. */
static inline void ruleset_parts_add(struct netset *set, const char *text, int64_t left_s)
{
	struct rule rule;
	struct error error = {0};

	if (rule_parse(&rule, text, strlen(text), &error))
		fail_msg("%s: %s", text, error.text);
	rule.until = left_s ? RULESET_CASES_NOW_S + left_s : 0;
	assert_int_equal(netset_add(set, &rule), 0);
}

static inline void ruleset_parts_fill(struct ruleset_parts *parts)
{
	static const char *const allowed[] = {
		"192.0.2.0/24",
		"192.0.3.0/24",
		"192.0.4.0/24",
		"198.51.100.7",
		"255.255.255.0/24",
		"10.1.2.3",
		"2001:db8::/32",
		"2001:db9::1",
		"198.51.100.20:443",
		"198.51.100.21:22/tcp",
		"192.0.2.0/24:8080",
		"[2001:dba:1::/48]:443",
		"[2001:dba:2::1]:853/udp",
	};
	static const char *const denied[] = {
		"192.0.2.66", "240.0.0.0/4", "2001:db8:bad::/48", "198.51.100.0/24:25/tcp", "[2001:db8:3::]:25"};
	static const struct {
		const char *text;
		int64_t left_s;
	} ending[] = {{"203.0.113.0/29", 600}, {"203.0.113.1", 90000}, {"198.51.100.0/24", 600}, {"203.0.113.9:443/tcp", 600},
		{"2001:dbb::/64", 600}, {"[2001:dbb::1]:22", 1}};
	static const uint16_t loopback_ports[] = {8081, 443, 8080, 65535};
	static const struct settings_published published[] = {
		{8000, 8010, RULE_TCP},
		{8005, 8020, RULE_TCP},
		{80, 80, RULE_TCP},
		{5000, 5000, RULE_UDP},
		{9, 10, 132},
	};

	parts->settings.reject = SETTINGS_REJECT_RESET;
	parts->settings.via = SETTINGS_VIA_CONTAINER;
	parts->settings.host_gateway = addr_v4((const uint8_t[]){10, 0, 2, 2});
	parts->settings.loopback_port_count = sizeof(loopback_ports) / sizeof(*loopback_ports);
	memcpy(parts->settings.loopback_ports, loopback_ports, sizeof(loopback_ports));
	parts->settings.published_count = sizeof(published) / sizeof(*published);
	memcpy(parts->settings.published, published, sizeof(published));
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		ruleset_parts_add(&parts->allowed, allowed[i], 0);
	for (size_t i = 0; i < sizeof(denied) / sizeof(*denied); i++)
		ruleset_parts_add(&parts->denied, denied[i], 0);
	for (size_t i = 0; i < sizeof(ending) / sizeof(*ending); i++)
		ruleset_parts_add(&parts->allowed, ending[i].text, ending[i].left_s);
	netset_normalize(&parts->allowed);
	netset_normalize(&parts->denied);
}

/* parts: the ruleset's contents; to be freed with ruleset_parts_free(). */
static inline struct ruleset ruleset_case_open(const struct ruleset_case *ruleset_case, struct ruleset_parts *parts)
{
	*parts = (struct ruleset_parts){0};
	clock_fake(1000, RULESET_CASES_NOW_S);
	settings_init(&parts->settings);
	parts->settings.via = SETTINGS_VIA_HOST;
	if (ruleset_case->with_everything)
		ruleset_parts_fill(parts);
	return (struct ruleset){ruleset_case->state, &parts->settings, &parts->allowed, &parts->denied};
}

static inline void ruleset_parts_free(struct ruleset_parts *parts)
{
	netset_free(&parts->allowed);
	netset_free(&parts->denied);
}

#endif
