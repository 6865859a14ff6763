/* libnftables: applying and listing. A context for each call: nothing of one call shows in another. */
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#include "fw/nft.h"
#include "fw/nft_library.h"
#include "fw/ruleset.h"

#define MESSAGE_MAX 400 /* octets of libnftables' message */
#define APPLYING    "cannot apply the ruleset"
#define LISTING     "cannot list the ruleset"
#define LIST        "list table inet " RULESET_TABLE
#define LIST_FAMILY "list ruleset inet"
#define OUTPUT_JSON (NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_STATELESS)

/* libnftables says why only in words. */
static int failure_code(const char *message)
{
	static const struct {
		const char *words;
		int code;
	} known[] = {
		{"Operation not permitted", EPERM},
		{"No such file or directory", ENOENT},
		{"File exists", EEXIST},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(message, known[i].words))
			return known[i].code;
	return EINVAL;
}

static int fail(const char *message, const char *doing, struct error *error)
{
	char line[MESSAGE_MAX], escaped[4 * MESSAGE_MAX];

	if (!message || !*message)
		return error_set(error, EINVAL, "%s: libnftables gives no reason", doing);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(message, "\n"), message);
	return error_set(error, failure_code(message), "%s: %s", doing, text_escaped(escaped, sizeof(escaped), line));
}

/* Runs commands. output: what libnftables printed, caller frees; NULL when it is not wanted. */
static int run(const char *commands, unsigned flags, const char *doing, char **output, struct error *error)
{
	const struct nft_library *nft = nft_library(error);
	struct nft_ctx *context;
	const char *printed;
	int result = 0;

	if (!nft)
		return -ELIBACC;
	context = nft->ctx_new(NFT_CTX_DEFAULT);
	if (!context)
		return error_errno(error, ENOMEM, "%s", doing);
	nft->ctx_output_set_flags(context, flags);
	if (nft->ctx_buffer_output(context) || nft->ctx_buffer_error(context)) {
		result = error_errno(error, ENOMEM, "%s", doing);
	} else if (nft->run_cmd_from_buffer(context, commands)) {
		result = fail(nft->ctx_get_error_buffer(context), doing, error);
	} else if (output) {
		printed = nft->ctx_get_output_buffer(context);
		*output = strdup(printed ? printed : "");
		if (!*output)
			result = error_errno(error, ENOMEM, "%s", doing);
	}
	nft->ctx_free(context);
	return result;
}

/* Deleting anything makes the kernel wait for a grace period or two when the socket is closed, 8 ms and more, even where the table was
 * only just made to be deleted. So a ruleset that begins with RULESET_RESET is first tried as one for a namespace without the table. */
static int apply_to_new_namespace(const char *commands, struct error *error)
{
	cleanup_text struct text text = {0};

	text_add(&text, "create table inet " RULESET_TABLE "\n");
	text_add(&text, commands + strlen(RULESET_RESET));
	if (text_failed(&text))
		return error_errno(error, ENOMEM, APPLYING);
	return run(text.data, 0, APPLYING, NULL, error);
}

int nft_apply(const char *commands, struct error *error)
{
	struct error first = {0};
	int result = -EEXIST;

	if (!strncmp(commands, RULESET_RESET, strlen(RULESET_RESET)))
		result = apply_to_new_namespace(commands, &first);
	if (result == -EEXIST)
		return run(commands, 0, APPLYING, NULL, error);
	if (result && error)
		*error = first;
	return result;
}

int nft_list_json(char **json, struct error *error)
{
	return run(LIST, OUTPUT_JSON, LISTING, json, error);
}

int nft_list_json_terse(char **json, struct error *error)
{
	return run(LIST_FAMILY, OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE, LISTING, json, error);
}

int nft_list_json_counters(char **json, struct error *error)
{
	return run(LIST_FAMILY, (OUTPUT_JSON & ~NFT_CTX_OUTPUT_STATELESS) | NFT_CTX_OUTPUT_TERSE, LISTING, json, error);
}

/* Moves our table to the front and cuts the rest off. */
static void keep_own_table(char *text)
{
	static const char head[] = "table inet " RULESET_TABLE " {\n";
	char *start = text, *end;

	while (start && strncmp(start, head, strlen(head)) != 0) {
		start = strchr(start, '\n');
		start += start != NULL;
	}
	end = start ? strstr(start, "\n}\n") : NULL;
	if (end)
		memmove(text, start, (size_t)(end - start));
	strcpy(end ? text + (end - start) : text, end ? "\n}\n" : "");
}

int nft_list_text(char **text, bool terse, struct error *error)
{
	int result = run(terse ? LIST_FAMILY : LIST, terse ? NFT_CTX_OUTPUT_TERSE : 0, LISTING, text, error);

	if (!result && terse)
		keep_own_table(*text);
	return result;
}
