/* The OCI state and config.json: what is read, what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hook/oci_state.h"

static int state_parse(struct oci_state *state, const char *json, struct error *error)
{
	return oci_state_parse(state, json, strlen(json), error);
}

static void a_state_as_crun_writes_it_is_read(void **context)
{
	struct oci_state state;
	struct error error = {0};

	(void)context;
	assert_int_equal(
		state_parse(&state,
			"{\"ociVersion\":\"1.0\",\"id\":\"1ac8c0214c12\",\"pid\":301,\"root\":\"/r\",\"bundle\":\"/b/userdata\",\"status\":\"created\","
			"\"annotations\":{\"io.container.manager\":\"libpod\",\"terok.shield.profiles\":\"a:b\",\"terok.shield.name\":\"web\","
			"\"terok.shield.state_dir\":\"/s/web\",\"terok.shield.version\":\"1.0.0\"}}",
			&error),
		0);
	assert_string_equal(state.id, "1ac8c0214c12");
	assert_int_equal(state.pid, 301);
	assert_string_equal(state.bundle, "/b/userdata");
	assert_true(state.annotations.profiles);
	assert_string_equal(state.annotations.name, "web");
	assert_string_equal(state.annotations.state_dir, "/s/web");
	assert_string_equal(state.annotations.version, "1.0.0");
	assert_int_equal(error.code, 0);
}

static void what_annotations_say_of_a_container_is_one_object(void **context)
{
	static struct oci_state state;
	struct error error = {0};

	(void)context;
	assert_int_equal(
		state_parse(&state,
			"{\"id\":\"a\",\"status\":\"created\",\"bundle\":\"/b\",\"annotations\":{\"dossier.task\":\"7\",\"dossier\":\"no\","
			"\"dossier.\":\"no\",\"dossier.meta_path\":\"/m.json\",\"dossier.name\":\"a\\u001b[2J\",\"other\":\"no\"}}",
			&error),
		0);
	assert_string_equal(state.annotations.dossier, "{\"task\":\"7\",\"name\":\"a\\\\x1b[2J\"}");
	assert_string_equal(state.annotations.meta_path, "/m.json");
}

static void a_stopped_container_needs_no_pid_and_no_annotations(void **context)
{
	struct oci_state state;
	struct error error = {0};

	(void)context;
	assert_int_equal(state_parse(&state, "{\"id\":\"a\",\"status\":\"stopped\",\"bundle\":\"/b\"}", &error), 0);
	assert_int_equal(state.pid, 0);
	assert_false(state.annotations.profiles);
	assert_string_equal(state.annotations.state_dir, "");
}

static void a_state_with_a_wrong_field_is_refused_and_the_field_is_named(void **context)
{
	static const struct {
		const char *json, *word;
	} cases[] = {
		{"", "not JSON"},
		{"{", "not JSON"},
		{"{} x", "not JSON"},
		{"[]", "not a JSON object"},
		{"{\"bundle\":\"/b\",\"status\":\"created\"}", "\"id\" is missing"},
		{"{\"id\":1,\"bundle\":\"/b\",\"status\":\"created\"}", "\"id\" is not a string"},
		{"{\"id\":\"\",\"bundle\":\"/b\",\"status\":\"created\"}", "\"id\" is not a container id"},
		{"{\"id\":\"a/b\",\"bundle\":\"/b\",\"status\":\"created\"}", "\"id\" is not a container id"},
		{"{\"id\":\"a\",\"id\":\"b\",\"bundle\":\"/b\",\"status\":\"created\"}", "\"id\" is there twice"},
		{"{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123x\",\"bundle\":\"/b\",\"status\":\"s\"}",
			"more than 64"},
		{"{\"id\":\"a\",\"bundle\":\"b\",\"status\":\"created\"}", "not an absolute path"},
		{"{\"id\":\"a\",\"bundle\":null,\"status\":\"created\"}", "\"bundle\" is not a string"},
		{"{\"id\":\"a\",\"bundle\":\"/b\"}", "\"status\" is missing"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"pid\":\"1\"}", "\"pid\" is not"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"pid\":-1}", "\"pid\" is not"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"pid\":1.5}", "\"pid\" is not"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"pid\":4294967297}", "\"pid\" is not"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"annotations\":[]}", "\"annotations\" is not an object"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"annotations\":{\"x\\n\":1}}", "annotation 'x\\x0a' is not a string"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"annotations\":{\"terok.shield.name\":\"a\",\"terok.shield.name\":\"b\"}}",
			"twice"},
		{"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\",\"annotations\":{\"terok.shield.version\":\"00000000000000000000000000000000\"}}",
			"more than 31"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct oci_state state;
		struct error error = {0};

		assert_int_equal(state_parse(&state, cases[i].json, &error), -EINVAL);
		if (!strstr(error.text, cases[i].word))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].json, error.text, cases[i].word);
	}
}

static void a_nul_octet_in_a_document_is_refused(void **context)
{
	struct oci_state state;
	struct error error = {0};

	(void)context;
	assert_int_equal(oci_state_parse(&state, "{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"s\"}\0x", 39, &error), -EINVAL);
}

/* capabilities, namespaces */
#define CONFIG(capabilities, namespaces) "{\"process\":{\"capabilities\":" capabilities "},\"linux\":{\"namespaces\":" namespaces "}}"
#define OWN                              "[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/run/netns/x\"}]"

static int config_judge(const char *json, struct error *error)
{
	struct oci_config config;
	int rc = oci_config_parse(&config, json, strlen(json), error);

	return rc ? rc : oci_config_check(&config, error);
}

static void the_process_whose_network_namespace_is_joined_is_read(void **context)
{
	static const struct {
		const char *path;
		pid_t pid;
	} cases[] = {
		{"/proc/228/ns/net", 228},
		{"/proc/1/ns/net", 1},
		{"/proc/0/ns/net", 0},
		{"/proc/self/ns/net", 0},
		{"/proc/228/ns/netx", 0},
		{"/proc/-1/ns/net", 0},
		{"/proc/99999999999999999999/ns/net", 0},
		{"/run/netns/proc/228/ns/net", 0},
		{"", 0},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct oci_config config;
		char json[256];

		snprintf(json, sizeof(json), CONFIG("{}", "[{\"type\":\"network\",\"path\":\"%s\"},{\"type\":\"pid\"}]"), cases[i].path);
		assert_int_equal(oci_config_parse(&config, json, strlen(json), NULL), 0);
		assert_int_equal(config.joined_pid, cases[i].pid);
		assert_true(config.own_network && config.own_pids);
	}
}

static void an_ordinary_container_is_accepted(void **context)
{
	static const char *const cases[] = {
		CONFIG("{\"bounding\":[\"CAP_CHOWN\",\"CAP_NET_BIND_SERVICE\"],\"effective\":[\"CAP_CHOWN\"]}", OWN),
		CONFIG("{}", OWN),
		CONFIG("{\"bounding\":null}", OWN),
		CONFIG("{\"bounding\":[\"CAP_SYS_PTRACE\",\"CAP_PERFMON\"]}", OWN),
		CONFIG("{\"bounding\":[\"CAP_NET_ADMINX\",\"XCAP_NET_ADMIN\"]}", "[{\"type\":\"network\"}]"),
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error error = {0};

		if (config_judge(cases[i], &error))
			fail_msg("%s: %s", cases[i], error.text);
	}
}

static void what_undoes_the_shield_is_refused_with_the_remedy(void **context)
{
	static const struct {
		const char *json, *word;
	} cases[] = {
		{CONFIG("{\"bounding\":[\"CAP_NET_ADMIN\"]}", OWN), "--cap-drop NET_ADMIN"},
		{CONFIG("{\"effective\":[\"CAP_NET_RAW\"]}", OWN), "--cap-drop NET_RAW"},
		{CONFIG("{\"permitted\":[\"CAP_SYS_ADMIN\"]}", OWN), "--cap-drop SYS_ADMIN"},
		{CONFIG("{\"inheritable\":[\"CAP_SYS_MODULE\"]}", OWN), "--cap-drop SYS_MODULE"},
		{CONFIG("{\"ambient\":[\"CAP_BPF\"]}", OWN), "--cap-drop BPF"},
		{CONFIG("{\"bounding\":[\"CAP_SYS_RAWIO\"]}", OWN), "--cap-drop SYS_RAWIO"},
		{CONFIG("{\"bounding\":[\"CAP_SYS_BOOT\"]}", OWN), "--cap-drop SYS_BOOT"},
		{CONFIG("{\"bounding\":[\"CAP_DAC_READ_SEARCH\"]}", OWN), "--cap-drop DAC_READ_SEARCH"},
		{CONFIG("{\"bounding\":[\"cap_net_admin\"]}", OWN), "CAP_NET_ADMIN"},
		{CONFIG("{\"bounding\":[\"NET_RAW\"]}", OWN), "CAP_NET_RAW"},
		{CONFIG("{\"bounding\":[\"CAP_SYS_PTRACE\"]}", "[{\"type\":\"network\"}]"), "CAP_SYS_PTRACE"},
		{CONFIG("{\"bounding\":[\"CAP_SYS_PTRACE\"]}", "[{\"type\":\"network\"},{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}]"),
			"CAP_SYS_PTRACE"},
		{CONFIG("{}", "[{\"type\":\"pid\"},{\"type\":\"mount\"}]"), "--network host"},
		{CONFIG("{}", "[]"), "--network host"},
		{"{\"process\":{\"capabilities\":{}},\"linux\":{}}", "--network host"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error error = {0};

		assert_int_equal(config_judge(cases[i].json, &error), -EPERM);
		if (!strstr(error.text, cases[i].word))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].json, error.text, cases[i].word);
	}
}

static void a_config_that_cannot_be_judged_is_refused(void **context)
{
	static const struct {
		const char *json, *word;
	} cases[] = {
		{"{", "not JSON"},
		{"{\"linux\":{\"namespaces\":" OWN "}}", "\"process\" is missing"},
		{"{\"process\":{},\"linux\":{\"namespaces\":" OWN "}}", "\"process.capabilities\" is missing"},
		{"{\"process\":{\"capabilities\":{}}}", "\"linux\" is missing"},
		{"{\"process\":{\"capabilities\":{}},\"process\":{\"capabilities\":{}}}", "\"process\" is there twice"},
		{CONFIG("[]", OWN), "\"capabilities\" is not an object"},
		{CONFIG("{\"bounding\":{}}", OWN), "\"bounding\" is not an array"},
		{CONFIG("{\"bounding\":[1]}", OWN), "\"bounding\" has an element that is not a string"},
		{CONFIG("{}", "{}"), "\"namespaces\" is not an array"},
		{CONFIG("{}", "[1]"), "element that is not an object"},
		{CONFIG("{}", "[{\"type\":1}]"), "\"type\" is not a string"},
		{CONFIG("{}", "[{\"type\":\"network\",\"path\":7}]"), "\"path\" of a namespace"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error error = {0};

		assert_int_equal(config_judge(cases[i].json, &error), -EINVAL);
		if (!strstr(error.text, cases[i].word))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].json, error.text, cases[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_as_crun_writes_it_is_read),
		cmocka_unit_test(what_annotations_say_of_a_container_is_one_object),
		cmocka_unit_test(a_stopped_container_needs_no_pid_and_no_annotations),
		cmocka_unit_test(a_state_with_a_wrong_field_is_refused_and_the_field_is_named),
		cmocka_unit_test(a_nul_octet_in_a_document_is_refused),
		cmocka_unit_test(the_process_whose_network_namespace_is_joined_is_read),
		cmocka_unit_test(an_ordinary_container_is_accepted),
		cmocka_unit_test(what_undoes_the_shield_is_refused_with_the_remedy),
		cmocka_unit_test(a_config_that_cannot_be_judged_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
