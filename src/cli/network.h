/* What a --network flag of the user means for the shield. */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include "base/error.h"
#include "policy/settings.h"

/* The address at which the host's loopback is seen with this network (slirp4netns, pasta with that option). gateway keeps family 0
 * when it is not. */
void network_gateway(const char *network, struct addr *gateway);

/* The name of the user's own network in a --network value, or false for a mode of podman's (bridge, none, pasta, ...). */
bool network_name(const char *value, char name[256]);

/* With a network of the user's own whose DNS podman serves (aardvark), that server must answer the names of other containers:
 * settings, which have no server by TLS, get via container and its gateways as upstreams. Any other network changes nothing. Costs a call of podman. */
int network_resolvers(const char *value, struct settings *settings, struct error *error);

/* The same from what `podman network inspect` printed. */
int network_resolvers_parse(const char *json, struct settings *settings, struct error *error);

#endif
