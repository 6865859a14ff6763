/* config.yml, read as a stream of libyaml's events.
 *
 * Each mapping has a table of its keys; a key's function consumes the events of its value. What the tables do not foresee is an
 * error at the place where it stands, so nothing that the file says is passed over, and nothing nests deeper than the tables
 * do. Anchors, aliases and tags are refused outright: a configuration has no use for them.
 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "config/profile.h"

#define CONFIG_OCTETS_MAX (1u << 20)

#define SHOWN(word) text_escaped((char[200]){0}, 200, word)

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool has_event;
	const char *path;
	struct config *config;
	struct error *error;
};

struct key {
	const char *name;
	int (*read)(struct reader *reader); /* the current event is the value's first; it must be its last on return */
};

/* ---- events ---- */

static int bad_at(const struct reader *reader, yaml_mark_t mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int bad_at(const struct reader *reader, yaml_mark_t mark, const char *format, ...)
{
	char what[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return error_set(reader->error, EINVAL, "%s:%zu:%zu: %s", SHOWN(reader->path), mark.line + 1, mark.column + 1, what);
}

#define bad(reader, ...) bad_at(reader, (reader)->event.start_mark, __VA_ARGS__)

static bool has_anchor_or_tag(const yaml_event_t *event)
{
	switch ((int)event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return event->type == YAML_ALIAS_EVENT;
	}
}

/* Goes on to the next event. */
static int advance(struct reader *reader)
{
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = yaml_parser_parse(&reader->parser, &reader->event) == 1;
	if (!reader->has_event) {
		const char *problem = reader->parser.problem ? reader->parser.problem : "it cannot be parsed";

		if (reader->parser.error == YAML_MEMORY_ERROR)
			return error_errno(reader->error, ENOMEM, "%s", SHOWN(reader->path));
		return bad_at(reader, reader->parser.error == YAML_READER_ERROR ? reader->parser.mark : reader->parser.problem_mark,
			"not valid YAML: %s", problem);
	}
	if (has_anchor_or_tag(&reader->event))
		return bad(reader, "anchors, aliases and tags are not supported; write the value itself");
	return 0;
}

/* The text of the current scalar; an error for anything else. what: "a word". */
static int scalar(const struct reader *reader, const char *what, const char **text)
{
	if (reader->event.type != YAML_SCALAR_EVENT)
		return bad(reader, "expected %s, found a %s", what, reader->event.type == YAML_SEQUENCE_START_EVENT ? "list" : "mapping");
	*text = (const char *)reader->event.data.scalar.value;
	if (strlen(*text) != reader->event.data.scalar.length)
		return bad(reader, "expected %s, found text with a NUL in it", what);
	return 0;
}

/* As scalar(), and without quotes, which would make it a string. */
static int plain(const struct reader *reader, const char *what, const char **text)
{
	int result = scalar(reader, what, text);

	if (result == 0 && reader->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return bad(reader, "expected %s, found the text '%s'; write it without quotes", what, SHOWN(*text));
	return result;
}

/* Reads a mapping by its table. keys: at most 32 of them, the last without a name. */
static int mapping(struct reader *reader, const struct key *keys, const char *what)
{
	uint32_t seen = 0;
	int result;

	if (reader->event.type != YAML_MAPPING_START_EVENT)
		return bad(reader, "expected %s", what);
	while ((result = advance(reader)) == 0 && reader->event.type != YAML_MAPPING_END_EVENT) {
		const char *name = NULL;
		size_t i = 0;

		if ((result = scalar(reader, "a key", &name)))
			return result;
		while (keys[i].name && strcmp(keys[i].name, name) != 0)
			i++;
		if (!keys[i].name)
			return bad(reader, "unknown key '%s'", SHOWN(name));
		if (seen & 1u << i)
			return bad(reader, "the key '%s' is there twice", keys[i].name);
		seen |= 1u << i;
		if ((result = advance(reader)) || (result = keys[i].read(reader)))
			return result;
	}
	return result;
}

/* Calls read for each element of a list, the current event being the element's. */
static int list(struct reader *reader, int (*read)(struct reader *reader), const char *what)
{
	int result;

	if (reader->event.type != YAML_SEQUENCE_START_EVENT)
		return bad(reader, "expected a list of %s, such as [...]", what);
	while ((result = advance(reader)) == 0 && reader->event.type != YAML_SEQUENCE_END_EVENT) {
		result = read(reader);
		if (result)
			return result;
	}
	return result;
}

/* ---- values ---- */

static int read_mode(struct reader *reader)
{
	const char *word = NULL;
	int result = scalar(reader, "a word", &word);

	if (result)
		return result;
	if (strcmp(word, "hook") != 0 && strcmp(word, "auto") != 0)
		return bad(reader, "'%s' is no mode; the only one is hook (or auto)", SHOWN(word));
	snprintf(reader->config->mode, sizeof(reader->config->mode), "%s", word);
	return 0;
}

static int read_profile(struct reader *reader)
{
	struct config *config = reader->config;
	const char *name = NULL;
	int result = scalar(reader, "a profile's name", &name);

	if (result)
		return result;
	if (!profile_name_is_safe(name))
		return bad(reader, "'%s' is no profile's name", SHOWN(name));
	if (config->default_profile_count == CONFIG_PROFILES_MAX)
		return bad(reader, "more than %d profiles", CONFIG_PROFILES_MAX);
	config->default_profiles[config->default_profile_count] = strdup(name);
	if (!config->default_profiles[config->default_profile_count])
		return error_errno(reader->error, ENOMEM, "%s", SHOWN(reader->path));
	config->default_profile_count++;
	return 0;
}

static int read_default_profiles(struct reader *reader)
{
	config_free(reader->config); /* the list replaces the default */
	return list(reader, read_profile, "profiles' names");
}

/* Decimal digits without a zero in front. what: "port". */
static int number(const struct reader *reader, const char *what, unsigned min, unsigned max, unsigned *value)
{
	const char *text = NULL;
	uint64_t read = 0;
	int result = plain(reader, "a number", &text);

	if (result)
		return result;
	for (size_t i = 0; read <= max && text[i] != '\0'; i++)
		read = text[i] >= '0' && text[i] <= '9' ? read * 10 + (unsigned)(text[i] - '0') : (uint64_t)max + 1;
	if (text[0] == '\0' || read < min || read > max || (text[0] == '0' && text[1] != '\0'))
		return bad(reader, "'%s' is no %s; a %s is a number from %u to %u", SHOWN(text), what, what, min, max);
	*value = (unsigned)read;
	return 0;
}

static int read_loopback_port(struct reader *reader)
{
	struct settings *settings = &reader->config->settings;
	unsigned port = 0;
	int result = number(reader, "port", 1, UINT16_MAX, &port);

	if (result)
		return result;
	for (size_t i = 0; i < settings->loopback_port_count; i++)
		if (settings->loopback_ports[i] == port)
			return bad(reader, "the port %u is listed twice", port);
	if (settings->loopback_port_count == SETTINGS_PORTS_MAX)
		return bad(reader, "more than %d ports", SETTINGS_PORTS_MAX);
	settings->loopback_ports[settings->loopback_port_count++] = (uint16_t)port;
	return 0;
}

static int read_loopback_ports(struct reader *reader)
{
	return list(reader, read_loopback_port, "ports");
}

static int read_audit_enabled(struct reader *reader)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};
	const char *word = NULL;
	int result = plain(reader, "true or false", &word);

	if (result)
		return result;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i].word, word) == 0) {
			reader->config->settings.audit = words[i].value;
			return 0;
		}
	}
	return bad(reader, "expected true or false, found '%s'", SHOWN(word));
}

static int read_audit(struct reader *reader)
{
	static const struct key keys[] = {{"enabled", read_audit_enabled}, {NULL, NULL}};

	return mapping(reader, keys, "a mapping such as {enabled: true}");
}

/* What is wrong with an upstream's text, by the error of settings_upstream_parse(). */
static int upstream_bad(const struct reader *reader, const char *text, int result)
{
	bool tls = strncasecmp(text, "tls:", 4) == 0;

	if (result == -ENODATA)
		return bad(reader, "'%s': a server by TLS needs the name that its certificate is for, such as \"tls://192.0.2.1#dns.example\": "
			"without it anybody could answer", SHOWN(text));
	if (result == -EDOM)
		return bad(reader, "'%s': what follows # is no host's name; write the name of its certificate, in ASCII, such as dns.example",
			SHOWN(text));
	if (tls)
		return bad(reader, "'%s' is no server by TLS, such as \"tls://192.0.2.1#dns.example\" or \"tls://[2001:db8::1]:853#dns.example\"",
			SHOWN(text));
	return bad(reader, "'%s' is no address with an optional port, such as 192.0.2.1, 192.0.2.1:5353 or \"[2001:db8::1]:53\"", SHOWN(text));
}

static int read_upstream(struct reader *reader)
{
	struct settings *settings = &reader->config->settings;
	struct settings_upstream upstream;
	const char *text = NULL;
	int result = scalar(reader, "an address", &text);

	if (result)
		return result;
	result = settings_upstream_parse(&upstream, text);
	if (result)
		return upstream_bad(reader, text, result);
	if (addr_scope(&upstream.endpoint.addr) == ADDR_UNSPECIFIED || addr_scope(&upstream.endpoint.addr) == ADDR_MULTICAST)
		return bad(reader, "'%s' is no resolver's address", SHOWN(text));
	if (settings->upstream_count > 0 && settings_use_tls(settings) != (*upstream.tls_name != '\0'))
		return bad(reader, "'%s': a list has servers by tls:// or servers in the clear, not both: when those by TLS fail, names would "
			"leave in the clear; take one kind out", SHOWN(text));
	if (settings->upstream_count == SETTINGS_UPSTREAMS_MAX)
		return bad(reader, "more than %d upstream resolvers", SETTINGS_UPSTREAMS_MAX);
	settings->upstreams[settings->upstream_count++] = upstream;
	return 0;
}

static int read_upstreams(struct reader *reader)
{
	return list(reader, read_upstream, "resolvers' addresses");
}

static int read_ca(struct reader *reader)
{
	const char *path = NULL;
	int result = scalar(reader, "a file's path", &path);

	if (result)
		return result;
	if (path[0] != '/')
		return bad(reader, "'%s' is no absolute path; write the whole path of a file of CA certificates (PEM)", SHOWN(path));
	if (strlen(path) >= SETTINGS_CA_MAX)
		return bad(reader, "the path is longer than %d octets", SETTINGS_CA_MAX - 1);
	strcpy(reader->config->settings.ca, path);
	return 0;
}

static int read_via(struct reader *reader)
{
	const char *word = NULL;
	int result = scalar(reader, "a word", &word);

	if (result == 0 && settings_via_parse(&reader->config->settings.via, word))
		return bad(reader, "expected auto, host or container, found '%s'", SHOWN(word));
	return result;
}

static int read_deny(struct reader *reader)
{
	const char *word = NULL;
	int result = scalar(reader, "a word", &word);

	if (result == 0 && settings_deny_parse(&reader->config->settings.deny, word))
		return bad(reader, "expected nxdomain or refused, found '%s'", SHOWN(word));
	return result;
}

static int read_budget_names(struct reader *reader)
{
	return number(reader, "budget", 0, SETTINGS_BUDGET_MAX, &reader->config->settings.budget_names);
}

static int read_budget_octets(struct reader *reader)
{
	return number(reader, "budget", 0, SETTINGS_BUDGET_MAX, &reader->config->settings.budget_octets);
}

static int read_budget(struct reader *reader)
{
	static const struct key keys[] = {{"names", read_budget_names}, {"octets", read_budget_octets}, {NULL, NULL}};

	return mapping(reader, keys, "a mapping such as {names: 600}");
}

static int read_dns(struct reader *reader)
{
	static const struct key keys[] = {
		{"upstream", read_upstreams}, {"ca", read_ca}, {"via", read_via}, {"deny", read_deny}, {"budget", read_budget}, {NULL, NULL}};

	return mapping(reader, keys, "a mapping such as {via: auto}");
}

static int read_reject(struct reader *reader)
{
	const char *word = NULL;
	int result = scalar(reader, "a word", &word);

	if (result == 0 && settings_reject_parse(&reader->config->settings.reject, word))
		return bad(reader, "expected icmp or reset, found '%s'", SHOWN(word));
	return result;
}

/* ---- the whole ---- */

static const struct key top_keys[] = {
	{"mode", read_mode},
	{"default_profiles", read_default_profiles},
	{"loopback_ports", read_loopback_ports},
	{"audit", read_audit},
	{"dns", read_dns},
	{"reject", read_reject},
	{NULL, NULL},
};

/* The only document. Nothing at all, or comments alone, leaves the defaults. */
static int read_stream(struct reader *reader)
{
	int result;

	if ((result = advance(reader)) || (result = advance(reader))) /* past the stream's start */
		return result;
	if (reader->event.type == YAML_STREAM_END_EVENT)
		return 0;
	if ((result = advance(reader))) /* past the document's start */
		return result;
	if (reader->event.type != YAML_SCALAR_EVENT || reader->event.data.scalar.length > 0)
		result = mapping(reader, top_keys, "a mapping of keys to values");
	if (result || (result = advance(reader)) || (result = advance(reader))) /* past the document's end */
		return result;
	return reader->event.type == YAML_STREAM_END_EVENT ? 0 : bad(reader, "a second document; a configuration is one");
}

static int config_init(struct config *config, struct error *error)
{
	*config = (struct config){.mode = "hook"};
	settings_init(&config->settings);
	config->default_profiles[0] = strdup("dev-standard");
	if (!config->default_profiles[0])
		return error_errno(error, ENOMEM, "configuration");
	config->default_profile_count = 1;
	return 0;
}

int config_parse(struct config *config, const char *path, const char *data, size_t length, struct error *error)
{
	struct reader reader = {.path = path, .config = config, .error = error};
	int result = config_init(config, error);

	if (result)
		return result;
	config->from_file = true;
	if (!yaml_parser_initialize(&reader.parser))
		return error_errno(error, ENOMEM, "%s", SHOWN(path));
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, length);
	result = read_stream(&reader);
	if (reader.has_event)
		yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	return result;
}

int config_load(struct config *config, const char *path, struct error *error)
{
	/* The user's own file; a link is as good. */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *data = NULL;
	struct stat status;
	size_t length;
	int result;

	if (fd < 0 && errno == ENOENT)
		return config_init(config, error);
	*config = (struct config){0};
	if (fd < 0 || fstat(fd, &status))
		return error_errno(error, errno, "%s", SHOWN(path));
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s: it is not a regular file", SHOWN(path));
	result = file_read_fd(fd, CONFIG_OCTETS_MAX, &data, &length);
	return result ? error_errno(error, -result, "%s", SHOWN(path)) : config_parse(config, path, data, length, error);
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->default_profile_count; i++)
		free(config->default_profiles[i]);
	config->default_profile_count = 0;
}
