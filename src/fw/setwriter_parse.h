/* What the kernel answers the set writer, taken apart. Internal to fw; a header of its own so that tests and a fuzzer can reach it. */
#ifndef FW_SETWRITER_PARSE_H
#define FW_SETWRITER_PARSE_H

#include "fw/netlink.h"
#include "fw/setwriter.h"

/* The acknowledgements of one batch, collected over as many datagrams as it takes. */
struct setwriter_replies {
	uint32_t first, last; /* sequence numbers of the batch; the last message asked for an acknowledgement */
	int status;           /* the first error */
	bool acknowledged;    /* the last message was answered */
};

/* Takes a datagram in. Messages of other sequence numbers are leftovers of an earlier exchange and say nothing about this one. */
void setwriter_parse_replies(struct setwriter_replies *replies, struct netlink_span datagram);

/* One NFTA_LIST_ELEM of a set with keys of this family, with or without protocol and port. False when its key is not of that shape. */
bool setwriter_parse_element(struct netlink_span attributes, enum addr_family family, bool with_port, struct setwriter_element *element);

struct setwriter_listing {
	uint32_t sequence;
	enum addr_family family;
	bool with_port;
	int (*visit)(void *context, const struct setwriter_element *element);
	void *context;
	int result; /* what visit returned; after non-zero it is not called any more */
	bool done;
	int status; /* the kernel's, once done */
};

/* Takes a datagram of a listing or of a single read in. */
void setwriter_parse_listing(struct setwriter_listing *listing, struct netlink_span datagram);

/* True when the datagram tells of a change to a table, set or elements of `table` by another socket than port_id. */
bool setwriter_parse_foreign(struct netlink_span datagram, uint32_t port_id, const char *table);

/* Tests: from now on as on a kernel where adding does not renew. */
void setwriter_fake_old_kernel(struct setwriter *writer);

#endif
