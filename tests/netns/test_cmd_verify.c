/* `verify` in namespaces: each check is seen to fail when the thing that it checks is broken, and nothing but that one. Rules, forwarder
 * and probes are real (support/rig.h); a process in a pid and mount namespace of its own stands for the workload, a script for podman. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/checks.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/ruleset.h"
#include "state/control.h"
#include "support/rig.h"

#define DENIED     "198.51.100.7"
#define OUTPUT_MAX (1u << 20)
#define BIT(name)  (1ull << CAP_##name)

#define OWN_USERS  (1ull << 62) /* not a capability: the process makes itself a user namespace, in which it has them all */

static struct rig rig;
static char program[4096], podman_folder[] = "/run/shield-verify.XXXXXX";
static pid_t conmon;
static int conmon_fd;

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context;
	(void)tcp;
	return rig_reply(out, query, length, RCODE_NXDOMAIN);
}

/* ---- the workload ---- */

/* Keeps the capabilities of `kept` and no other. */
static void capabilities_keep(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {{.effective = (uint32_t)kept, .permitted = (uint32_t)kept},
		{.effective = (uint32_t)(kept >> 32), .permitted = (uint32_t)(kept >> 32)}};

	for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(kept >> i & 1))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (syscall(SYS_capset, &header, sets))
		_exit(1);
}

static void resolv_conf_write(const char *content)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/resolv.conf", podman_folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static void workload_run(uint64_t kept)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	capabilities_keep(kept & ~OWN_USERS);
	if (kept & OWN_USERS && unshare(CLONE_NEWUSER))
		_exit(1);
	for (;;)
		pause();
}

/* Its children are the container's processes. Reads the capabilities of the next one, writes its number. */
static void conmon_run(int fd)
{
	char path[128];
	uint64_t kept;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/resolv.conf", podman_folder);
	if (netns_enter(rig.inside_fd, NULL) || unshare(CLONE_NEWPID | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		_exit(1);
	while (read(fd, &kept, sizeof(kept)) == sizeof(kept)) {
		pid_t child = fork();

		if (!child)
			workload_run(kept);
		if (write(fd, &child, sizeof(child)) != sizeof(child))
			_exit(1);
	}
	_exit(0);
}

/* A process of the container with these capabilities. */
static pid_t workload_start(uint64_t kept)
{
	pid_t pid;

	assert_int_equal(write(conmon_fd, &kept, sizeof(kept)), sizeof(kept));
	assert_int_equal(read(conmon_fd, &pid, sizeof(pid)), sizeof(pid));
	usleep(50000); /* until it has dropped the rest */
	return pid;
}

/* ---- the group ---- */

static void podman_says(const char *runtime)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/podman", podman_folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\necho %s\n", runtime);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
}

static void shim_path(char path[4096])
{
	strcpy(path, program);
	strcpy(strrchr(path, '/'), "");
	strcpy(strrchr(path, '/'), "/libexec/terok-shield/crun");
}

static int rules_work(void *context, struct error *error)
{
	return nft_apply(context, error);
}

/* The rules as the lists and the state ask for them. */
static void rules_restore(enum shield_state state)
{
	cleanup_policy struct policy *policy = NULL;
	cleanup_text struct text commands = {0};
	struct ruleset ruleset = {.state = state, .settings = &rig.settings};
	struct bundle_identity identity = {0};
	struct settings settings;
	struct error error = {0};

	assert_int_equal(bundle_state_write(&rig.bundle, state, NULL), 0);
	assert_int_equal(bundle_settings_read(&rig.bundle, &identity, &settings, &error), 0);
	assert_int_equal(bundle_policy_load(&rig.bundle, &identity.sums, &policy, &error), 0);
	bundle_identity_free(&identity);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	ruleset_render(&ruleset, &commands);
	if (netns_run(rig.inside_fd, rules_work, commands.data, &error))
		fail_msg("%s", error.text);
}

static void network_make(void)
{
	free(rig_shell(&rig,
		"ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up; ip addr add 192.168.77.2/24 dev v0; "
		"ip addr add fd77::2/64 dev v0 nodad; ip route add default via 192.168.77.1; ip -6 route add default via fd77::1 dev v0; "
		"ip neigh add 192.168.77.1 lladdr 02:00:00:00:00:01 dev v0; ip neigh add fd77::1 lladdr 02:00:00:00:00:01 dev v0"));
}

static int group_setup(void **state)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);
	char shim[4096], path[8192];
	const char *said;
	int ends[2];

	(void)state;
	assert_in_range(length, 1, sizeof(program) - 64);
	program[length] = '\0';
	strcpy(strrchr(program, '/') + 1, "terok-shield");
	assert_non_null(mkdtemp(podman_folder));
	resolv_conf_write("nameserver 127.0.0.1\noptions ndots:0\n");
	snprintf(path, sizeof(path), "%s:%s", podman_folder, getenv("PATH"));
	setenv("PATH", path, 1);
	shim_path(shim);
	podman_says(shim);
	rig_start(&rig, "allowed.test\n", "203.0.113.0/24\n", upstream, NULL);
	assert_int_equal(bundle_write(&rig.bundle, bundle_list_file(BUNDLE_DENY_LIST), DENIED "\n", strlen(DENIED) + 1, NULL), 0);
	rules_restore(SHIELD_UP);
	network_make();
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		fail_msg("%s", said);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	conmon = fork();
	if (!conmon) {
		close(ends[0]);
		conmon_run(ends[1]);
	}
	close(ends[1]);
	conmon_fd = ends[0];
	runtime.init_pid = workload_start(BIT(CHOWN) | BIT(NET_BIND_SERVICE));
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(runtime.init_pid, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	return 0;
}

static int group_teardown(void **state)
{
	char command[128];

	(void)state;
	kill(conmon, SIGKILL);
	waitpid(conmon, NULL, 0);
	rig_stop(&rig);
	snprintf(command, sizeof(command), "rm -rf %s", podman_folder);
	return system(command);
}

/* ---- running it ---- */

struct result {
	int code;
	char *output;
	cJSON *json;
};

static void result_free(struct result *result)
{
	cJSON_Delete(result->json);
	free(result->output);
}
#define cleanup_result __attribute__((cleanup(result_free)))

static struct result verify(void)
{
	struct result result = {0};
	int fd = memfd_create("output", MFD_CLOEXEC), status;
	pid_t pid = fork();

	if (!pid) {
		dup2(fd, 1);
		dup2(fd, 2);
		execl(program, program, "verify", "rig", "--task-state-dir", rig.folder, "--json", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(file_read_fd(fd, OUTPUT_MAX, &result.output, NULL), 0);
	close(fd);
	result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	result.json = cJSON_Parse(result.output);
	if (!result.json)
		fail_msg("no JSON: %s", result.output);
	return result;
}

static const cJSON *check_of(const struct result *result, const char *name)
{
	const cJSON *check;

	cJSON_ArrayForEach(check, cJSON_GetObjectItem(result->json, "checks"))
	{
		if (!strcmp(cJSON_GetObjectItem(check, "name")->valuestring, name))
			return check;
	}
	fail_msg("there is no check %s", name);
	return NULL;
}

static void assert_check(const struct result *result, const char *name, const char *verdict, const char *reason)
{
	const cJSON *check = check_of(result, name);

	if (strcmp(cJSON_GetObjectItem(check, "verdict")->valuestring, verdict) ||
		!strstr(cJSON_GetObjectItem(check, "reason")->valuestring, reason))
		fail_msg("%s is not %s with '%s' in: %s", name, verdict, reason, result->output);
}

/* Only checks whose names begin with one of the words failed; and the exit status says so. */
static void assert_only(const struct result *result, const char *words)
{
	const cJSON *check;

	assert_int_equal(result->code, *words ? 1 : 0);
	assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(result->json, "holds")), !*words);
	cJSON_ArrayForEach(check, cJSON_GetObjectItem(result->json, "checks"))
	{
		const char *name = cJSON_GetObjectItem(check, "name")->valuestring;
		bool meant = false;

		if (!cJSON_IsTrue(cJSON_GetObjectItem(check, "counts")))
			continue;
		for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
			meant = meant || !strncmp(name, at, strcspn(at, " "));
		if (!meant)
			fail_msg("%s: %s", name, result->output);
	}
}

/* ---- the tests ---- */

static void an_intact_shield_holds_in_every_check(void **unused)
{
	cleanup_result struct result result = verify();
	const cJSON *check;

	(void)unused;
	cJSON_ArrayForEach(check, cJSON_GetObjectItem(result.json, "checks"))
	{
		if (strcmp(cJSON_GetObjectItem(check, "verdict")->valuestring, "ok"))
			fail_msg("%s", result.output);
	}
	assert_only(&result, "");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(result.json, "checks")), CHECK_COUNT);
}

/* While it waits for its connections to be refused. */
static void what_tries_inside_has_no_privileges(void **unused)
{
	cleanup_free char *found = NULL, *wanted = rig_shell(&rig, "readlink /proc/self/ns/net");
	char command[8192];
	int status;
	pid_t pid = fork();
	FILE *stream;

	(void)unused;
	if (!pid) {
		int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null_fd, 1);
		execl(program, program, "verify", "rig", "--task-state-dir", rig.folder, NULL);
		_exit(127);
	}
	usleep(600000);
	snprintf(command, sizeof(command),
		"for p in /proc/[0-9]*; do [ \"$(readlink $p/exe)\" = %s ] && [ $(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):\t0+$' $p/status) = 5 ] && "
		"grep -qE '^NoNewPrivs:\t1$' $p/status && readlink $p/ns/net; done 2>/dev/null",
		program);
	stream = popen(command, "r");
	assert_non_null(stream);
	assert_int_equal(file_read_fd(fileno(stream), OUTPUT_MAX, &found, NULL), 0);
	pclose(stream);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(found, wanted);
}

static void a_table_that_is_gone_is_seen_and_nothing_inside_is_sent_to(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "nft delete table inet terok_shield"));
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "table", "failed", "");
	assert_check(&result, "rules", "not-tried", "could not be read");
	assert_check(&result, "denied-address-udp-v4", "failed", "nothing refused");
	assert_check(&result, "denied-address-tcp-v4", "not-tried", "another probe");
	assert_check(&result, "private-address-udp-v4", "not-tried", "nothing is sent to an inside address");
	assert_check(&result, "metadata-tcp-v6", "not-tried", "nothing is sent to an inside address");
	assert_only(&result, "table policies sets rules elements capture denied-address private-address metadata");
}

static void a_rule_that_is_missing_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig,
		"nft flush chain inet terok_shield private; nft add rule inet terok_shield private reject with icmpx admin-prohibited"));
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "rules", "failed", "rule private counter");
	assert_only(&result, "rules private-address metadata");
}

static void a_refusal_that_no_counter_of_ours_tells_is_none(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig,
		"nft flush chain inet terok_shield blocked; nft add rule inet terok_shield blocked reject with icmpx admin-prohibited"));
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "denied-address-udp-v4", "failed", "not by the shield");
	assert_check(&result, "denied-address-tcp-v6", "failed", "not by the shield");
}

static void a_policy_of_accept_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "nft chain inet terok_shield output \"{ policy accept; }\""));
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "policies", "failed", "policy accept");
	assert_only(&result, "policies private-address metadata");
}

static void a_set_that_is_declared_otherwise_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "nft add set inet terok_shield extra \"{ type ipv4_addr; }\""));
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "sets", "failed", "set extra");
	assert_only(&result, "sets private-address metadata");
}

static void a_deny_set_that_was_emptied_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "nft flush set inet terok_shield deny_v4"));
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "elements", "failed", "element deny_v4 " DENIED);
	assert_only(&result, "elements private-address metadata");
}

static void a_table_besides_ours_is_seen_in_every_family(void **unused)
{
	static const char *const tables[] = {"inet extra", "ip filter", "ip6 mangle", "netdev n", "arp a"};

	(void)unused;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		cleanup_result struct result result = {0};

		free(rig_shell(&rig, "nft add table %s", tables[i]));
		result = verify();
		free(rig_shell(&rig, "nft delete table %s", tables[i]));
		assert_check(&result, "other-tables", "failed", tables[i]);
		assert_only(&result, "other-tables");
	}
}

static void a_rule_of_another_table_that_lets_all_pass_is_seen_and_changes_nothing(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "nft add table inet open; nft add chain inet open output \"{ type filter hook output priority -300; }\"; "
			     "nft add rule inet open output accept"));
	result = verify();
	free(rig_shell(&rig, "nft delete table inet open"));
	assert_check(&result, "other-tables", "failed", "inet open");
	assert_check(&result, "denied-address-udp-v4", "ok", "");
	assert_only(&result, "other-tables");
}

static void a_redirection_of_another_table_breaks_the_capture(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig,
		"nft add table inet steal; nft add chain inet steal output \"{ type nat hook output priority -150; }\"; "
		"nft add rule inet steal output meta l4proto \"{ tcp, udp }\" th dport 53 ip daddr != 127.0.0.1 redirect to :5399"));
	result = verify();
	free(rig_shell(&rig, "nft delete table inet steal"));
	assert_check(&result, "capture-udp-v4", "failed", "");
	assert_check(&result, "capture-tcp-v4", "failed", "");
	assert_only(&result, "other-tables capture-udp-v4 capture-tcp-v4");
}

static void a_capture_chain_without_rules_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "nft flush chain inet terok_shield capture"));
	result = verify();
	rules_restore(SHIELD_UP);
	for (unsigned i = 0; i < 4; i++)
		assert_check(&result, check_name(CHECK_CAPTURE + i), "failed", "");
	assert_only(&result, "rules capture private-address metadata");
}

static void an_open_shield_lets_one_datagram_of_a_family_leave(void **unused)
{
	static const char *const breakages[] = {
		"insert rule inet terok_shield output accept", "delete table inet terok_shield", "flush chain inet terok_shield blocked"};

	(void)unused;
	for (size_t i = 0; i < sizeof(breakages) / sizeof(*breakages); i++) {
		cleanup_result struct result result = {0};
		cleanup_free char *left = NULL;

		free(rig_shell(&rig,
			"nft %s; nft chain inet terok_shield output \"{ policy accept; }\"; nft add table netdev judge; "
			"nft add chain netdev judge in \"{ type filter hook ingress device v1 priority 0; }\"; "
			"nft add rule netdev judge in icmpv6 type 133-137 accept; nft add rule netdev judge in meta protocol \"{ ip, ip6 }\" counter",
			breakages[i]));
		result = verify();
		left = rig_shell(&rig, "nft list table netdev judge");
		free(rig_shell(&rig, "nft delete table netdev judge"));
		rules_restore(SHIELD_UP);
		assert_check(&result, "denied-address-udp-v4", "failed", "nothing refused");
		assert_check(&result, "denied-address-udp-v6", "failed", "nothing refused");
		assert_check(&result, "capture-tcp-v6", "not-tried", "not refused");
		if (!strstr(left, "counter packets 2 "))
			fail_msg("%s: %s", breakages[i], left);
	}
}

static void a_forwarder_that_is_stopped_is_seen(void **unused)
{
	cleanup_result struct result result = {0};
	pid_t worker = rig_worker(&rig);

	(void)unused;
	kill(rig.proxy, SIGSTOP); /* first, since it would replace a worker that hangs */
	kill(worker, SIGSTOP);
	usleep(50000);
	result = verify();
	kill(worker, SIGCONT);
	kill(rig.proxy, SIGCONT);
	assert_check(&result, "forwarder", "failed", "stopped");
	assert_check(&result, "answer-udp-v4", "failed", "no answer");
	assert_check(&result, "denied-address-udp-v4", "ok", "");
	assert_only(&result, "forwarder control answer capture denied-name");
}

static int bind_work(void *context, struct error *error)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0xc0a84d02)};
	int type = *(int *)context, one = 1, fd = socket(AF_INET, type, 0);

	(void)error;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || (type == SOCK_STREAM && listen(fd, 1)))
		return -errno;
	*(int *)context = fd;
	return 0;
}

static void whoever_else_is_bound_to_port_53_is_seen(void **unused)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

	(void)unused;
	for (unsigned i = 0; i < 2; i++) {
		cleanup_result struct result result = {0};
		int fd = types[i];

		assert_int_equal(netns_run(rig.inside_fd, bind_work, &fd, NULL), 0);
		result = verify();
		close(fd);
		assert_check(&result, "port-53", "failed", "is not the forwarder's");
		assert_only(&result, "port-53");
	}
}

static void a_process_of_the_container_with_a_capability_is_seen(void **unused)
{
	static const uint64_t sets[] = {BIT(NET_ADMIN), BIT(NET_RAW), BIT(SYS_ADMIN)};
	static const char *const names[] = {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"};

	(void)unused;
	for (unsigned i = 0; i < 3; i++) {
		cleanup_result struct result result = {0};
		pid_t pid = workload_start(sets[i]);

		result = verify();
		kill(pid, SIGKILL);
		assert_check(&result, "capabilities", "failed", names[i]);
		assert_only(&result, "capabilities");
		usleep(50000);
	}
}

static void capabilities_in_a_user_namespace_below_the_containers_reach_nothing(void **unused)
{
	cleanup_result struct result result = {0};
	cleanup_free char *status = NULL;
	pid_t pid = workload_start(OWN_USERS);

	(void)unused;
	status = rig_shell(&rig, "grep CapEff /proc/%d/status", pid);
	result = verify();
	kill(pid, SIGKILL);
	assert_non_null(strstr(status, "1ff")); /* it has them */
	assert_only(&result, "");
}

static void settings_go(enum settings_reject reject)
{
	struct bundle_identity identity = {.container = "rig", .version = SHIELD_VERSION};

	rig.settings.reject = reject;
	assert_int_equal(bundle_settings_write(&rig.bundle, &identity, &rig.settings, NULL), 0);
	rules_restore(SHIELD_UP);
}

static void a_reset_is_the_refusal_where_the_configuration_wants_one(void **unused)
{
	cleanup_result struct result reset = {0}, icmp = {0};

	(void)unused;
	settings_go(SETTINGS_REJECT_RESET);
	reset = verify();
	free(rig_shell(&rig, "nft flush chain inet terok_shield blocked; "
			     "nft add rule inet terok_shield blocked counter reject with icmpx admin-prohibited"));
	icmp = verify();
	settings_go(SETTINGS_REJECT_ICMP);
	assert_check(&reset, "denied-address-tcp-v4", "ok", "Connection refused");
	assert_check(&reset, "denied-address-tcp-v6", "ok", "Connection refused");
	assert_only(&reset, "");
	assert_check(&icmp, "denied-address-tcp-v4", "failed", "in another way");
}

static void a_resolv_conf_that_names_another_server_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	resolv_conf_write("nameserver 127.0.0.1\nnameserver 8.8.8.8\n");
	result = verify();
	resolv_conf_write("nameserver 127.0.0.1\n");
	assert_check(&result, "resolv-conf", "failed", "8.8.8.8");
	assert_only(&result, "resolv-conf");
}

static void a_next_start_without_the_shield_is_seen(void **unused)
{
	cleanup_result struct result result = {0};
	char shim[4096];

	(void)unused;
	podman_says("crun");
	result = verify();
	shim_path(shim);
	podman_says(shim);
	assert_check(&result, "next-start", "failed", "'crun'");
	assert_only(&result, "next-start");
}

static void what_has_no_route_is_not_tried_and_does_not_count(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	free(rig_shell(&rig, "ip -6 route del default; ip addr del fd77::2/64 dev v0"));
	result = verify();
	free(rig_shell(&rig, "ip addr add fd77::2/64 dev v0 nodad; ip -6 route add default via fd77::1 dev v0; "
			     "ip neigh replace fd77::1 lladdr 02:00:00:00:00:01 dev v0"));
	assert_check(&result, "denied-address-udp-v6", "not-tried", "no route");
	assert_check(&result, "denied-address-tcp-v6", "not-tried", "no route");
	assert_check(&result, "capture-udp-v6", "not-tried", "no route");
	assert_check(&result, "answer-udp-v6", "ok", "");
	assert_only(&result, "");
}

static void state_go(enum shield_state state)
{
	char request[64];

	rules_restore(state);
	snprintf(request, sizeof(request), "state %s", shield_state_name(state));
	assert_int_equal(control_request(&rig.bundle, request, 2000, NULL, NULL), 0);
}

static void each_state_has_its_own_expectations(void **unused)
{
	cleanup_result struct result down = {0}, all = {0}, block = {0};
	unsigned asked = rig.queries;

	(void)unused;
	state_go(SHIELD_DOWN);
	down = verify();
	state_go(SHIELD_DOWN_ALL);
	all = verify();
	state_go(SHIELD_BLOCK);
	block = verify();
	state_go(SHIELD_UP);
	assert_check(&down, "denied-address-udp-v4", "ok", DENIED);
	assert_check(&down, "denied-address-tcp-v4", "ok", "chain denied");
	assert_check(&down, "denied-address-udp-v6", "not-tried", "no documentation address");
	assert_check(&down, "private-address-udp-v4", "ok", "chain private");
	assert_check(&down, "capture-udp-v4", "ok", "REFUSED");
	assert_check(&down, "denied-name-v4", "not-tried", "asked upstream");
	assert_only(&down, "");
	assert_check(&all, "private-address-udp-v4", "not-tried", "let such an address pass");
	assert_check(&all, "denied-address-udp-v4", "ok", DENIED);
	assert_only(&all, "");
	assert_check(&block, "denied-address-udp-v4", "ok", "chain output");
	assert_check(&block, "denied-address-tcp-v6", "ok", "nothing passes");
	assert_check(&block, "answer-udp-v4", "not-tried", "block");
	assert_only(&block, "");
	assert_int_equal(rig.queries, asked); /* no question of ours went upstream */
}

static void rules_of_another_state_than_the_wanted_one_are_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	rules_restore(SHIELD_DOWN);
	assert_int_equal(bundle_state_write(&rig.bundle, SHIELD_UP, NULL), 0);
	result = verify();
	rules_restore(SHIELD_UP);
	assert_check(&result, "policies", "failed", "");
	assert_check(&result, "rules", "failed", "");
	assert_check(&result, "denied-address-udp-v4", "failed", "nothing refused");
}

static void a_forwarder_that_died_is_seen(void **unused)
{
	cleanup_result struct result result = {0};

	(void)unused;
	kill(rig.proxy, SIGKILL);
	waitpid(rig.proxy, NULL, 0);
	rig.proxy = -1;
	result = verify();
	assert_check(&result, "forwarder", "failed", "is gone");
	assert_check(&result, "answer-tcp-v6", "failed", "refused");
	assert_only(&result, "forwarder control port-53 answer capture denied-name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intact_shield_holds_in_every_check),
		cmocka_unit_test(what_tries_inside_has_no_privileges),
		cmocka_unit_test(a_table_that_is_gone_is_seen_and_nothing_inside_is_sent_to),
		cmocka_unit_test(a_rule_that_is_missing_is_seen), cmocka_unit_test(a_refusal_that_no_counter_of_ours_tells_is_none),
		cmocka_unit_test(a_policy_of_accept_is_seen), cmocka_unit_test(a_set_that_is_declared_otherwise_is_seen),
		cmocka_unit_test(a_deny_set_that_was_emptied_is_seen), cmocka_unit_test(a_table_besides_ours_is_seen_in_every_family),
		cmocka_unit_test(a_rule_of_another_table_that_lets_all_pass_is_seen_and_changes_nothing),
		cmocka_unit_test(a_redirection_of_another_table_breaks_the_capture),
		cmocka_unit_test(a_capture_chain_without_rules_is_seen),
		cmocka_unit_test(an_open_shield_lets_one_datagram_of_a_family_leave), cmocka_unit_test(a_forwarder_that_is_stopped_is_seen),
		cmocka_unit_test(whoever_else_is_bound_to_port_53_is_seen),
		cmocka_unit_test(a_process_of_the_container_with_a_capability_is_seen),
		cmocka_unit_test(capabilities_in_a_user_namespace_below_the_containers_reach_nothing),
		cmocka_unit_test(a_reset_is_the_refusal_where_the_configuration_wants_one),
		cmocka_unit_test(a_resolv_conf_that_names_another_server_is_seen),
		cmocka_unit_test(a_next_start_without_the_shield_is_seen),
		cmocka_unit_test(what_has_no_route_is_not_tried_and_does_not_count), cmocka_unit_test(each_state_has_its_own_expectations),
		cmocka_unit_test(rules_of_another_state_than_the_wanted_one_are_seen),
		cmocka_unit_test(an_intact_shield_holds_in_every_check),
		cmocka_unit_test(a_forwarder_that_died_is_seen), /* the last one: it stays dead */
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
