/* The set writer: elements into the learned sets, by one acknowledged netlink batch.
 *
 * Theory of operation. A netlink socket of the container's namespace and a fixed buffer. Additions are collected in the buffer; commit
 * sends them as one nf_tables batch. The kernel works a batch off inside sendmsg(2), so the acknowledgement is there when it returns:
 * commit is synchronous and takes some microseconds, whatever the size of the set. The transaction is atomic: all elements or none. No
 * allocation after open.
 *
 * Adding an element that exists renews its timeout on newer kernels, when what is left of it (NFTA_SET_ELEM_EXPIRATION) is said too: with
 * the timeout alone they change nothing when it is the one that the element has. On older kernels it is left as it is, and add, delete, add in one
 * batch does it. Which kind this kernel is, is found out at open, in a table of its own that is removed again.
 */
#ifndef FW_SETWRITER_H
#define FW_SETWRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/addr.h"

#define SETWRITER_COMMENT_MAX 250 /* octets of a name in an element's user data */

struct setwriter;

/* An element: address alone in learned_v4/v6, or address, protocol and port in learned_port_v4/v6. */
struct setwriter_key {
	struct addr addr;
	uint8_t protocol; /* 0, or RULE_TCP/RULE_UDP together with port */
	uint16_t port;	  /* host order; 0 */
};

/* Opens the netlink socket in the network namespace of the calling thread (use within netns_run()). */
int setwriter_open(struct setwriter **writer, struct error *error);
/* The same in two steps, for who is given the socket (netlink_open_writer()) or is in a hurry at first: after the trial's table is
 * deleted the kernel makes every nftables socket of the namespace that is closed wait for some milliseconds. setwriter_take() owns fd
 * from then on, also when it fails, and takes off what an earlier user has left in it. Before setwriter_try() a renewal is written as
 * add, delete, add, which does it on every kernel; so it is when the trial fails. setwriter_try() is -EBUSY while additions are
 * collected. */
int setwriter_take(struct setwriter **writer, int fd, struct error *error);
int setwriter_try(struct setwriter *writer);
/* The same for who only reads: without trying the kernel out, which costs some 25 ms at close. setwriter_add() is -EPERM then. */
int setwriter_open_reader(struct setwriter **reader, struct error *error);
void setwriter_close(struct setwriter *writer); /* NULL allowed */

/* Whether an addition renews by itself (true), or by add, delete, add. */
bool setwriter_renews(const struct setwriter *writer);

/* Collects an addition. comment: printable text, NUL-terminated, cut at SETWRITER_COMMENT_MAX (left out when ""). timeout_ms: lifetime
 * from commit on, at least 1000 (0 would mean the set's default). renew: the element may exist and its timeout is to be set anew;
 * without it an element that exists keeps its timeout and counter on older kernels. -ENOBUFS when the batch is full: commit first. */
int setwriter_add(struct setwriter *writer, const struct setwriter_key *key, uint64_t timeout_ms, const char *comment, bool renew);

/* Collects a deletion. An element that does not exist fails the batch with -ENOENT. */
int setwriter_delete(struct setwriter *writer, const struct setwriter_key *key);

/* Sends what was collected and waits for the acknowledgement; the batch is empty afterwards, whatever happened. Returns 0 when the
 * kernel holds every element, otherwise the kernel's first error, and nothing was changed. 0 when nothing was collected. */
int setwriter_commit(struct setwriter *writer);

/* Forgets what was collected. */
void setwriter_reset(struct setwriter *writer);

/* Reads an element of the kernel's set back. found: set. expires_ms: remaining lifetime (may be NULL). Reading, like setwriter_each(), is
 * -EBUSY while something is collected: commit first. */
int setwriter_get(struct setwriter *writer, const struct setwriter_key *key, bool *found, uint64_t *expires_ms);

/* One element, of a listing or by itself. */
struct setwriter_element {
	struct setwriter_key key;
	uint64_t timeout_ms, expires_ms;
	uint64_t packets, bytes;
	char comment[SETWRITER_COMMENT_MAX + 1]; /* "" without; octets that are not printable ASCII are replaced by '?' */
};

/* As setwriter_get(), with all there is of the element. */
int setwriter_look(struct setwriter *writer, const struct setwriter_key *key, bool *found, struct setwriter_element *element);

/* Calls visit for each element of the four learned sets; stops when it returns non-zero, and returns that. -ENOENT when there is no such
 * table. visit must not use the writer. What is added or removed while this runs may be missing or come twice. */
int setwriter_each(struct setwriter *writer, int (*visit)(void *context, const struct setwriter_element *element), void *context);

/* Reads all that is there in a socket of netlink_open_watch(). Returns 1 when anybody but writer added or removed a set, a table or
 * elements in terok_shield, or when messages were lost (ENOBUFS); 0 when not; negative errno on a failure. */
int setwriter_watch_read(int watch_fd, const struct setwriter *writer);

#endif
