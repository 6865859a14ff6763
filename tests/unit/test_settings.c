/* policy/settings.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/settings.h"

static void the_defaults_are_icmp_auto_nxdomain_and_the_audit_on(void **state)
{
	struct settings settings;

	(void)state;
	memset(&settings, 0xff, sizeof(settings));
	settings_init(&settings);
	assert_int_equal(settings.reject, SETTINGS_REJECT_ICMP);
	assert_int_equal(settings.via, SETTINGS_VIA_AUTO);
	assert_int_equal(settings.deny, SETTINGS_DENY_NXDOMAIN);
	assert_true(settings.audit);
	assert_int_equal(settings.upstream_count + settings.loopback_port_count + settings.published_count, 0);
	assert_int_equal(settings.host_gateway.family, 0);
}

static void every_word_names_its_value_and_back(void **state)
{
	static const char *const reject[] = {"icmp", "reset"}, *const via[] = {"auto", "host", "container"},
				 *const deny[] = {"nxdomain", "refused"};
	enum settings_reject reject_value;
	enum settings_via via_value;
	enum settings_deny deny_value;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(settings_reject_parse(&reject_value, reject[i]), 0);
		assert_int_equal(reject_value, i);
		assert_string_equal(settings_reject_name(reject_value), reject[i]);
		assert_int_equal(settings_deny_parse(&deny_value, deny[i]), 0);
		assert_int_equal(deny_value, i);
		assert_string_equal(settings_deny_name(deny_value), deny[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(settings_via_parse(&via_value, via[i]), 0);
		assert_int_equal(via_value, i);
		assert_string_equal(settings_via_name(via_value), via[i]);
	}
}

static void another_word_is_refused_and_changes_nothing(void **state)
{
	enum settings_reject reject = SETTINGS_REJECT_RESET;
	enum settings_via via = SETTINGS_VIA_HOST;
	enum settings_deny deny = SETTINGS_DENY_REFUSED;

	(void)state;
	assert_int_equal(settings_reject_parse(&reject, "drop"), -EINVAL);
	assert_int_equal(settings_via_parse(&via, "Host"), -EINVAL);
	assert_int_equal(settings_deny_parse(&deny, ""), -EINVAL);
	assert_int_equal(reject, SETTINGS_REJECT_RESET);
	assert_int_equal(via, SETTINGS_VIA_HOST);
	assert_int_equal(deny, SETTINGS_DENY_REFUSED);
}

static void an_upstream_is_read_and_written_with_its_port_and_its_name(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1:53"},
		{"[2001:db8::1]:5353", "[2001:db8::1]:5353"},
		{"2001:db8::1", "[2001:db8::1]:53"},
		{"tls://192.0.2.1#dns.example", "tls://192.0.2.1:853#dns.example"},
		{"tls://192.0.2.1:8853#DNS.Example", "tls://192.0.2.1:8853#dns.example"},
		{"tls://[2001:db8::1]#a-1.dns.example", "tls://[2001:db8::1]:853#a-1.dns.example"},
		{"tls://[2001:db8::1]:443#localhost", "tls://[2001:db8::1]:443#localhost"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[SETTINGS_UPSTREAM_TEXT_MAX];
		struct settings_upstream upstream, again;

		assert_int_equal(settings_upstream_parse(&upstream, cases[i].text), 0);
		assert_string_equal(settings_upstream_format(&upstream, text), cases[i].written);
		assert_int_equal(settings_upstream_parse(&again, text), 0);
		assert_memory_equal(&again, &upstream, sizeof(again));
	}
}

static void an_upstream_that_could_be_misread_is_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EINVAL},
		{"dns.example", -EINVAL},
		{"192.0.2.1:0", -EINVAL},
		{"TLS://192.0.2.1#dns.example", -EINVAL},
		{"tls://", -EINVAL},
		{"tls://#dns.example", -EINVAL},
		{"tls://dns.example", -EINVAL},
		{"tls://192.0.2.1:0#dns.example", -EINVAL},
		{"tls://192.0.2.1:99999#dns.example", -EINVAL},
		{"tls://2001:db8::1#dns.example", -EINVAL},
		{"tls://192.0.2.1", -ENODATA},
		{"tls://192.0.2.1:853", -ENODATA},
		{"tls://192.0.2.1#", -ENODATA},
		{"tls://192.0.2.1#853", -EDOM}, /* dnsmasq's way to write a port is not taken for one here */
		{"tls://192.0.2.1#dns..example", -EDOM},
		{"tls://192.0.2.1#dns.example.", -EDOM},
		{"tls://192.0.2.1#*.example", -EDOM},
		{"tls://192.0.2.1#dns.example#more", -EDOM},
		{"tls://192.0.2.1#dns.example/path", -EDOM},
		{"tls://192.0.2.1#dns\\046example", -EDOM},
		{"tls://192.0.2.1# dns.example", -EDOM},
		{"tls://192.0.2.1#192.0.2.1", -EDOM},
		{"tls://192.0.2.1#2001:db8::1", -EDOM},
		{"tls://192.0.2.1#b\xc3\xbc" "cher.example", -EDOM},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings_upstream upstream;
		int result = settings_upstream_parse(&upstream, cases[i].text);

		if (result != cases[i].error)
			fail_msg("'%s' gives %d", cases[i].text, result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_icmp_auto_nxdomain_and_the_audit_on),
		cmocka_unit_test(every_word_names_its_value_and_back),
		cmocka_unit_test(another_word_is_refused_and_changes_nothing),
		cmocka_unit_test(an_upstream_is_read_and_written_with_its_port_and_its_name),
		cmocka_unit_test(an_upstream_that_could_be_misread_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
