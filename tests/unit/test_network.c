/* cli/network.h: what --network means */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/network.h"

static void the_hosts_loopback_is_known_only_where_it_is_seen(void **state)
{
	static const struct {
		const char *network, *gateway; /* "": none */
	} cases[] = {
		{"slirp4netns:allow_host_loopback=true", "10.0.2.2"},
		{"slirp4netns:mtu=1500,allow_host_loopback=true", "10.0.2.2"},
		{"slirp4netns:allow_host_loopback=true,cidr=10.9.0.0/24", ""},
		{"slirp4netns", ""},
		{"pasta:--map-host-loopback,169.254.7.7,-t,none", "169.254.7.7"},
		{"pasta:--map-host-loopback=169.254.7.7", "169.254.7.7"},
		{"pasta", ""},
		{"none", ""},
		{"mynet", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr gateway = {0};
		char text[ADDR_TEXT_MAX] = "";

		network_gateway(cases[i].network, &gateway);
		if (gateway.family)
			addr_format(&gateway, text);
		assert_string_equal(text, cases[i].gateway);
	}
}

static void only_networks_of_the_users_own_have_a_name(void **state)
{
	static const struct {
		const char *value, *name; /* NULL: a mode of podman's */
	} cases[] = {{"mynet", "mynet"}, {"mynet:ip=10.1.2.3", "mynet"}, {"podman", "podman"}, {"bridge", NULL},
		{"bridge:ip=1.2.3.4", NULL}, {"none", NULL}, {"pasta:-t,1", NULL}, {"slirp4netns", NULL}, {"private", NULL}, {"", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[256];

		assert_int_equal(network_name(cases[i].value, name), cases[i].name != NULL);
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
	}
}

static void a_network_with_dns_sends_queries_to_its_gateways(void **state)
{
	static const char with_dns[] =
		"[{\"name\":\"n\",\"subnets\":[{\"subnet\":\"10.89.0.0/24\",\"gateway\":\"10.89.0.1\"},"
		"{\"subnet\":\"fd00::/64\",\"gateway\":\"fd00::1\"},{\"subnet\":\"10.90.0.0/24\"}],\"dns_enabled\":true}]";
	static const char without_dns[] = "[{\"name\":\"podman\",\"subnets\":[{\"gateway\":\"10.88.0.1\"}],\"dns_enabled\":false}]";
	struct settings settings;
	struct error error = {0};

	(void)state;
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	settings.upstream_count = 1; /* of the configuration */
	assert_int_equal(network_resolvers_parse(without_dns, &settings, &error), 0);
	assert_int_equal(settings.via, SETTINGS_VIA_HOST);
	assert_int_equal(settings.upstream_count, 1);
	assert_int_equal(network_resolvers_parse(with_dns, &settings, &error), 0);
	assert_int_equal(settings.via, SETTINGS_VIA_CONTAINER);
	assert_int_equal(settings.upstream_count, 2);
	assert_int_equal(settings.upstreams[0].endpoint.port, 53);
	assert_int_equal(settings.upstreams[1].endpoint.addr.family, ADDR_V6);
	assert_int_equal(network_resolvers_parse("{}", &settings, &error), -EPROTO);
	assert_int_equal(network_resolvers_parse("not JSON", &settings, &error), -EPROTO);
}

static void a_network_that_is_not_there_is_named_with_podmans_reason_and_the_remedy(void **state)
{
	static const struct {
		const char *script, *reason;
	} cases[] = {
		{"echo '[]'; echo 'WARN a warning' >&2; echo 'Error: network nosuch: network not found' >&2; exit 125",
			"failed: network nosuch: network not found"},
		{"echo '[]'", "network not found"},
		{"exit 1", "network failed"},
		{"echo no JSON", "prints no JSON array"},
		{"i=0; while [ $i -lt 500 ]; do echo $i 12345678 >&2; i=$((i+1)); done; printf 'the\\033end\\n' >&2; exit 3",
			"failed: the\\x1bend"},
	};
	char folder[] = "/tmp/test_network.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("PATH", folder, 1);
	snprintf(path, sizeof(path), "%s/podman", folder);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings settings;
		struct error error = {0};
		FILE *script = fopen(path, "w");

		assert_non_null(script);
		fprintf(script, "#!/bin/sh\n%s\n", cases[i].script);
		assert_int_equal(fclose(script), 0);
		assert_int_equal(chmod(path, 0700), 0);
		settings_init(&settings);
		assert_true(network_resolvers("nosuch", &settings, &error) < 0);
		if (!strstr(error.text, cases[i].reason) || !strstr(error.text, "'nosuch' (`podman network ls` lists"))
			fail_msg("%s: %s", cases[i].script, error.text);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hosts_loopback_is_known_only_where_it_is_seen),
		cmocka_unit_test(only_networks_of_the_users_own_have_a_name),
		cmocka_unit_test(a_network_with_dns_sends_queries_to_its_gateways),
		cmocka_unit_test(a_network_that_is_not_there_is_named_with_podmans_reason_and_the_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
