/* Each command's --json against docs/json.md: the page itself is read, so that neither can change without the other. The container's side,
 * its rules and its forwarder are real (support/rig.h); podman is a script that knows its version.
 *
 * A heading of the second order on the page is a command, one of the third an object inside what the command prints. Every member and
 * every type of it that the page promises has to have been seen when all the calls are done: a promise that no call shows is not tested. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/command.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/setwriter.h"
#include "state/audit.h"
#include "state/control.h"
#include "support/rig.h"

#define SECTIONS_MAX 80
#define MEMBERS_MAX  48
#define TYPES_MAX    3
#define WORDS_MAX    10
#define OUTPUT_MAX   (1u << 20)

/* ---- the page ---- */

struct member {
	char name[32];
	char types[TYPES_MAX][32];
	size_t type_count;
	char one_of[512]; /* "`a`, `b`...", or empty */
	bool seen[TYPES_MAX];
};

struct section {
	char command[32]; /* "status NAME" */
	char object[32];  /* inside it; empty: the value itself */
	char array[32];   /* what the value is an array of; empty: it is the object below */
	bool lines;       /* the value is printed line by line */
	bool called;
	struct member members[MEMBERS_MAX];
	size_t member_count;
};

static struct section sections[SECTIONS_MAX];
static size_t section_count;

static void type_add(struct member *member, const char *text, size_t length)
{
	assert_in_range(length, 1, sizeof(member->types[0]) - 1);
	assert_true(member->type_count < TYPES_MAX);
	memcpy(member->types[member->type_count++], text, length);
}

/* "| `a`, `b` | string, null | one of `x`, `y` |" */
static void row_read(struct section *section, const char *line)
{
	const char *types = strstr(line + 2, " | "), *text;

	if (line[2] != '`')
		return; /* the table's head */
	assert_non_null(types);
	text = strstr(types + 3, " | ");
	assert_non_null(text);
	for (const char *at = strchr(line, '`'); at && at < types; at = strchr(at + 1, '`')) {
		const char *end = strchr(at + 1, '`');
		struct member *member = &section->members[section->member_count++];

		assert_true(section->member_count <= MEMBERS_MAX && end && (size_t)(end - at) <= sizeof(member->name));
		memcpy(member->name, at + 1, (size_t)(end - at - 1));
		for (const char *type = types + 3; type < text;) {
			size_t length = strcspn(type, ",|") - (type + strcspn(type, ",|") > text ? 1 : 0);

			type_add(member, type, length);
			type += length + 2;
		}
		if (!strncmp(text + 3, "one of ", 7))
			snprintf(member->one_of, sizeof(member->one_of), "%.*s", (int)strcspn(text + 10, ";:|"), text + 10);
		at = end;
	}
}

static void page_read(void)
{
	cleanup_free char *page = NULL;
	struct section *section = NULL;
	char command[32] = "", *save = NULL;

	assert_int_equal(file_read(AT_FDCWD, "../docs/json.md", 1u << 20, &page, NULL), 0);
	for (char *line = strtok_r(page, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool inner = !strncmp(line, "### ", 4);

		if (inner || !strncmp(line, "## ", 3)) {
			assert_true(section_count < SECTIONS_MAX);
			section = &sections[section_count++];
			snprintf(inner ? section->object : command, sizeof(command), "%s", line + (inner ? 4 : 3));
			strcpy(section->command, command);
		} else if (section && !strncmp(line, "| ", 2)) {
			row_read(section, line);
		} else if (section && !strncmp(line, "An array of ", 12)) {
			snprintf(section->array, sizeof(section->array), "%.*s", (int)strcspn(line + 12, ",.:"), line + 12);
		} else if (section && strstr(line, "an object on each line")) {
			section->lines = true;
		}
	}
}

static struct section *section_find(const char *command, const char *object)
{
	for (size_t i = 0; i < section_count; i++)
		if (!strcmp(sections[i].command, command) && !strcmp(sections[i].object, object))
			return &sections[i];
	return NULL;
}

/* ---- a value against it ---- */

static bool object_fits(const cJSON *value, struct section *section);

/* type: a word of the page; plural: as it stands behind "array of". */
static bool value_fits(const cJSON *value, const char *command, const char *type, bool plural)
{
	size_t length = strlen(type) - (plural ? 1 : 0);
	char single[32];

	snprintf(single, sizeof(single), "%.*s", (int)length, type);
	if (!strcmp(single, "string"))
		return cJSON_IsString(value);
	if (!strcmp(single, "number"))
		return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble == (double)(int64_t)value->valuedouble;
	if (!strcmp(single, "boolean"))
		return cJSON_IsBool(value);
	if (!strcmp(single, "null"))
		return cJSON_IsNull(value);
	if (!strcmp(single, "absent"))
		return !value;
	if (!strncmp(single, "array of ", 9)) {
		const cJSON *element;

		cJSON_ArrayForEach(element, value)
		{
			if (!value_fits(element, command, type + 9, true))
				return false;
		}
		return cJSON_IsArray(value);
	}
	if (!section_find(command, single))
		fail_msg("docs/json.md: %s: there is no type '%s'", command, single);
	return object_fits(value, section_find(command, single));
}

static bool member_fits(const cJSON *value, struct member *member, const char *command)
{
	for (size_t i = 0; i < member->type_count; i++) {
		char word[128];

		if (!value_fits(value, command, member->types[i], false))
			continue;
		member->seen[i] = true;
		if (!cJSON_IsString(value) || !member->one_of[0])
			return true;
		snprintf(word, sizeof(word), "`%.100s`", value->valuestring);
		return strstr(member->one_of, word);
	}
	return false;
}

static bool object_fits(const cJSON *value, struct section *section)
{
	int known = 0;

	if (!cJSON_IsObject(value))
		return false;
	for (size_t i = 0; i < section->member_count; i++) {
		const cJSON *member = cJSON_GetObjectItemCaseSensitive(value, section->members[i].name);

		if (!member_fits(member, &section->members[i], section->command)) {
			print_error("%s %s: '%s' is not as documented\n", section->command, section->object, section->members[i].name);
			return false;
		}
		known += member != NULL;
	}
	if (known != cJSON_GetArraySize(value))
		print_error("%s %s: there are members that are not documented\n", section->command, section->object);
	return known == cJSON_GetArraySize(value);
}

/* ---- what is called ---- */

static struct rig rig;
static char root[RIG_FOLDER_MAX], program[4096], path_with_podman[128];

static void folder_make(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void file_make(const char *name, const char *content, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(file_replace(AT_FDCWD, path, mode, content, strlen(content)), 0);
}

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	static const uint8_t dead[] = "\004dead";
	bool exists = memcmp(query + MESSAGE_HEADER, dead, 5);
	size_t at = rig_reply(out, query, length, exists ? RCODE_NOERROR : RCODE_NXDOMAIN);

	(void)context;
	(void)tcp;
	return exists && message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4) : at;
}

static void rig_make(void)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};
	const char *said;

	rig_start(&rig, "allowed.test\ndead.test\nport.test:443\n", "203.0.113.0/24\n192.0.2.0/24:8080\n", upstream, NULL);
	assert_int_equal(bundle_write(&rig.bundle, "deny.list", "192.0.2.9\n", 10, NULL), 0);
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		fail_msg("%s", said);
	runtime.init_pid = rig.init;
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
}

static int learn_nameless(void *context, struct error *error)
{
	struct setwriter_key key = {.addr = addr_v4((uint8_t[]){198, 18, 0, 1})};
	struct setwriter *writer;
	int result = setwriter_open(&writer, error);

	(void)context;
	if (!result)
		result = setwriter_add(writer, &key, 60000, "", true);
	if (!result)
		result = setwriter_commit(writer);
	setwriter_close(writer);
	return result;
}

static int group_setup(void **state)
{
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);

	(void)state;
	assert_in_range(length, 1, sizeof(program) - 64);
	program[length] = '\0';
	strcpy(strrchr(program, '/') + 1, "terok-shield");
	page_read();
	rig_make();
	rig_folder_make(root);
	folder_make("profiles");
	folder_make("bin");
	folder_make("other");
	folder_make("containers");
	folder_make("containers/broken");
	file_make("profiles/good.txt", "example.com:443\t# the example\n192.0.2.0/24\n", 0600);
	file_make("profiles/bad.txt", "example.com\nexample.com\ncom\ngithub.io\nwww.example.com\n", 0600);
	file_make("config.yml", "default_profiles: [good]\nloopback_ports: [8080]\ndns:\n  upstream: [192.0.2.53]\n", 0600);
	file_make("other/config.yml", "default_profiles: [gone]\n", 0600);
	file_make("bin/podman", "#!/bin/sh\necho podman version 5.4.2\n", 0700);
	snprintf(path_with_podman, sizeof(path_with_podman), "%s/bin:%s", root, "/usr/sbin:/usr/bin:/sbin:/bin");
	setenv("TEROK_SHIELD_STATE_DIR", root, 1);
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", root, 1);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	rig_folder_remove(root);
	return 0;
}

enum world {
	USUAL,
	NO_PODMAN,
	OTHER_CONFIG, /* one that names a profile which is not there */
};

/* What the program prints. words: separated by blanks; "@" stands for the running container's name and folder. */
static char *program_run(enum world world, const char *words, int *code)
{
	int fd = memfd_create("output", MFD_CLOEXEC), status;
	char *output = NULL;
	pid_t child = fork();

	assert_true(fd >= 0 && child >= 0);
	if (!child) {
		char *arguments[WORDS_MAX + 4] = {program}, *save = NULL, *copy = strdup(words), other[128];
		size_t count = 1;

		snprintf(other, sizeof(other), "%s%s", root, world == OTHER_CONFIG ? "/other" : "");
		setenv("TEROK_SHIELD_CONFIG_DIR", other, 1);
		setenv("PATH", world == NO_PODMAN ? "/nonexistent" : path_with_podman, 1);
		for (char *word = strtok_r(copy, " ", &save); word && count < WORDS_MAX; word = strtok_r(NULL, " ", &save)) {
			arguments[count++] = strcmp(word, "@") ? word : "rig";
			if (!strcmp(word, "@")) {
				arguments[count++] = "--task-state-dir";
				arguments[count++] = rig.folder;
			}
		}
		if (dup2(fd, 1) < 0 || !freopen("/dev/null", "w", stderr))
			_exit(126);
		execv(program, arguments);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(file_read_fd(fd, OUTPUT_MAX, &output, NULL), 0);
	close(fd);
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return output;
}

struct call {
	const char *heading, *words;
	int code; /* -1: 0 or 1, as this machine is */
	enum world world;
};

static void text_check(const struct call *call, struct section *section, const char *text)
{
	cJSON *value = cJSON_ParseWithOpts(text, NULL, true);
	char type[48];
	bool fits;

	snprintf(type, sizeof(type), "array of %.30s", section->array);
	fits = section->array[0] ? value_fits(value, section->command, type, false) : object_fits(value, section);
	cJSON_Delete(value);
	if (!fits)
		fail_msg("%s: not as docs/json.md has it: %s", call->words, text);
	section->called = true;
}

static void call_check(const struct call *call)
{
	struct section *section = section_find(call->heading, "");
	cleanup_free char *output = NULL;
	char *save = NULL;
	int code;

	if (!section)
		fail_msg("docs/json.md has nothing about %s", call->heading);
	output = program_run(call->world, call->words, &code);
	if (call->code >= 0 ? code != call->code : code != 0 && code != 1)
		fail_msg("%s: exit %d: %s", call->words, code, output);
	if (!section->lines && (!*output || strchr(output, '\n') != output + strlen(output) - 1))
		fail_msg("%s: not one line: %s", call->words, output);
	for (char *line = strtok_r(output, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		text_check(call, section, line);
}

static void what_each_command_prints_is_what_the_page_says(void **unused)
{
	static const struct call calls[] = {
		{"prepare", "prepare other --json", 0, USUAL},
		{"status NAME", "status fresh --json", 0, USUAL},
		{"status NAME", "status @ --json", 0, USUAL},
		{"status NAME", "status other --json", 0, USUAL},
		{"status", "status --json", 0, USUAL},
		{"status", "status --json", 0, NO_PODMAN},
		{"list", "list --json", 0, USUAL},
		{"metrics", "metrics @ --json", 0, USUAL},
		{"metrics", "metrics --all --json", 0, USUAL},
		{"resolve", "resolve @ --json", 0, USUAL},
		{"verify", "verify @ --json", -1, USUAL},
		{"rules", "rules @ --json", 0, USUAL},
		{"why", "why @ allowed.test --json", 0, USUAL},
		{"why", "why @ port.test:443 --json", 0, USUAL},
		{"why", "why @ other.test --json", 0, USUAL},
		{"why", "why @ 203.0.113.7 --json", 0, USUAL},
		{"why", "why @ 198.18.77.1 --json", 0, USUAL},
		{"why", "why @ 198.18.0.1 --json", 0, USUAL},
		{"why", "why @ 8.8.8.8:53 --json", 0, USUAL},
		{"why", "why fresh example.com --json", 0, USUAL},
		{"suggest", "suggest other --json", 0, USUAL},
		{"suggest", "suggest fresh --json", 0, USUAL},
		{"suggest", "suggest fresh --profile good --json", 0, USUAL},
		{"profiles", "profiles --json", 0, USUAL},
		{"profiles show", "profiles show good --json", 0, USUAL},
		{"profiles show", "profiles show bad --json", 0, USUAL},
		{"profiles check", "profiles check good --json", 0, USUAL},
		{"profiles check", "profiles check bad --json", 1, USUAL},
		{"config show", "config show --json", 0, USUAL},
		{"config check", "config check --json", 0, USUAL},
		{"config check", "config check --json", 1, OTHER_CONFIG},
		{"check-environment", "check-environment --json", -1, USUAL},
		{"check-environment", "check-environment --json", 1, NO_PODMAN},
		{"logs", "logs @", 0, USUAL},
	};
	static const struct audit_event event = {
		.action = "blocked", .dest = "192.0.2.1", .detail = "private", .domain = "a.test", .protocol = "tcp", .port = 443};
	static const char activity[] = "{\"format\":1,\"container\":\"fresh\",\"since\":\"2026-11-28T04:30:00+00:00\",\"full\":0,\"rows\":[\n"
				       "{\"kind\":\"connection\",\"name\":\"a.github.io\",\"dest\":\"198.51.100.10\",\"port\":443,\"proto\":\"tcp\","
				       "\"verdict\":\"bypassed\",\"first\":\"2026-11-28T04:30:01+00:00\",\"last\":\"2026-11-28T04:30:02+00:00\","
				       "\"count\":1,\"made\":1}\n]}\n";
	cleanup_free char *prepared = NULL, *allowed = NULL, *ending = NULL, *flushed = NULL;
	int code;

	(void)unused;
	prepared = program_run(USUAL, "prepare fresh", &code);
	assert_int_equal(code, 0);
	file_make("containers/fresh/container.id", "0123456789ab\n", 0600);
	allowed = program_run(USUAL, "allow @ 203.0.113.7", &code);
	assert_int_equal(code, 0);
	ending = program_run(USUAL, "allow @ 198.18.77.1 --for 1h", &code);
	assert_int_equal(code, 0);
	free(program_run(USUAL, "allow fresh 203.0.113.8 --for 1h", &code));
	assert_int_equal(code, 0);
	assert_int_equal(audit_write(&rig.bundle, "rig", &event), 0);
	assert_int_equal(audit_write(&rig.bundle, "rig", &(struct audit_event){.action = "error"}), 0);
	assert_int_equal(netns_run(rig.inside_fd, learn_nameless, NULL, NULL), 0);
	file_make("containers/fresh/activity.json", activity, 0600);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		call_check(&calls[i]);
	flushed = rig_shell(&rig, "nft flush chain inet terok_shield output");
	call_check(&(struct call){"status NAME", "status @ --json", 0, USUAL});
	call_check(&(struct call){"rules", "rules @ --json", 0, USUAL});
}

/* ---- watch ---- */

static void output_until(const char *path, const char *words)
{
	cleanup_free char *output = NULL;

	for (int i = 0; i < 500 && (!output || !strstr(output, words)); i++) {
		usleep(20000);
		free(take_pointer(output));
		assert_int_equal(file_read(AT_FDCWD, path, OUTPUT_MAX, &output, NULL), 0);
	}
	if (!strstr(output, words))
		fail_msg("'%s' did not come: %s", words, output);
}

/* Starts it with its output in a file below root. */
static pid_t watch_start(const char *path, const char *name, const char *folder)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		if (!freopen(path, "w", stdout))
			_exit(126);
		execl(program, program, "watch", name, "--json", folder ? "--task-state-dir" : NULL, folder, NULL);
		_exit(127);
	}
	return child;
}

static void watch_check(pid_t child, const char *path)
{
	static const struct call call = {"watch", "watch", 0, USUAL};
	cleanup_free char *output = NULL;
	char *save = NULL;
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(file_read(AT_FDCWD, path, OUTPUT_MAX, &output, NULL), 0);
	for (char *line = strtok_r(output, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		text_check(&call, section_find("watch", ""), line);
}

static void datagram_send(const char *address)
{
	cleanup_fd int fd = rig_socket(&rig, address, 9, SOCK_DGRAM);

	assert_true(fd >= 0);
	(void)!send(fd, "x", 1, 0); /* what is refused may say so here already */
}

static void each_event_is_what_the_page_says(void **unused)
{
	static uint8_t reply[UINT16_MAX];
	char path[128];
	pid_t child;

	(void)unused;
	free(rig_shell(&rig, "ip link add out0 type veth peer name out1 && ip addr add 192.0.2.2/24 dev out0 && ip link set out0 up && "
			     "ip link set out1 up && ip route add default via 192.0.2.1"));
	snprintf(path, sizeof(path), "%s/watched", root);
	child = watch_start(path, "rig", rig.folder);
	output_until(path, "\"hello\"");
	assert_true(rig_ask(&rig, "new.allowed.test", TYPE_A, 10000, reply) > 0);
	assert_true(rig_ask(&rig, "other.test", TYPE_AAAA, 10000, reply) > 0);
	datagram_send("10.1.2.3");
	datagram_send("203.0.113.9");
	output_until(path, "\"learned\"");
	output_until(path, "\"blocked_query\"");
	output_until(path, "\"private_range\"");
	output_until(path, "\"allowed_connection\"");
	assert_int_equal(kill(child, SIGINT), 0);
	watch_check(child, path);
	free(rig_shell(&rig, "ip link del out0"));
}

/* A count would come after half a minute, and the end of the rig's container with the rig; so a container that has neither rules nor a
 * forwarder tells these. */
static void the_last_events_are_too(void **unused)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime = {.init_pid = fork()};
	char path[128], request[16];
	int listener, connection;
	pid_t child;

	(void)unused;
	if (runtime.init_pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "%s/containers/fresh", root);
	assert_int_equal(bundle_open(&bundle, path, NULL), 0);
	assert_int_equal(bundle_process_start(runtime.init_pid, &runtime.init_start), 0);
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, NULL), 0);
	listener = control_listen(&bundle, NULL);
	snprintf(path, sizeof(path), "%s/watched", root);
	child = watch_start(path, "fresh", NULL);
	assert_int_equal(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 20000), 1);
	connection = accept(listener, NULL, NULL);
	assert_int_equal(read(connection, request, sizeof(request)), 7);
	assert_true(
		dprintf(connection,
			"{\"ts\":\"t\",\"source\":\"shield\",\"action\":\"lost\",\"container\":\"fresh\",\"detail\":\"reader\",\"count\":2,\"seq\":1}\n") >
		0);
	close(connection);
	close(listener);
	kill(runtime.init_pid, SIGKILL);
	waitpid(runtime.init_pid, NULL, 0);
	watch_check(child, path);
	assert_int_equal(bundle_remove(&bundle, BUNDLE_RUNTIME, NULL), 0);
}

static void every_promise_of_the_page_was_seen(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < section_count; i++) {
		const struct section *section = &sections[i];

		if (!section->object[0] && !section->called)
			fail_msg("%s was not called", section->command);
		if (!section->member_count && !section->array[0])
			fail_msg("%s %s: nothing is said about it", section->command, section->object);
		for (size_t j = 0; j < section->member_count; j++)
			for (size_t k = 0; k < section->members[j].type_count; k++)
				if (!section->members[j].seen[k])
					fail_msg("%s %s: '%s' was never seen as %s", section->command, section->object,
						section->members[j].name, section->members[j].types[k]);
	}
}

/* True when the heading's first word is the command's name. */
static bool heading_is_of(const struct section *section, const char *name)
{
	size_t length = strlen(name);

	return !section->object[0] && !strncmp(section->command, name, length) &&
	       (section->command[length] == ' ' || !section->command[length]);
}

static void every_command_with_json_is_on_the_page_and_no_other(void **unused)
{
	size_t headings = 0, owned = 0;

	(void)unused;
	for (size_t i = 0; i < section_count; i++)
		headings += !sections[i].object[0];
	for (const struct command *command = command_table; command->name; command++) {
		size_t found = 0;

		for (size_t i = 0; i < section_count; i++)
			found += heading_is_of(&sections[i], command->name);
		if (!found && command->options & OPTION_JSON)
			fail_msg("docs/json.md says nothing about %s", command->name);
		if (found && !(command->options & OPTION_JSON) && command->run != cmd_logs)
			fail_msg("docs/json.md is about %s, which has no --json", command->name);
		owned += found;
	}
	assert_int_equal(owned, headings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_with_json_is_on_the_page_and_no_other), cmocka_unit_test(each_event_is_what_the_page_says),
		cmocka_unit_test(what_each_command_prints_is_what_the_page_says), /* it takes the rules away at its end */
		cmocka_unit_test(the_last_events_are_too),
		cmocka_unit_test(every_promise_of_the_page_was_seen), /* last: what the calls have shown */
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
