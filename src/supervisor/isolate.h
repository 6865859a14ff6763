/* Giving up what the supervisor and all that it starts do not need; base/isolate.h has the stages. */
#ifndef SUPERVISOR_ISOLATE_H
#define SUPERVISOR_ISOLATE_H

#include "base/error.h"

/* When all sockets are open, before the first worker. bundle_path: of the one folder in which something may be changed. */
int isolate_supervisor(const char *bundle_path, struct error *error);

#endif
