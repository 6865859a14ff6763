/* The learned elements, read inside a container's namespace and handed out of it. Both processes are this program, so an element travels
 * as it lies in memory, cut behind its name. */
#include "cli/learned.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rule.h"

#define FIXED offsetof(struct setwriter_element, comment)

static int element_pack(void *context, const struct setwriter_element *element)
{
	struct text *packed = context;
	text_add_bytes(packed, element, FIXED + strlen(element->comment) + 1);
	return text_failed(packed) ? -ENOMEM : 0;
}

int learned_pack_kept(struct setwriter **reader, struct text *packed, struct error *error)
{
	int rc = *reader ? 0 : setwriter_open_reader(reader, error);
	if (rc)
		return rc;
	rc = setwriter_each(*reader, element_pack, packed);
	return rc ? error_errno(error, -rc, "cannot read the learned addresses") : 0;
}

int learned_pack(struct text *packed, struct error *error)
{
	struct setwriter *reader = NULL;
	int rc = learned_pack_kept(&reader, packed, error);
	setwriter_close(reader);
	return rc;
}

int learned_compare(const void *a, const void *b)
{
	const struct setwriter_element *left = a, *right = b;
	int order = strcmp(left->comment, right->comment);
	if (order == 0)
		order = (int)left->key.addr.family - (int)right->key.addr.family;
	if (order == 0)
		order = memcmp(left->key.addr.octets, right->key.addr.octets, sizeof(left->key.addr.octets));
	if (order == 0)
		order = (int)left->key.port - (int)right->key.port;
	return order ? order : (int)left->key.protocol - (int)right->key.protocol;
}

/* Who can write to the sets can write what he likes there: only printable ASCII reaches a terminal, and no blank breaks a column. */
static void comment_clean(char *comment)
{
	for (; *comment; comment++) {
		if (*comment <= ' ' || *comment > '~' || *comment == '"')
			*comment = '?';
	}
}

int learned_unpack(struct learned *learned, const char *packed, size_t length, struct error *error)
{
	size_t capacity = length / (FIXED + 1), at = 0;
	learned->count = 0;
	learned->list = calloc(capacity + 1, sizeof(*learned->list));
	if (!learned->list)
		return error_set(error, ENOMEM, "out of memory");
	while (at < length) {
		struct setwriter_element *element = &learned->list[learned->count];
		const char *end = length - at > FIXED ? memchr(packed + at + FIXED, '\0', length - at - FIXED) : NULL;
		size_t size = end ? (size_t)(end + 1 - (packed + at)) : 0;
		if (size == 0 || size > sizeof(*element))
			return error_set(error, EPROTO, "the listing of the learned addresses is cut short");
		memcpy(element, packed + at, size);
		comment_clean(element->comment);
		learned->count++;
		at += size;
	}
	qsort(learned->list, learned->count, sizeof(*learned->list), learned_compare);
	return 0;
}

void learned_free(struct learned *learned)
{
	free(learned->list);
	*learned = (struct learned){0};
}

const char *learned_set(const struct setwriter_element *element)
{
	if (element->key.addr.family == ADDR_V4)
		return element->key.port ? "learned_port_v4" : "learned_v4";
	return element->key.port ? "learned_port_v6" : "learned_v6";
}
