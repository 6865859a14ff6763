/* A look into a running container.
 *
 * A child inside the namespace reads the kernel, compares, and sends a head and three pieces. When it finds a difference, somebody may
 * be changing lists and kernel at that moment; so it is looked at again while the bundle is locked. */
#include "cli/look.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/inside.h"
#include "fw/nft.h"
#include "fw/readback.h"

#define FORWARDER_TIMEOUT_MS 2000 /* a worker that is busy, or is being started again, answers sooner */

struct head {
	enum shield_state state;
	struct error difference;
	struct counters counters;
	size_t elements_length, listing_length; /* the learned elements are the rest */
};

struct wish {
	const struct ruleset *ruleset;
	unsigned parts;
};

static int pieces_read(const struct wish *wish, struct text *output, struct error *error)
{
	struct head head = {0};
	cleanup_text struct text elements = {0};
	cleanup_free char *listing = NULL;
	int rc = readback_state(wish->ruleset, &head.state, &elements, &head.difference, error);
	if (!rc && wish->parts & LOOK_LISTING)
		rc = nft_list_text(&listing, true, error);
	if (!rc && wish->parts & LOOK_COUNTERS)
		rc = counters_read(&head.counters, error);
	if (rc)
		return rc;
	head.elements_length = elements.length;
	head.listing_length = listing ? strlen(listing) : 0;
	text_add_bytes(output, &head, sizeof(head));
	text_add_bytes(output, elements.data, elements.length);
	text_add_bytes(output, listing, head.listing_length);
	if (text_failed(&elements))
		return error_set(error, ENOMEM, "out of memory");
	return wish->parts & LOOK_LEARNED ? learned_pack(output, error) : 0;
}

static int look_work(void *context, struct text *output, struct error *error)
{
	int rc = pieces_read(context, output, error);
	if (rc != -ENOENT)
		return rc;
	struct head head = {.state = SHIELD_ERROR, .difference = *error};
	text_free(output);
	text_add_bytes(output, &head, sizeof(head));
	return 0;
}

static int pieces_take(struct look *look, const struct text *output, struct error *error)
{
	struct head head;
	if (output->length < sizeof(head))
		return error_set(error, EPROTO, "the listing of the container's rules is cut short");
	memcpy(&head, output->data, sizeof(head));
	const char *at = output->data + sizeof(head);
	look->state = head.state;
	look->difference = head.difference;
	look->counters = head.counters;
	text_add_bytes(&look->elements, at, head.elements_length);
	at += head.elements_length;
	text_add_bytes(&look->listing, at, head.listing_length);
	at += head.listing_length;
	if (text_failed(&look->elements) || text_failed(&look->listing))
		return error_set(error, ENOMEM, "out of memory");
	return learned_unpack(&look->learned, at, (size_t)(output->data + output->length - at), error);
}

static int look_once(
	struct look *look, const struct container *container, const struct ruleset *ruleset, unsigned parts, struct error *error)
{
	struct wish wish = {.ruleset = ruleset, .parts = parts};
	cleanup_text struct text output = {0};
	struct error failed = {0};
	int rc = inside_run(&container->runtime, look_work, &wish, &output, &failed);
	if (rc == -ESRCH)
		return 0;
	return rc ? error_set(error, failed.code, "%s", failed.text) : pieces_take(look, &output, error);
}

/* The rules may be as they should be and the forwarder gone, or not answering: then no name resolves, and the user has to know. */
static void forwarder_check(struct look *look, const struct container *container)
{
	struct error error = {0};
	if (look->state == SHIELD_INACTIVE || look->state == SHIELD_ERROR)
		return;
	int rc = forwarder_ask(container, FORWARDER_TIMEOUT_MS, &look->forwarder, &error);
	if (!rc)
		return;
	look->state = SHIELD_ERROR;
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		error_set(&look->difference, ESRCH, "the forwarder is gone, no name resolves; the rules hold; restart the container");
	else
		error_set(&look->difference, ESRCH, "the forwarder does not answer, no name resolves; the rules hold; it is being started again, `terok-shield logs` says why");
}

int look_take_parts(struct look *look, const struct container *container, unsigned parts, struct error *error)
{
	*look = (struct look){.state = SHIELD_INACTIVE};
	cleanup_fd int lock_fd = -1;
	for (unsigned attempt = 0; container->running && attempt < 2; attempt++) {
		cleanup_policy struct policy *policy = NULL;
		struct ruleset ruleset;
		int rc = container_ruleset(container, &ruleset, &policy, error);
		if (!rc)
			rc = look_once(look, container, &ruleset, parts, error);
		if (!rc && (look->state != SHIELD_ERROR || attempt > 0))
			forwarder_check(look, container);
		if (rc || look->state != SHIELD_ERROR || look->difference.code == ESRCH || attempt > 0)
			return rc;
		lock_fd = container_lock(container, NULL);
		if (lock_fd < 0)
			return 0;
		look_free(look);
		*look = (struct look){.state = SHIELD_INACTIVE};
	}
	return 0;
}

int look_take(struct look *look, const struct container *container, const struct ruleset *ruleset, struct error *error)
{
	(void)ruleset;
	return look_take_parts(look, container, LOOK_LEARNED, error);
}

void look_free(struct look *look)
{
	learned_free(&look->learned);
	text_free(&look->elements);
	text_free(&look->listing);
}

size_t look_name_count(const struct look *look)
{
	size_t count = 0; /* the list is sorted by name */
	for (size_t i = 0; i < look->learned.count; i++)
		count += i == 0 || strcmp(look->learned.list[i].comment, look->learned.list[i - 1].comment) != 0;
	return count;
}
