/* policy/name_guess.h: what names look like */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy/name_guess.h"

static struct name name_of(const char *text)
{
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	return name;
}

static void the_owner_is_what_one_party_registers_or_nothing(void **state)
{
	static const struct {
		const char *name, *owner; /* NULL: it cannot be told */
	} cases[] = {
		{"example.com", "example.com"},
		{"a.b.example.com", "example.com"},
		{"packages.debian.org", "debian.org"},
		{"files.example.org", "example.org"},
		{"static.crates.io", "crates.io"},
		{"www.heise.de", "heise.de"},
		{"a.allowed.test", "allowed.test"},
		/* public suffixes, and what stands below them */
		{"com", NULL},
		{"co.uk", NULL},
		{"example.co.uk", "example.co.uk"},
		{"www.example.co.uk", "example.co.uk"},
		{"www.example.com.au", "example.com.au"},
		{"a.b.ac.jp", "b.ac.jp"},
		{"shop.example.uk.com", "example.uk.com"},
		{"uk.com", NULL},
		{"a.asso.fr", "a.asso.fr"},
		{"x.gouv.fr", "x.gouv.fr"},
		{"a.tokyo.jp", NULL},
		{"a.chiyoda.tokyo.jp", "a.chiyoda.tokyo.jp"},
		{"k8s.io", NULL}, /* too short to tell from a kind: narrow is safe */
		{"dl.k8s.io", "dl.k8s.io"},
		{"a.xn--p1ai", NULL},
		{"a.b.xn--p1ai", "a.b.xn--p1ai"},
		{"a.b.example.xn--p1ai", "a.b.example.xn--p1ai"},
		/* nobody's, or anybody's */
		{"db", NULL},
		{"10.2.0.192.in-addr.arpa", NULL},
		{"project.github.io", NULL},
		{"a.project.github.io", NULL},
		{"github.io", NULL},
		{"bucket.s3.eu-west-1.amazonaws.com", NULL},
		{"d1234.cloudfront.net", NULL},
		{"1.2.3.4", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct name name = name_of(cases[i].name), owner;
		char text[NAME_TEXT_MAX] = "nobody";

		if (name_guess_owner(&name, &owner))
			name_to_text(&owner, text);
		if (strcmp(text, cases[i].owner ? cases[i].owner : "nobody") != 0)
			fail_msg("%s: %s", cases[i].name, text);
	}
}

static void hosting_is_known_above_and_below_a_name(void **state)
{
	static const struct {
		const char *name, *over, *under;
	} cases[] = {
		{"github.io", "github.io", "github.io"},
		{"project.github.io", "github.io", NULL},
		{"notgithub.io", NULL, NULL},
		{"google.com", NULL, "script.google.com"},
		{"bucket.s3.amazonaws.com", "s3.amazonaws.com", NULL},
		{"ec2.eu-west-1.amazonaws.com", "amazonaws.com", NULL},
		{"example.com", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct name name = name_of(cases[i].name);
		const struct name_guess_hosting *over = name_guess_hosting_over(&name), *under = name_guess_hosting_under(&name);

		if (!over != !cases[i].over || (over && strcmp(over->suffix, cases[i].over) != 0))
			fail_msg("%s is below %s", cases[i].name, over ? over->suffix : "nothing");
		if (!under != !cases[i].under || (under && strcmp(under->suffix, cases[i].under) != 0))
			fail_msg("%s is above %s", cases[i].name, under ? under->suffix : "nothing");
	}
}

static void a_label_that_was_computed_is_told_from_one_that_was_thought_of(void **state)
{
	static const char *const thought_of[] = {"example.com", "packages.debian.org", "security.debian.org", "cdn-fastly.packages.debian.org",
		"pythonhosted.org", "registry.example.org", "objects.githubusercontent.com", "raw.githubusercontent.com",
		"codeload.github.com", "production.cloudflare.docker.com", "index.crates.io", "static.crates.io", "proxy.golang.org",
		"storage.googleapis.com", "repo.anaconda.com", "conda.anaconda.org", "us-east-1.console.aws.amazon.com",
		"ec2-198-51-100-10.compute.example.com", "ip-10-0-1-2.example.com", "k8s.io", "pkg-containers.githubusercontent.com",
		"dualstack.example.com", "update4.example.com", "developer.download.nvidia.com", "archive.ubuntu.com", "mirrors.kernel.org",
		"tlu.dl.delivery.mp.microsoft.com", "sns-pdx.example.org", "xn--bcher-kva.example", "auth.docker.io",
		"registry-1.docker.io", "login.microsoftonline.com", "schemastore.org", "dl-cdn.alpinelinux.org"};
	static const char *const computed[] = {"d111111abcdef8.cloudfront.net", "r3---sn-4g5e6nze.googlevideo.com",
		"550e8400-e29b-41d4-a716-446655440000.example.com", "5f4dcc3b5aa765d61d8327deb882cf99.example.com",
		"nbswy3dpeb3w64tmmqqho2dfojssa5djnvsq.example.com", "qxzvkjwpfh.example.com", "x7f3k9q2m4.example.com",
		"a1b2c3d4e5f6.example.com", "data.x9k2j7w4.tunnel.example.com"};

	(void)state;
	for (size_t i = 0; i < sizeof(thought_of) / sizeof(*thought_of); i++) {
		struct name name = name_of(thought_of[i]);

		if (name_guess_generated(&name))
			fail_msg("%s does not look generated", thought_of[i]);
	}
	for (size_t i = 0; i < sizeof(computed) / sizeof(*computed); i++) {
		struct name name = name_of(computed[i]);

		if (!name_guess_generated(&name))
			fail_msg("%s looks generated", computed[i]);
	}
}

static void resolvers_over_https_are_known(void **state)
{
	struct name yes = name_of("dns.google"), below = name_of("abc.dns.nextdns.io"), no = name_of("google.com");

	(void)state;
	assert_true(name_guess_resolver(&yes));
	assert_true(name_guess_resolver(&below));
	assert_false(name_guess_resolver(&no));
}

static void odd_octets_and_the_longest_names_are_taken(void **state)
{
	struct name root = name_of("."), odd = name_of("\\000\\255a\\.b.exam\\032ple.com"), owner;
	char text[NAME_TEXT_MAX] = "";

	(void)state;
	assert_false(name_guess_owner(&root, &owner));
	assert_false(name_guess_generated(&root));
	assert_true(name_guess_owner(&odd, &owner));
	for (unsigned i = 0; i < 126; i++)
		strcat(text, "a.");
	strcat(text, "b");
	root = name_of(text);
	name_guess_owner(&root, &owner);
	name_guess_generated(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_is_what_one_party_registers_or_nothing),
		cmocka_unit_test(hosting_is_known_above_and_below_a_name),
		cmocka_unit_test(a_label_that_was_computed_is_told_from_one_that_was_thought_of),
		cmocka_unit_test(resolvers_over_https_are_known),
		cmocka_unit_test(odd_octets_and_the_longest_names_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
