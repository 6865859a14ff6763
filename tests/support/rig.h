/* A rig for tests and benchmarks: two network namespaces, a bundle, the real forwarder between them, and a scripted upstream resolver outside.
 *
 * Needs root. rig_start() moves the calling process into a network namespace of its own (the outside); a child of it stands for the container's init in another (the inside).
 * The scripted upstream is the one fake: a thread that answers on 127.0.0.1 port RIG_UPSTREAM_PORT of the outside, by UDP and TCP, what the test's function says.
 */
#ifndef TESTS_SUPPORT_RIG_H
#define TESTS_SUPPORT_RIG_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state/bundle.h"

#define RIG_UPSTREAM_PORT 5300
#define RIG_FOLDER_MAX    64
#define RIG_STALE_MAX     64
#define RIG_ID            "0123456789ab" /* the container's short id */

/* Writes the answer to a query (both without TCP's length prefix) into out (65535 octets). Returns its length; 0: no answer. */
typedef size_t rig_answer(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out);

struct rig {
	struct bundle bundle;
	char folder[RIG_FOLDER_MAX];
	struct settings settings;
	pid_t init;
	pid_t proxy;	    /* the forwarder's supervisor */
	const char *meta;   /* the file of its dossier; NULL: none */
	const char *worker; /* the worker's program; NULL: the one beside the test program */
	int init_pidfd, inside_fd, outside_fd;
	/* the scripted upstream */
	rig_answer *answer;
	void *context;
	unsigned queries; /* received by it so far, atomically counted */
	struct sockaddr_in asker; /* who sent the last one by UDP, for the answer function to forge with */
	pthread_t thread;
	int upstream_udp, upstream_tcp, stop_fd;
};

/* Why rigs cannot be had here (no root, no namespaces), or NULL. */
const char *rig_missing(void);

/* Says what is missing, and returns what main() then returns: ctest's word for a skip, or with SHIELD_NO_SKIP a failure. */
int rig_skip(const char *missing);

/* Makes a folder of the test's own below /run; path: caller's, at least RIG_FOLDER_MAX. It is the test's until the process and its children have ended, however they
 * do: a lock on it says so. Removes first, at most RIG_STALE_MAX, those of tests that have ended without doing it. */
void rig_folder_make(char path[RIG_FOLDER_MAX]);
/* Removes it with all that is in it. */
void rig_folder_remove(const char *path);

/* Makes namespaces, bundle (domains: the text of profile.domains; networks: of profile.allowed), upstream; applies the ruleset inside. Does not start the forwarder.
 * answer NULL: no upstream, for a test that has its own.
 * Settings may be changed before rig_forwarder(). Ends the test program with a message when something fails. */
void rig_start(struct rig *rig, const char *domains, const char *networks, rig_answer *answer, void *context);
/* Starts the forwarder from beside the test program: the supervisor, which starts its worker. Returns its first line: "ready" or "error: ...". */
const char *rig_forwarder(struct rig *rig);
/* The worker's process at this moment, 0 for none. */
pid_t rig_worker(const struct rig *rig);
/* Moves the scripted upstream into the container's namespace, for a forwarder that asks from there. */
void rig_upstream_inside(struct rig *rig);
/* Ends what is left and removes the folder. */
void rig_stop(struct rig *rig);

/* A socket inside the container's namespace, connected to address and port ("127.0.0.1", "::1", or any other). */
int rig_socket(struct rig *rig, const char *address, uint16_t port, int type);

/* Writes a query: RD, one question, with EDNS (1232, DO as wanted) when edns. Returns its length. */
size_t rig_query(uint8_t *out, uint16_t id, const char *name, uint16_t type, bool edns);

/* Sends a query by UDP to the forwarder and waits for the reply, at most timeout_ms. Returns its length, 0 for none. reply: 65535 octets. */
size_t rig_ask(struct rig *rig, const char *name, uint16_t type, unsigned timeout_ms, uint8_t *reply);

/* Runs a shell command inside the container's network namespace; its standard output, caller frees. */
char *rig_shell(struct rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Building answers: header and question taken from query, flags QR RA and rcode; records are appended. */
size_t rig_reply(uint8_t *out, const uint8_t *query, size_t length, unsigned rcode);
/* Appends a record to section (0 answer, 1 authority, 2 additional); owner NULL: a pointer to the question. Returns the new length. */
size_t rig_record(uint8_t *out, size_t length, unsigned section, const char *owner, uint16_t type, uint32_t ttl_s, const void *data, size_t data_length);
/* A name as it stands in a record's data. Returns its length. */
size_t rig_name(uint8_t *out, const char *name);

#endif
