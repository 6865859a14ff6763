/* The DNS of the probes: a question that leaves nobody in doubt, and what an answer says. Pure. */
#ifndef CLI_PROBE_DNS_H
#define CLI_PROBE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/name.h"

#define PROBE_DNS_QUESTION_MAX (12 + NAME_WIRE_MAX + 4 + 11)

/* Writes a query of class IN with RD and EDNS. Returns its length. */
size_t probe_dns_question(uint8_t out[PROBE_DNS_QUESTION_MAX], uint16_t id, const struct name *name, uint16_t type);

struct probe_dns_answer {
	unsigned rcode;
	bool explained; /* an Extended DNS Error "Blocked" (RFC 8914 section 4.16) whose text begins with "terok-shield: " */
};

/* Reads the answer to that question. False when it is none: other id, another question, not an answer. */
bool probe_dns_answer_read(
	struct probe_dns_answer *answer, const uint8_t *wire, size_t length, const uint8_t *question, size_t question_length);

#endif
