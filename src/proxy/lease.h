/* Leases: what the forwarder believes that the kernel's learned sets hold, and until when.
 *
 * Theory of operation. A lease stands for one element: an address, or an address with protocol and port. lease_ensure() is asked for each address
 * of each answer before the answer goes out. When the lease outlives the answer nothing happens; otherwise the element is staged in the set writer's batch, and
 * leases_commit() writes the batch. Until the kernel has acknowledged it the lease counts as unknown, so a failed commit leaves nothing believed that
 * is not so: the next answer with that address writes it again. leases_doubt() makes all of them unknown, for when somebody else has touched the
 * table. Beliefs err in one direction only: a lease counts from before the batch was sent, on a clock that stands still when the kernel's does, and so ends a little before its element.
 *
 * Each lease remembers the names that brought it, so that a name which is denied takes away what no other allowed name needs.
 *
 * Bounds: LEASES_MAX leases, LEASE_NAMES_MAX names a lease (a further one replaces the one that ends first).
 */
#ifndef PROXY_LEASE_H
#define PROXY_LEASE_H

#include "fw/setwriter.h"
#include "policy/name.h"

#define LEASES_MAX 65536
#define LEASE_NAMES_MAX 16
#define LEASE_GRACE_S 90 /* an element outlives the last answer that carried it by this much: programs connect late, and resolve once for several connects */
#define LEASE_SLACK_S 30 /* written beyond what is needed, so that the next answer a little later need not write again */

struct leases;

enum lease_change {
	LEASE_LEARNED, /* the kernel holds the element, which it did not before */
	LEASE_RENEWED, /* longer than before */
	LEASE_ENDED,   /* it does not hold it any more */
	LEASE_FOUND,   /* it holds what an earlier worker has learned */
	LEASE_SHARED,  /* another name has brought the same */
};

/* writer: borrowed. failed(context, owner, error) is called within a commit for each owner whose elements the kernel does not hold. NULL when there is no memory. */
struct leases *leases_new(struct setwriter *writer, void (*failed)(void *context, unsigned owner, int error), void *context);
void leases_free(struct leases *leases);

/* Both are called with the context of leases_new(), until the next call. changed: for each change; name: one of those that brought the element, NULL when none is
 * known; lifetime_s: from now on, 0 for an end. counted: so much more went through an element; what it had when leases_adopt() found it was told before. */
struct leases_watcher {
	void (*changed)(void *context, enum lease_change change, const struct setwriter_key *key, const struct name *name, uint32_t lifetime_s);
	void (*counted)(void *context, const struct setwriter_key *key, uint64_t packets, uint64_t bytes);
};
void leases_watch(struct leases *leases, const struct leases_watcher *watcher); /* borrowed */

/* Makes sure that the kernel will hold the element until `ttl_s` from now plus the grace.
 * owner: the number under which failed() tells of it; elements of one owner are staged in one go. staged: set to true when a commit is needed first (otherwise
 * left alone). A batch that is full is committed on the way. Errors: -ENOSPC at LEASES_MAX, -ENOMEM, the kernel's for a batch on the way. */
int lease_ensure(struct leases *leases, const struct setwriter_key *key, const struct name *name, uint32_t ttl_s, unsigned owner, bool *staged);

/* Writes what is staged. When the kernel refuses the batch, each owner's elements are tried alone. Returns 0, or the last error. */
int leases_commit(struct leases *leases);

/* Nothing is believed any longer. */
void leases_doubt(struct leases *leases);

/* Takes every name off that may not keep the key any longer, and from the kernel each element that is left without a name.
 * removed is called for each of these. Returns 0 or the kernel's error; then the leases that could not be removed are still there. */
int leases_review(struct leases *leases, bool (*may_keep)(void *context, const struct name *name, const struct setwriter_key *key),
		  void (*removed)(void *context, const struct setwriter_key *key, const struct name *name), void *context);

/* Takes over what the kernel holds: names from the comments. What has none is nobody's, and leases_review() takes it away; what is more than LEASES_MAX is deleted at once, since
 * what nobody knows of nobody could take away. For the start. Returns 0 or a negative errno. */
int leases_adopt(struct leases *leases);

/* Forgets leases that have ended; does a part of the table at each call. */
void leases_sweep(struct leases *leases);

/* Calls due for each name of a lease that ends within `within_s` and through whose element packets went since the last look: it is to be asked again.
 * Tells the watcher what was counted. Reads the kernel's counters only when there are such leases, or when somebody watches and LEASES_COUNTED or fewer are to be read. */
#define LEASES_COUNTED 4096
int leases_renewable(struct leases *leases, uint32_t within_s, void (*due)(void *context, const struct name *name, enum addr_family family), void *context);

/* Tells the watcher what was counted, for the end. Returns 0 or the kernel's error. */
int leases_count_now(struct leases *leases);

/* The names, at most max, that have brought an address the kernel was told of and need it still, under whatever port. ttl_s: set to how long all of them
 * will, the grace not counted. Returns how many. */
size_t leases_names(const struct leases *leases, const struct addr *addr, struct name *names, size_t max, uint32_t *ttl_s);

/* The name that was asked for last of those that have brought an address: one whose element lets this port through, otherwise any. Returns false when there is none. */
bool leases_name(const struct leases *leases, const struct addr *addr, uint8_t protocol, uint16_t port, struct name *name);

size_t leases_count(const struct leases *leases);

#endif
