/* Zones with everything that a resolver may be asked for, and the servers that serve them, for tests that compare forwarders with an authoritative server. */
#ifndef TESTS_SUPPORT_ZONES_H
#define TESTS_SUPPORT_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What stands in front of the origin in the names that are too long to be written down. text: at least ZONES_NAME_MAX octets. */
#define ZONES_NAME_MAX 1024
void zones_name_of_63(char *text);			    /* one label of 63 octets */
void zones_name_of_255(char *text, const char *origin);	    /* as many as there may be: 255 octets with the origin */
void zones_name_overflows(char *text, const char *origin);  /* below `dn`, and too long behind it */

/* Steps of the long chain: c1 is an alias of c2 and so on. */
#define ZONES_CHAIN_LONG 20

/* Writes zone.test (plain), signed.test (with NSEC), signed3.test (with NSEC3), all with the same content, and other.test into the folder, each as a file named after
 * the zone. Keys are made at each call. Returns NULL, or what went wrong. */
const char *zones_write(const char *folder);
extern const char *const zones_origins[]; /* the same; NULL behind the last */

/* Signs a zone's file, with NSEC or NSEC3. Returns NULL, or what went wrong. */
const char *zones_sign(const char *path, const char *origin, bool nsec3);

enum zones_server {
	ZONES_NSD,
	ZONES_BIND,
};

/* Starts the server with the zones whose files are in the folder (or the forwarder in front of it) in the present network namespace on 127.0.0.1 and [::1]; it ends with the calling thread.
 * Settings and logs go into the folder. Returns its process, or -errno. It may not be ready yet. */
pid_t zones_server_start(enum zones_server server, const char *folder, uint16_t port, const char *const *origins);
pid_t zones_dnsmasq_start(const char *folder, uint16_t port, uint16_t upstream_port);
pid_t zones_unbound_start(const char *folder, uint16_t port, uint16_t upstream_port);

/* Ends a process that was started here. */
void zones_stop(pid_t process);

/* The first of these programs that is not installed, or NULL. */
const char *zones_missing(void);

#endif
