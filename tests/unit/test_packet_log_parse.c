/* fw/packet_log_parse.h: records as the kernel writes them, and as it never would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fw/packet_log_parse.h"

/* A datagram with one record. */
struct datagram {
	_Alignas(struct nlmsghdr) uint8_t octets[1024];
	size_t length;
};

static void put(struct datagram *datagram, const void *data, size_t length)
{
	memcpy(datagram->octets + datagram->length, data, length);
	datagram->length += NLMSG_ALIGN(length);
}

static void attribute(struct datagram *datagram, uint16_t type, const void *data, size_t length)
{
	const struct nlattr head = {.nla_len = (uint16_t)(sizeof(head) + length), .nla_type = type};

	put(datagram, &head, sizeof(head));
	put(datagram, data, length);
}

static void record_make(struct datagram *datagram, const char *prefix, const void *packet, size_t length, uint32_t sequence)
{
	struct nlmsghdr header = {.nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET};
	const struct nfgenmsg generic = {.nfgen_family = 2};
	const uint32_t number = htonl(sequence);

	*datagram = (struct datagram){0};
	put(datagram, &header, sizeof(header));
	put(datagram, &generic, sizeof(generic));
	if (prefix)
		attribute(datagram, NFULA_PREFIX, prefix, strlen(prefix) + 1);
	attribute(datagram, NFULA_SEQ, &number, sizeof(number));
	attribute(datagram, NFULA_PAYLOAD, packet, length);
	header.nlmsg_len = (uint32_t)datagram->length;
	memcpy(datagram->octets, &header, sizeof(header));
}

static bool parse(const struct datagram *datagram, struct packet_record *record)
{
	struct netlink_span span = {datagram->octets, datagram->length};
	struct netlink_message message;
	bool has_sequence;

	assert_true(netlink_next_message(&span, &message));
	return packet_log_parse(&message, record, &has_sequence) && has_sequence;
}

static const uint8_t tcp_v4[] = {0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 2, 198, 51, 100, 10, 0x9c, 0x41, 0x01, 0xbb};
static const uint8_t udp_v6[] = {0x60, 0, 0, 0, 0, 16, 17, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x20, 1, 0x0d, 0xb8,
	0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x13, 0x88, 0x00, 0x35};

static void every_decision_has_its_prefix(void **state)
{
	static const struct {
		const char *prefix;
		enum packet_fate fate;
	} cases[] = {
		{"TEROK_SHIELD_ALLOWED", PACKET_ALLOWED},
		{"TEROK_SHIELD_BLOCKED", PACKET_BLOCKED},
		{"TEROK_SHIELD_DENIED", PACKET_DENIED},
		{"TEROK_SHIELD_PRIVATE", PACKET_PRIVATE},
		{"TEROK_SHIELD_BYPASS", PACKET_BYPASSED},
	};
	struct datagram datagram;
	struct packet_record record;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		record_make(&datagram, cases[i].prefix, tcp_v4, sizeof(tcp_v4), 77);
		assert_true(parse(&datagram, &record));
		assert_int_equal(record.fate, cases[i].fate);
		assert_int_equal(record.sequence, 77);
	}
	record_make(&datagram, "TEROK_SHIELD_BLOCKED ", tcp_v4, sizeof(tcp_v4), 1);
	assert_false(parse(&datagram, &record));
	record_make(&datagram, NULL, tcp_v4, sizeof(tcp_v4), 1);
	assert_false(parse(&datagram, &record));
}

static void addresses_and_ports_are_those_of_the_packet(void **state)
{
	struct datagram datagram;
	struct packet_record record;
	char text[ADDR_TEXT_MAX];

	(void)state;
	record_make(&datagram, "TEROK_SHIELD_ALLOWED", tcp_v4, sizeof(tcp_v4), 1);
	assert_true(parse(&datagram, &record));
	assert_string_equal(addr_format(&record.source, text), "192.0.2.2");
	assert_string_equal(addr_format(&record.dest, text), "198.51.100.10");
	assert_int_equal(record.protocol, 6);
	assert_true(record.has_ports);
	assert_int_equal(record.source_port, 40001);
	assert_int_equal(record.port, 443);
	record_make(&datagram, "TEROK_SHIELD_ALLOWED", udp_v6, sizeof(udp_v6), 1);
	assert_true(parse(&datagram, &record));
	assert_string_equal(addr_format(&record.source, text), "2001:db8::2");
	assert_string_equal(addr_format(&record.dest, text), "2001:db8:1::10");
	assert_int_equal(record.protocol, 17);
	assert_int_equal(record.port, 53);
}

static void ports_are_found_behind_options_and_extension_headers(void **state)
{
	static const uint8_t hop_by_hop[] = {0, 0, 0, 0, 0, 0, 0, 0}, fragment[] = {17, 0, 0, 1, 0, 0, 0, 1},
			     later[] = {17, 0, 0, 8, 0, 0, 0, 1};
	struct datagram datagram;
	struct packet_record record;
	uint8_t packet[96];

	(void)state;
	memcpy(packet, tcp_v4, 20);
	packet[0] = 0x46;
	memset(packet + 20, 1, 4);
	memcpy(packet + 24, tcp_v4 + 20, 4);
	record_make(&datagram, "TEROK_SHIELD_ALLOWED", packet, 28, 1);
	assert_true(parse(&datagram, &record));
	assert_int_equal(record.port, 443);

	memcpy(packet, udp_v6, 40);
	packet[6] = 0;
	memcpy(packet + 40, hop_by_hop, 8);
	packet[40] = 44;
	memcpy(packet + 48, fragment, 8);
	memcpy(packet + 56, udp_v6 + 40, 4);
	record_make(&datagram, "TEROK_SHIELD_ALLOWED", packet, 60, 1);
	assert_true(parse(&datagram, &record));
	assert_int_equal(record.protocol, 17);
	assert_int_equal(record.port, 53);

	memcpy(packet + 48, later, 8);
	record_make(&datagram, "TEROK_SHIELD_ALLOWED", packet, 60, 1);
	assert_true(parse(&datagram, &record));
	assert_false(record.has_ports);
}

static void a_packet_that_is_cut_off_has_no_ports_and_one_without_addresses_is_none(void **state)
{
	struct datagram datagram;
	struct packet_record record;

	(void)state;
	for (size_t length = 0; length < sizeof(tcp_v4); length++) {
		record_make(&datagram, "TEROK_SHIELD_BLOCKED", tcp_v4, length, 1);
		assert_int_equal(parse(&datagram, &record), length >= 20);
		assert_false(record.has_ports);
	}
	for (size_t length = 0; length < sizeof(udp_v6); length++) {
		record_make(&datagram, "TEROK_SHIELD_BLOCKED", udp_v6, length, 1);
		assert_int_equal(parse(&datagram, &record), length >= 40);
		assert_false(record.has_ports);
	}
}

/* With a folder as argument: writes the fuzz target's corpus there. */
static int corpus_write(const char *folder)
{
	static const struct {
		const char *name, *prefix;
		const uint8_t *packet;
		size_t length;
	} files[] = {
		{"tcp-v4", "TEROK_SHIELD_ALLOWED", tcp_v4, sizeof(tcp_v4)},
		{"udp-v6", "TEROK_SHIELD_BLOCKED", udp_v6, sizeof(udp_v6)},
		{"cut-off", "TEROK_SHIELD_DENIED", tcp_v4, 22},
		{"no-packet", "TEROK_SHIELD_PRIVATE", tcp_v4, 0},
		{"other-prefix", "SOMEBODY", udp_v6, sizeof(udp_v6)},
	};
	char path[4096];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct datagram datagram;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
		record_make(&datagram, files[i].prefix, files[i].packet, files[i].length, (uint32_t)i);
		file = fopen(path, "wb");
		if (!file || fwrite(datagram.octets, datagram.length, 1, file) != 1 || fclose(file))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_decision_has_its_prefix),
		cmocka_unit_test(addresses_and_ports_are_those_of_the_packet),
		cmocka_unit_test(ports_are_found_behind_options_and_extension_headers),
		cmocka_unit_test(a_packet_that_is_cut_off_has_no_ports_and_one_without_addresses_is_none),
	};

	if (argc > 1)
		return corpus_write(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
