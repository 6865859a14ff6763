/* Attacks on the path from a query to an address in the set, each a test with a name: what a hostile workload sends, and what a hostile server or whoever can
 * send to the upstream socket answers. The judges stand outside of what is judged: the scripted upstream keeps the octets of every query that left, and nft
 * says what the kernel's set holds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "support/rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEEN_MAX     4096
#define SEEN_OCTETS  512
#define WAIT_MS      3000
#define SILENCE_MS   200 /* for what nobody has to answer */
#define TYPE_TXT     16
#define DNS_PORT     53
#define FLOOD_NAMES  20000
#define HALF_OPEN    300

static struct rig rig;
static uint8_t reply[MESSAGE_MAX];
static size_t reply_length;
/* For documentation (RFC 5737), or with dnsmasq, which takes these for inside addresses, for measurements (RFC 2544), which ours does. */
#define MANY 3
static uint8_t good[4] = {198, 51, 100, 10}, evil[4] = {203, 0, 113, 60}; /* evil: another one for each try */
static uint8_t many[MANY][3] = {{192, 0, 2}, {198, 51, 100}, {203, 0, 113}};

/* What left, octet by octet. Written by the upstream's thread; `seen_count` last. */
static struct {
	size_t length;
	uint8_t octets[SEEN_OCTETS];
} seen[SEEN_MAX];
static unsigned seen_count;

/* ---- the hostile server ---- */

static const struct {
	const char *what;
	uint8_t octets[4];
} inside_v4[] = {
	{"0.0.0.0", {0}},
	{"0.1.2.3", {0, 1, 2, 3}},
	{"10.1.2.3", {10, 1, 2, 3}},
	{"100.64.1.1", {100, 64, 1, 1}},
	{"127.0.0.1", {127, 0, 0, 1}},
	{"127.8.8.8", {127, 8, 8, 8}},
	{"169.254.169.254", {169, 254, 169, 254}},
	{"172.16.0.1", {172, 16, 0, 1}},
	{"172.31.255.255", {172, 31, 255, 255}},
	{"192.168.1.1", {192, 168, 1, 1}},
	{"224.0.0.1", {224, 0, 0, 1}},
	{"255.255.255.255", {255, 255, 255, 255}},
};

static const char *const inside_v6[] = {
	"::",
	"::1",
	"fe80::1",
	"fc00::1",
	"fd00:ec2::254",
	"ff02::1",
	"::ffff:10.1.2.3",
	"::10.1.2.3",
	"64:ff9b::a01:203",
	"64:ff9b:1::a01:203",
	"2002:a01:203::1",
	"2001:0:a01:203::1",
	"2001::f5fe:fdfc",
};

/* Sends to the asker from a socket that is not the server's, in its namespace. */
static void forge(const uint8_t *octets, size_t length)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sendto(fd, octets, length, 0, (const struct sockaddr *)&rig.asker, sizeof(rig.asker));
}

/* Sends from the server's own address and port. */
static void forge_as_server(const uint8_t *octets, size_t length)
{
	sendto(rig.upstream_udp, octets, length, 0, (const struct sockaddr *)&rig.asker, sizeof(rig.asker));
}

static size_t alias_add(uint8_t *out, size_t at, const char *owner, const char *target)
{
	uint8_t name[NAME_WIRE_MAX];
	size_t length = rig_name(name, target);

	return rig_record(out, at, 0, owner, TYPE_CNAME, 60, name, length);
}

/* An answer with the good address, and before it on the wire one that is a lie in one respect. */
static size_t forged_first(const char *how, const uint8_t *query, size_t length, uint8_t *out)
{
	static uint8_t lie[512];
	size_t at;

	if (!strcmp(how, "question")) {
		uint8_t other[512];
		size_t other_length = rig_query(other, message_get16(query), "question.elsewhere.test", TYPE_A, false);

		at = rig_reply(lie, other, other_length, RCODE_NOERROR);
	} else {
		at = rig_reply(lie, query, length, RCODE_NOERROR);
	}
	at = rig_record(lie, at, 0, NULL, TYPE_A, 60, evil, 4);
	if (!strcmp(how, "id"))
		lie[1] ^= 1;
	if (!strcmp(how, "type"))
		lie[rig_reply(out, query, length, 0) - 3] = TYPE_TXT;
	if (!strcmp(how, "source"))
		forge(lie, at);
	else
		forge_as_server(lie, at);
	return rig_record(out, rig_reply(out, query, length, RCODE_NOERROR), 0, NULL, TYPE_A, 60, good, 4);
}

static size_t chain_add(uint8_t *out, size_t at, unsigned steps)
{
	char owner[64], target[64];

	for (unsigned i = 0; i < steps; i++) {
		snprintf(owner, sizeof(owner), "step%u.allowed.test", i);
		snprintf(target, sizeof(target), "step%u.allowed.test", i + 1);
		at = alias_add(out, at, i ? owner : NULL, target);
	}
	snprintf(owner, sizeof(owner), "step%u.allowed.test", steps);
	return rig_record(out, at, 0, owner, TYPE_A, 60, evil, 4);
}

/* By the first label of the qname. */
static size_t answer(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	uint16_t type = message_get16(out + at - 4);
	unsigned count = __atomic_load_n(&seen_count, __ATOMIC_RELAXED);
	char label[64] = "";
	unsigned number = 0;

	(void)context;
	if (count < SEEN_MAX) {
		seen[count].length = length;
		memcpy(seen[count].octets, query, length < SEEN_OCTETS ? length : SEEN_OCTETS);
		__atomic_store_n(&seen_count, count + 1, __ATOMIC_RELEASE);
	}
	memcpy(label, query + MESSAGE_HEADER + 1, query[MESSAGE_HEADER] < 63 ? query[MESSAGE_HEADER] : 63);
	for (char *letter = label; *letter; letter++)
		if (*letter >= 'A' && *letter <= 'Z')
			*letter |= 0x20;
	if (sscanf(label, "insidev4-%u", &number) == 1)
		return type == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 60, inside_v4[number].octets, 4) : at;
	if (sscanf(label, "insidev6-%u", &number) == 1) {
		struct in6_addr address;

		inet_pton(AF_INET6, inside_v6[number], &address);
		return type == TYPE_AAAA ? rig_record(out, at, 0, NULL, TYPE_AAAA, 60, &address, 16) : at;
	}
	if (sscanf(label, "many-%u", &number) == 1) {
		for (unsigned i = 0; i < 200 && type == TYPE_A; i++)
			at = rig_record(out, at, 0, NULL, TYPE_A, 60,
				(uint8_t[]){many[number][0], many[number][1], many[number][2], (uint8_t)i}, 4);
		if (!tcp) {
			at = rig_reply(out, query, length, RCODE_NOERROR);
			message_put16(out + 2, message_get16(out + 2) | MESSAGE_TC);
		}
		return at;
	}
	if (!strncmp(label, "forged-", 7))
		return forged_first(label + 7, query, length, out);
	if (!strcmp(label, "unrelated")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
		return rig_record(out, at, 0, "bank.example.org", TYPE_A, 60, evil, 4);
	}
	if (!strcmp(label, "additional")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
		return rig_record(out, at, 2, "additional.allowed.test", TYPE_A, 60, evil, 4);
	}
	if (!strcmp(label, "authority")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
		return rig_record(out, at, 1, "authority.allowed.test", TYPE_A, 60, evil, 4);
	}
	if (!strcmp(label, "loop")) {
		at = alias_add(out, at, NULL, "loop2.allowed.test");
		at = alias_add(out, at, "loop2.allowed.test", "loop.allowed.test");
		return rig_record(out, at, 0, "loop3.allowed.test", TYPE_A, 60, evil, 4);
	}
	if (!strcmp(label, "longchain"))
		return chain_add(out, at, 40);
	if (!strcmp(label, "broken")) { /* the right owner, but nothing leads from the alias to it */
		at = alias_add(out, at, NULL, "end.allowed.test");
		return rig_record(out, at, 0, "otherend.allowed.test", TYPE_A, 60, evil, 4);
	}
	if (!strcmp(label, "nxdomain")) {
		at = rig_reply(out, query, length, RCODE_NXDOMAIN);
		return rig_record(out, at, 0, NULL, TYPE_A, 60, evil, 4);
	}
	if (!strcmp(label, "pointerloop")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, evil, 4);
		message_put16(out + at - 16, (uint16_t)(0xc000 | (at - 16))); /* the owner points at itself */
		return at;
	}
	if (!strcmp(label, "cut"))
		return rig_record(out, at, 0, NULL, TYPE_A, 60, evil, 4) - 1;
	if (!strcmp(label, "shortdata"))
		return rig_record(out, at, 0, NULL, TYPE_A, 60, evil, 3);
	if (!strcmp(label, "chaos")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, evil, 4);
		out[at - 11] = 3; /* class CH */
		return at;
	}
	if (!strcmp(label, "hint")) { /* HTTPS: priority 1, target ".", ipv4hint 169.254.169.254 */
		static const uint8_t data[] = {0, 1, 0, 0, 4, 0, 4, 169, 254, 169, 254};

		return type == TYPE_HTTPS ? rig_record(out, at, 0, NULL, TYPE_HTTPS, 60, data, sizeof(data)) : at;
	}
	if (!strcmp(label, "late")) {
		usleep(200000);
		return rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
	}
	if (type == TYPE_A)
		return rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
	return at;
}

/* ---- asking and judging ---- */

static unsigned left(void)
{
	return __atomic_load_n(&seen_count, __ATOMIC_ACQUIRE);
}

/* Sends octets and waits for a reply. */
static void send_raw(const char *address, const uint8_t *query, size_t length, unsigned wait_ms)
{
	cleanup_fd int fd = rig_socket(&rig, address, DNS_PORT, SOCK_DGRAM);
	struct pollfd watched = {fd, POLLIN, 0};
	ssize_t received = 0;

	if (fd >= 0 && send(fd, query, length, 0) == (ssize_t)length && poll(&watched, 1, (int)wait_ms) == 1)
		received = recv(fd, reply, sizeof(reply), 0);
	reply_length = received > 0 ? (size_t)received : 0;
}

static void ask(const char *name, uint16_t type)
{
	reply_length = rig_ask(&rig, name, type, WAIT_MS, reply);
}

static void ask_by_tcp(const char *name)
{
	cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", DNS_PORT, SOCK_STREAM);
	const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	uint8_t query[514], prefix[2];
	size_t length = rig_query(query + 2, 13, name, TYPE_A, false);

	reply_length = 0;
	message_put16(query, (uint16_t)length);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || send(fd, query, length + 2, MSG_NOSIGNAL) != (ssize_t)length + 2 || recv(fd, prefix, 2, MSG_WAITALL) != 2)
		return;
	if (recv(fd, reply, message_get16(prefix), MSG_WAITALL) == message_get16(prefix))
		reply_length = message_get16(prefix);
}

static unsigned reply_rcode(void)
{
	return message_get16(reply + 2) & MESSAGE_RCODE;
}

static bool contains(const uint8_t *octets, size_t length, const void *what, size_t what_length)
{
	return memmem(octets, length, what, what_length) != NULL;
}

static bool reply_has(const void *octets, size_t length)
{
	return reply_length && contains(reply, reply_length, octets, length);
}

/* True when the octets were in any query that left since then. */
static bool leaked(unsigned since, const void *octets, size_t length)
{
	for (unsigned i = since; i < left(); i++)
		if (contains(seen[i].octets, seen[i].length < SEEN_OCTETS ? seen[i].length : SEEN_OCTETS, octets, length))
			return true;
	return false;
}

static bool kernel_holds(const char *address)
{
	cleanup_free char *found = rig_shell(
		&rig, "nft get element inet terok_shield learned_v%c \"{ %s }\" 2>/dev/null", strchr(address, ':') ? '6' : '4', address);

	return *found != '\0';
}

static const char *text_of(const uint8_t octets[4])
{
	static char text[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, octets, text, sizeof(text));
}

static bool works(void)
{
	static unsigned serial;
	char name[64];

	snprintf(name, sizeof(name), "works%u.allowed.test", serial++); /* a new one, which no cache has */
	ask(name, TYPE_A);
	return reply_length && reply_rcode() == RCODE_NOERROR && reply_has(good, 4) && kernel_holds(text_of(good));
}

/* An attack returns what got through, or NULL. */
static char through[128];
static const char *got(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *got(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(through, sizeof(through), format, arguments);
	va_end(arguments);
	return through;
}

static const char *no_word_left(unsigned before)
{
	usleep(20000); /* what is on its way on loopback */
	return left() != before ? got("%u queries left", left() - before) : NULL;
}

/* ---- what a workload sends ---- */

static const char *data_in_labels_of_denied_names(void)
{
	unsigned before = left();

	for (unsigned type = 1; type < 70; type++)
		if (type != TYPE_OPT)
			ask("c2VjcmV0.evil.example", (uint16_t)type);
	ask("c2VjcmV0.allowed.test.evil.example", TYPE_A);
	ask("c2VjcmV0-allowed.test", TYPE_A);
	ask("test", TYPE_A);
	return no_word_left(before);
}

static const char *data_in_ids(void)
{
	unsigned before = left(), same = 0;
	char name[64];
	uint8_t query[512];

	for (unsigned i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "id%u.allowed.test", i);
		send_raw("127.0.0.1", query, rig_query(query, (uint16_t)(0x5e00 + i), name, TYPE_A, true), WAIT_MS);
	}
	for (unsigned i = before; i < left(); i++)
		same += message_get16(seen[i].octets) >> 8 == 0x5e;
	return same > 4 ? got("%u of 32 ids left as they came", same) : NULL;
}

static const char *data_in_letter_case(void)
{
	unsigned before = left();
	uint8_t query[512];

	send_raw("127.0.0.1", query, rig_query(query, 1, "lettercase.allowed.test", TYPE_A, true), 0);
	ask("warm.allowed.test", TYPE_A);
	memcpy(query + MESSAGE_HEADER, "\12lEtTeRcAsE\7AlLoWeD\4TeSt", 23); /* rig_query() writes small letters */
	query[MESSAGE_HEADER + 1] = 'x';
	send_raw("127.0.0.1", query, rig_query(query, 1, "zettercase.allowed.test", TYPE_A, true), 0);
	rig_query(query, 2, "mixedletters.allowed.test", TYPE_A, true);
	for (unsigned i = MESSAGE_HEADER + 1; i < MESSAGE_HEADER + 13; i += 2)
		query[i] &= 0xdf;
	send_raw("127.0.0.1", query, rig_query(query + 256, 2, "mixedletters.allowed.test", TYPE_A, true), WAIT_MS);
	return leaked(before, "MiXeDlEtTeRs", 12) ? got("the letters left as they came") : NULL;
}

static const char *data_in_edns_options(void)
{
	static const struct {
		const char *what, *option;
		size_t length;
	} options[] = {
		{"a client subnet", "\0\10\0\7\0\1\30\0\306\63\144", 11},
		{"a cookie", "\0\12\0\10SECRET!!", 12},
		{"a private option", "\375\351\0\10SECRET!!", 12},
		{"padding", "\0\14\0\10SECRET!!", 12},
	};
	unsigned before = left();
	uint8_t query[512];
	char name[64];

	for (size_t i = 0; i < COUNT(options); i++) {
		snprintf(name, sizeof(name), "option%zu.allowed.test", i);
		size_t length = rig_query(query, 3, name, TYPE_A, true);

		message_put16(query + length - 2, (uint16_t)options[i].length);
		memcpy(query + length, options[i].option, options[i].length);
		send_raw("127.0.0.1", query, length + options[i].length, WAIT_MS);
		if (leaked(before, options[i].option + 4, options[i].length - 4))
			return got("%s left", options[i].what);
	}
	return NULL;
}

static const char *data_in_extra_sections(void)
{
	unsigned before = left();
	uint8_t query[512];

	for (unsigned section = 0; section < 3; section++) {
		size_t length = rig_query(query, 4, "sections.allowed.test", TYPE_A, false);

		length = rig_record(query, length, section, NULL, TYPE_TXT, 60, "\10SECRET!!", 9);
		send_raw("127.0.0.1", query, length, SILENCE_MS);
	}
	return leaked(before, "SECRET!!", 8) ? got("a record of the client's left") : NULL;
}

static const char *data_behind_the_question(void)
{
	unsigned before = left();
	uint8_t query[512];
	size_t length = rig_query(query, 5, "behind.allowed.test", TYPE_A, false);

	memcpy(query + length, "SECRET!!", 8);
	send_raw("127.0.0.1", query, length + 8, SILENCE_MS);
	return leaked(before, "SECRET!!", 8) ? got("octets behind the question left") : NULL;
}

static const char *any_and_null(void)
{
	static const uint16_t types[] = {TYPE_ANY, TYPE_NULL, TYPE_AXFR, TYPE_IXFR, TYPE_OPT};
	unsigned before = left();

	for (size_t i = 0; i < COUNT(types); i++)
		ask("types.allowed.test", types[i]);
	return no_word_left(before);
}

static const char *other_opcodes_and_classes(void)
{
	unsigned before = left();
	uint8_t query[512];

	for (unsigned opcode = 1; opcode < 16; opcode++) {
		size_t length = rig_query(query, 6, "opcode.allowed.test", TYPE_A, false);

		message_put16(query + 2, (uint16_t)(opcode << 11 | MESSAGE_RD));
		send_raw("127.0.0.1", query, length, SILENCE_MS);
	}
	for (unsigned class = 2; class < 256; class += class < 5 ? 1 : 249) {
		size_t length = rig_query(query, 7, "class.allowed.test", TYPE_A, false);

		message_put16(query + length - 2, (uint16_t) class);
		send_raw("127.0.0.1", query, length, SILENCE_MS);
	}
	return no_word_left(before);
}

static const char *other_counts_and_responses(void)
{
	unsigned before = left();
	uint8_t query[512];
	size_t length = rig_query(query, 8, "counts.allowed.test", TYPE_A, false);

	query[5] = 0;
	send_raw("127.0.0.1", query, length, SILENCE_MS);
	query[5] = 2;
	memcpy(query + length, query + MESSAGE_HEADER, length - MESSAGE_HEADER);
	send_raw("127.0.0.1", query, 2 * length - MESSAGE_HEADER, SILENCE_MS);
	query[5] = 1;
	query[2] |= 0x80; /* QR */
	send_raw("127.0.0.1", query, length, SILENCE_MS);
	for (size_t cut = 0; cut < length; cut++)
		send_raw("127.0.0.1", query, cut, 1);
	return no_word_left(before);
}

/* Names that are allowed only for who reads them wrongly: a dot or a NUL within a label, a pointer, 256 octets. */
static const char *names_that_are_not_what_they_seem(void)
{
	static const struct {
		const char *what, *wire;
		size_t length;
	} names[] = {
		{"a dot within a label", "\14evil.allowed\4test\0", 19},
		{"a dot at the end", "\4evil\15allowed.test.\0", 20},
		{"a NUL within a label", "\7allowed\5test\0\0", 15},
		{"a NUL before the end", "\4evil\14\0allowed.tes\4test\0", 24},
		{"a pointer to itself", "\300\14", 2},
		{"a pointer into the header", "\300\0", 2},
		{"a pointer behind the end", "\300\377", 2},
		{"a label of the type 01", "\100allowed\4test\0", 14},
		{"a label that runs out", "\77allowed", 8},
		{"a backslash", "\17allowed\\.test\\.\0", 17},
	};
	unsigned before = left();
	uint8_t query[1024];

	for (size_t i = 0; i < COUNT(names); i++) {
		size_t length = MESSAGE_HEADER;

		memcpy(query, "\0\11\1\0\0\1\0\0\0\0\0\0", MESSAGE_HEADER);
		memcpy(query + length, names[i].wire, names[i].length);
		length += names[i].length;
		memcpy(query + length, "\0\1\0\1", 4);
		send_raw("127.0.0.1", query, length + 4, SILENCE_MS);
		if (no_word_left(before))
			return got("%s left", names[i].what);
	}
	memcpy(query, "\0\12\1\0\0\1\0\0\0\0\0\0", MESSAGE_HEADER); /* four labels of 63 octets and the allowed name: more than 255 */
	for (unsigned i = 0; i < 4; i++) {
		query[MESSAGE_HEADER + 64 * i] = 63;
		memset(query + MESSAGE_HEADER + 64 * i + 1, 'a', 63);
	}
	memcpy(query + MESSAGE_HEADER + 256, "\7allowed\4test\0\0\1\0\1", 18);
	send_raw("127.0.0.1", query, MESSAGE_HEADER + 256 + 18, SILENCE_MS);
	return no_word_left(before);
}

static const char *another_resolver(void)
{
	static const char *const resolvers[] = {"8.8.8.8", "192.0.2.1", "127.0.0.53", "127.9.9.9", "2001:db8::53", "::1"};
	uint8_t query[512];

	for (size_t i = 0; i < COUNT(resolvers); i++) {
		reply_length = 0;
		send_raw(resolvers[i], query, rig_query(query, 10, "direct.evil.example", TYPE_A, false), SILENCE_MS);
		if (reply_length && reply_rcode() == RCODE_NOERROR)
			return got("%s answered", resolvers[i]);
	}
	return NULL;
}

static int port_take(void *context, struct error *error)
{
	const struct sockaddr_in *address = context;
	cleanup_fd int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	(void)error;
	setsockopt(udp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(udp, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(tcp, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (!bind(udp, (const struct sockaddr *)address, sizeof(*address)))
		return 1;
	return !bind(tcp, (const struct sockaddr *)address, sizeof(*address)) && !listen(tcp, 1) ? 2 : 0;
}

static const char *taking_port_53(void)
{
	static const uint32_t addresses[] = {INADDR_LOOPBACK, INADDR_ANY};

	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT), .sin_addr.s_addr = htonl(addresses[i])};
		int taken = netns_run(rig.inside_fd, port_take, &address, NULL);

		if (taken)
			return got("%s was bound by %s", i ? "0.0.0.0" : "127.0.0.1", taken == 1 ? "UDP" : "TCP");
	}
	return NULL;
}

/* ---- what a server answers ---- */

static const char *inside_addresses_of_ipv4(void)
{
	char name[64];

	for (unsigned i = 0; i < COUNT(inside_v4); i++) {
		snprintf(name, sizeof(name), "insidev4-%u.allowed.test", i);
		ask(name, TYPE_A);
		if (kernel_holds(inside_v4[i].what))
			return got("%s is in the set", inside_v4[i].what);
		if (reply_length && message_get16(reply + 6))
			return got("%s was relayed", inside_v4[i].what);
	}
	return NULL;
}

static const char *inside_addresses_of_ipv6(void)
{
	char name[64];

	for (unsigned i = 0; i < COUNT(inside_v6); i++) {
		snprintf(name, sizeof(name), "insidev6-%u.allowed.test", i);
		ask(name, TYPE_AAAA);
		if (kernel_holds(inside_v6[i]))
			return got("%s is in the set", inside_v6[i]);
		if (reply_length && message_get16(reply + 6))
			return got("%s was relayed", inside_v6[i]);
	}
	return NULL;
}

static const char *inside_addresses_in_hints(void)
{
	ask("hint.allowed.test", TYPE_HTTPS);
	return reply_has("\251\376\251\376", 4) ? got("the hint was relayed") : NULL;
}

/* Asks a name whose answer carries the evil address in a place where it must not count. */
static const char *evil_is_believed(const char *label)
{
	char name[64];

	evil[3]++;
	snprintf(name, sizeof(name), "%s.allowed.test", label);
	ask(name, TYPE_A);
	if (kernel_holds(text_of(evil)))
		return got("%s: the address is in the set", label);
	return reply_has(evil, 4) ? got("%s: the address was relayed", label) : NULL;
}

static const char *unrelated_owners(void)
{
	static const char *const labels[] = {"unrelated", "additional", "authority", "broken"};

	for (size_t i = 0; i < COUNT(labels); i++)
		if (evil_is_believed(labels[i]))
			return through;
	return NULL;
}

static const char *alias_loops_and_long_chains(void)
{
	return evil_is_believed("loop") ?: evil_is_believed("longchain");
}

static const char *addresses_of_names_that_do_not_exist(void)
{
	return evil_is_believed("nxdomain");
}

static const char *malformed_answers(void)
{
	static const char *const labels[] = {"pointerloop", "cut", "shortdata", "chaos"};

	for (size_t i = 0; i < COUNT(labels); i++)
		if (evil_is_believed(labels[i]))
			return through;
	return works() ? NULL : got("nothing works afterwards");
}

static const char *forged_replies(void)
{
	static const char *const labels[] = {"forged-id", "forged-question", "forged-type", "forged-source"};

	for (size_t i = 0; i < COUNT(labels); i++) {
		if (evil_is_believed(labels[i]))
			return through;
		if (!reply_has(good, 4))
			return got("%s: the right answer did not count any more", labels[i]);
	}
	return NULL;
}

static const char *replies_that_come_late(void)
{
	uint8_t query[512];

	/* the client is gone when the answer comes, and another one asks from the same kind of socket */
	send_raw("127.0.0.1", query, rig_query(query, 11, "late.allowed.test", TYPE_A, false), 1);
	usleep(300000);
	return works() ? NULL : got("nothing works afterwards");
}

/* Either all addresses of what the client is given are in the set, or it is not given. */
static const char *more_addresses_than_anybody_needs(void)
{
	char name[64];

	for (unsigned i = 0; i < MANY; i++) {
		unsigned given = 0;

		snprintf(name, sizeof(name), "many-%u.allowed.test", i);
		ask_by_tcp(name);
		for (unsigned j = 0; j < 200; j += 13) {
			const uint8_t octets[4] = {many[i][0], many[i][1], many[i][2], (uint8_t)j};

			if (!reply_has(octets, 4))
				continue;
			given++;
			if (!kernel_holds(text_of(octets)))
				return got("%s was given and is not in the set", text_of(octets));
		}
		if (!given)
			return got("none of the addresses was given");
	}
	return works() ? NULL : got("nothing works afterwards");
}

/* ---- the kernel ---- */

static const char *an_answer_while_netlink_fails(void)
{
	cleanup_free char *saved = rig_shell(&rig, "nft list ruleset");
	FILE *stream = fopen("/run/attacks.nft", "we");
	const char *verdict = NULL;

	fputs(saved, stream);
	fclose(stream);
	free(rig_shell(&rig, "nft delete table inet terok_shield"));
	ask("netlink.allowed.test", TYPE_A);
	if (reply_length && reply_rcode() == RCODE_NOERROR && reply_has(good, 4))
		verdict = got("the address was given without being in any set");
	free(rig_shell(&rig, "nft -f /run/attacks.nft"));
	unlink("/run/attacks.nft");
	return verdict;
}

static const char *a_cached_answer_whose_element_is_gone(void)
{
	ask("cached.allowed.test", TYPE_A);
	free(rig_shell(&rig, "nft flush set inet terok_shield learned_v4"));
	ask("cached.allowed.test", TYPE_A);
	return reply_has(good, 4) && !kernel_holds(text_of(good)) ? got("the address was given and is not in the set") : NULL;
}

/* ---- floods ---- */

static const char *a_flood_of_denied_names(void)
{
	cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", DNS_PORT, SOCK_DGRAM);
	unsigned before = left();
	uint8_t query[512];
	char name[64];

	for (unsigned i = 0; i < FLOOD_NAMES; i++) {
		snprintf(name, sizeof(name), "n%u.flood.example", i);
		if (send(fd, query, rig_query(query, (uint16_t)i, name, TYPE_A, false), MSG_DONTWAIT) < 0)
			usleep(100);
	}
	return no_word_left(before) ?: works() ? NULL : got("nothing works afterwards");
}

static const char *half_open_tcp(void)
{
	int fds[HALF_OPEN];
	unsigned count = 0;
	const char *verdict = NULL;

	while (count < HALF_OPEN && (fds[count] = rig_socket(&rig, "127.0.0.1", DNS_PORT, SOCK_STREAM)) >= 0)
		if (send(fds[count++], "\0", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) /* half a length */
			continue;
	if (!works())
		verdict = got("UDP does not work beside %u connections", count);
	ask_by_tcp("tcp.allowed.test");
	if (!verdict && !reply_has(good, 4))
		verdict = got("TCP does not work beside %u connections", count);
	while (count)
		close(fds[--count]);
	return verdict;
}

/* ---- the table ---- */

#define ATTACK(name)                                                                                                                       \
	{                                                                                                                                  \
#name, name                                                                                                                \
	}

static const struct attack {
	const char *name;
	const char *(*run)(void);
} attacks[] = {
	ATTACK(data_in_labels_of_denied_names),
	ATTACK(data_in_ids),
	ATTACK(data_in_letter_case),
	ATTACK(data_in_edns_options),
	ATTACK(data_in_extra_sections),
	ATTACK(data_behind_the_question),
	ATTACK(any_and_null),
	ATTACK(other_opcodes_and_classes),
	ATTACK(other_counts_and_responses),
	ATTACK(names_that_are_not_what_they_seem),
	ATTACK(another_resolver),
	ATTACK(taking_port_53),
	ATTACK(inside_addresses_of_ipv4),
	ATTACK(inside_addresses_of_ipv6),
	ATTACK(inside_addresses_in_hints),
	ATTACK(unrelated_owners),
	ATTACK(alias_loops_and_long_chains),
	ATTACK(addresses_of_names_that_do_not_exist),
	ATTACK(malformed_answers),
	ATTACK(forged_replies),
	ATTACK(replies_that_come_late),
	ATTACK(more_addresses_than_anybody_needs),
	ATTACK(an_answer_while_netlink_fails),
	ATTACK(a_cached_answer_whose_element_is_gone),
	ATTACK(a_flood_of_denied_names),
	ATTACK(half_open_tcp),
};

static void attack_fails(void **state)
{
	const struct attack *attack = *state;
	const char *verdict;

	if (!works())
		fail_msg("%s: the forwarder does not work before the attack", attack->name);
	verdict = attack->run();
	if (verdict)
		fail_msg("%s: %s", attack->name, verdict);
}

static void namespace_route(void)
{
	/* an address and a route, so that packets get as far as the rules */
	free(rig_shell(&rig,
		"ip link add v0 type veth peer name v1; ip addr add 192.0.2.2/24 dev v0; ip -6 addr add 2001:db8::2/64 dev v0 nodad; "
		"ip link set v0 up; ip link set v1 up; ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1"));
}

/* As strict as it can be told to be: no server for any other name, answers with private addresses refused. */
static pid_t dnsmasq_start(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!netns_enter(rig.inside_fd, NULL))
		execlp("dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
			"--group=root", "--pid-file=", "--log-facility=/dev/null", "--bind-interfaces", "--listen-address=127.0.0.1,::1",
			"--server=/allowed.test/127.0.0.1#5300",
			"--nftset=/allowed.test/4#inet#terok_shield#learned_v4,6#inet#terok_shield#learned_v6", "--stop-dns-rebind",
			"--cache-size=10000", NULL);
	_exit(127);
}

static int against_dnsmasq(void)
{
	pid_t pid;

	memcpy(good, (uint8_t[]){198, 19, 0, 10}, 4);
	memcpy(evil, (uint8_t[]){198, 19, 1, 60}, 4);
	for (unsigned i = 0; i < MANY; i++)
		memcpy(many[i], (uint8_t[]){198, 18, (uint8_t)i}, 3);
	rig_start(&rig, "allowed.test\n", "", answer, NULL);
	rig_upstream_inside(&rig);
	namespace_route();
	pid = dnsmasq_start();
	for (unsigned i = 0; i < 50 && !works(); i++)
		usleep(100000);
	for (size_t i = 0; i < COUNT(attacks); i++) {
		const char *verdict = works() ? attacks[i].run() : "it does not work any more";

		printf("| `%s` | %s |\n", attacks[i].name, verdict ? verdict : "-");
		fflush(stdout);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rig_stop(&rig);
	return 0;
}

static int group_setup(void **state)
{
	(void)state;
	rig_start(&rig, "allowed.test\n", "", answer, NULL);
	namespace_route();
	if (strcmp(rig_forwarder(&rig), "ready")) {
		printf("the forwarder did not get ready\n");
		return -1;
	}
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[COUNT(attacks)];
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	if (argc == 3 && !strcmp(argv[1], "--against") && !strcmp(argv[2], "dnsmasq"))
		return against_dnsmasq();
	for (size_t i = 0; i < COUNT(attacks); i++)
		tests[i] = (struct CMUnitTest){.name = attacks[i].name, .test_func = attack_fails, .initial_state = (void *)&attacks[i]};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
