/* Loading libnftables. */
#include "fw/nft_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#define FILE_NAME  "libnftables.so.1" /* of every version since 0.9 */
#define REASON_MAX 256

static struct nft_library library;
static bool loaded;
static char reason[REASON_MAX]; /* why it is not */

/* Compiles only where the function is as libnftables.h has it. */
#define SYMBOL(name) \
	{"nft_" #name, __builtin_choose_expr(__builtin_types_compatible_p(__typeof__(library.name), __typeof__(&nft_##name)), (void **)&library.name, (void)0)}

static const struct {
	const char *name;
	void **function;
} symbols[] = {
	SYMBOL(ctx_new),
	SYMBOL(ctx_free),
	SYMBOL(ctx_output_set_flags),
	SYMBOL(ctx_buffer_output),
	SYMBOL(ctx_buffer_error),
	SYMBOL(ctx_get_output_buffer),
	SYMBOL(ctx_get_error_buffer),
	SYMBOL(run_cmd_from_buffer),
};
_Static_assert(sizeof(symbols) / sizeof(*symbols) == sizeof(library) / sizeof(void *), "one for each function");

/* Found as if the program were linked with it. */
static void load(void)
{
	loaded = dlopen(FILE_NAME, RTLD_NOW | RTLD_GLOBAL);
	for (size_t i = 0; loaded && i < sizeof(symbols) / sizeof(*symbols); i++) {
		*symbols[i].function = dlsym(RTLD_DEFAULT, symbols[i].name);
		loaded = *symbols[i].function;
	}
	if (!loaded)
		snprintf(reason, sizeof(reason), "%s", dlerror());
}

const struct nft_library *nft_library(struct error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (loaded)
		return &library;
	error_set(error, ELIBACC, "cannot load libnftables: %s: install it again (Debian: libnftables1)", reason);
	return NULL;
}
