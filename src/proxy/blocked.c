/* What is told of a connection that was refused. */
#include "proxy/blocked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_line.h"
#include "policy/protocol.h"
#include "proxy/proxy.h"
#include "state/audit.h"
#include "state/dossier.h"
#include "state/hub.h"
#include "state/worker.h"

#define WAITING_MAX    (3 * BLOCKED_MAX) /* as long as they wait at most */
#define WAIT_SECONDS   2
#define ID_OCTETS_MAX  64
#define SERIAL_NUMBERS 1000000u

struct waiting {
	struct blocked_connection connection; /* its name is the one behind it, or NULL */
	struct name name;
};

struct blocked {
	struct proxy *proxy;
	struct event *readable;
	int herald_fd;
	bool has_file;     /* of the dossier */
	char *annotations; /* the dossier's other part, "" for none */
	char *dossier;     /* of annotations alone */
	char id[HUB_ID_MAX];
	uint64_t number; /* of the last question to the hub */
	unsigned told;   /* in this second */
	uint64_t more;   /* connections that had no line of their own */
	unsigned waited; /* seconds since the file was asked for */
	unsigned waiting_count;
	struct waiting waiting[WAITING_MAX];
};

/* ---- telling ---- */

static const char *name_write(const struct name *name, char text[NAME_TEXT_MAX])
{
	text[0] = '\0';
	if (name)
		name_to_text(name, text);
	return text;
}

static void audit_tell(struct blocked *blocked, const struct blocked_connection *connection, const char *dossier)
{
	const struct packet_record *record = &connection->record;
	char address[ADDR_TEXT_MAX], protocol[PROTOCOL_TEXT_MAX], text[NAME_TEXT_MAX];
	struct audit_event event = {
		.action = "blocked",
		.dest = addr_format(&record->dest, address),
		.protocol = protocol_format(record->protocol, protocol),
		.port = record->has_ports ? record->port : 0,
		.domain = connection->name ? name_write(connection->name, text) : NULL,
		.count = connection->count,
		.dossier = strcmp(dossier, "{}") ? dossier : NULL,
	};

	audit_write(&blocked->proxy->bundle, blocked->proxy->container, &event);
}

/* The hook writes the id before the workload runs, and after this process has started. */
static const char *id_find(struct blocked *blocked)
{
	cleanup_free char *id = NULL;

	if (!*blocked->id && !bundle_read(&blocked->proxy->bundle, BUNDLE_CONTAINER_ID, ID_OCTETS_MAX, &id, NULL, NULL))
		snprintf(blocked->id, sizeof(blocked->id), "%.*s", (int)strcspn(id, "\n"), id);
	return blocked->id;
}

static void hub_tell(struct blocked *blocked, const struct blocked_connection *connection, const char *dossier)
{
	const struct packet_record *record = &connection->record;
	const size_t head = strlen(WORKER_TELL);
	char packet[4096 + DOSSIER_MAX] = WORKER_TELL, address[ADDR_TEXT_MAX], text[NAME_TEXT_MAX], when[CLOCK_TEXT_MAX], id[64];
	struct json_line line;

	snprintf(id, sizeof(id), "%s:%llu", id_find(blocked), (unsigned long long)++blocked->number);
	json_line_begin(&line, packet + head, sizeof(packet) - head);
	json_line_string(&line, "type", "pending");
	json_line_string(&line, "container", blocked->id);
	json_line_string(&line, "name", blocked->proxy->container);
	json_line_string(&line, "id", id);
	json_line_string(&line, "dest", addr_format(&record->dest, address));
	json_line_number(&line, "port", record->has_ports ? record->port : 0);
	json_line_number(&line, "proto", record->protocol);
	json_line_string(&line, "domain", name_write(connection->name, text));
	json_line_raw(&line, "dossier", dossier);
	json_line_string(&line, "ts", clock_wall_text(when, sizeof(when), clock_wall_s()));
	if (json_line_end(&line))
		send(blocked->herald_fd, packet, head + line.length, MSG_NOSIGNAL);
}

static void connection_tell(struct blocked *blocked, const struct blocked_connection *connection, const char *dossier)
{
	if (connection->is_audited)
		audit_tell(blocked, connection, dossier);
	if (connection->is_pending)
		hub_tell(blocked, connection, dossier);
}

/* ---- waiting for the file ---- */

/* Tells all that wait, with what stands in the file. */
static void waiting_tell(struct blocked *blocked, struct dossier_source meta)
{
	struct dossier_source annotations = {blocked->annotations, strlen(blocked->annotations)};
	cleanup_free char *merged = blocked->waiting_count ? dossier_merge(annotations, meta) : NULL;

	for (unsigned i = 0; i < blocked->waiting_count; i++)
		connection_tell(blocked, &blocked->waiting[i].connection, merged ? merged : blocked->dossier);
	blocked->waiting_count = 0;
}

static bool connection_wait(struct blocked *blocked, const struct blocked_connection *connection)
{
	struct waiting *waiting = &blocked->waiting[blocked->waiting_count];

	if (!blocked->waiting_count) {
		if (send(blocked->herald_fd, WORKER_META, strlen(WORKER_META), MSG_NOSIGNAL) < 0)
			return false;
		blocked->waited = 0;
	}
	waiting->connection = *connection;
	if (connection->name) {
		memcpy(&waiting->name, connection->name,
			offsetof(struct name, wire) + connection->name->length); /* it may be cut behind that */
		waiting->connection.name = &waiting->name;
	}
	blocked->waiting_count++;
	return true;
}

static void herald_readable(evutil_socket_t fd, short what, void *context)
{
	struct blocked *blocked = context;
	char packet[WORKER_HERALD_MAX];
	const size_t head = strlen(WORKER_META) + 1;
	ssize_t length = recv(fd, packet, sizeof(packet), 0);

	(void)what;
	if (length == 0) /* the supervisor is gone, and this process soon too */
		event_del(blocked->readable);
	if (length >= (ssize_t)head)
		waiting_tell(blocked, (struct dossier_source){packet + head, (size_t)length - head});
}

/* ---- the whole ---- */

/* What the bundle has of it: the hook wrote that before this process was started. */
static bool bundle_look(struct blocked *blocked)
{
	const struct bundle *bundle = &blocked->proxy->bundle;
	cleanup_free char *path = NULL;
	size_t length;

	blocked->has_file = blocked->herald_fd >= 0 && !bundle_read(bundle, BUNDLE_META_PATH, PATH_MAX + 1, &path, NULL, NULL);
	if (bundle_read(bundle, BUNDLE_DOSSIER, DOSSIER_MAX + 1, &blocked->annotations, &length, NULL))
		blocked->annotations = strdup("");
	if (!blocked->annotations)
		return false;
	blocked->dossier =
		dossier_merge((struct dossier_source){blocked->annotations, strlen(blocked->annotations)}, (struct dossier_source){0});
	return blocked->dossier;
}

struct blocked *blocked_start(struct proxy *proxy, int herald_fd)
{
	struct blocked *blocked = calloc(1, sizeof(*blocked));

	if (!blocked)
		return NULL;
	blocked->proxy = proxy;
	blocked->herald_fd = herald_fd;
	blocked->number = (uint64_t)proxy->start.serial * SERIAL_NUMBERS; /* what another worker has asked has another number */
	blocked->readable = herald_fd < 0 ? NULL : event_new(proxy->base, herald_fd, EV_READ | EV_PERSIST, herald_readable, blocked);
	if (!bundle_look(blocked) || (herald_fd >= 0 && (!blocked->readable || event_add(blocked->readable, NULL)))) {
		blocked_stop(blocked);
		return NULL;
	}
	return blocked;
}

void blocked_stop(struct blocked *blocked)
{
	if (!blocked)
		return;
	waiting_tell(blocked, (struct dossier_source){0});
	if (blocked->readable)
		event_free(blocked->readable);
	free(blocked->annotations);
	free(blocked->dossier);
	free(blocked);
}

bool blocked_has_hub(const struct blocked *blocked)
{
	return blocked->herald_fd >= 0 && *blocked->proxy->settings.hub;
}

void blocked_tell(struct blocked *blocked, const struct blocked_connection *connection)
{
	if (blocked->told == BLOCKED_MAX) {
		blocked->more += connection->is_audited ? connection->count : 0;
		return;
	}
	blocked->told++;
	if (blocked->has_file && blocked->waiting_count < WAITING_MAX && connection_wait(blocked, connection))
		return;
	connection_tell(blocked, connection, blocked->dossier);
}

void blocked_second(struct blocked *blocked)
{
	char detail[96];
	struct audit_event event = {.action = "blocked", .detail = detail, .count = blocked->more};

	if (blocked->waiting_count && ++blocked->waited >= WAIT_SECONDS)
		waiting_tell(blocked, (struct dossier_source){0});
	blocked->told = 0;
	if (!blocked->more)
		return;
	snprintf(detail, sizeof(detail), "%llu more, to destinations that are not listed one by one", (unsigned long long)blocked->more);
	blocked->more = 0;
	audit_write(&blocked->proxy->bundle, blocked->proxy->container, &event);
}
