/* config.yml. Parsed whole, then used; unknown keys, wrong types and bad values are errors with file, line and column.
 *
 *	mode: hook			# the only mode; `auto` is accepted for older files
 *	default_profiles: [dev-standard]
 *	loopback_ports: [8080]		# ports of the host's loopback that containers may reach
 *	audit: {enabled: true}
 *	dns:
 *	  upstream: [9.9.9.9, "[2620:fe::fe]:53"]	# or by TLS: ["tls://9.9.9.9#dns.quad9.net"]
 *	  ca: /etc/ssl/certs/ca-certificates.crt	# who may certify those by TLS
 *	  via: auto			# auto, host, container
 *	  deny: nxdomain		# nxdomain, refused
 *	  budget: {names: 600, octets: 16384}	# new names below one rule in a minute, and octets in them; 0: no limit
 *	reject: icmp			# icmp, reset
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/error.h"
#include "policy/settings.h"

#define CONFIG_PROFILES_MAX 64

struct config {
	char mode[8];
	char *default_profiles[CONFIG_PROFILES_MAX]; /* owned */
	size_t default_profile_count;
	struct settings settings; /* published and host_gateway are not from here */
	bool from_file;		  /* false: no config.yml, defaults */
};

/* Reads path; when the file does not exist config holds the defaults. Errors: -EINVAL with "PATH:LINE:COLUMN: ...". Free it in either case. */
int config_load(struct config *config, const char *path, struct error *error);
/* The same from memory, path only for messages: for tests and fuzzing. */
int config_parse(struct config *config, const char *path, const char *data, size_t length, struct error *error);
void config_free(struct config *config);

#endif
