/* IP protocol numbers in words: "tcp", "udp", "icmp" (of either family), any other as its number. */
#ifndef POLICY_PROTOCOL_H
#define POLICY_PROTOCOL_H

#include <stdint.h>

#include "policy/addr.h"

#define PROTOCOL_TEXT_MAX 5 /* "icmp" */

/* text has PROTOCOL_TEXT_MAX octets. Returns text. */
const char *protocol_format(uint8_t protocol, char *text);

/* Of an address of that family, since "icmp" is two protocols. -EINVAL. */
int protocol_parse(uint8_t *protocol, enum addr_family family, const char *text);

#endif
