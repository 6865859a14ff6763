/* cli/network.h: what --network means */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

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
	assert_int_equal(settings.upstreams[0].port, 53);
	assert_int_equal(settings.upstreams[1].addr.family, ADDR_V6);
	assert_int_equal(network_resolvers_parse("{}", &settings, &error), -EPROTO);
	assert_int_equal(network_resolvers_parse("not JSON", &settings, &error), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hosts_loopback_is_known_only_where_it_is_seen),
		cmocka_unit_test(only_networks_of_the_users_own_have_a_name),
		cmocka_unit_test(a_network_with_dns_sends_queries_to_its_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
