/* What the user decided for one container, apart from names and networks: the part of the
 * configuration that travels in the bundle from `run` to the hook and the forwarder. */
#ifndef POLICY_SETTINGS_H
#define POLICY_SETTINGS_H

#include "policy/addr.h"
#include "policy/rule.h"

#define SETTINGS_UPSTREAMS_MAX 8
#define SETTINGS_PORTS_MAX 64
#define SETTINGS_PUBLISHED_MAX 256
#define SETTINGS_BUDGET_NAMES 600
#define SETTINGS_BUDGET_OCTETS 16384
#define SETTINGS_BUDGET_MAX 1000000000u
#define SETTINGS_HUB_MAX 108 /* octets of a path to a unix socket, with its NUL */
#define SETTINGS_CA_MAX 512 /* octets of a path, with its NUL */
#define SETTINGS_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define SETTINGS_TLS_NAME_MAX 254 /* a host name and a NUL */
#define SETTINGS_TLS_PORT 853 /* RFC 7858 section 3.1 */
#define SETTINGS_UPSTREAM_TEXT_MAX (6 + ADDR_ENDPOINT_TEXT_MAX + SETTINGS_TLS_NAME_MAX) /* "tls://", '#' for the endpoint's NUL */

enum settings_reject {
	SETTINGS_REJECT_ICMP,  /* icmpx admin-prohibited */
	SETTINGS_REJECT_RESET, /* a TCP reset for TCP, ICMP for the rest */
};

enum settings_via {
	SETTINGS_VIA_AUTO,	/* only in a configuration, never in a bundle */
	SETTINGS_VIA_HOST,	/* upstream sockets in the namespace outside */
	SETTINGS_VIA_CONTAINER, /* in the container's, marked */
};

enum settings_deny {
	SETTINGS_DENY_NXDOMAIN,
	SETTINGS_DENY_REFUSED,
};

/* A published port of the container: the input chain accepts it. */
struct settings_published {
	uint16_t first, last; /* a range; equal for one port */
	uint8_t protocol;     /* RULE_TCP, RULE_UDP, or 132 (SCTP) */
};

/* An upstream resolver. */
struct settings_upstream {
	struct addr_endpoint endpoint;
	char tls_name[SETTINGS_TLS_NAME_MAX]; /* asked by TLS, with a certificate for this name; "": in the clear */
};

struct settings {
	enum settings_reject reject;
	enum settings_via via;
	enum settings_deny deny;
	bool audit;
	/* What names below one rule may tell whoever answers for them, in a minute; 0: no limit. See proxy/budget.h. */
	unsigned budget_names, budget_octets;
	/* Upstream resolvers, all by TLS or all in the clear. None: the host's resolv.conf is followed. */
	struct settings_upstream upstreams[SETTINGS_UPSTREAMS_MAX];
	size_t upstream_count;
	char ca[SETTINGS_CA_MAX]; /* the file with the CAs that may certify those by TLS */
	/* Ports of the host's loopback that the container may reach through its gateway. */
	uint16_t loopback_ports[SETTINGS_PORTS_MAX];
	size_t loopback_port_count;
	/* Where the host's loopback is seen from inside (10.0.2.2 or 169.254.1.2; family 0 when there is none). */
	struct addr host_gateway;
	struct settings_published published[SETTINGS_PUBLISHED_MAX];
	size_t published_count;
	char hub[SETTINGS_HUB_MAX]; /* where a notifier listens, see state/hub.h; "": nowhere */
};

/* The defaults: icmp, auto, nxdomain, audit on, the budget and the CAs as above. */
void settings_init(struct settings *settings);

/* The words of the configuration; parse returns -EINVAL for another word. */
const char *settings_reject_name(enum settings_reject reject);
int settings_reject_parse(enum settings_reject *reject, const char *word);
const char *settings_via_name(enum settings_via via);
int settings_via_parse(enum settings_via *via, const char *word);
const char *settings_deny_name(enum settings_deny deny);
int settings_deny_parse(enum settings_deny *deny, const char *word);

/* "192.0.2.1" and the other forms of addr_endpoint_parse(), port 53 when none is given; or "tls://192.0.2.1#dns.example",
 * "tls://[2001:db8::1]:8853#dns.example", port 853 when none is given. Errors: -EINVAL (the address), -ENODATA (tls:// without a name),
 * -EDOM (the name is no host's). */
int settings_upstream_parse(struct settings_upstream *upstream, const char *text);
/* With the port. text has SETTINGS_UPSTREAM_TEXT_MAX octets. Returns text. */
const char *settings_upstream_format(const struct settings_upstream *upstream, char *text);
/* The upstream resolvers are asked by TLS. */
bool settings_use_tls(const struct settings *settings);

#endif
