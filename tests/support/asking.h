/* Questions in every shape, asked of a server or a forwarder, for tests that compare two of them. */
#ifndef TESTS_SUPPORT_ASKING_H
#define TESTS_SUPPORT_ASKING_H

#include "support/compare.h"
#include "support/wire.h"
#include "support/zones.h"

#define RD             MESSAGE_RD
#define FLAG_DO        0x8000
#define CLASS_CH       3
#define CLASS_ANY      255
#define OPCODE(number) ((number) << 11)

enum {
	TYPE_NS = 2,
	TYPE_HINFO = 13,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_RP = 17,
	TYPE_AFSDB = 18,
	TYPE_LOC = 29,
	TYPE_SRV = 33,
	TYPE_NAPTR = 35,
	TYPE_CERT = 37,
	TYPE_DS = 43,
	TYPE_SSHFP = 44,
	TYPE_DNSKEY = 48,
	TYPE_NSEC3PARAM = 51,
	TYPE_TLSA = 52,
	TYPE_URI = 256,
	TYPE_CAA = 257,
	TYPE_OURS = 65280,
	TYPE_OURS_EMPTY = 65281,
};

enum spelling {
	SPELLED_AS_WRITTEN,
	SPELLED_UPPER,
	SPELLED_MIXED,
};

/* What is wrong with a message. */
enum shape {
	SHAPE_PLAIN,
	SHAPE_NO_QUESTION,
	SHAPE_TWO_QUESTIONS,
	SHAPE_ANSWER, /* a record in the answer section */
	SHAPE_TWO_OPT,
	SHAPE_OPT_OWNER,  /* an OPT record that does not belong to the root */
	SHAPE_TRAILING,   /* octets behind the last record */
	SHAPE_CUT,        /* ends within the question */
	SHAPE_COMPRESSED, /* a pointer in the question */
	SHAPE_SHORT,      /* shorter than a header */
	SHAPE_LABEL_TYPE, /* a label of the type 01 */
	SHAPE_ADDITIONAL, /* a record of the client's in the additional section */
};

struct variant {
	const char *what;
	unsigned flags;
	bool edns;
	unsigned size, version, edns_flags;
	const char *options;
	size_t options_length;
	enum spelling spelling;
	bool tcp, v6;
};

struct query {
	char name[ZONES_NAME_MAX + 16];
	unsigned type, class;
	const struct variant *variant;
	enum shape shape;
	bool unlisted; /* no rule allows the name */
};

void query_write(const struct query *query, struct wire *wire);
size_t query_limit(const struct query *query); /* octets that the client takes */

/* A socket to that port of the present network namespace's loopback; -errno. */
int asking_socket(bool v6, uint16_t port, int type);

/* Sends the message over the socket, a fresh one; false when that does not go. */
bool asking_send(int fd, const struct query *query, const struct wire *wire);
/* Reads the reply into view, which is empty when none comes in time, or fd is no socket. */
void asking_receive(int fd, const struct query *query, int timeout_ms, struct view *view);
/* Both. */
void asking_exchange(int fd, const struct query *query, const struct wire *wire, int timeout_ms, struct view *view);

/* What the server on that port says by TCP where its reply is truncated: read into storage, which has to be given back with view_free() in either
 * case. Otherwise the reply itself. */
const struct view *asking_whole(uint16_t port, const struct query *query, const struct view *reply, struct view *storage);

/* The type's name, or TYPE and its number. */
#define ASKING_TYPE_MAX 16
const char *asking_type_name(unsigned type, char text[ASKING_TYPE_MAX]);

#endif
