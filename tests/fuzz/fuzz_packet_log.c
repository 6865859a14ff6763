/* The packet log's parser with any octets as what the kernel hands over: a record has a whole packet behind it, or is none. */
#include <stdint.h>
#include <stdlib.h>

#include "fw/packet_log_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink_span datagram = {data, size};
	struct netlink_message message;

	while (netlink_next_message(&datagram, &message)) {
		struct packet_record record;
		bool has_sequence;

		if (!packet_log_parse(&message, &record, &has_sequence))
			continue;
		if ((record.dest.family != ADDR_V4 && record.dest.family != ADDR_V6) || record.source.family != record.dest.family ||
			record.fate >= PACKET_FATES)
			abort();
		if (record.port && !record.has_ports)
			abort();
	}
	return 0;
}
