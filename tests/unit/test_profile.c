/* config/profile.h, config/idn.h, and the bundled profiles */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/profile.h"
#include "policy/policy.h"

#define BUNDLED "../profiles"

static int parse(struct profile_set *set, const char *text, struct error *error)
{
	return profile_parse(set, "p.txt", text, strlen(text), error);
}

static void rules_are_rendered_canonically_with_their_place(void **state)
{
	static const char text[] =
		"# comment\n\nExample.COM. # why\n=one.example\n!ads.example.com\n192.0.2.0/24\n*.x.example:443/tcp\n[2001:db8::1]:443";
	cleanup_profile_set struct profile_set set = {0};
	cleanup_text struct text networks = {0}, names = {0};
	struct error error = {0};
	(void)state;

	assert_int_equal(parse(&set, text, &error), 0);
	profile_render(&set, &networks, &names);
	assert_string_equal(
		names.data, "example.com # p.txt:3\n=one.example # p.txt:4\n!ads.example.com # p.txt:5\n*.x.example:443/tcp # p.txt:7\n");
	assert_string_equal(networks.data, "192.0.2.0/24 # p.txt:6\n[2001:db8::1]:443 # p.txt:8\n");
}

static void a_source_with_odd_octets_cannot_add_lines_to_a_list(void **state)
{
	cleanup_profile_set struct profile_set set = {0};
	cleanup_text struct text networks = {0}, names = {0};
	(void)state;

	assert_int_equal(profile_parse(&set, "a\nevil.example", "good.example", 12, NULL), 0);
	profile_render(&set, &networks, &names);
	assert_string_equal(names.data, "good.example # a\\x0aevil.example:1\n");
}

static void a_duplicate_keeps_the_place_of_first_mention(void **state)
{
	cleanup_profile_set struct profile_set set = {0};
	(void)state;

	assert_int_equal(profile_parse(&set, "a", "x.example\ny.example\nX.example\n", 30, NULL), 0);
	assert_int_equal(profile_parse(&set, "b", "y.example\ny.example:443\n=y.example\n", 34, NULL), 0);
	assert_int_equal(set.count, 4);
	assert_int_equal(set.entries[1].source, 0);
	assert_int_equal(set.entries[1].line, 2);
	assert_int_equal(set.entries[2].source, 1);
}

static void a_bad_line_is_an_error_with_its_place_and_adds_nothing(void **state)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		{"good.example\ncom\n", "p.txt:2: "},
		{"good.example\n\n300.1.1.1", "p.txt:3: "},
		{"a b\n", "p.txt:1: "},
		{"0.0.0.0/0\n", "p.txt:1: "},
		{"!192.0.2.1\n", "p.txt:1: "},
		{"bad\xff.example\n", "p.txt:1: "},
		{"b\xc3\xbc"
		 "cher.example:0\n",
			"p.txt:1: "},
		{"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1\n", "p.txt:1: "}, /* full-width 127 */
		{"b\xc3\xbc"
		 "cher.example\xef\xbc\x9a"
		 "443\n",
			"p.txt:1: "},                        /* full-width colon */
		{"\xef\xbc\x8a.example.com\n", "p.txt:1: "}, /* full-width star */
		{"b\xc3\xbc"
		 "cher.example#x\n",
			"p.txt:1: "},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_profile_set struct profile_set set = {0};
		struct error error = {0};

		assert_int_equal(parse(&set, "before.example\n", &error), 0);
		if (parse(&set, cases[i].text, &error) != -EINVAL || strncmp(error.text, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("%s -> %s", cases[i].text, error.text);
		for (const char *octet = error.text; *octet; octet++)
			assert_in_range(*octet, ' ', '~');
		assert_int_equal(set.count, 1);
		assert_int_equal(set.source_count, 1);
	}
}

static void international_names_are_stored_in_their_ascii_form(void **state)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{"b\xc3\xbc"
		 "cher.example",
			"xn--bcher-kva.example"},
		{"B\xc3\x9c"
		 "CHER.example",
			"xn--bcher-kva.example"},
		{"bu\xcc\x88"
		 "cher.example",
			"xn--bcher-kva.example"}, /* not normalized */
		{"!*.b\xc3\xbc"
		 "cher.example",
			"!*.xn--bcher-kva.example"},
		{"=b\xc3\xbc"
		 "cher.example:443/tcp",
			"=xn--bcher-kva.example:443/tcp"},
		{"fa\xc3\x9f.example", "xn--fa-hia.example"}, /* not transitional */
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"_dmarc.b\xc3\xbc"
		 "cher.example",
			"_dmarc.xn--bcher-kva.example"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_text struct text text = {0};
		struct error error = {0};
		struct rule rule;

		if (profile_rule_parse(&rule, cases[i].text, strlen(cases[i].text), &error))
			fail_msg("%s: %s", cases[i].text, error.text);
		rule_format(&rule, &text);
		assert_string_equal(text.data, cases[i].canonical);
	}
}

static void the_first_folder_that_has_a_profile_wins(void **state)
{
	char folder[] = "/tmp/shield-test-profile.XXXXXX", file[64];
	struct profile_path path = {.folders = {"/nonexistent/profiles", folder, BUNDLED}, .count = 3};
	struct error error = {0};
	char **names;
	size_t count;
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/base.txt", folder);
	assert_int_equal(file_replace(AT_FDCWD, file, 0600, "mine.example\n", 13), 0);
	{
		cleanup_profile_set struct profile_set set = {0};

		assert_int_equal(profile_load(&set, &path, "base", &error), 0);
		assert_int_equal(set.count, 1);
		assert_string_equal(set.sources[0], file);
		assert_int_equal(profile_load(&set, &path, "dev-node", &error), 0);
		assert_true(set.count > 1);
	}
	assert_int_equal(profile_names(&path, &names, &count, &error), 0);
	assert_int_equal(count, 5);
	assert_string_equal(names[0], "base");
	assert_string_equal(names[4], "nvidia-hpc");
	profile_names_free(names, count);

	/* One that is there and cannot be read does not give way to the bundled one. */
	unlink(file);
	assert_int_equal(mkdir(file, 0700), 0);
	{
		cleanup_profile_set struct profile_set set = {0};

		assert_true(profile_load(&set, &path, "base", &error) < 0);
		assert_int_equal(set.count, 0);
	}
	rmdir(file);
	rmdir(folder);
}

static void an_unknown_profile_is_an_error_that_names_the_nearest(void **state)
{
	struct profile_path path = {.folders = {BUNDLED}, .count = 1};
	cleanup_profile_set struct profile_set set = {0};
	struct error error = {0};
	(void)state;

	assert_int_equal(profile_load(&set, &path, "dev-pyhton", &error), -ENOENT);
	assert_non_null(strstr(error.text, "did you mean 'dev-python'?"));
	assert_non_null(strstr(error.text, "there are: base, dev-node, dev-python, dev-standard, nvidia-hpc"));
	assert_int_equal(profile_load(&set, &path, "something-else", &error), -ENOENT);
	assert_null(strstr(error.text, "did you mean"));
}

static void names_that_could_leave_the_folder_are_refused(void **state)
{
	static const char *const unsafe[] = {"", ".", "..", "../base", "a/b", "a..b", "-x", ".x", "a b", "a\n",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct profile_path path = {.folders = {BUNDLED}, .count = 1};
	(void)state;

	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
		cleanup_profile_set struct profile_set set = {0};

		assert_false(profile_name_is_safe(unsafe[i]));
		assert_int_equal(profile_load(&set, &path, unsafe[i], NULL), -EINVAL);
	}
	assert_true(profile_name_is_safe("dev-standard"));
	assert_true(profile_name_is_safe("_a.b-2"));
}

static void every_bundled_entry_says_what_it_is_for(void **state)
{
	static const char *const profiles[] = {"base", "dev-standard", "dev-python", "dev-node", "nvidia-hpc"};
	(void)state;

	for (size_t i = 0; i < 5; i++) {
		cleanup_free char *data = NULL;
		char file[64], *rest, *line;

		snprintf(file, sizeof(file), BUNDLED "/%s.txt", profiles[i]);
		assert_int_equal(file_read(AT_FDCWD, file, 1 << 20, &data, NULL), 0);
		for (rest = data; (line = strsep(&rest, "\n"));)
			if (line[0] != '\0' && line[0] != '#' && !strstr(line, "\t# "))
				fail_msg("%s: %s", file, line);
	}
}

static void the_bundled_profiles_allow_what_they_are_for_and_no_more(void **state)
{
	static const struct {
		const char *profile, *name;
		bool allowed;
	} cases[] = {
		{"base", "security.debian.org", true},
		{"base", "archive.ubuntu.com", true},
		{"base", "mirrors.fedoraproject.org", true},
		{"base", "dl-cdn.alpinelinux.org", true},
		{"base", "r11.c.lencr.org", true},
		{"base", "2.debian.pool.ntp.org", true},
		{"base", "github.com", false},
		{"dev-standard", "github.com", true},
		{"dev-standard", "raw.githubusercontent.com", true},
		{"dev-standard", "evil.github.com", false},
		{"dev-standard", "ghcr.io", true},
		{"dev-standard", "x.githubusercontent.com", false},
		{"dev-standard", "docker.io", true},
		{"dev-standard", "npmjs.org", true},
		{"dev-standard", "below.pythonhosted.org", true},
		{"dev-standard", "index.crates.io", true},
		{"dev-standard", "gitlab.com", true},
		{"dev-standard", "sum.golang.org", true},
		{"dev-python", "conda.anaconda.org", true},
		{"dev-python", "docs.python.org", true},
		{"dev-python", "requests.readthedocs.io", true},
		{"dev-node", "cdn.jsdelivr.net", true},
		{"dev-node", "unpkg.com", true},
		{"dev-node", "github.com", false},
		{"nvidia-hpc", "nvcr.io", true},
		{"nvidia-hpc", "api.ngc.nvidia.com", true},
		{"nvidia-hpc", "shop.nvidia.com", false},
	};
	struct profile_path path = {.folders = {BUNDLED}, .count = 1};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_profile_set struct profile_set set = {0};
		cleanup_policy struct policy *policy = policy_new();
		struct policy_match match;
		struct error error = {0};
		struct name name;

		if (profile_load(&set, &path, cases[i].profile, &error))
			fail_msg("%s", error.text);
		for (size_t j = 0; j < set.count; j++)
			assert_int_equal(policy_add(policy, &set.entries[j].rule, POLICY_PROFILE, "", set.entries[j].line), 0);
		assert_int_equal(policy_seal(policy), 0);
		assert_int_equal(name_from_text(&name, cases[i].name, strlen(cases[i].name)), 0);
		policy_lookup(policy, name.wire, name.length, &match);
		if ((match.verdict == POLICY_ALLOWED) != cases[i].allowed)
			fail_msg("%s: %s", cases[i].profile, cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_rendered_canonically_with_their_place),
		cmocka_unit_test(a_source_with_odd_octets_cannot_add_lines_to_a_list),
		cmocka_unit_test(a_duplicate_keeps_the_place_of_first_mention),
		cmocka_unit_test(a_bad_line_is_an_error_with_its_place_and_adds_nothing),
		cmocka_unit_test(international_names_are_stored_in_their_ascii_form),
		cmocka_unit_test(the_first_folder_that_has_a_profile_wins),
		cmocka_unit_test(an_unknown_profile_is_an_error_that_names_the_nearest),
		cmocka_unit_test(names_that_could_leave_the_folder_are_refused),
		cmocka_unit_test(every_bundled_entry_says_what_it_is_for),
		cmocka_unit_test(the_bundled_profiles_allow_what_they_are_for_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
