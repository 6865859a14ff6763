/* The annotation terok.shield.ports: what of a pod may be connected to from outside. */
#ifndef NODE_PORTS_H
#define NODE_PORTS_H

#include "base/error.h"
#include "policy/settings.h"

/* Reads "8080,53/udp,9000-9010/tcp" (',' or ':' between them, blanks around them; TCP when nothing is said; also /sctp) into
 * settings->published. text: a stranger's. -EINVAL. */
int ports_parse(struct settings *settings, const char *text, struct error *error);

#endif
