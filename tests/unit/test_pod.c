/* cli/pod.h: a pod, as podman describes it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/pod.h"

#define POD(infra, config, shared, containers)                                                                                             \
	"{\"Name\":\"team\",\"InfraContainerID\":\"" infra "\",\"InfraConfig\":" config ",\"SharedNamespaces\":[" shared                   \
	"],\"Containers\":[" containers "]}"
#define PLAIN             "{\"PortBindings\":{},\"HostNetwork\":false,\"Networks\":null}"
#define SHARED            "\"uts\",\"ipc\",\"net\""
#define MEMBER(id, state) "{\"Id\":\"" id "\",\"Name\":\"n" id "\",\"State\":\"" state "\"}"

static void a_pod_is_read_as_podman_4_and_as_podman_5_print_it(void **state)
{
	static const char object[] = POD("i",
		"{\"PortBindings\":{\"8000/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"18080\"}],\"53/udp\":[]},\"HostNetwork\":false,\"Networks\":["
		"\"one\",\"two\"]}",
		SHARED, MEMBER("a", "running") "," MEMBER("i", "running") "," MEMBER("b", "exited") "," MEMBER("c", "paused"));
	char array[sizeof(object) + 2] = "[";
	const char *const texts[] = {object, strcat(strcat(array, object), "]")};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pod pod;
		struct error error = {0};

		if (pod_parse(&pod, texts[i], &error))
			fail_msg("%s", error.text);
		assert_string_equal(pod.name, "team");
		assert_int_equal(pod.flags.network_count, 2);
		assert_string_equal(pod.flags.networks[1], "two");
		assert_int_equal(pod.flags.published_count, 2);
		assert_int_equal(pod.flags.published[0].first, 8000);
		assert_int_equal(pod.flags.published[1].protocol, RULE_UDP);
		assert_int_equal(pod.container_count, 3);
		assert_string_equal(pod.containers[0].id, "a");
		assert_true(pod.containers[0].runs);
		assert_false(pod.containers[1].runs);
		assert_true(pod.containers[2].runs);
	}
}

static void a_pod_without_a_network_of_its_users_choice_has_podmans(void **state)
{
	struct pod pod;

	(void)state;
	assert_int_equal(pod_parse(&pod, POD("i", PLAIN, SHARED, ""), NULL), 0);
	assert_int_equal(pod.flags.network_count, 1);
	assert_string_equal(pod.flags.networks[0], "default");
}

static void a_pod_that_no_shield_can_be_put_around_is_refused(void **state)
{
	static const struct {
		const char *json, *word;
	} cases[] = {
		{"", "no pod"},
		{"[]", "no pod"},
		{"{}", "name"},
		{"{\"Name\":\"../x\"}", "name"},
		{POD("", PLAIN, SHARED, ""), "leave out --pod"},
		{POD("i", PLAIN, "\"uts\",\"ipc\"", ""), "leave out --pod"},
		{POD("i", PLAIN, "\"net\",\"pid\"", ""), "share pid"},
		{POD("i", "{\"HostNetwork\":true}", SHARED, ""), "host's network"},
		{POD("i", "{}", SHARED, ""), "host's network"},
		{POD("i", "null", SHARED, ""), "host's network"},
		{POD("i", "{\"HostNetwork\":false,\"Networks\":[7]}", SHARED, ""), "networks"},
		{POD("i", "{\"HostNetwork\":false,\"PortBindings\":{\"x\\u001b\":[]}}", SHARED, ""), "no port"},
		{POD("i", PLAIN, SHARED, "{\"Id\":\"a\"}"), "describe the containers"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pod pod;
		struct error error = {0};

		if (!pod_parse(&pod, cases[i].json, &error) || !strstr(error.text, cases[i].word))
			fail_msg("%s: %s", cases[i].json, error.text);
		assert_null(strchr(error.text, '\033'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_is_read_as_podman_4_and_as_podman_5_print_it),
		cmocka_unit_test(a_pod_without_a_network_of_its_users_choice_has_podmans),
		cmocka_unit_test(a_pod_that_no_shield_can_be_put_around_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
