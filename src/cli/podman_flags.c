/* The flags of `podman run`, of versions 4.3.1 and 5.4.2, the global ones that it also takes and the hidden ones among them.
 *
 * Theory of operation. podman parses with pflag: flags until the first word that is none, which is the image. Whether a word is a
 * flag's value or the image depends on the flag, so every flag is in the table; one that is not is refused, because a guess could
 * take the container's own command line for flags or let a flag pass unseen. Boolean flags take a value only behind "=". A single
 * dash starts a cluster of letters, the first of which that takes a value takes the rest of the word.
 *
 * Each flag is passed on, is managed by the shield, or has a check. Checks refuse by default where podman's own syntax has corners:
 * a comma list with quotes (podman reads those as CSV) is not taken apart, it is refused where its content matters. */
#include "cli/podman_flags.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cli/podman_paths.h"

struct flag;
struct parse {
	struct podman_flags *flags;
	const struct podman_guard *guard;
	struct error *error;
	struct text managed; /* ", "-joined */
};

typedef int flag_check(struct parse *parse, const struct flag *flag, const char *value);

enum arity {
	SWITCH,
	VALUE,
};

struct flag {
	const char *name;
	char letter;
	enum arity arity;
	flag_check *check;  /* NULL: the user's own business */
	const char *reason; /* for the checks that refuse */
};

static int refuse(struct parse *parse, const char *flag, const char *value, const char *reason)
{
	char shown[160];
	return error_set(parse->error, EINVAL, "--%s%s%s is refused: %s", flag, value ? " " : "",
		value ? text_escaped(shown, sizeof(shown), value) : "", reason);
}

/* True when podman takes the word for false (Go's ParseBool). Any other word counts as true: podman refuses what it cannot read. */
static bool is_false(const char *value)
{
	static const char *const words[] = {"0", "f", "F", "false", "False", "FALSE"};
	for (size_t i = 0; value && i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(value, words[i]) == 0)
			return true;
	}
	return false;
}

static int check_managed(struct parse *parse, const struct flag *flag, const char *value)
{
	(void)value;
	text_addf(&parse->managed, "%s--%s", parse->managed.length > 0 ? ", " : "", flag->name);
	return 0;
}

static int check_refused(struct parse *parse, const struct flag *flag, const char *value)
{
	if (flag->arity == SWITCH && is_false(value))
		return 0;
	return refuse(parse, flag->name, NULL, flag->reason);
}

/* podman 4 splits the value at commas, so the key may stand anywhere in it. */
static int check_annotation(struct parse *parse, const struct flag *flag, const char *value)
{
	if (strstr(value, "terok.shield."))
		return check_managed(parse, flag, value);
	return 0;
}

/* Capabilities with which a process cannot change rules, raise a packet past them, or get out of its namespaces. */
static const char *const harmless_capabilities[] = {
	"AUDIT_CONTROL",
	"AUDIT_READ",
	"AUDIT_WRITE",
	"BLOCK_SUSPEND",
	"CHOWN",
	"DAC_OVERRIDE",
	"FOWNER",
	"FSETID",
	"IPC_LOCK",
	"IPC_OWNER",
	"KILL",
	"LEASE",
	"LINUX_IMMUTABLE",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYSLOG",
	"SYS_CHROOT",
	"SYS_NICE",
	"SYS_PACCT",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"WAKE_ALARM",
};

static bool capability_is_harmless(const char *word, size_t length)
{
	if (length > 4 && strncasecmp(word, "CAP_", 4) == 0) {
		word += 4;
		length -= 4;
	}
	for (size_t i = 0; i < sizeof(harmless_capabilities) / sizeof(*harmless_capabilities); i++) {
		if (strlen(harmless_capabilities[i]) == length && strncasecmp(word, harmless_capabilities[i], length) == 0)
			return true;
	}
	return false;
}

static int check_cap_add(struct parse *parse, const struct flag *flag, const char *value)
{
	for (const char *word = value;;) {
		size_t length = strcspn(word, ",");
		if (!capability_is_harmless(word, length))
			return refuse(parse, flag->name, value,
				"with it the container could change its own rules, send packets past them or leave its namespaces; "
				"run that part outside, or without a shield");
		if (!word[length])
			return 0;
		word += length + 1;
	}
}

/* pasta's options that open ports of the host's loopback in the container's: loopback traffic passes the shield. */
static int check_pasta_options(struct parse *parse, const struct flag *flag, const char *value)
{
	const char *reason = "it opens ports of the host's loopback past the shield; use --loopback-port N or loopback_ports in config.yml";
	static const char *const openers[] = {"-T", "-U", "--tcp-n", "--udp-n"}; /* getopt_long() takes cut names */
	for (const char *at = strchr(value, ':'); at; at = strchr(at + 1, ',')) {
		const char *option = at + 1;
		for (size_t i = 0; i < sizeof(openers) / sizeof(*openers); i++) {
			size_t length = strlen(openers[i]);
			if (strncmp(option, openers[i], length) != 0)
				continue;
			const char *ports = option + length + (length > 2 ? strspn(option + length, "s") : 0);
			if (*ports == ',' || *ports == '=')
				ports++;
			if (strncmp(ports, "none", 4) != 0 || (ports[4] && ports[4] != ','))
				return refuse(parse, flag->name, value, reason);
		}
		/* Short options of pasta may stand in clusters, and long ones may be cut short: what looks like either is not taken
		 * apart. */
		if (strpbrk(value, "\" \t\n"))
			return refuse(parse, flag->name, value, "blanks and quotes in it cannot be checked");
		if (option[0] == '-' && option[1] != '-' && option[1] && option[2] && option[2] != ',' &&
			strcspn(option, "TU") < strcspn(option, ","))
			return refuse(parse, flag->name, value, reason);
	}
	return 0;
}

static int check_network(struct parse *parse, const struct flag *flag, const char *value)
{
	size_t mode = strcspn(value, ":");
	if (mode == 9 && strncmp(value, "container", mode) == 0) {
		if (value[mode] != ':' || !value[mode + 1])
			return refuse(parse, flag->name, value, "the other container's name is missing");
		parse->flags->joins = value + mode + 1; /* whether that one has a shield is seen when it is joined */
		return 0;
	}
	if (mode == 2 && strncmp(value, "ns", mode) == 0)
		return refuse(parse, flag->name, value, "the shield's rules need a network namespace of the container's own");
	if (mode == 3 && strncmp(value, "pod", mode) == 0)
		return refuse(parse, flag->name, value, "name the pod with --pod");
	for (const char *word = value;;) {
		size_t length = strcspn(word, ",:");
		if (length == 4 && strncasecmp(word, "host", length) == 0)
			return refuse(parse, flag->name, value,
				"in the host's network is nothing to put a shield around; name the host's ports with --loopback-port N");
		word += length;
		if (*word != ',')
			break;
		word++;
	}
	if (mode == 5 && strncmp(value, "pasta", mode) == 0) {
		int rc = check_pasta_options(parse, flag, value);
		if (rc)
			return rc;
	}
	if (parse->flags->network_count == PODMAN_FLAGS_NETWORKS_MAX)
		return error_set(parse->error, EINVAL, "more than %d networks", PODMAN_FLAGS_NETWORKS_MAX);
	parse->flags->networks[parse->flags->network_count++] = value;
	return 0;
}

/* --pid and --userns: a namespace of the container's own, or (userns) a mapping of podman's. */
static int check_namespace(struct parse *parse, const struct flag *flag, const char *value)
{
	bool host = strcmp(value, "host") == 0;
	bool pid = strcmp(flag->name, "pid") == 0;
	if (strncmp(value, "container:", 10) == 0 || strncmp(value, "ns:", 3) == 0 || (host && pid))
		return refuse(parse, flag->name, value, flag->reason);
	return 0;
}

/* Of net.* only what cannot route, redirect or untrack packets. */
static int check_sysctl(struct parse *parse, const struct flag *flag, const char *value)
{
	static const char *const harmless[] = {
		"net.ipv4.ip_unprivileged_port_start",
		"net.ipv4.ping_group_range",
		"net.core.somaxconn",
		"net.ipv4.tcp_keepalive_time",
		"net.ipv4.tcp_keepalive_intvl",
		"net.ipv4.tcp_keepalive_probes",
		"net.ipv4.tcp_fin_timeout",
		"net.ipv4.ip_local_port_range",
		"net.ipv4.tcp_syncookies",
		"net.ipv4.tcp_max_syn_backlog",
	};
	if (strpbrk(value, "\"\n"))
		return refuse(parse, flag->name, value, "quotes in it cannot be checked");
	for (const char *word = value;;) {
		char key[128];
		size_t whole = strcspn(word, ","), length = strcspn(word, "=,");
		if (length >= sizeof(key))
			return refuse(parse, flag->name, value, "the name is too long");
		for (size_t i = 0; i < length; i++)
			key[i] = word[i] == '/' ? '.' : word[i];
		key[length] = '\0';
		const char *bare = key + strspn(key, " .");
		bool good = strncmp(bare, "net.", 4) != 0;
		for (size_t i = 0; !good && i < sizeof(harmless) / sizeof(*harmless); i++)
			good = strcmp(key, harmless[i]) == 0;
		size_t tail = strlen(".disable_ipv6");
		good = good ||
		       (strncmp(key, "net.ipv6.conf.", 14) == 0 && length > tail && strcmp(key + length - tail, ".disable_ipv6") == 0);
		if (!good)
			return refuse(parse, flag->name, value,
				"it could change how packets are routed, redirected or tracked; leave the network to the shield");
		if (!word[whole])
			return 0;
		word += whole + 1;
	}
}

static int check_path(struct parse *parse, const struct flag *flag, const char *value, enum podman_paths_kind kind)
{
	struct text why = {0};
	int rc = podman_paths_check(kind, value, parse->guard, &why);
	if (rc)
		rc = refuse(parse, flag->name, value, text_failed(&why) ? "out of memory" : why.data);
	text_free(&why);
	return rc;
}

static int check_volume(struct parse *parse, const struct flag *flag, const char *value)
{
	return check_path(parse, flag, value, PODMAN_PATHS_VOLUME);
}

static int check_mount(struct parse *parse, const struct flag *flag, const char *value)
{
	return check_path(parse, flag, value, PODMAN_PATHS_MOUNT);
}

static int check_tmpfs(struct parse *parse, const struct flag *flag, const char *value)
{
	return check_path(parse, flag, value, PODMAN_PATHS_TMPFS);
}

static int check_secret(struct parse *parse, const struct flag *flag, const char *value)
{
	return check_path(parse, flag, value, PODMAN_PATHS_SECRET);
}

static int check_device(struct parse *parse, const struct flag *flag, const char *value)
{
	return check_path(parse, flag, value, PODMAN_PATHS_DEVICE);
}

static int check_publish(struct parse *parse, const struct flag *flag, const char *value)
{
	for (const char *word = value;;) {
		size_t length = strcspn(word, ",");
		if (parse->flags->published_count == SETTINGS_PUBLISHED_MAX)
			return error_set(parse->error, EINVAL, "more than %d published ports", SETTINGS_PUBLISHED_MAX);
		if (podman_flags_publish_parse(&parse->flags->published[parse->flags->published_count], word, length))
			return refuse(parse, flag->name, value, "not of the form [[ADDRESS:]HOST:]CONTAINER[/tcp|/udp|/sctp]");
		parse->flags->published_count++;
		if (!word[length])
			return 0;
		word += length + 1;
	}
}

static int check_pod(struct parse *parse, const struct flag *flag, const char *value)
{
	if (!*value || strncmp(value, "new:", 4) == 0)
		return refuse(parse, flag->name, value,
			"the pod has to be there, since its networks and ports are read: make it with `podman pod create --name POD` first");
	parse->flags->pod = value;
	return 0;
}

static int note_replace(struct parse *parse, const struct flag *flag, const char *value)
{
	(void)flag;
	parse->flags->replace = !is_false(value);
	return 0;
}

static int note_restart(struct parse *parse, const struct flag *flag, const char *value)
{
	(void)flag;
	if (*value && strcmp(value, "no") != 0 && strcmp(value, "never") != 0)
		parse->flags->restarts = true;
	return 0;
}

static int note_health(struct parse *parse, const struct flag *flag, const char *value)
{
	(void)flag;
	if (strcmp(value, "restart") == 0)
		parse->flags->restarts = true;
	return 0;
}

#define WHY_PID    "a process outside could be looked into and used from there; leave the container its own process namespace"
#define WHY_USERNS "a user namespace that others hold may own the rules; use keep-id, auto or the default"

/* A flag with NULL for a check only says how the container runs, or where podman keeps and logs things. */
static const struct flag flags_table[] = {
	{"add-host", 0, VALUE}, /* a name in /etc/hosts; its address still has to be allowed */
	{"annotation", 0, VALUE, check_annotation},
	{"arch", 0, VALUE},
	{"attach", 'a', VALUE},
	{"authfile", 0, VALUE},
	{"blkio-weight", 0, VALUE},
	{"blkio-weight-device", 0, VALUE},
	{"cap-add", 0, VALUE, check_cap_add},
	{"cap-drop", 0, VALUE, check_managed},
	{"cgroup-conf", 0, VALUE},
	{"cgroup-manager", 0, VALUE},
	{"cgroup-parent", 0, VALUE},
	{"cgroupns", 0, VALUE},
	{"cgroups", 0, VALUE},
	{"chrootdirs", 0, VALUE}, /* copies of /etc files within the container */
	{"cidfile", 0, VALUE},
	{"conmon", 0, VALUE},
	{"conmon-pidfile", 0, VALUE},
	{"cpu-period", 0, VALUE},
	{"cpu-profile", 0, VALUE},
	{"cpu-quota", 0, VALUE},
	{"cpu-rt-period", 0, VALUE},
	{"cpu-rt-runtime", 0, VALUE},
	{"cpu-shares", 'c', VALUE},
	{"cpus", 0, VALUE},
	{"cpuset-cpus", 0, VALUE},
	{"cpuset-mems", 0, VALUE},
	{"decryption-key", 0, VALUE},
	{"default-mounts-file", 0, VALUE, check_refused, "the mounts in it cannot be checked; name them with --volume"},
	{"detach", 'd', SWITCH},
	{"detach-keys", 0, VALUE},
	{"device", 0, VALUE, check_device},
	{"device-cgroup-rule", 0, VALUE}, /* without MKNOD, which is not granted, it makes no device */
	{"device-read-bps", 0, VALUE},
	{"device-read-iops", 0, VALUE},
	{"device-write-bps", 0, VALUE},
	{"device-write-iops", 0, VALUE},
	{"disable-content-trust", 0, SWITCH},
	{"dns", 0, VALUE, check_managed},
	{"dns-opt", 0, VALUE, check_managed},
	{"dns-option", 0, VALUE, check_managed},
	{"dns-search", 0, VALUE, check_managed},
	{"entrypoint", 0, VALUE},
	{"env", 'e', VALUE},
	{"env-file", 0, VALUE},
	{"env-host", 0, SWITCH},
	{"env-merge", 0, VALUE},
	{"events-backend", 0, VALUE},
	{"expose", 0, VALUE}, /* opens nothing without --publish-all */
	{"gidmap", 0, VALUE},
	{"gpus", 0, VALUE},
	{"group-add", 0, VALUE},
	{"group-entry", 0, VALUE},
	{"health-cmd", 0, VALUE}, /* runs inside */
	{"health-interval", 0, VALUE},
	{"health-log-destination", 0, VALUE},
	{"health-max-log-count", 0, VALUE},
	{"health-max-log-size", 0, VALUE},
	{"health-on-failure", 0, VALUE, note_health},
	{"health-retries", 0, VALUE},
	{"health-start-period", 0, VALUE},
	{"health-startup-cmd", 0, VALUE},
	{"health-startup-interval", 0, VALUE},
	{"health-startup-retries", 0, VALUE},
	{"health-startup-success", 0, VALUE},
	{"health-startup-timeout", 0, VALUE},
	{"health-timeout", 0, VALUE},
	{"healthcheck-command", 0, VALUE},
	{"healthcheck-interval", 0, VALUE},
	{"healthcheck-retries", 0, VALUE},
	{"healthcheck-start-period", 0, VALUE},
	{"healthcheck-timeout", 0, VALUE},
	{"help", 0, SWITCH, check_refused, "it would be podman's help; call `podman run --help`"},
	{"hooks-dir", 0, VALUE, check_managed},
	{"hostname", 'h', VALUE},
	{"hosts-file", 0, VALUE},
	{"hostuser", 0, VALUE},
	{"http-proxy", 0, SWITCH}, /* variables only */
	{"image-volume", 0, VALUE},
	{"imagestore", 0, VALUE},
	{"init", 0, SWITCH},
	{"init-path", 0, VALUE}, /* runs inside */
	{"interactive", 'i', SWITCH},
	{"ip", 0, VALUE},
	{"ip6", 0, VALUE},
	{"ipc", 0, VALUE}, /* shared memory leads to no network; GPU and database images need the host's */
	{"kernel-memory", 0, VALUE},
	{"label", 'l', VALUE},
	{"label-file", 0, VALUE},
	{"log-driver", 0, VALUE},
	{"log-level", 0, VALUE},
	{"log-opt", 0, VALUE},
	{"mac-address", 0, VALUE},
	{"max-workers", 0, VALUE},
	{"memory", 'm', VALUE},
	{"memory-profile", 0, VALUE},
	{"memory-reservation", 0, VALUE},
	{"memory-swap", 0, VALUE},
	{"memory-swappiness", 0, VALUE},
	{"mount", 0, VALUE, check_mount},
	{"name", 0, VALUE, check_managed},
	{"namespace", 0, VALUE}, /* podman's view of containers, no namespace of the kernel */
	{"net", 0, VALUE, check_network},
	{"network", 0, VALUE, check_network},
	{"network-alias", 0, VALUE},
	{"network-cmd-path", 0, VALUE},
	{"network-config-dir", 0, VALUE},
	{"no-healthcheck", 0, SWITCH},
	{"no-hostname", 0, SWITCH},
	{"no-hosts", 0, SWITCH},
	{"ns", 0, VALUE}, /* the other name of --namespace */
	{"oom-kill-disable", 0, SWITCH},
	{"oom-score-adj", 0, VALUE},
	{"os", 0, VALUE},
	{"override-arch", 0, VALUE},
	{"override-os", 0, VALUE},
	{"override-variant", 0, VALUE},
	{"passwd", 0, SWITCH},
	{"passwd-entry", 0, VALUE},
	{"personality", 0, VALUE},
	{"pid", 0, VALUE, check_namespace, WHY_PID},
	{"pidfile", 0, VALUE},
	{"pids-limit", 0, VALUE},
	{"platform", 0, VALUE},
	{"pod", 0, VALUE, check_pod},
	{"pod-id-file", 0, VALUE, check_managed},
	{"preserve-fd", 0, VALUE, check_refused, "a descriptor opened outside can be a socket that no rule sees; publish a port instead"},
	{"preserve-fds", 0, VALUE, check_refused, "a descriptor opened outside can be a socket that no rule sees; publish a port instead"},
	{"privileged", 0, SWITCH, check_refused,
		"a privileged container can remove its own rules; add the single --device or --cap-add that is needed"},
	{"publish", 'p', VALUE, check_publish},
	{"publish-all", 'P', SWITCH, check_refused, "the shield has to know the ports that it opens; name them with -p"},
	{"pull", 0, VALUE},
	{"pull-option", 0, VALUE},
	{"purge", 0, SWITCH},
	{"quiet", 'q', SWITCH},
	{"rdt-class", 0, VALUE},
	{"read-only", 0, SWITCH},
	{"read-only-tmpfs", 0, SWITCH},
	{"registries-conf", 0, VALUE},
	{"replace", 0, SWITCH, note_replace},
	{"requires", 0, VALUE},
	{"restart", 0, VALUE, note_restart},
	{"retry", 0, VALUE},
	{"retry-delay", 0, VALUE},
	{"rm", 0, SWITCH},
	{"rmi", 0, SWITCH},
	{"root", 0, VALUE},
	{"rootfs", 0, SWITCH, check_refused,
		"a folder of the host as the container's root may hold the host's own sockets; make an image of it with `podman import`"},
	{"runroot", 0, VALUE},
	{"runtime", 0, VALUE, check_managed},
	{"runtime-flag", 0, VALUE, check_managed},
	{"sdnotify", 0, VALUE},
	{"seccomp-policy", 0, VALUE},
	{"secret", 0, VALUE, check_secret},
	{"security-opt", 0, VALUE, check_managed},
	{"shm-size", 0, VALUE},
	{"shm-size-systemd", 0, VALUE},
	{"sig-proxy", 0, SWITCH},
	{"signature-policy", 0, VALUE},
	{"stop-signal", 0, VALUE},
	{"stop-timeout", 0, VALUE},
	{"storage-driver", 0, VALUE},
	{"storage-opt", 0, VALUE},
	{"subgidname", 0, VALUE},
	{"subuidname", 0, VALUE},
	{"sysctl", 0, VALUE, check_sysctl},
	{"syslog", 0, SWITCH},
	{"systemd", 0, VALUE},
	{"timeout", 0, VALUE},
	{"tls-verify", 0, SWITCH},
	{"tmpdir", 0, VALUE},
	{"tmpfs", 0, VALUE, check_tmpfs},
	{"trace", 0, SWITCH},
	{"transient-store", 0, SWITCH},
	{"tty", 't', SWITCH},
	{"tz", 0, VALUE},
	{"uidmap", 0, VALUE},
	{"ulimit", 0, VALUE},
	{"umask", 0, VALUE},
	{"unsetenv", 0, VALUE},
	{"unsetenv-all", 0, SWITCH},
	{"user", 'u', VALUE},
	{"userns", 0, VALUE, check_namespace, WHY_USERNS},
	{"uts", 0, VALUE}, /* a host name */
	{"variant", 0, VALUE},
	{"volume", 'v', VALUE, check_volume},
	{"volumepath", 0, VALUE},
	{"volumes-from", 0, VALUE, check_refused, "the other container's mounts cannot be checked; name them with --volume"},
	{"workdir", 'w', VALUE},
};
#define FLAGS_TABLE_COUNT (sizeof(flags_table) / sizeof(*flags_table))

static const struct flag *flag_find(const char *name, size_t length, char letter)
{
	for (size_t i = 0; i < FLAGS_TABLE_COUNT; i++) {
		const struct flag *flag = &flags_table[i];
		if (letter ? flag->letter == letter : strncmp(flag->name, name, length) == 0 && flag->name[length] == '\0')
			return flag;
	}
	return NULL;
}

static int unknown(struct parse *parse, const char *word)
{
	char shown[160];
	return error_set(parse->error, EINVAL,
		"podman's flag %s is not known here, so what follows it cannot be told apart from the image; "
		"use another spelling, or start the container with `podman run $(terok-shield prepare NAME) ...`",
		text_escaped(shown, sizeof(shown), word));
}

static int flag_apply(struct parse *parse, const struct flag *flag, const char *value)
{
	return flag->check ? flag->check(parse, flag, value) : 0;
}

static int missing_value(struct parse *parse, const char *word)
{
	char shown[160];
	return error_set(parse->error, EINVAL, "a value is missing behind podman's flag %s", text_escaped(shown, sizeof(shown), word));
}

/* "--name", "--name=value", "--name value". next: index of the word behind; moved on when it is the value. */
static int long_take(struct parse *parse, const char *word, size_t count, char *const *args, size_t *next)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const struct flag *flag = length > 0 ? flag_find(name, length, 0) : NULL;
	if (!flag)
		return unknown(parse, word);
	const char *value = name[length] ? name + length + 1 : NULL;
	if (!value && flag->arity == VALUE) {
		if (*next == count)
			return missing_value(parse, word);
		value = args[(*next)++];
	}
	return flag_apply(parse, flag, value);
}

/* "-dit", "-eFOO", "-e=FOO", "-e FOO", "-d=false". */
static int cluster_take(struct parse *parse, const char *word, size_t count, char *const *args, size_t *next)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct flag *flag = flag_find("", 0, *letter);
		if (!flag)
			return unknown(parse, word);
		const char *value = NULL;
		bool last = false;
		if (letter[1] == '=' && letter[2]) { /* pflag takes a "=" that ends the word for the value itself */
			value = letter + 2;
			last = true;
		} else if (flag->arity == VALUE) {
			last = true;
			if (letter[1])
				value = letter + 1;
			else if (*next < count)
				value = args[(*next)++];
			else
				return missing_value(parse, word);
		}
		int rc = flag_apply(parse, flag, value);
		if (rc || last)
			return rc;
	}
	return 0;
}

/* Who joins has no network of its own to say anything about. */
static int joining_check(struct parse *parse)
{
	const struct podman_flags *flags = parse->flags;
	if ((flags->pod && flags->joins) || ((flags->pod || flags->joins) && flags->network_count > 0))
		return error_set(parse->error, EINVAL,
			"--network is refused beside %s: a container is in one network namespace, and the other's networks are there",
			flags->pod ? "--pod" : "--network container:");
	if ((flags->pod || flags->joins) && flags->published_count > 0)
		return error_set(parse->error, EINVAL, "--publish is refused with %s: publish the port where the %s is made",
			flags->pod ? "--pod" : "--network container:", flags->pod ? "pod" : "other container");
	return 0;
}

static int flags_take(struct parse *parse, size_t count, char *const *args)
{
	size_t next = 0;
	while (next < count) {
		const char *word = args[next];
		if (strcmp(word, "--") == 0) {
			next++;
			break;
		}
		if (word[0] != '-' || !word[1])
			break;
		next++;
		int rc = word[1] == '-' ? long_take(parse, word, count, args, &next) : cluster_take(parse, word, count, args, &next);
		if (rc)
			return rc;
	}
	if (text_failed(&parse->managed))
		return error_set(parse->error, ENOMEM, "out of memory");
	if (parse->managed.length > 0)
		return error_set(parse->error, EINVAL, "Flag(s) managed by terok-shield, cannot override: %s", parse->managed.data);
	if (next >= count || !args[next][0])
		return error_set(parse->error, EINVAL,
			"No image specified. Usage: terok-shield run NAME [--profiles P...] -- [podman flags] IMAGE [COMMAND [ARG...]]");
	parse->flags->image = next;
	return joining_check(parse);
}

int podman_flags_parse(struct podman_flags *flags, size_t count, char *const *args, const struct podman_guard *guard, struct error *error)
{
	memset(flags, 0, sizeof(*flags));
	struct parse parse = {.flags = flags, .guard = guard, .error = error};
	int rc = flags_take(&parse, count, args);
	text_free(&parse.managed);
	return rc;
}

static int port_parse(const char **at, const char *end, uint16_t *port)
{
	unsigned number = 0;
	const char *start = *at;
	while (*at < end && isdigit((unsigned char)**at) && number <= UINT16_MAX)
		number = number * 10 + (unsigned)(*(*at)++ - '0');
	*port = (uint16_t)number;
	return *at > start && number > 0 && number <= UINT16_MAX ? 0 : -EINVAL;
}

int podman_flags_publish_parse(struct settings_published *published, const char *text, size_t length)
{
	const char *end = text + length;
	const char *slash = memchr(text, '/', length);
	published->protocol = RULE_TCP;
	if (slash) {
		size_t word = (size_t)(end - slash - 1);
		if (word == 3 && strncasecmp(slash + 1, "udp", 3) == 0)
			published->protocol = RULE_UDP;
		else if (word == 4 && strncasecmp(slash + 1, "sctp", 4) == 0)
			published->protocol = IPPROTO_SCTP;
		else if (word != 3 || strncasecmp(slash + 1, "tcp", 3) != 0)
			return -EINVAL;
		end = slash;
	}
	/* Only the container's side matters: what stands behind the last colon. */
	const char *colon = memrchr(text, ':', (size_t)(end - text));
	const char *at = colon ? colon + 1 : text;
	if (port_parse(&at, end, &published->first))
		return -EINVAL;
	published->last = published->first;
	if (at < end && *at == '-') {
		at++;
		if (port_parse(&at, end, &published->last) || published->last < published->first)
			return -EINVAL;
	}
	return at == end ? 0 : -EINVAL;
}
