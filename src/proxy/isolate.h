/* Giving up what the forwarder does not need, in named stages. */
#ifndef PROXY_ISOLATE_H
#define PROXY_ISOLATE_H

#include "base/error.h"

/* Before anything is opened: no core dumps with what names hold, all descriptors that may be open may be used. */
int isolate_early(struct error *error);

/* After everything is open: no_new_privs, and of all capabilities only CAP_NET_ADMIN, which the kernel demands of each set change. */
int isolate_capabilities(struct error *error);

#endif
