/* config/config.h */
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
#include "config/config.h"

static int parse(struct config *config, const char *text, struct error *error)
{
	return config_parse(config, "c.yml", text, strlen(text), error);
}

static void nothing_in_the_file_leaves_the_defaults(void **state)
{
	static const char *const texts[] = {"", "\n", "# a comment\n", "---\n", "--- \n...\n", "{}\n"};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config config;
		struct error error = {0};

		assert_int_equal(parse(&config, texts[i], &error), 0);
		assert_int_equal(error.code, 0);
		assert_true(config.from_file);
		assert_string_equal(config.mode, "hook");
		assert_int_equal(config.default_profile_count, 1);
		assert_string_equal(config.default_profiles[0], "dev-standard");
		assert_true(config.settings.audit);
		assert_int_equal(config.settings.via, SETTINGS_VIA_AUTO);
		config_free(&config);
	}
}

static void every_key_is_read(void **state)
{
	static const char text[] =
		"mode: auto\n"
		"default_profiles: [base, \"my-project\"]\n"
		"loopback_ports:\n  - 8080\n  - 65535\n"
		"audit: {enabled: no}\n"
		"dns:\n  upstream: [9.9.9.9, \"[2620:fe::fe]:5353\", 127.0.0.1:5300]\n  via: container\n  deny: refused\n  budget: {names: 0, octets: 4096}\n"
		"reject: reset\n";
	struct config config;
	struct error error = {0};
	char endpoint[ADDR_ENDPOINT_TEXT_MAX];
	(void)state;

	assert_int_equal(parse(&config, text, &error), 0);
	assert_string_equal(config.mode, "auto");
	assert_int_equal(config.default_profile_count, 2);
	assert_string_equal(config.default_profiles[1], "my-project");
	assert_int_equal(config.settings.loopback_port_count, 2);
	assert_int_equal(config.settings.loopback_ports[0], 8080);
	assert_int_equal(config.settings.loopback_ports[1], 65535);
	assert_false(config.settings.audit);
	assert_int_equal(config.settings.upstream_count, 3);
	assert_string_equal(addr_endpoint_format(&config.settings.upstreams[1].endpoint, endpoint), "[2620:fe::fe]:5353");
	assert_int_equal(config.settings.upstreams[0].endpoint.port, 53);
	assert_int_equal(config.settings.upstreams[2].endpoint.port, 5300);
	assert_int_equal(config.settings.via, SETTINGS_VIA_CONTAINER);
	assert_int_equal(config.settings.deny, SETTINGS_DENY_REFUSED);
	assert_int_equal(config.settings.budget_names, 0);
	assert_int_equal(config.settings.budget_octets, 4096);
	assert_int_equal(config.settings.reject, SETTINGS_REJECT_RESET);
	config_free(&config);
}

static void servers_by_tls_are_read_with_their_cas(void **state)
{
	static const char text[] = "dns:\n  upstream: [\"tls://9.9.9.9#dns.quad9.net\", 'tls://[2620:fe::fe]:8853#DNS.quad9.net']\n  ca: /etc/own/ca.pem\n";
	struct config config;
	struct error error = {0};
	(void)state;

	assert_int_equal(parse(&config, text, &error), 0);
	assert_int_equal(config.settings.upstream_count, 2);
	assert_int_equal(config.settings.upstreams[0].endpoint.port, 853);
	assert_string_equal(config.settings.upstreams[0].tls_name, "dns.quad9.net");
	assert_int_equal(config.settings.upstreams[1].endpoint.port, 8853);
	assert_string_equal(config.settings.upstreams[1].tls_name, "dns.quad9.net");
	assert_string_equal(config.settings.ca, "/etc/own/ca.pem");
	config_free(&config);
	assert_int_equal(parse(&config, "dns: {upstream: ['tls://9.9.9.9#dns.quad9.net']}\n", &error), 0);
	assert_string_equal(config.settings.ca, "/etc/ssl/certs/ca-certificates.crt");
	config_free(&config);
}

static void what_is_wrong_is_an_error_at_its_line_and_column(void **state)
{
	static const struct {
		const char *text, *place, *says;
	} cases[] = {
		{"mod: hook\n", "c.yml:1:1:", "unknown key 'mod'"},
		{"mode: hook\nmode: hook\n", "c.yml:2:1:", "twice"},
		{"dns:\n  via: host\n  via: host\n", "c.yml:3:3:", "twice"},
		{"mode: bridge\n", "c.yml:1:7:", "'bridge' is no mode"},
		{"mode: [hook]\n", "c.yml:1:7:", "found a list"},
		{"default_profiles: dev-standard\n", "c.yml:1:19:", "expected a list"},
		{"default_profiles:\n", "c.yml:1:18:", "expected a list"},
		{"default_profiles: [../x]\n", "c.yml:1:20:", "no profile's name"},
		{"loopback_ports: [\"80\"]\n", "c.yml:1:18:", "without quotes"},
		{"loopback_ports: [0]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: [65536]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: [99999999999999999999]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: [0x50]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: [-1]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: [080]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: ['']\n", "c.yml:1:18:", "without quotes"},
		{"loopback_ports: [~]\n", "c.yml:1:18:", "no port"},
		{"loopback_ports: [80, 80]\n", "c.yml:1:22:", "twice"},
		{"audit: true\n", "c.yml:1:8:", "expected a mapping"},
		{"audit: {enabled: 1}\n", "c.yml:1:18:", "expected true or false"},
		{"audit: {enabled: 'true'}\n", "c.yml:1:18:", "without quotes"},
		{"audit: {on: true}\n", "c.yml:1:9:", "unknown key"},
		{"dns:\n  upstream: 9.9.9.9\n", "c.yml:2:13:", "expected a list"},
		{"dns:\n  upstream: [dns.example]\n", "c.yml:2:14:", "no address"},
		{"dns:\n  upstream: [\"9.9.9.9:0\"]\n", "c.yml:2:14:", "no address"},
		{"dns:\n  upstream: [0.0.0.0]\n", "c.yml:2:14:", "no resolver's"},
		{"dns:\n  upstream: ['tls://9.9.9.9']\n", "c.yml:2:14:", "needs the name that its certificate is for"},
		{"dns:\n  upstream: ['tls://9.9.9.9#']\n", "c.yml:2:14:", "needs the name that its certificate is for"},
		{"dns:\n  upstream: ['tls://9.9.9.9#dns.example.']\n", "c.yml:2:14:", "no host's name"},
		{"dns:\n  upstream: ['tls://9.9.9.9#9.9.9.9']\n", "c.yml:2:14:", "no host's name"},
		{"dns:\n  upstream: ['tls://9.9.9.9#d_n_s.example']\n", "c.yml:2:14:", "no host's name"},
		{"dns:\n  upstream: [\"tls://9.9.9.9#dns.example\\n\"]\n", "c.yml:2:14:", "no host's name"},
		{"dns:\n  upstream: ['tls://dns.example#dns.example']\n", "c.yml:2:14:", "no server by TLS"},
		{"dns:\n  upstream: ['tls://2001:db8::1#dns.example']\n", "c.yml:2:14:", "no server by TLS"},
		{"dns:\n  upstream: ['tls://9.9.9.9:0#dns.example']\n", "c.yml:2:14:", "no server by TLS"},
		{"dns:\n  upstream: ['tls:9.9.9.9#dns.example']\n", "c.yml:2:14:", "no server by TLS"},
		{"dns:\n  upstream: ['tls://0.0.0.0#dns.example']\n", "c.yml:2:14:", "no resolver's"},
		{"dns:\n  upstream: ['tls://9.9.9.9#dns.example', 9.9.9.9]\n", "c.yml:2:43:", "not both"},
		{"dns:\n  upstream: [9.9.9.9, 'tls://9.9.9.9#dns.example']\n", "c.yml:2:23:", "not both"},
		{"dns:\n  ca: ca.pem\n", "c.yml:2:7:", "no absolute path"},
		{"dns:\n  ca: [/etc/ca.pem]\n", "c.yml:2:7:", "expected a file's path"},
		{"dns:\n  via: outside\n", "c.yml:2:8:", "expected auto, host or container"},
		{"dns:\n  deny: drop\n", "c.yml:2:9:", "expected nxdomain or refused"},
		{"dns:\n  budget: 600\n", "c.yml:2:11:", "expected a mapping"},
		{"dns:\n  budget: {names: -1}\n", "c.yml:2:19:", "no budget"},
		{"dns:\n  budget: {names: }\n", "c.yml:2:19:", "no budget"},
		{"dns:\n  budget: {octets: 1000000001}\n", "c.yml:2:20:", "no budget"},
		{"dns:\n  budget: {octets: '9'}\n", "c.yml:2:20:", "without quotes"},
		{"dns:\n  budget: {name: 9}\n", "c.yml:2:12:", "unknown key"},
		{"dns:\n", "c.yml:1:5:", "expected a mapping"},
		{"reject: tcp\n", "c.yml:1:9:", "expected icmp or reset"},
		{"- mode\n", "c.yml:1:1:", "expected a mapping"},
		{"hook\n", "c.yml:1:1:", "expected a mapping"},
		{"mode: hook\n---\nmode: hook\n", "c.yml:2:1:", "second document"},
		{"mode: &a hook\n", "c.yml:1:7:", "aliases"},
		{"mode: *a\n", "c.yml:1:7:", "aliases"},
		{"mode: !!str hook\n", "c.yml:1:7:", "tags"},
		{"<<: {mode: hook}\n", "c.yml:1:1:", "unknown key"},
		{"? [a]\n: b\n", "c.yml:1:3:", "expected a key"},
		{"mode: \"hook\\0\"\n", "c.yml:1:7:", "NUL"},
		{"loopback_ports: [80\n", "c.yml:2:1:", "not valid YAML"},
		{"mode: \"\\x1b[31m\"\n", "c.yml:1:7:", "\\x1b[31m"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config;
		struct error error = {0};

		if (parse(&config, cases[i].text, &error) != -EINVAL || strncmp(error.text, cases[i].place, strlen(cases[i].place)) != 0 ||
			!strstr(error.text, cases[i].says))
			fail_msg("%s -> %s", cases[i].text, error.text);
		config_free(&config);
	}
}

static void a_missing_file_gives_the_defaults_and_an_unreadable_one_an_error(void **state)
{
	char folder[] = "/tmp/shield-test-config.XXXXXX", path[64], link_path[64];
	struct config config;
	struct error error = {0};
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/config.yml", folder);
	snprintf(link_path, sizeof(link_path), "%s/link.yml", folder);
	assert_int_equal(config_load(&config, path, &error), 0);
	assert_false(config.from_file);
	assert_int_equal(config.default_profile_count, 1);
	config_free(&config);

	assert_int_equal(config_load(&config, folder, &error), -EINVAL); /* a folder */
	config_free(&config);

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(config_load(&config, path, &error), -EINVAL);
	config_free(&config);
	unlink(path);

	assert_int_equal(file_replace(AT_FDCWD, path, 0600, "reject: reset\n", 14), 0);
	assert_int_equal(symlink("config.yml", link_path), 0);
	assert_int_equal(config_load(&config, link_path, &error), 0);
	assert_true(config.from_file);
	assert_int_equal(config.settings.reject, SETTINGS_REJECT_RESET);
	config_free(&config);
	unlink(link_path);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_in_the_file_leaves_the_defaults),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(servers_by_tls_are_read_with_their_cas),
		cmocka_unit_test(what_is_wrong_is_an_error_at_its_line_and_column),
		cmocka_unit_test(a_missing_file_gives_the_defaults_and_an_unreadable_one_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
