/* What would happen to a destination, and why: policy, settings, state and learned addresses in; a verdict with its reason out. Pure. */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "cli/learned.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/shield_state.h"

struct why_destination {
	bool is_name;
	struct name name;
	struct addr addr;
	uint16_t port;	  /* 0: none was said */
	uint8_t protocol; /* RULE_TCP, RULE_UDP; RULE_ANY_PROTOCOL when none was said */
};

/* "example.com", "example.com:443", "192.0.2.1:443/tcp", "[2001:db8::1]:443"; IDN allowed. Errors: -EINVAL with what is wrong. */
int why_destination_parse(struct why_destination *destination, const char *text, struct error *error);

/* The destination without its port, as `allow` takes it. */
const char *why_destination_text(const struct why_destination *destination, char text[NAME_TEXT_MAX]);

enum why_verdict {
	WHY_ALLOWED,
	WHY_REFUSED,
	WHY_CAPTURED, /* goes to the shield's own forwarder */
};

enum why_reason {
	WHY_BLOCK,	   /* the shield is in state block */
	WHY_BYPASS,	   /* the shield is down */
	WHY_LISTED,	   /* a line of a profile or of `allow` */
	WHY_LEARNED,	   /* an address that an allowed name brought */
	WHY_LOOPBACK,	   /* the container itself */
	WHY_LOOPBACK_PORT, /* a port of the host's loopback that the configuration opens */
	WHY_DENIED,	   /* `deny` */
	WHY_EXCLUDED,	   /* a '!' line of a profile */
	WHY_UNLISTED,	   /* no line */
	WHY_PORT,	   /* listed, but for other ports */
	WHY_PRIVATE,	   /* a private range that no line opens */
	WHY_DNS,	   /* port 53 */
	WHY_NO_ADDRESS,	   /* allowed, but `deny` refuses every address that the name has now */
};

struct why_view {
	const struct policy *policy;
	const struct settings *settings;
	enum shield_state state;       /* up, down, down_all, block */
	const struct learned *learned; /* borrowed; empty for a container that does not run */
};

struct why {
	enum why_verdict verdict;
	enum why_reason reason;
	bool has_match;		   /* match names the deciding line: of a name, or of the network around an address */
	struct policy_match match; /* borrows from the policy */
	/* The learned addresses of a name, or the elements that open an address: indices into view.learned, caller frees. */
	size_t *elements;
	size_t element_count;
};

/* -ENOMEM. Free why in either case. */
int why_decide(struct why *why, const struct why_view *view, const struct why_destination *destination);
void why_free(struct why *why);
#define cleanup_why __attribute__((cleanup(why_free)))

/* True when a deny line covers the address: then what a name brought does not help. */
bool why_is_denied(const struct policy *policy, const struct addr *addr);

/* Words for JSON ("allowed", "not-listed") and a sentence's end for people ("no line of its profiles names it"). */
const char *why_verdict_name(enum why_verdict verdict);
const char *why_reason_name(enum why_reason reason);
const char *why_reason_text(enum why_reason reason);

#endif
