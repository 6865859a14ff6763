/* Records of the packet log, taken apart. Internal to fw; a header of its own so that tests and a fuzzer can reach it. */
#ifndef FW_PACKET_LOG_PARSE_H
#define FW_PACKET_LOG_PARSE_H

#include "fw/netlink.h"
#include "fw/packet_log.h"

/* One message of a datagram. False when it is no record of ours, or has no packet with two addresses in it. has_sequence: whether
 * record->sequence was there. */
bool packet_log_parse(const struct netlink_message *message, struct packet_record *record, bool *has_sequence);

#endif
