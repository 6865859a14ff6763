/* What containerd and CRI-O say of a container, and which of it is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hook/cri.h"

#define ID         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONTAINERD "\"io.kubernetes.cri.container-type\":\"sandbox\",\"io.kubernetes.cri.sandbox-id\":\"" ID "\""
#define CRIO       "\"io.kubernetes.cri-o.ContainerType\":\"container\",\"io.kubernetes.cri-o.SandboxID\":\"" ID "\""
#define NETWORK    "{\"type\":\"network\",\"path\":\"/run/netns/a\"}"
#define PID        "{\"type\":\"pid\"}"
#define CONFIG(annotations, capabilities, namespaces)                                                                                      \
	"{\"process\":{\"capabilities\":{\"bounding\":[" capabilities "]}},\"linux\":{\"namespaces\":[" namespaces                         \
	"]},\"annotations\":{" annotations "}}"
#define PLAIN(annotations) CONFIG(annotations, "", NETWORK "," PID)

static struct cri_container container;
static struct error error;

static int parse(const char *json)
{
	error = (struct error){0};
	return cri_container_parse(&container, json, strlen(json), &error);
}

static int judge(const char *json, const char *id)
{
	assert_int_equal(parse(json), 0);
	return cri_container_check(&container, id, &error);
}

static void both_runtimes_say_what_a_container_is(void **unused)
{
	(void)unused;
	assert_int_equal(parse(PLAIN("\"a\":\"b\"," CONTAINERD)), 0);
	assert_true(container.is_sandbox);
	assert_string_equal(container.sandbox, ID);
	assert_false(container.has_profiles);
	assert_false(container.has_ports);
	assert_int_equal(parse(PLAIN(CRIO ",\"terok.shield.profiles\":\"a:b\",\"terok.shield.ports\":\"\"")), 0);
	assert_false(container.is_sandbox);
	assert_true(container.has_profiles);
	assert_string_equal(container.profiles, "a:b");
	assert_true(container.has_ports);
	assert_string_equal(container.ports, "");
}

static void annotations_that_make_no_sense_are_refused(void **unused)
{
	static const struct {
		const char *json, *text;
		int rc;
	} cases[] = {
		{"{}", "for containerd and CRI-O only", -EINVAL},
		{PLAIN("\"a\":\"b\""), "for containerd and CRI-O only", -EINVAL},
		{PLAIN(CONTAINERD "," CRIO), "both containerd and CRI-O", -EPERM},
		{PLAIN(CONTAINERD ",\"io.kubernetes.cri-o.SandboxID\":\"" ID "\""), "both containerd and CRI-O", -EPERM},
		{PLAIN("\"io.kubernetes.cri.sandbox-id\":\"" ID "\""), "container-type\" is missing", -EINVAL},
		{PLAIN("\"io.kubernetes.cri.container-type\":\"sandbox\""), "sandbox-id\" is missing", -EINVAL},
		{PLAIN("\"io.kubernetes.cri.container-type\":\"vm\",\"io.kubernetes.cri.sandbox-id\":\"" ID "\""), "neither sandbox nor",
			-EINVAL},
		{PLAIN("\"io.kubernetes.cri.container-type\":1,\"io.kubernetes.cri.sandbox-id\":\"" ID "\""), "not a string", -EINVAL},
		{PLAIN("\"io.kubernetes.cri.container-type\":\"sandbox\",\"io.kubernetes.cri.sandbox-id\":\"../x\""), "is no id", -EINVAL},
		{PLAIN("\"io.kubernetes.cri.container-type\":\"sandbox\",\"io.kubernetes.cri.sandbox-id\":\"\""), "is no id", -EINVAL},
		{PLAIN(CONTAINERD "," CONTAINERD), "is there twice", -EINVAL},
		{PLAIN(CONTAINERD ",\"terok.shield.profiles\":\"a\",\"terok.shield.profiles\":\"b\""), "is there twice", -EINVAL},
		{PLAIN(CONTAINERD ",\"terok.shield.profiles\":[]"), "not a string", -EINVAL},
		{PLAIN(CONTAINERD ",\"terok.shield.state_dir\":\"/x\""), "may set profiles and ports only", -EPERM},
		{PLAIN(CONTAINERD ",\"terok.shield.sandbox\":\"" ID "\""), "may set profiles and ports only", -EPERM},
		{PLAIN(CONTAINERD ",\"dossier.meta_path\":\"/home/a.json\""), "a file of the node", -EPERM},
		{PLAIN(CONTAINERD ",\"terok.shield.\":\"\""), "may set profiles and ports only", -EPERM},
		{PLAIN(CONTAINERD ",\"\\u0074erok.shield.name\":\"x\""), "may set profiles and ports only", -EPERM},
		{"{\"annotations\":{" CONTAINERD "}}", "\"process\" is missing", -EINVAL},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(parse(cases[i].json), cases[i].rc);
		if (!strstr(error.text, cases[i].text))
			fail_msg("%s: %s", cases[i].json, error.text);
	}
}

static void a_sandbox_is_itself_and_a_container_is_not(void **unused)
{
	(void)unused;
	assert_int_equal(judge(PLAIN(CONTAINERD), ID), 0);
	assert_int_equal(judge(PLAIN(CONTAINERD), "other"), -EPERM);
	assert_int_equal(judge(PLAIN(CRIO), "other"), 0);
	assert_int_equal(judge(PLAIN(CRIO), ID), -EPERM);
}

static void what_undoes_a_shield_is_refused_with_the_remedy(void **unused)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{CONFIG(CONTAINERD, "", PID), "leave out hostNetwork"},
		{CONFIG(CONTAINERD, "", NETWORK), "leave out hostPID"},
		{CONFIG(CONTAINERD, "\"CAP_NET_ADMIN\"", NETWORK "," PID), "put NET_ADMIN into capabilities.drop"},
		{CONFIG(CONTAINERD, "\"CAP_CHOWN\",\"net_raw\"", NETWORK "," PID), "put NET_RAW into capabilities.drop"},
		{CONFIG(CONTAINERD, "\"CAP_SYS_PTRACE\"", NETWORK ",{\"type\":\"pid\",\"path\":\"/proc/7/ns/pid\"}"), "CAP_SYS_PTRACE"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(judge(cases[i].json, ID), -EPERM);
		if (!strstr(error.text, cases[i].text))
			fail_msg("%s: %s", cases[i].json, error.text);
	}
	assert_int_equal(judge(CONFIG(CONTAINERD, "\"CAP_SYS_PTRACE\"", NETWORK "," PID), ID), 0);
}

static int process(const char *json)
{
	return cri_process_check(json, strlen(json), &error);
}

static void a_process_of_exec_has_no_more_than_a_container(void **unused)
{
	(void)unused;
	assert_int_equal(process("{\"args\":[\"a\"]}"), 0);
	assert_int_equal(process("{\"capabilities\":{\"effective\":[\"CAP_CHOWN\",\"CAP_SYS_PTRACE\"]}}"), 0);
	assert_int_equal(process("{\"capabilities\":{\"ambient\":[\"CAP_NET_ADMIN\"]}}"), -EPERM);
	assert_int_equal(process("{\"capabilities\":[\"CAP_NET_ADMIN\"]}"), -EINVAL);
	assert_int_equal(process("{\"capabilities\":{},\"capabilities\":{\"effective\":[\"CAP_NET_ADMIN\"]}}"), -EINVAL);
	assert_int_equal(process("[]"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_runtimes_say_what_a_container_is),
		cmocka_unit_test(annotations_that_make_no_sense_are_refused),
		cmocka_unit_test(a_sandbox_is_itself_and_a_container_is_not),
		cmocka_unit_test(what_undoes_a_shield_is_refused_with_the_remedy),
		cmocka_unit_test(a_process_of_exec_has_no_more_than_a_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
