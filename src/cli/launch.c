/* Configuration, profiles and podman's flags become a state bundle and podman's flags.
 *
 * Theory of operation. Everything that can be wrong (configuration, profiles, networks) is read first; then the bundle is written under
 * its lock, all files that change together (bundle.h, "several files replaced together"), settings.json last; then the flags are made.
 * Until the first of them is put into place, a failure or a crash leaves the old state; from the last on the new one holds; in between,
 * settings and profile lists do not fit each other and everybody refuses them. What `allow`, `deny` and `block` said stays from one
 * container of a name to the next; a bypass (`down`) ends with the container that it was made for. So does learning, unless this `run` is
 * told to learn as well. */
#include "cli/launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/hook_file.h"
#include "cli/launch_join.h"
#include "cli/network.h"
#include "cli/paths.h"
#include "cli/podman.h"

#define ENDING_MS       3000 /* the forwarder ends a moment after its container, of whose end podman has told already */
#define LOCK_TIMEOUT_MS 5000
#define RESOLV_CONF     "nameserver 127.0.0.1\noptions ndots:0\n"
#define GATEWAY_PASTA   "169.254.1.2"
#define GATEWAY_SLIRP   "10.0.2.2"

/* ---- words ---- */

void launch_words_add(struct launch_words *words, const char *format, ...)
{
	if (words->failed)
		return;
	if (words->count + 2 > words->capacity) {
		size_t capacity = words->capacity ? words->capacity * 2 : 32;
		char **grown = realloc(words->words, capacity * sizeof(*grown));
		if (!grown) {
			words->failed = true;
			return;
		}
		words->words = grown;
		words->capacity = capacity;
	}
	va_list arguments;
	va_start(arguments, format);
	char *word = NULL;
	words->failed = vasprintf(&word, format, arguments) < 0;
	va_end(arguments);
	if (!words->failed) {
		words->words[words->count++] = word;
		words->words[words->count] = NULL;
	}
}

void launch_words_free(struct launch_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->words[i]);
	free(words->words);
	*words = (struct launch_words){0};
}

/* ---- configuration and profiles ---- */

/* Passing a misspelt folder over would take another folder's profile of the same name. */
static int profiles_dir_check(const char *path, struct error *error)
{
	struct stat status;
	char shown[160];
	text_escaped(shown, sizeof(shown), path);
	if (stat(path, &status))
		return error_errno(error, errno, "--profiles-dir '%s'", shown);
	return S_ISDIR(status.st_mode) ? 0 : error_set(error, ENOTDIR, "--profiles-dir '%s': it is not a folder", shown);
}

int launch_profile_path_init(struct launch_profile_path *path, const struct command_options *options, struct error *error)
{
	char config[PATH_MAX];
	int rc = paths_config(config, error);
	if (!rc)
		rc = paths_bundled_profiles(path->bundled, error);
	if (!rc && options->profiles_dir)
		rc = profiles_dir_check(options->profiles_dir, error);
	if (rc)
		return rc;
	int length = snprintf(path->user, sizeof(path->user), "%s/profiles", config);
	if (length < 0 || (size_t)length >= sizeof(path->user))
		return error_set(error, ENAMETOOLONG, "the path of the configuration folder is too long");
	path->path.count = 0;
	if (options->profiles_dir)
		path->path.folders[path->path.count++] = options->profiles_dir;
	path->path.folders[path->path.count++] = path->user;
	path->path.folders[path->path.count++] = path->bundled;
	return 0;
}

int launch_config_load(struct config *config, const struct command_options *options, struct error *error)
{
	char folder[PATH_MAX], file[PATH_MAX];
	memset(config, 0, sizeof(*config));
	int rc = paths_config(folder, error);
	if (rc)
		return rc;
	int length = snprintf(file, sizeof(file), "%s/config.yml", folder);
	if (length < 0 || (size_t)length >= sizeof(file))
		return error_set(error, ENAMETOOLONG, "the path of the configuration folder is too long");
	rc = config_load(config, file, error);
	if (rc)
		return rc;
	struct settings *settings = &config->settings;
	for (size_t i = 0; i < options->loopback_port_count; i++) {
		bool known = false;
		for (size_t j = 0; j < settings->loopback_port_count; j++)
			known = known || settings->loopback_ports[j] == options->loopback_ports[i];
		if (known)
			continue;
		if (settings->loopback_port_count == SETTINGS_PORTS_MAX)
			return error_set(error, EINVAL, "more than %d loopback ports", SETTINGS_PORTS_MAX);
		settings->loopback_ports[settings->loopback_port_count++] = options->loopback_ports[i];
	}
	if (options->no_audit)
		settings->audit = false;
	return 0;
}

int launch_profiles_load(struct profile_set *set, const struct config *config, const struct command_options *options, struct error *error)
{
	struct launch_profile_path path;
	int rc = launch_profile_path_init(&path, options, error);
	bool chosen = options->profile_count > 0;
	size_t count = chosen ? options->profile_count : config->default_profile_count;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = profile_load(set, &path.path, chosen ? options->profiles[i] : config->default_profiles[i], error);
	return rc;
}

static int identity_fill(
	struct bundle_identity *identity, const struct config *config, const struct command_options *options, struct error *error)
{
	bool chosen = options->profile_count > 0;
	size_t count = chosen ? options->profile_count : config->default_profile_count;
	snprintf(identity->container, sizeof(identity->container), "%s", options->container);
	snprintf(identity->version, sizeof(identity->version), "%s", SHIELD_VERSION);
	for (size_t i = 0; i < count && i < BUNDLE_PROFILES_MAX; i++) {
		identity->profiles[i] = strdup(chosen ? options->profiles[i] : config->default_profiles[i]);
		if (!identity->profiles[i])
			return error_set(error, ENOMEM, "out of memory");
		identity->profile_count++;
	}
	return 0;
}

/* ---- guard ---- */

static void guard_add(struct launch_guard *guard, const char *path, char *real)
{
	struct podman_guard *folders = &guard->guard;
	size_t count = 0;
	while (folders->folders[count])
		count++;
	folders->folders[count++] = path;
	cleanup_free char *resolved = realpath(path, NULL);
	if (resolved && strcmp(resolved, path) != 0) {
		snprintf(real, PATH_MAX, "%s", resolved);
		folders->folders[count] = real;
	}
}

int launch_guard_init(struct launch_guard *guard, const struct command_options *options, struct error *error)
{
	memset(&guard->guard, 0, sizeof(guard->guard));
	int rc = options->task_state_dir ? paths_bundle(options, options->container, guard->state, error)
					 : paths_state_root(options, guard->state, error);
	if (!rc)
		rc = paths_config(guard->config, error);
	if (rc)
		return rc;
	guard_add(guard, guard->state, guard->state_real);
	guard_add(guard, guard->config, guard->config_real);
	return 0;
}

/* ---- network ---- */

void launch_host_resolver(char *text, size_t size)
{
	cleanup_free char *content = NULL;
	text[0] = '\0';
	cleanup_fd int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* often a link: systemd-resolved's */
	if (fd < 0 || file_read_fd(fd, 1u << 16, &content, NULL))
		return;
	char *save = NULL;
	for (char *line = strtok_r(content, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct addr address;
		char formatted[ADDR_TEXT_MAX];
		if (strncmp(line, "nameserver", 10) != 0 || (line[10] != ' ' && line[10] != '\t'))
			continue;
		const char *word = line + 10 + strspn(line + 10, " \t");
		if (addr_parse(&address, word, strcspn(word, " \t%#")) == 0) {
			snprintf(text, size, "%s", addr_format(&address, formatted));
			return;
		}
	}
}

void launch_upstream_text(const struct settings *settings, char text[SETTINGS_UPSTREAM_TEXT_MAX])
{
	if (settings->upstream_count == 0)
		launch_host_resolver(text, ADDR_ENDPOINT_TEXT_MAX);
	else if (settings->upstreams[0].endpoint.port == 53 && !settings_use_tls(settings))
		addr_format(&settings->upstreams[0].endpoint.addr, text);
	else
		settings_upstream_format(&settings->upstreams[0], text);
}

/* Servers by TLS are never left for podman's own, which is asked in the clear and asks on in the clear. */
static int via_choose(struct settings *settings, const struct podman_flags *podman, struct error *error)
{
	char name[256];
	settings->via = SETTINGS_VIA_HOST;
	for (size_t i = 0; podman && i < podman->network_count; i++) {
		int rc = 0;
		if (!settings_use_tls(settings))
			rc = network_resolvers(podman->networks[i], settings, error);
		else if (network_name(podman->networks[i], name))
			fprintf(stderr,
				"note: dns.upstream is asked by TLS, podman's own DNS is not: names of other containers are not known\n");
		if (rc)
			return rc;
	}
	return 0;
}

int launch_ca_check(const struct settings *settings, struct error *error)
{
	char shown[SETTINGS_CA_MAX];
	if (!settings_use_tls(settings) || access(settings->ca, R_OK) == 0)
		return 0;
	text_escaped(shown, sizeof(shown), settings->ca);
	return error_set(error, errno, "dns.ca: %s: %s; install ca-certificates, or name the file of your CA", shown, strerror(errno));
}

static int network_choose(
	enum launch_network *network, struct settings *settings, const struct podman_flags *podman, const char *root, struct error *error)
{
	char path[PATH_MAX];
	struct podman_version version;
	memset(&settings->host_gateway, 0, sizeof(settings->host_gateway));
	if (podman && podman->network_count > 0) {
		*network = LAUNCH_NETWORK_CUSTOM;
		network_gateway(podman->networks[0], &settings->host_gateway);
	} else if (geteuid() == 0) {
		*network = LAUNCH_NETWORK_ROOTFUL;
	} else {
		int rc = podman_version_get(root, &version, error);
		if (rc)
			return rc;
		bool pasta = version.major >= 5 && podman_find_program("pasta", path) == 0;
		*network = pasta ? LAUNCH_NETWORK_PASTA : LAUNCH_NETWORK_SLIRP;
		const char *gateway = pasta ? GATEWAY_PASTA : GATEWAY_SLIRP;
		addr_parse(&settings->host_gateway, gateway, strlen(gateway));
	}
	if (settings->loopback_port_count > 0 && settings->host_gateway.family == 0)
		fprintf(stderr, "note: the host's loopback is not seen from this network, so loopback_ports are not opened\n");
	return settings->via == SETTINGS_VIA_AUTO ? via_choose(settings, podman, error) : 0;
}

/* ---- bundle ---- */

static int stage_text(struct bundle_stage *stage, const char *name, const struct text *text, struct error *error)
{
	if (text_failed(text))
		return error_set(error, ENOMEM, "out of memory");
	return bundle_stage_add(stage, name, text->data ? text->data : "", text->length, error);
}

static int profiles_stage(struct bundle_stage *stage, const struct profile_set *set, struct error *error)
{
	cleanup_text struct text networks = {0};
	cleanup_text struct text names = {0};
	profile_render(set, &networks, &names);
	int rc = stage_text(stage, bundle_list_file(BUNDLE_PROFILE_ALLOWED), &networks, error);
	return rc ? rc : stage_text(stage, bundle_list_file(BUNDLE_PROFILE_DOMAINS), &names, error);
}

/* They matter with --hooks; otherwise the shim puts the same hooks into the container's configuration. */
static int hooks_stage(struct bundle_stage *stage, struct error *error)
{
	char program[PATH_MAX];
	int rc = paths_libexec("terok-shield-hook", program, error);
	for (size_t i = 0; rc == 0 && i < HOOK_FILE_STAGES; i++) {
		cleanup_text struct text text = {0};
		char name[64];
		snprintf(name, sizeof(name), "hooks/terok-shield-%s.json", hook_file_stages[i]);
		rc = hook_file_render(&text, hook_file_stages[i], program, error);
		if (!rc)
			rc = stage_text(stage, name, &text, error);
	}
	return rc;
}

/* The wanted state of a new container: `block` stays until `up` is said, a bypass does not. */
static int state_stage(struct bundle_stage *stage, enum shield_state state, bool learns, struct error *error)
{
	if (learns)
		return bundle_stage_add(stage, BUNDLE_STATE, BUNDLE_LEARN, strlen(BUNDLE_LEARN), error);
	if (state == SHIELD_UP)
		return 0;
	if (state == SHIELD_BLOCK) {
		fprintf(stderr, "note: the shield of this name is in state block; `terok-shield up` opens it\n");
		return 0;
	}
	return bundle_stage_add(stage, BUNDLE_STATE, "up\n", strlen("up\n"), error);
}

/* Whether the process has ended, or does in that time. pidfd: of bundle_process_open(). */
static bool process_ends(int pidfd, int patience_ms)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};
	return pidfd == -ESRCH || (pidfd >= 0 && poll(&end, 1, patience_ms) > 0);
}

static int running_check(const struct bundle *bundle, const struct podman_flags *podman, struct error *error)
{
	struct bundle_runtime runtime;
	if ((podman && podman->replace) || bundle_runtime_read(bundle, &runtime, NULL))
		return 0;
	cleanup_fd int init_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	cleanup_fd int proxy_fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	if (process_ends(init_fd, 0) && process_ends(proxy_fd, ENDING_MS))
		return 0;
	return error_set(error, EBUSY, "container %.12s runs with this name already; stop it first%s", runtime.container_id,
		podman ? ", or add --replace behind --" : "");
}

/* True when the container that was last started from the bundle is surely gone: podman has removed its folder. Asking podman costs tens of milliseconds. */
static bool container_is_gone(const struct bundle *bundle)
{
	cleanup_free char *folder = NULL;
	if (bundle_read(bundle, BUNDLE_OCI, PATH_MAX, &folder, NULL, NULL))
		return false;
	return *folder == '/' && access(folder, F_OK) < 0 && errno == ENOENT;
}

/* podman takes the name for a regular expression. filter: room for each octet twice, and 16. */
static void name_filter(char *filter, const char *name)
{
	char *out = stpcpy(filter, "name=^");
	for (; *name; name++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *name))
			*out++ = '\\';
		*out++ = *name;
	}
	strcpy(out, "$");
}

/* podman is asked only when one may be there. */
int launch_name_check(const struct launch *launch, const struct podman_flags *podman, struct error *error)
{
	char path[PATH_MAX], filter[2 * sizeof(launch->identity.container) + 16];
	cleanup_free char *ids = NULL;
	if ((podman && podman->replace) || faccessat(launch->bundle.fd, BUNDLE_CONTAINER_ID, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (container_is_gone(&launch->bundle))
		return 0;
	if (podman_find_program("podman", path))
		return error_set(error, ENOENT, "podman is not in $PATH: install it");
	name_filter(filter, launch->identity.container);
	int rc = podman_capture((char *[]){path, "ps", "--all", "--quiet", "--filter", filter, NULL}, &ids, error);
	if (rc)
		return error_prefix(error, "asking podman whether the name is free");
	if (ids[strspn(ids, " \n")] == '\0')
		return 0;
	return error_set(error, EBUSY, "the name %s is already in use by a stopped container: podman start it, podman rm it%s",
		launch->identity.container, podman ? ", or add --replace behind --" : "");
}

static int upstream_stage(struct bundle_stage *stage, const char *upstream, struct error *error)
{
	char line[SETTINGS_UPSTREAM_TEXT_MAX + 1];
	int length = snprintf(line, sizeof(line), "%s\n", upstream);
	return bundle_stage_add(stage, BUNDLE_UPSTREAM, line, (size_t)length, error);
}

static int state_before(const struct bundle *bundle, bool learns, enum shield_state *state, struct error *error)
{
	int rc = bundle_state_read(bundle, state, error);
	if (rc || !learns || *state != SHIELD_BLOCK)
		return rc;
	return error_set(
		error, EPERM, "the shield of this name is in state block, which --learn does not open; say `terok-shield up` first");
}

int launch_stage_start(struct bundle_stage *stage, struct error *error)
{
	int rc = hooks_stage(stage, error);
	return rc ? rc : bundle_stage_add(stage, BUNDLE_RESOLV_CONF, RESOLV_CONF, strlen(RESOLV_CONF), error);
}

/* The settings come last, and before them the state: a crash may end a bypass early, never carry it over to a new container. Only what
 * opens a shield that was up comes after the settings, for the same reason. */
static int files_stage(
	struct bundle_stage *stage, const struct launch *launch, const struct profile_set *set, const char *upstream, struct error *error)
{
	enum shield_state before;
	int rc = state_before(stage->bundle, launch->learns, &before, error);
	bool opens = launch->learns && before == SHIELD_UP;
	if (!rc)
		rc = profiles_stage(stage, set, error);
	if (!rc)
		rc = launch_stage_start(stage, error);
	if (!rc)
		rc = upstream_stage(stage, upstream, error);
	if (!rc && !opens)
		rc = state_stage(stage, before, launch->learns, error);
	if (!rc)
		rc = bundle_stage_add_settings(stage, &launch->identity, &launch->settings, error);
	return rc || !opens ? rc : state_stage(stage, before, true, error);
}

static int bundle_fill(
	struct launch *launch, const struct profile_set *set, const struct podman_flags *podman, const char *upstream, struct error *error)
{
	const struct bundle *bundle = &launch->bundle;
	cleanup_fd int lock_fd = bundle_lock(bundle, LOCK_TIMEOUT_MS, error);
	if (lock_fd < 0)
		return lock_fd;
	cleanup_bundle_stage struct bundle_stage stage = {.bundle = bundle};
	int rc = running_check(bundle, podman, error);
	if (!rc)
		rc = launch_name_check(launch, podman, error);
	if (!rc)
		rc = files_stage(&stage, launch, set, upstream, error);
	if (!rc)
		rc = bundle_remove(bundle, BUNDLE_SHARED, error); /* of an earlier container, which was under another shield */
	if (!rc)
		rc = bundle_remove(bundle, BUNDLE_HOOK_ERROR, error);
	if (!rc)
		rc = bundle_remove(bundle, BUNDLE_CONTAINER_ID, error);
	return rc ? rc : bundle_stage_commit(&stage, error);
}

/* ---- flags ---- */

static void annotation_add(struct launch_words *flags, const char *key, const char *value)
{
	launch_words_add(flags, "--annotation");
	launch_words_add(flags, "terok.shield.%s=%s", key, value);
}

static void network_flags_add(struct launch_words *flags, enum launch_network network)
{
	switch (network) {
	case LAUNCH_NETWORK_PASTA:
		launch_words_add(flags, "--network");
		launch_words_add(flags, "pasta:--map-host-loopback,%s", GATEWAY_PASTA);
		launch_words_add(flags, "--add-host");
		launch_words_add(flags, "host.containers.internal:%s", GATEWAY_PASTA);
		return;
	case LAUNCH_NETWORK_SLIRP:
		launch_words_add(flags, "--network");
		launch_words_add(flags, "slirp4netns:allow_host_loopback=true");
		launch_words_add(flags, "--add-host");
		launch_words_add(flags, "host.containers.internal:%s", GATEWAY_SLIRP);
		return;
	case LAUNCH_NETWORK_ROOTFUL:
	case LAUNCH_NETWORK_CUSTOM:
		return;
	}
}

/* podman cuts --volume at colons, and podman 4 cuts --annotation at commas and reads quotes in it. */
static int state_path_check(const char *path, struct error *error)
{
	if (!strpbrk(path, ":,\"\n"))
		return 0;
	return error_set(
		error, EINVAL, "podman's flags cannot carry a state folder with ':', ',', '\"' or newline in its path: choose another");
}

int launch_flags_make(struct launch *launch, enum launch_network network, const char *upstream, const char *runtime, struct error *error)
{
	struct launch_words *flags = &launch->flags;
	const struct settings *settings = &launch->settings;
	const struct bundle_identity *identity = &launch->identity;
	cleanup_text struct text profiles = {0};
	cleanup_text struct text ports = {0};
	int rc = state_path_check(launch->bundle.path, error);
	if (rc)
		return rc;
	for (size_t i = 0; i < identity->profile_count; i++)
		text_addf(&profiles, "%s%s", i > 0 ? ":" : "", identity->profiles[i]);
	for (size_t i = 0; i < settings->loopback_port_count; i++)
		text_addf(&ports, "%s%u", i > 0 ? ":" : "", settings->loopback_ports[i]);
	if (text_failed(&profiles) || text_failed(&ports))
		return error_set(error, ENOMEM, "out of memory");
	network_flags_add(flags, network);
	launch_words_add(flags, "--volume");
	launch_words_add(flags, "%s/" BUNDLE_RESOLV_CONF ":/etc/resolv.conf:ro,Z", launch->bundle.path);
	annotation_add(flags, "profiles", profiles.data ? profiles.data : "");
	annotation_add(flags, "name", identity->container);
	annotation_add(flags, "state_dir", launch->bundle.path);
	annotation_add(flags, "loopback_ports", ports.data ? ports.data : "");
	annotation_add(flags, "version", identity->version);
	annotation_add(flags, "audit_enabled", settings->audit ? "true" : "false");
	annotation_add(flags, "upstream_dns", upstream);
	annotation_add(flags, "dns_tier", "proxy");
	for (size_t i = 0; i < 2; i++) {
		launch_words_add(flags, "--cap-drop");
		launch_words_add(flags, "%s", (const char *[]){"NET_ADMIN", "NET_RAW"}[i]);
	}
	launch_words_add(flags, runtime ? "--runtime" : "--hooks-dir");
	if (runtime)
		launch_words_add(flags, "%s", runtime);
	else
		launch_words_add(flags, "%s/hooks", launch->bundle.path);
	launch_words_add(flags, "--name");
	launch_words_add(flags, "%s", identity->container);
	return flags->failed ? error_set(error, ENOMEM, "out of memory") : 0;
}

/* crun, or else runc. */
int launch_runtime_find(bool verify, char path[PATH_MAX], struct error *error)
{
	static const char *const folders[] = {"/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin", "/bin", "/sbin"};
	bool crun = false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char real[64];
		snprintf(real, sizeof(real), "%s/crun", folders[i]);
		crun = crun || access(real, X_OK) == 0;
	}
	if (verify)
		return paths_libexec(crun ? "verify/crun" : "verify/runc", path, error);
	return paths_libexec(crun ? "crun" : "runc", path, error);
}

/* ---- the whole ---- */

static int prepare_with(struct launch *launch, struct config *config, const struct command_options *options,
	const struct podman_flags *podman, struct error *error)
{
	cleanup_profile_set struct profile_set set = {0};
	char path[PATH_MAX], root[PATH_MAX], runtime[PATH_MAX], upstream[SETTINGS_UPSTREAM_TEXT_MAX];
	enum launch_network network;
	int rc = launch_config_load(config, options, error);
	if (!rc)
		rc = launch_profiles_load(&set, config, options, error);
	if (!rc)
		rc = identity_fill(&launch->identity, config, options, error);
	if (!rc && !options->hooks)
		rc = launch_runtime_find(options->verify, runtime, error);
	if (!rc)
		rc = paths_bundle(options, options->container, path, error);
	if (!rc)
		rc = state_path_check(path, error);
	if (!rc)
		rc = paths_state_root(options, root, error);
	if (rc)
		return rc;
	launch->settings = config->settings;
	launch->learns = options->learn;
	rc = launch_ca_check(&launch->settings, error);
	if (!rc)
		rc = network_choose(&network, &launch->settings, podman, root, error);
	if (!rc)
		rc = bundle_create(&launch->bundle, path, error);
	if (rc)
		return rc;
	launch->settings.published_count = podman ? podman->published_count : 0;
	if (podman)
		memcpy(launch->settings.published, podman->published, sizeof(podman->published));
	paths_hub(launch->settings.hub);
	launch_upstream_text(&launch->settings, upstream);
	rc = bundle_fill(launch, &set, podman, upstream, error);
	if (!rc && launch->learns)
		fprintf(stderr, "note: %s learns: it may reach everything outside until `terok-shield learn %s off`\n", options->container,
			options->container);
	return rc ? rc : launch_flags_make(launch, network, upstream, options->hooks ? NULL : runtime, error);
}

int launch_prepare(struct launch *launch, const struct command_options *options, const struct podman_flags *podman, struct error *error)
{
	struct config config;
	if (options->hooks && options->verify)
		return error_set(
			error, EINVAL, "--verify with --hooks is refused: it is the shield's runtime that verifies; leave out --hooks");
	if (podman && (podman->pod || podman->joins))
		return launch_join(launch, options, podman, error);
	int rc = prepare_with(launch, &config, options, podman, error);
	config_free(&config);
	return rc;
}

void launch_free(struct launch *launch)
{
	bundle_identity_free(&launch->identity);
	launch_words_free(&launch->flags);
	bundle_close(&launch->bundle);
}
