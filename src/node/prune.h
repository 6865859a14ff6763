/* Bundles of pods that are gone. */
#ifndef NODE_PRUNE_H
#define NODE_PRUNE_H

#include <stddef.h>

/* Removes from folder all bundles whose sandbox and forwarder do not run and that nobody has written to for PRUNE_AGE_S, but the `keep`
 * youngest of them. What cannot be removed is passed over: it is not worth a pod's start. */
void prune(const char *folder, size_t keep);
#define PRUNE_AGE_S 600 /* longer than a sandbox takes from its bundle to its hook */

#endif
