/* allow and deny: lists, kernel and forwarder, in this order.
 *
 * Theory of operation. All destinations are read before anything changes. Under the bundle's lock the lists are changed on disk,
 * then the kernel's table is compared with what all records say and brought there; if that fails the lists are put back, so that what
 * is kept and what holds stay one. Then the forwarder reads the lists; it takes away what is no longer allowed, and ends the connections
 * to it. Nothing is said to be done before all three are. A command that is killed in between leaves lists that are ahead of kernel and
 * forwarder; since each command brings both to all of the lists, not only to its own part, the next one completes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/inside.h"
#include "cli/since.h"
#include "config/profile.h"
#include "fw/shift.h"
#include "state/control.h"

#define RESOLVE_TIMEOUT_MS 10000
#define DENIED_PARTS_SHOWN 8
#define LARGE_V4_PREFIX    16
#define LARGE_V6_PREFIX    32

struct destination {
	const char *text;
	struct rule rule;
};

struct verdict {
	struct container container;
	enum bundle_change change;
	struct destination destinations[COMMAND_OPERANDS_MAX];
	size_t count;
	int64_t until_s;         /* when an allow ends; 0: it does not */
	enum shield_state state; /* of a running container */
	struct text removed;     /* the forwarder's "removed ADDRESS NAME" lines */
};

static const enum bundle_list changed_lists[] = {BUNDLE_LIVE_ALLOWED, BUNDLE_LIVE_DOMAINS, BUNDLE_DENY_LIST, BUNDLE_DENIED_DOMAINS};
#define CHANGED_LISTS_COUNT (sizeof(changed_lists) / sizeof(*changed_lists))

/* The lists as they were; NULL for one that was not there. */
struct backup {
	char *content[CHANGED_LISTS_COUNT];
	size_t length[CHANGED_LISTS_COUNT];
};

static int destinations_parse(struct verdict *verdict, const struct command_options *options, struct error *error)
{
	int64_t lasting_s = 0;
	if (options->lasting && since_parse_duration(&lasting_s, options->lasting, BUNDLE_FOR_MAX_S, error))
		return -EINVAL;
	verdict->until_s = lasting_s ? clock_lasting_s() + lasting_s : 0;
	for (size_t i = 0; i < options->operand_count; i++) {
		struct destination *destination = &verdict->destinations[verdict->count++];
		destination->text = options->operands[i];
		int rc = profile_rule_parse(&destination->rule, destination->text, strlen(destination->text), error);
		if (rc)
			return rc;
		if (destination->rule.exclude)
			return error_set(error, EINVAL, "'!' stands only in profiles; use `terok-shield deny`");
		destination->rule.until = verdict->until_s;
	}
	return 0;
}

/* ---- lists ---- */

static int backup_take(struct backup *backup, const struct bundle *bundle, struct error *error)
{
	for (size_t i = 0; i < CHANGED_LISTS_COUNT; i++) {
		struct error missing = {0};
		int rc = bundle_read(
			bundle, bundle_list_file(changed_lists[i]), BUNDLE_LIST_MAX, &backup->content[i], &backup->length[i], &missing);
		if (rc && rc != -ENOENT)
			return error_set(error, missing.code, "%s", missing.text);
	}
	return 0;
}

static void backup_free(struct backup *backup)
{
	for (size_t i = 0; i < CHANGED_LISTS_COUNT; i++)
		free(backup->content[i]);
}

static int backup_restore(const struct backup *backup, const struct bundle *bundle)
{
	int result = 0;
	for (size_t i = 0; i < CHANGED_LISTS_COUNT; i++) {
		const char *file = bundle_list_file(changed_lists[i]);
		int rc = backup->content[i] ? bundle_write(bundle, file, backup->content[i], backup->length[i], NULL)
					    : bundle_remove(bundle, file, NULL);
		if (rc)
			result = rc;
	}
	return result;
}

/* `deny x:443` takes back an `allow x:443`; as a verdict of its own it could not be kept, and bundle_list_change() says so. */
static int list_change(const struct verdict *verdict, const struct rule *rule, struct error *error)
{
	bool changed = false;
	if (verdict->change == BUNDLE_DENY && rule->port) {
		int rc = bundle_list_change(&verdict->container.bundle, BUNDLE_FORGET, rule, &changed, error);
		if (rc || changed)
			return rc;
	}
	return bundle_list_change(&verdict->container.bundle, verdict->change, rule, &changed, error);
}

/* ---- kernel ---- */

static int kernel_work(void *context, struct text *output, struct error *error)
{
	(void)output;
	return shift_sets(context, NULL, error);
}

static int sets_change(struct verdict *verdict, struct error *error)
{
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	int rc = container_ruleset(&verdict->container, &ruleset, &policy, error);
	if (rc || !verdict->container.running)
		return rc;
	verdict->state = ruleset.state;
	rc = inside_run(&verdict->container.runtime, kernel_work, &ruleset, NULL, error);
	if (rc != -ESRCH)
		return rc;
	*error = (struct error){0}; /* it has just ended: the lists are for its next start */
	verdict->container.running = false;
	return 0;
}

static int lists_and_sets(struct verdict *verdict, struct error *error)
{
	struct backup backup = {0};
	const struct bundle *bundle = &verdict->container.bundle;
	cleanup_fd int lock_fd = container_lock(&verdict->container, error);
	if (lock_fd < 0)
		return lock_fd;
	int rc = backup_take(&backup, bundle, error);
	bool changed = rc == 0;
	for (size_t i = 0; rc == 0 && i < verdict->count; i++)
		rc = list_change(verdict, &verdict->destinations[i].rule, error);
	if (!rc)
		rc = sets_change(verdict, error);
	if (rc && changed && backup_restore(&backup, bundle))
		error_prefix(error, "nothing was changed in the kernel, but the lists in %s could not be put back", bundle->path);
	backup_free(&backup);
	return rc;
}

/* ---- forwarder ---- */

static int forwarder_reload(struct verdict *verdict, struct error *error)
{
	if (!verdict->container.running)
		return 0;
	int rc = container_tell(&verdict->container, verdict->state, &verdict->removed, error);
	return rc ? error_prefix(error, "the lists are changed, but the running container's forwarder did not take them over") : 0;
}

/* Collects the addresses of answer lines "KEYWORD ADDRESS ...", joined by ", ", each once. name: only lines whose third word it
 * contains; may be NULL. */
static void addresses_join(const char *lines, const char *keyword, const struct rule *within, struct text *joined)
{
	size_t word = strlen(keyword);
	cleanup_text struct text seen = {0};
	for (const char *line = lines ? lines : ""; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char address[ADDR_TEXT_MAX + 2];
		struct addr parsed;
		struct name name;
		if (strncmp(line, keyword, word) != 0 || line[word] != ' ')
			continue;
		const char *at = line + word + 1;
		size_t length = strcspn(at, " \n");
		if (addr_parse(&parsed, at, length))
			continue;
		const char *owner = at + length + (at[length] == ' ');
		if (within && (name_from_text(&name, owner, strcspn(owner, " \n")) || !name_is_within(&name, &within->name)))
			continue;
		snprintf(address, sizeof(address), "%.*s\n", (int)length, at);
		if (seen.data && strstr(seen.data, address))
			continue;
		text_add(&seen, address);
		text_addf(joined, "%s%.*s", joined->length > 0 ? ", " : "", (int)length, at);
	}
}

/* ---- what is said ---- */

/* What the policy now says about a destination; a more specific or earlier verdict may stand against it. */
static void decision_of(const struct policy *policy, const struct rule *rule, struct policy_match *match)
{
	if (rule->kind == RULE_NET)
		policy_lookup_addr(policy, &rule->net.addr, match);
	else
		policy_lookup(policy, rule->name.wire, rule->name.length, match);
}

/* What of an allowed network stays denied: the deny sets come first. Returns true when that is all of it. */
static bool denied_parts(const struct policy *policy, const struct destination *destination)
{
	const struct netset *denied = policy_denied_nets(policy);
	size_t parts = 0;
	for (size_t i = 0; i < denied->count; i++) {
		const struct netset_entry *entry = &denied->entries[i];
		char net[ADDR_NET_TEXT_MAX];
		if (addr_net_covers(&entry->net, &destination->rule.net)) {
			fprintf(stderr, "note: %s is kept, but %s is denied and stands against it\n", destination->text,
				addr_net_format(&entry->net, net));
			return true;
		}
		if (addr_net_covers(&destination->rule.net, &entry->net) && parts++ < DENIED_PARTS_SHOWN)
			fprintf(stderr, "note: of %s, %s stays denied\n", destination->text, addr_net_format(&entry->net, net));
	}
	if (parts > DENIED_PARTS_SHOWN)
		fprintf(stderr, "note: and %zu more\n", parts - DENIED_PARTS_SHOWN);
	return false;
}

static void wide_note(const struct verdict *verdict, const struct destination *destination)
{
	const struct addr_net *net = &destination->rule.net;
	char detail[96];
	if (destination->rule.kind != RULE_NET)
		return;
	enum addr_scope scope = addr_scope(&net->addr);
	if (scope != ADDR_GLOBAL)
		snprintf(detail, sizeof(detail), "%s network allowed", addr_scope_name(scope));
	else if (net->prefix_length < (net->addr.family == ADDR_V4 ? LARGE_V4_PREFIX : LARGE_V6_PREFIX))
		snprintf(detail, sizeof(detail), "very large network allowed");
	else
		return;
	container_audit(&verdict->container, "note", destination->text, detail);
	fprintf(stderr, "note: %s: %s\n", destination->text, detail);
}

/* Looks a name up through the forwarder, so that its addresses are in the kernel's set when this returns. */
static void resolve(const struct verdict *verdict, const struct rule *rule, struct text *addresses)
{
	char name[NAME_TEXT_MAX], request[CONTROL_LINE_MAX];
	cleanup_text struct text answer = {0};
	struct error error = {0};
	name_to_text(&rule->name, name);
	snprintf(request, sizeof(request), "resolve %s", name);
	if (control_request(&verdict->container.bundle, request, RESOLVE_TIMEOUT_MS, &answer, &error))
		fprintf(stderr, "note: %s: %s\n", name, error.text);
	else
		addresses_join(answer.data, "address", NULL, addresses);
}

/* A more specific or earlier verdict may stand against what was just allowed; then it is said. */
static bool refused_still(const struct policy *policy, const struct destination *destination)
{
	struct policy_match match = {0};
	if (destination->rule.kind == RULE_NET)
		return denied_parts(policy, destination);
	decision_of(policy, &destination->rule, &match);
	if (destination->rule.kind == RULE_BELOW || match.verdict == POLICY_ALLOWED)
		return false;
	fprintf(stderr, "note: %s is kept, but %s line %u stands against it\n", destination->text, match.source, match.line);
	return true;
}

/* " until TIME", or "" where an allow has no end. An equal allow that lasts longer is not shortened. */
static const char *until_say(
	const struct verdict *verdict, const struct destination *destination, const struct policy *policy, char text[CLOCK_TEXT_MAX + 8])
{
	struct policy_match match = {0};
	char moment[CLOCK_TEXT_MAX];
	*text = '\0';
	if (!verdict->until_s)
		return text;
	decision_of(policy, &destination->rule, &match);
	int64_t until_s = destination->rule.kind == RULE_BELOW ? verdict->until_s : match.until;
	if (until_s != verdict->until_s)
		fprintf(stderr, "note: %s is allowed %s already\n", destination->text, until_s ? "for longer" : "without an end");
	if (until_s)
		snprintf(text, CLOCK_TEXT_MAX + 8, " until %s", clock_wall_text(moment, sizeof(moment), until_s));
	return text;
}

static bool allowed_say(const struct verdict *verdict, const struct destination *destination, const struct policy *policy)
{
	const struct rule *rule = &destination->rule;
	const char *name = verdict->container.identity.container;
	cleanup_text struct text addresses = {0};
	char until[CLOCK_TEXT_MAX + 8];
	if (refused_still(policy, destination)) {
		container_audit(&verdict->container, "allowed", destination->text, NULL);
		wide_note(verdict, destination);
		printf("No IPs allowed for %s\n", name);
		return false;
	}
	until_say(verdict, destination, policy, until);
	container_audit(&verdict->container, "allowed", destination->text, *until ? until + 1 : NULL);
	wide_note(verdict, destination);
	if (verdict->container.running && rule->kind == RULE_NET) {
		char net[ADDR_NET_TEXT_MAX];
		text_add(&addresses, addr_net_format(&rule->net, net));
	} else if (verdict->container.running && rule->kind != RULE_BELOW) {
		resolve(verdict, rule, &addresses);
		if (addresses.length == 0) {
			fprintf(stderr, "note: %s stays allowed%s; it has no address now\n", destination->text, until);
			printf("No IPs allowed for %s\n", name);
			return false;
		}
	}
	/* The names below a name are not known before they are asked for. */
	printf("Allowed %s%s%s for %s%s\n", destination->text, addresses.length > 0 ? " -> " : "",
		addresses.length > 0 && !text_failed(&addresses) ? addresses.data : "", name, until);
	return true;
}

static bool denied_say(const struct verdict *verdict, const struct destination *destination, const struct policy *policy)
{
	const struct rule *rule = &destination->rule;
	const char *name = verdict->container.identity.container;
	cleanup_text struct text addresses = {0};
	struct policy_match match = {0};
	container_audit(&verdict->container, "denied", destination->text, NULL);
	decision_of(policy, rule, &match);
	if (rule->kind != RULE_BELOW && match.verdict == POLICY_ALLOWED) {
		fprintf(stderr, "note: %s line %u still allows %s\n", match.source, match.line, destination->text);
		printf("No IPs denied for %s\n", name);
		return false;
	}
	char net[ADDR_NET_TEXT_MAX];
	if (rule->kind == RULE_NET)
		text_add(&addresses, addr_net_format(&rule->net, net));
	else
		addresses_join(verdict->removed.data, "removed", rule, &addresses);
	if (addresses.length > 0 && !text_failed(&addresses))
		printf("Denied %s (%s) for %s\n", destination->text, addresses.data, name);
	else
		printf("Denied %s for %s\n", destination->text, name);
	return true;
}

static enum command_exit verdict_say(const struct verdict *verdict, struct error *error)
{
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	if (container_ruleset(&verdict->container, &ruleset, &policy, error))
		return COMMAND_FAILED;
	bool good = true;
	for (size_t i = 0; i < verdict->count; i++) {
		const struct destination *destination = &verdict->destinations[i];
		bool said = verdict->change == BUNDLE_ALLOW ? allowed_say(verdict, destination, policy)
							    : denied_say(verdict, destination, policy);
		good = good && said;
	}
	if (!verdict->container.running)
		fprintf(stderr, "note: %s does not run; it holds from its next start\n", verdict->container.identity.container);
	return good ? COMMAND_DONE : COMMAND_FAILED;
}

static enum command_exit verdict_run(const struct command_options *options, enum bundle_change change, struct error *error)
{
	cleanup_free struct verdict *verdict = calloc(1, sizeof(*verdict));
	if (!verdict) {
		error_set(error, ENOMEM, "out of memory");
		return COMMAND_FAILED;
	}
	verdict->change = change;
	verdict->container = (struct container)CONTAINER_INIT;
	if (destinations_parse(verdict, options, error))
		return COMMAND_USAGE;
	enum command_exit code = COMMAND_FAILED;
	if (container_open(&verdict->container, options, error) == 0 && lists_and_sets(verdict, error) == 0 &&
		forwarder_reload(verdict, error) == 0)
		code = verdict_say(verdict, error);
	text_free(&verdict->removed);
	container_close(&verdict->container);
	return code;
}

enum command_exit cmd_allow(const struct command_options *options, struct error *error)
{
	return verdict_run(options, BUNDLE_ALLOW, error);
}

enum command_exit cmd_deny(const struct command_options *options, struct error *error)
{
	return verdict_run(options, BUNDLE_DENY, error);
}
