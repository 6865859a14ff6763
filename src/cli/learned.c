/* The learned elements of a listing, libnftables-json(5). */
#include "cli/learned.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rule.h"

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static uint64_t number(const cJSON *item)
{
	return cJSON_IsNumber(item) && item->valuedouble > 0 && item->valuedouble < 9e15 ? (uint64_t)item->valuedouble : 0;
}

/* "192.0.2.1", or {"concat": ["192.0.2.1", "tcp", 443]}. */
static bool key_parse(struct setwriter_key *key, const cJSON *value)
{
	const cJSON *parts = member(value, "concat");
	const cJSON *address = parts ? cJSON_GetArrayItem(parts, 0) : value;
	if (!cJSON_IsString(address) || addr_parse(&key->addr, address->valuestring, strlen(address->valuestring)))
		return false;
	if (!parts)
		return true;
	const cJSON *protocol = cJSON_GetArrayItem(parts, 1);
	uint64_t port = number(cJSON_GetArrayItem(parts, 2));
	if (!cJSON_IsString(protocol) || port == 0 || port > UINT16_MAX)
		return false;
	key->protocol = strcmp(protocol->valuestring, "udp") == 0 ? RULE_UDP : RULE_TCP;
	key->port = (uint16_t)port;
	return true;
}

/* Who can write to the sets can write what he likes there: only printable ASCII reaches a terminal. */
static void comment_copy(char comment[SETWRITER_COMMENT_MAX + 1], const cJSON *item)
{
	size_t length = 0;
	for (const char *at = cJSON_IsString(item) ? item->valuestring : ""; *at && length < SETWRITER_COMMENT_MAX; at++)
		comment[length++] = *at > 0x20 && *at < 0x7f ? *at : '?';
	comment[length] = '\0';
}

static int element_add(struct learned *learned, const cJSON *item, size_t *unknown)
{
	const cJSON *body = member(item, "elem"), *counter = member(body, "counter");
	struct setwriter_element element = {0};
	if (!key_parse(&element.key, member(body, "val"))) {
		++*unknown;
		return 0;
	}
	element.timeout_ms = number(member(body, "timeout")) * 1000;
	element.expires_ms = number(member(body, "expires")) * 1000;
	element.packets = number(member(counter, "packets"));
	element.bytes = number(member(counter, "bytes"));
	comment_copy(element.comment, member(body, "comment"));
	if (learned->count == learned->capacity) {
		size_t capacity = learned->capacity ? learned->capacity * 2 : 256;
		struct setwriter_element *grown = reallocarray(learned->list, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		learned->list = grown;
		learned->capacity = capacity;
	}
	learned->list[learned->count++] = element;
	return 0;
}

static int element_compare(const void *a, const void *b)
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

int learned_parse(struct learned *learned, const char *json, size_t *unknown, struct error *error)
{
	cJSON *root = cJSON_Parse(json);
	const cJSON *objects = member(root, "nftables"), *object, *item;
	int rc = cJSON_IsArray(objects) ? 0 : -EPROTO;
	*unknown = 0;
	cJSON_ArrayForEach(object, objects)
	{
		const cJSON *set = member(object, "set"), *name = member(set, "name");
		if (!cJSON_IsString(name) || strncmp(name->valuestring, "learned_", 8) != 0)
			continue;
		cJSON_ArrayForEach(item, member(set, "elem"))
		{
			if (rc == 0)
				rc = element_add(learned, item, unknown);
		}
	}
	cJSON_Delete(root);
	if (rc)
		return error_errno(error, -rc, "cannot read the listing of the learned addresses");
	if (learned->count > 0)
		qsort(learned->list, learned->count, sizeof(*learned->list), element_compare);
	return 0;
}

void learned_free(struct learned *learned)
{
	free(learned->list);
	*learned = (struct learned){0};
}
