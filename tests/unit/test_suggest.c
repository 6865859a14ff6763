/* cli/suggest.h: lines of a profile out of a record. A record is written here in words, one row each:
 *	"ask NAME VERDICT COUNT", "go NAME|- ADDRESS PORT/PROTOCOL VERDICT COUNT MADE", "share NAME ADDRESS PORT/PROTOCOL"; "later " before it: an hour later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/lint.h"
#include "cli/suggest.h"
#include "config/profile.h"

#define ROWS_MAX 4096

static const char *const verdict_words[] = {[ACTIVITY_ALLOWED] = "allowed",
	[ACTIVITY_REFUSED] = "refused",
	[ACTIVITY_DENIED] = "denied",
	[ACTIVITY_BYPASSED] = "bypassed",
	[ACTIVITY_BLOCKED] = "blocked",
	[ACTIVITY_PRIVATE] = "private"};

static enum activity_verdict verdict_of(const char *word)
{
	for (size_t i = 0; i < sizeof(verdict_words) / sizeof(*verdict_words); i++)
		if (strcmp(verdict_words[i], word) == 0)
			return (enum activity_verdict)i;
	fail_msg("no verdict: %s", word);
	return ACTIVITY_ALLOWED;
}

static void row_read(struct activity_row *row, const char *line)
{
	char name[300], address[64], protocol[8], verdict[16];
	unsigned port, count, made;
	bool later = strncmp(line, "later ", 6) == 0;

	line += later ? 6 : 0;
	row->first = 1795840260; /* 2026-11-28T04:31:00 */
	row->last = row->first + 9 * 60 + 12 + (later ? 3600 : 0);
	if (sscanf(line, "ask %299s %15s %u", name, verdict, &count) == 3) {
		row->kind = ACTIVITY_NAME;
	} else if (sscanf(line, "go %299s %63s %u/%7s %15s %u %u", name, address, &port, protocol, verdict, &count, &made) == 7) {
		row->kind = ACTIVITY_CONNECTION;
		assert_int_equal(addr_parse(&row->dest, address, strlen(address)), 0);
		row->has_port = port != 0;
		row->port = (uint16_t)port;
		row->protocol = protocol[0] == 't' ? IPPROTO_TCP : protocol[0] == 'u' ? IPPROTO_UDP : IPPROTO_ICMP;
		row->made = made;
	} else if (sscanf(line, "share %299s %63s %u/%7s", name, address, &port, protocol) == 4) {
		row->kind = ACTIVITY_SHARED;
		row->first += later ? 3600 : 0;
		assert_int_equal(addr_parse(&row->dest, address, strlen(address)), 0);
		row->has_port = port != 0;
		row->port = (uint16_t)port;
		row->protocol = port ? IPPROTO_TCP : 0;
		strcpy(verdict, "allowed");
	} else {
		fail_msg("no row: %s", line);
	}
	row->verdict = verdict_of(verdict);
	row->count = count;
	row->name = strcmp(name, "-") ? strdup(name) : NULL;
}

/* rows: separated by newlines. */
static void record_read(struct activity *activity, const char *rows)
{
	cleanup_free char *copy = strdup(rows);
	char *save = NULL;

	*activity = (struct activity){.since = *rows ? 1795840200 : 0, .rows = calloc(ROWS_MAX, sizeof(*activity->rows))};
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_true(activity->count < ROWS_MAX);
		row_read(&activity->rows[activity->count++], line);
	}
}

/* lines: of a profile; a line "deny NAME" is what `deny` said. NULL: no policy. */
static struct policy *policy_of(const char *lines)
{
	cleanup_free char *copy = lines ? strdup(lines) : NULL;
	struct policy *policy = lines ? policy_new() : NULL;
	char *save = NULL;

	for (char *line = lines ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		bool deny = strncmp(line, "deny ", 5) == 0;
		struct rule rule;

		assert_int_equal(rule_parse(&rule, line + (deny ? 5 : 0), strlen(line) - (deny ? 5 : 0), NULL), 0);
		rule.exclude = rule.exclude || deny;
		assert_int_equal(policy_add(policy, &rule, deny ? POLICY_LIVE : POLICY_PROFILE, "p.txt", 1), 0);
	}
	if (policy)
		assert_int_equal(policy_seal(policy), 0);
	return policy;
}

/* "RULE", "#RULE" where it is not active, "!KIND,KIND" behind it for warnings, "~" where it was counted under another name; separated by blanks. */
static void lines_tell(const struct suggest *suggest, struct text *text)
{
	text_add(text, "");
	for (size_t i = 0; i < suggest->count; i++) {
		const struct suggest_line *line = &suggest->lines[i];
		const char *before = "!";

		text_add(text, i ? " " : "");
		text_add(text, line->standing == SUGGEST_COMMENT ? "#" : "");
		rule_format(&line->rule, text);
		for (unsigned j = 0; j < SUGGEST_WARNINGS; j++)
			if (line->warnings & 1u << j) {
				text_addf(text, "%s%s", before, suggest_warning_name(j));
				before = ",";
			}
		text_add(text, line->shares_address ? "~" : "");
	}
}

struct expectation {
	const char *rows, *own, *covering, *lines;
};

static void expect(const struct expectation *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_activity struct activity activity = {0};
		cleanup_suggest struct suggest suggest = {0};
		cleanup_policy struct policy *own = policy_of(cases[i].own), *covering = policy_of(cases[i].covering);
		cleanup_text struct text told = {0};
		struct suggest_order order = {.activity = &activity, .own = own, .covering = covering};

		record_read(&activity, cases[i].rows);
		assert_int_equal(suggest_make(&order, &suggest), 0);
		lines_tell(&suggest, &told);
		if (strcmp(told.data, cases[i].lines) != 0)
			fail_msg("case %zu: %s\nsuggested: %s\nwanted:    %s", i, cases[i].rows, told.data, cases[i].lines);
	}
}
#define EXPECT(cases) expect(cases, sizeof(cases) / sizeof(*(cases)))

#define LEARNED(name) "ask " name " bypassed 1\n"

static void what_was_made_is_suggested_and_what_was_tried_is_a_comment(void **state)
{
	static const struct expectation cases[] = {
		{"", NULL, NULL, ""},
		{LEARNED("pypi.org") "go pypi.org 198.51.100.1 443/tcp bypassed 12 12", NULL, NULL, "=pypi.org:443"},
		{LEARNED("pypi.org") "go pypi.org 198.51.100.1 80/tcp bypassed 1 1", NULL, NULL, "=pypi.org:80/tcp"},
		{LEARNED("ntp.test") "go ntp.test 198.51.100.1 123/udp bypassed 1 1", NULL, NULL, "=ntp.test:123/udp"},
		/* the same over QUIC; several ports; a protocol without ports */
		{LEARNED("a.test") "go a.test 198.51.100.1 443/tcp bypassed 1 1\ngo a.test 198.51.100.2 443/udp bypassed 1 1", NULL, NULL,
			"=a.test:443"},
		{LEARNED("a.test") "go a.test 198.51.100.1 443/tcp bypassed 1 1\ngo a.test 198.51.100.1 80/tcp bypassed 1 1", NULL, NULL,
			"=a.test"},
		{LEARNED("a.test") "go a.test 198.51.100.1 443/tcp bypassed 1 1\ngo a.test 198.51.100.1 0/icmp bypassed 1 1", NULL, NULL,
			"=a.test"},
		/* a port that nobody answered at is not one that was used */
		{LEARNED("a.test") "go a.test 198.51.100.1 443/tcp bypassed 1 1\ngo a.test 198.51.100.1 8443/tcp bypassed 3 0", NULL, NULL,
			"=a.test:443"},
		/* tried */
		{LEARNED("a.test"), NULL, NULL, "#=a.test!unanswered"},
		{LEARNED("a.test") "go a.test 198.51.100.1 25/tcp bypassed 3 0", NULL, NULL, "#=a.test:25/tcp!unanswered"},
		{LEARNED("a.test") "go - 198.51.100.1 25/tcp bypassed 3 0", NULL, NULL,
			"#=a.test!unanswered #198.51.100.1:25/tcp!unanswered"},
		{LEARNED("a.test") "go - 10.1.2.3 22/tcp private 3 0", NULL, NULL, "#=a.test!unanswered #10.1.2.3:22/tcp!inside"},
		/* what profiles allow is a part of what was used */
		{LEARNED("b.test") "ask a.test allowed 1\ngo a.test 198.51.100.1 443/tcp allowed 1 1", NULL, NULL,
			"=a.test:443 #=b.test!unanswered"},
		/* without a name */
		{LEARNED("b.test") "go - 198.51.100.1 443/tcp bypassed 1 1\ngo - 198.51.100.1 22/tcp bypassed 1 1\ngo - 2001:db8::1 443/tcp bypassed 1 1",
			NULL, NULL, "198.51.100.1:22/tcp 198.51.100.1:443 [2001:db8::1]:443 #=b.test!unanswered"},
		{"go - 198.51.100.1 0/icmp bypassed 1 1", NULL, NULL, "198.51.100.1"},
		{"go - ff02::16 0/icmp bypassed 2 0", NULL, NULL, ""},
		/* nothing that no profile can hold, and nothing that is not a destination */
		{LEARNED("10.100.51.198.in-addr.arpa") LEARNED("a\\000b.test") LEARNED("198.51.100.999") LEARNED("."), NULL, NULL, ""},
		{LEARNED("db") "go db 198.51.100.1 5432/tcp bypassed 1 1", NULL, NULL, "=db:5432/tcp"},
		{LEARNED("_x-y.A.TEST") "go _x-y.a.test 198.51.100.1 443/tcp bypassed 1 1", NULL, NULL, "=_x-y.a.test:443"},
	};

	(void)state;
	EXPECT(cases);
}

#define SHARED(name) LEARNED(name) "share " name " 198.51.100.1 0/tcp\n"

static void each_name_of_an_address_that_was_used_is_suggested(void **state)
{
	static const struct expectation cases[] = {
		{SHARED("index.test") SHARED("files.test") "go files.test 198.51.100.1 80/tcp bypassed 2 2", NULL, NULL,
			"=files.test:80/tcp =index.test:80/tcp~"},
		/* one that was tried without success, one that has connections of its own, one of another address */
		{SHARED("a.test") SHARED("b.test") SHARED("c.test") LEARNED(
			 "d.test") "share d.test 198.51.100.2 0/tcp\n"
				   "go a.test 198.51.100.1 80/tcp bypassed 1 1\ngo b.test 198.51.100.1 443/tcp bypassed 1 1\ngo c.test 198.51.100.1 81/tcp bypassed 1 0",
			NULL, NULL, "=a.test:80/tcp =b.test:443 =c.test~ #=d.test!unanswered"},
		/* not what was asked for only later, and not where nobody answered */
		{SHARED("a.test") LEARNED("b.test") "later share b.test 198.51.100.1 0/tcp\ngo a.test 198.51.100.1 80/tcp bypassed 1 1",
			NULL, NULL, "=a.test:80/tcp #=b.test!unanswered"},
		{SHARED("a.test")
				LEARNED("b.test") "later share b.test 198.51.100.1 0/tcp\nlater go a.test 198.51.100.1 80/tcp bypassed 1 1",
			NULL, NULL, "=a.test:80/tcp =b.test:80/tcp~"},
		{SHARED("a.test") SHARED("b.test") "go a.test 198.51.100.1 80/tcp bypassed 1 0", NULL, NULL,
			"#=a.test:80/tcp!unanswered #=b.test!unanswered"},
		/* a rule for one port lets nothing through to another; a bypass does */
		{LEARNED("c.test") SHARED("a.test") "share b.test 198.51.100.1 443/tcp\ngo a.test 198.51.100.1 80/tcp allowed 1 1", NULL,
			NULL, "=a.test:80/tcp #=c.test!unanswered"},
		{SHARED("a.test") "share b.test 198.51.100.1 443/tcp\ngo a.test 198.51.100.1 80/tcp bypassed 1 1", NULL, NULL,
			"=a.test:80/tcp =b.test:80/tcp~"},
		/* what holds for a name holds for one that shares */
		{SHARED("a.test") SHARED("b.test") "go b.test 198.51.100.1 80/tcp bypassed 2 2", "deny a.test", NULL, "=b.test:80/tcp"},
		{SHARED("a.test") SHARED("b.test") "go b.test 198.51.100.1 80/tcp bypassed 2 2", NULL, "a.test", "=b.test:80/tcp"},
		{SHARED("a.example.com") SHARED("b.example.com")
				SHARED("c.example.com") "go b.example.com 198.51.100.1 443/tcp bypassed 2 2",
			NULL, NULL, "*.example.com:443"},
		{SHARED("a.example.com") SHARED("b.example.com") SHARED("c.example.com") "go z.test 198.51.100.1 443/tcp bypassed 2 2",
			NULL, NULL, "*.example.com:443~ =z.test:443"},
		/* refused */
		{"ask a.test allowed 1\nshare a.test 198.51.100.1 443/tcp\nshare b.test 198.51.100.1 443/tcp\ngo b.test 198.51.100.1 80/tcp blocked 2 0",
			"a.test:443\nb.test:443", NULL, "=a.test:80/tcp~ =b.test:80/tcp"},
		{"share a.test 198.51.100.1 0/tcp\nshare b.test 198.51.100.1 443/tcp\ngo b.test 198.51.100.1 80/tcp blocked 2 0",
			"a.test\nb.test:443", NULL, "=b.test:80/tcp"},
	};

	(void)state;
	EXPECT(cases);
}

static void warnings_stand_with_what_looks_generated_or_shared_or_answers_queries(void **state)
{
	static const struct expectation cases[] = {
		{"go d111111abcdef8.cloudfront.net 198.51.100.1 443/tcp bypassed 1 1", NULL, NULL,
			"=d111111abcdef8.cloudfront.net:443!shared-hosting,generated"},
		{"go project.github.io 198.51.100.1 443/tcp bypassed 1 1", NULL, NULL, "=project.github.io:443!shared-hosting"},
		{"go dns.google 198.51.100.1 443/tcp bypassed 1 1", NULL, NULL, "=dns.google:443!resolver"},
		{"go - 198.51.100.1 853/tcp bypassed 1 1", NULL, NULL, "198.51.100.1:853/tcp!resolver"},
	};

	(void)state;
	EXPECT(cases);
}

#define THREE(parent, verdict)                                                                                                             \
	"go a." parent " 198.51.100.1 443/tcp " verdict " 1 1\ngo b." parent " 198.51.100.1 443/tcp " verdict " 1 1\ngo c." parent         \
	" 198.51.100.1 443/tcp " verdict " 1 1\n"

static void several_names_of_one_owner_become_one_line_only_where_that_is_safe(void **state)
{
	static const struct expectation cases[] = {
		{THREE("example.com", "bypassed"), NULL, NULL, "*.example.com:443"},
		{THREE("example.com", "bypassed") "go example.com 198.51.100.1 443/tcp bypassed 1 1", NULL, NULL, "example.com:443"},
		{THREE("example.com", "bypassed") "go d.example.com 198.51.100.1 80/tcp bypassed 1 1", NULL, NULL, "*.example.com"},
		{THREE("example.co.uk", "bypassed"), NULL, NULL, "*.example.co.uk:443"},
		/* no more than what they have in common */
		{THREE("files.example.com", "bypassed"), NULL, NULL, "*.files.example.com:443"},
		/* two are not several */
		{"go a.example.com 198.51.100.1 443/tcp bypassed 1 1\ngo b.example.com 198.51.100.1 443/tcp bypassed 1 1", NULL, NULL,
			"=a.example.com:443 =b.example.com:443"},
		/* a tree stands first, then names, then addresses */
		{"go - 192.0.2.1 22/tcp bypassed 1 1\ngo z.test 198.51.100.1 22/tcp bypassed 1 1\n" THREE("zz.test", "bypassed"), NULL,
			NULL, "*.zz.test:443 =z.test:22/tcp 192.0.2.1:22/tcp"},
		/* public suffixes */
		{THREE("co.uk", "bypassed"), NULL, NULL, "=a.co.uk:443 =b.co.uk:443 =c.co.uk:443"},
		{THREE("com", "bypassed"), NULL, NULL, "=a.com:443 =b.com:443 =c.com:443"},
		{THREE("tokyo.jp", "bypassed"), NULL, NULL, "=a.tokyo.jp:443 =b.tokyo.jp:443 =c.tokyo.jp:443"},
		/* where anybody can publish: at the parent, above it, below it */
		{THREE("github.io", "bypassed"), NULL, NULL,
			"=a.github.io:443!shared-hosting =b.github.io:443!shared-hosting =c.github.io:443!shared-hosting"},
		{THREE("me.github.io", "bypassed"), NULL, NULL,
			"=a.me.github.io:443!shared-hosting =b.me.github.io:443!shared-hosting =c.me.github.io:443!shared-hosting"},
		{THREE("google.com", "bypassed"), NULL, NULL, "=a.google.com:443 =b.google.com:443 =c.google.com:443"},
		/* where something below is taken out or denied */
		{THREE("example.com", "bypassed"), "!ads.example.com", NULL, "=a.example.com:443 =b.example.com:443 =c.example.com:443"},
		{THREE("example.com", "bypassed"), "deny ads.example.com", NULL,
			"=a.example.com:443 =b.example.com:443 =c.example.com:443"},
		{THREE("example.com", "bypassed"), NULL, "!ads.example.com", "=a.example.com:443 =b.example.com:443 =c.example.com:443"},
		{THREE("example.com", "bypassed"), "!ads.other.test", NULL, "*.example.com:443"},
		/* attempts: what a line allows is not told again; others are gathered too */
		{THREE("example.com", "bypassed") LEARNED("d.example.com"), NULL, NULL, "*.example.com:443"},
		{LEARNED("a.example.com") LEARNED("b.example.com") LEARNED("c.example.com"), NULL, NULL, "#*.example.com!unanswered"},
		{LEARNED("a.example.com") LEARNED("b.example.com")
				LEARNED("c.example.com") "go w.example.com 198.51.100.1 443/tcp bypassed 1 1",
			NULL, NULL, "=w.example.com:443 #*.example.com!unanswered"},
		{LEARNED("a.github.io") LEARNED("b.github.io") LEARNED("c.github.io"), NULL, NULL,
			"#=a.github.io!shared-hosting,unanswered #=b.github.io!shared-hosting,unanswered #=c.github.io!shared-hosting,unanswered"},
		/* a warning is not lost */
		{"go x7f3k9q2m4.example.com 198.51.100.1 443/tcp bypassed 1 1\n" THREE("example.com", "bypassed"), NULL, NULL,
			"*.example.com:443!generated"},
		/* names whose labels are alike from the front are not of one owner */
		{"go a.notexample.com 198.51.100.1 443/tcp bypassed 1 1\ngo a.example.com 198.51.100.1 443/tcp bypassed 1 1\n"
		 "go example.com 198.51.100.1 443/tcp bypassed 1 1",
			NULL, NULL, "=example.com:443 =a.example.com:443 =a.notexample.com:443"},
	};

	(void)state;
	EXPECT(cases);
}

static void what_is_denied_or_taken_out_or_covered_is_heeded(void **state)
{
	static const struct expectation cases[] = {
		{"go a.test 198.51.100.1 443/tcp bypassed 1 1", "deny a.test", NULL, ""},
		{"go - 198.51.100.1 443/tcp bypassed 1 1", "deny 198.51.100.0/24", NULL, ""},
		{LEARNED("b.test") "ask a.test denied 4\ngo - 198.51.100.9 443/tcp denied 1 0", NULL, NULL, "#=b.test!unanswered"},
		{"go ads.a.test 198.51.100.1 443/tcp bypassed 1 1", "a.test\n!ads.a.test", NULL, "#=ads.a.test:443!taken-out"},
		{"go ads.a.test 198.51.100.1 443/tcp bypassed 1 1", NULL, "!ads.a.test", "#=ads.a.test:443!taken-out"},
		{"go a.test 198.51.100.1 443/tcp bypassed 1 1\ngo b.test 198.51.100.1 443/tcp bypassed 1 1", NULL, "a.test", "=b.test:443"},
		{"go a.test 198.51.100.1 443/tcp bypassed 1 1", NULL, "a.test:443", ""},
		{"go a.test 198.51.100.1 443/udp bypassed 1 1", NULL, "a.test:443/tcp", "=a.test:443"},
		/* only the port that is missing */
		{"go a.test 198.51.100.1 443/tcp bypassed 1 1\ngo a.test 198.51.100.1 22/tcp bypassed 1 1", NULL, "a.test:443",
			"=a.test:22/tcp"},
		{"go - 198.51.100.1 22/tcp bypassed 1 1\ngo - 198.51.100.1 80/tcp bypassed 1 1", NULL, "198.51.100.0/24:22",
			"198.51.100.1:80/tcp"},
		{"go - 198.51.100.1 0/icmp bypassed 1 1", NULL, "198.51.100.0/24:22", "198.51.100.1"},
		{LEARNED("a.test"), NULL, "a.test", ""},
		/* what the container's own lines allow is not left out of what it used */
		{LEARNED("b.test") "go a.test 198.51.100.1 443/tcp allowed 1 1", "a.test", NULL, "=a.test:443 #=b.test!unanswered"},
	};

	(void)state;
	EXPECT(cases);
}

static void a_shielded_container_is_suggested_what_it_was_refused(void **state)
{
	static const struct expectation cases[] = {
		{"ask a.test refused 4", NULL, NULL, "=a.test"},
		{"ask a.test refused 4\nask b.test allowed 2\ngo b.test 198.51.100.1 443/tcp allowed 2 2", NULL, "b.test", "=a.test"},
		{"ask b.test allowed 2\ngo b.test 198.51.100.1 443/tcp allowed 2 2", NULL, NULL, ""},
		{"ask a.test refused 4", NULL, "a.test", ""}, /* it was allowed since */
		{"ask a.test allowed 4\ngo a.test 198.51.100.1 443/tcp allowed 2 2\ngo a.test 198.51.100.1 22/tcp blocked 2 0", NULL,
			"a.test:443", "=a.test:22/tcp"},
		{"go - 198.51.100.1 25/tcp blocked 2 0\ngo - 198.51.100.1 26/tcp blocked 2 0", NULL, NULL,
			"198.51.100.1:25/tcp 198.51.100.1:26/tcp"},
		{"go - 10.0.0.1 25/tcp private 2 0", NULL, NULL, "#10.0.0.1:25/tcp!inside"},
		{"go - ff02::16 0/icmp blocked 2 0\ngo - 224.0.0.22 0/icmp blocked 2 0", NULL, NULL, ""},
		{"go - 224.0.0.251 5353/udp blocked 2 0", NULL, NULL, "#224.0.0.251:5353/udp!inside"},
		{"ask a.example.com refused 1\nask b.example.com refused 1\nask c.example.com refused 1", NULL, NULL, "*.example.com"},
		/* what has something against it waits for a person */
		{"ask a.github.io refused 1\nask dns.google refused 1\nask x7f3k9q2m4.test refused 1", NULL, NULL,
			"#=dns.google!resolver #=a.github.io!shared-hosting #=x7f3k9q2m4.test!generated"},
		{"ask ads.a.test refused 1", "!ads.a.test", NULL, "#=ads.a.test!taken-out"},
		{"ask ads.a.test denied 1", "!ads.a.test", NULL, "#=ads.a.test!taken-out"},
		{"ask a.test denied 1", "deny a.test", NULL, ""},
		{"ask a.test denied 1", NULL, NULL, ""},
		/* one that learned says what it used; what it was refused before is an attempt */
		{"ask a.test refused 4\ngo b.test 198.51.100.1 443/tcp bypassed 2 2", NULL, NULL, "=b.test:443 #=a.test!unanswered"},
	};

	(void)state;
	EXPECT(cases);
}

static void what_was_refused_since_it_learned_is_suggested_too(void **state)
{
	static const struct expectation cases[] = {
		{"go b.test 198.51.100.1 443/tcp bypassed 2 2\nlater ask a.test refused 4", NULL, NULL, "=b.test:443 =a.test"},
		{"go b.test 198.51.100.1 443/tcp bypassed 2 2\nlater go - 198.51.100.2 22/tcp blocked 2 0", NULL, NULL,
			"=b.test:443 198.51.100.2:22/tcp"},
		{"go b.test 198.51.100.1 443/tcp bypassed 2 2\nlater ask a.github.io refused 4", NULL, NULL,
			"=b.test:443 #=a.github.io!shared-hosting"},
		/* unless its lines allow it by now, or a line further up does */
		{"go b.test 198.51.100.1 443/tcp bypassed 2 2\nlater ask a.test refused 4", "a.test", NULL, "=b.test:443"},
		{THREE("example.com", "bypassed") "later ask d.example.com refused 1", NULL, NULL, "*.example.com:443"},
		/* several of them, apart from what was used */
		{THREE("example.com",
			 "bypassed") "later ask a.other.test refused 1\nlater ask b.other.test refused 1\nlater ask c.other.test refused 1",
			NULL, NULL, "*.example.com:443 *.other.test"},
		{"go w.example.com 198.51.100.1 443/tcp bypassed 1 1\nlater ask a.example.com refused 1\nlater ask b.example.com refused 1",
			NULL, NULL, "=w.example.com:443 =a.example.com =b.example.com"},
		/* another port than the one that was used */
		{"go b.test 198.51.100.1 80/tcp bypassed 2 2\nlater go b.test 198.51.100.1 8080/tcp blocked 2 0", NULL, NULL,
			"=b.test:80/tcp =b.test:8080/tcp"},
		{"go b.test 198.51.100.1 80/tcp bypassed 2 2\nlater go b.test 198.51.100.1 8080/tcp blocked 2 0", NULL, "b.test:80",
			"=b.test:8080/tcp"},
		{"go b.test 198.51.100.1 80/tcp bypassed 2 2\ngo b.test 198.51.100.1 443/tcp bypassed 2 2\nlater go b.test 198.51.100.1 22/tcp blocked 2 0",
			NULL, NULL, "=b.test"},
		{"go - 198.51.100.1 80/tcp bypassed 2 2\nlater go - 198.51.100.1 8080/tcp blocked 2 0", NULL, NULL,
			"198.51.100.1:80/tcp 198.51.100.1:8080/tcp"},
		/* what it used is used, even if it is refused now */
		{"go b.test 198.51.100.1 443/tcp bypassed 2 2\nlater ask b.test refused 4", NULL, NULL, "=b.test:443"},
	};

	(void)state;
	EXPECT(cases);
}

static void while_it_learns_nothing_is_refused(void **state)
{
	cleanup_activity struct activity activity = {0};
	cleanup_suggest struct suggest suggest = {0};
	cleanup_text struct text told = {0};
	struct suggest_order order = {.activity = &activity, .learns = true};

	(void)state;
	record_read(&activity, "later ask a.test refused 4");
	assert_int_equal(suggest_make(&order, &suggest), 0);
	assert_true(suggest.learned);
	lines_tell(&suggest, &told);
	assert_string_equal(told.data, "#=a.test!unanswered");
}

static void thousands_of_computed_names_are_one_line(void **state)
{
	cleanup_text struct text rows = {0};
	struct expectation one = {.lines = "#*.evil.test!generated"};

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		text_addf(&rows, "ask x%uf3k%uq2m%u.evil.test refused 1\n", i % 10, i / 10 % 10, i);
	one.rows = rows.data;
	expect(&one, 1);
}

/* ---- the text ---- */

static void suggestion_of(const char *rows, const struct policy *covering, const char *profile, struct text *text)
{
	cleanup_activity struct activity activity = {0};
	cleanup_suggest struct suggest suggest = {0};
	struct suggest_order order = {.activity = &activity, .covering = covering};
	struct suggest_head head = {.container = "web", .profile = profile, .activity = &activity};

	record_read(&activity, rows);
	assert_int_equal(suggest_make(&order, &suggest), 0);
	suggest_render(&suggest, &head, text);
	assert_false(text_failed(text));
}

static const char everything[] =
	THREE("example.com", "bypassed") "go pypi.org 198.51.100.1 443/tcp bypassed 12 12\n"
					 "go d111111abcdef8.cloudfront.net 198.51.100.1 443/tcp bypassed 1 1\n"
					 "go many.test 198.51.100.1 80/tcp bypassed 1 1\ngo many.test 198.51.100.1 443/tcp bypassed 1 1\n"
					 "go - 198.51.100.7 22/tcp bypassed 2 2\n"
					 "go - 2001:db8::7 22/tcp bypassed 2 2\n"
					 "ask tried.test bypassed 4\n"
					 "go ping.test 198.51.100.1 0/icmp bypassed 1 1\ngo ping.test 198.51.100.1 80/tcp bypassed 1 1\n"
					 "go - 10.1.2.3 22/tcp private 3 0\n";

static void the_text_says_how_often_and_when(void **state)
{
	static const char *const wanted[] = {
		"# What web used, ",
		"# Recorded from 2026-11-28 04:30 to 04:40 UTC.\n",
		("# a.example.com (1), b.example.com (1), c.example.com (1)\n"
		 "*.example.com:443                       # 3 names, 3 connections, 2026-11-28 04:31 to 04:40\n"),
		"\n# Names.\n",
		"=pypi.org:443                           # 12 connections, 2026-11-28 04:31 to 04:40\n",
		"# warning: shared: Amazon CloudFront: ",
		"# warning: looks generated: ",
		"=many.test                              # 2 connections, ports 80/tcp, 443/tcp, 2026-11-28 04:31 to 04:40\n",
		"=ping.test                              # 2 connections, ports 80/tcp, by a protocol without ports, ",
		"\n# Addresses that were reached without a name.\n198.51.100.7:22/tcp                     # 2 connections, ",
		"\n#=tried.test                            # 4 questions, ",
		"# warning: an inside address\n#10.1.2.3:22/tcp                        # 3 attempts, ",
	};
	cleanup_text struct text text = {0};

	(void)state;
	suggestion_of(everything, NULL, NULL, &text);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!strstr(text.data, wanted[i]))
			fail_msg("not there: %s\n%s", wanted[i], text.data);
}

/* The output is a profile: it loads, has the active lines and nothing else, and nothing is found wrong with it. */
static void the_text_is_a_profile_that_loads_without_a_change(void **state)
{
	static const char *const rules[] = {"*.example.com:443", "=many.test", "=ping.test", "=d111111abcdef8.cloudfront.net:443",
		"=pypi.org:443", "198.51.100.7:22/tcp", "[2001:db8::7]:22/tcp"};
	cleanup_text struct text text = {0};
	cleanup_profile_set struct profile_set set = {0};
	cleanup_lint struct lint lint = {0};
	struct error error = {0};

	(void)state;
	suggestion_of(everything, NULL, NULL, &text);
	if (profile_parse(&set, "suggested", text.data, text.length, &error))
		fail_msg("%s", error.text);
	assert_int_equal(lint_profile(&lint, text.data, text.length), 0);
	assert_int_equal(lint.count, 0);
	assert_int_equal(set.count, sizeof(rules) / sizeof(*rules));
	for (size_t i = 0; i < set.count; i++) {
		bool found = false;

		for (size_t j = 0; j < set.count; j++) {
			cleanup_text struct text rule = {0};

			rule_format(&set.entries[j].rule, &rule);
			found = found || strcmp(rule.data, rules[i]) == 0;
		}
		if (!found)
			fail_msg("%s is not in\n%s", rules[i], text.data);
	}
}

/* With what was suggested as a profile, nothing of the record is left to suggest. */
static void what_was_suggested_covers_what_was_used(void **state)
{
	cleanup_text struct text text = {0}, again = {0};
	cleanup_profile_set struct profile_set set = {0};
	cleanup_policy struct policy *policy = policy_new();

	(void)state;
	suggestion_of(everything, NULL, NULL, &text);
	assert_int_equal(profile_parse(&set, "suggested", text.data, text.length, NULL), 0);
	for (size_t i = 0; i < set.count; i++)
		assert_int_equal(policy_add(policy, &set.entries[i].rule, POLICY_PROFILE, "suggested", 1), 0);
	assert_int_equal(policy_seal(policy), 0);
	suggestion_of(everything, policy, "suggested", &again);
	for (const char *line = again.data; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (*line != '#' && *line != '\n')
			fail_msg("still suggested:\n%s", line);
	assert_non_null(strstr(again.data, "# What profile suggested allows already is not in it: 9 destinations.\n"));
}

static void nothing_recorded_and_nothing_to_suggest_are_said(void **state)
{
	cleanup_text struct text nothing = {0}, allowed = {0}, unconnected = {0};

	(void)state;
	suggestion_of("", NULL, NULL, &nothing);
	assert_non_null(strstr(nothing.data, "# Nothing was recorded yet.\n"));
	suggestion_of("ask a.test allowed 1", NULL, NULL, &allowed);
	assert_non_null(strstr(allowed.data, "# There is nothing to suggest.\n"));
	suggestion_of("ask a.test bypassed 1", NULL, NULL, &unconnected);
	assert_non_null(strstr(unconnected.data, "# No connection was recorded. "));
}

static void attempts_beyond_a_hundred_are_counted(void **state)
{
	cleanup_text struct text rows = {0}, text = {0};
	size_t lines = 0;

	(void)state;
	text_add(&rows, "go a.test 198.51.100.1 443/tcp bypassed 1 1\n");
	for (unsigned i = 0; i < 150; i++)
		text_addf(&rows, "go - 198.51.100.%u 25/tcp bypassed 1 0\n", i);
	suggestion_of(rows.data, NULL, NULL, &text);
	for (const char *at = text.data; (at = strstr(at, "\n#198.51.100.")); at++)
		lines++;
	assert_int_equal(lines, 100);
	assert_non_null(strstr(text.data, "# ... and 50 more; with --json all of them\n"));
}

/* ---- the change ---- */

static void the_change_is_what_patch_makes_of_the_file(void **state)
{
	static const struct {
		const char *old, *added, *diff;
	} cases[] = {
		{"a\nb\nc\nd\n", "x\ny\n", "--- /p\n+++ /p\n@@ -2,3 +2,6 @@\n b\n c\n d\n+\n+x\n+y\n"},
		{"a\n", "x\n", "--- /p\n+++ /p\n@@ -1,1 +1,3 @@\n a\n+\n+x\n"},
		{"", "x\n", "--- /p\n+++ /p\n@@ -0,0 +1,1 @@\n+x\n"},
		{"a\nb", "x\n", "--- /p\n+++ /p\n@@ -1,2 +1,4 @@\n a\n-b\n\\ No newline at end of file\n+b\n+\n+x\n"},
		{"b", "x\n", "--- /p\n+++ /p\n@@ -1,1 +1,3 @@\n-b\n\\ No newline at end of file\n+b\n+\n+x\n"},
		{"a\n\n\n\n", "x\n", "--- /p\n+++ /p\n@@ -2,3 +2,5 @@\n \n \n \n+\n+x\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text text = {0};

		suggest_diff("/p", cases[i].old, strlen(cases[i].old), cases[i].added, &text);
		if (strcmp(text.data, cases[i].diff) != 0)
			fail_msg("case %zu:\n%s", i, text.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_made_is_suggested_and_what_was_tried_is_a_comment),
		cmocka_unit_test(each_name_of_an_address_that_was_used_is_suggested),
		cmocka_unit_test(warnings_stand_with_what_looks_generated_or_shared_or_answers_queries),
		cmocka_unit_test(several_names_of_one_owner_become_one_line_only_where_that_is_safe),
		cmocka_unit_test(what_is_denied_or_taken_out_or_covered_is_heeded),
		cmocka_unit_test(a_shielded_container_is_suggested_what_it_was_refused),
		cmocka_unit_test(what_was_refused_since_it_learned_is_suggested_too),
		cmocka_unit_test(while_it_learns_nothing_is_refused),
		cmocka_unit_test(thousands_of_computed_names_are_one_line),
		cmocka_unit_test(the_text_says_how_often_and_when),
		cmocka_unit_test(the_text_is_a_profile_that_loads_without_a_change),
		cmocka_unit_test(what_was_suggested_covers_what_was_used),
		cmocka_unit_test(nothing_recorded_and_nothing_to_suggest_are_said),
		cmocka_unit_test(attempts_beyond_a_hundred_are_counted),
		cmocka_unit_test(the_change_is_what_patch_makes_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
