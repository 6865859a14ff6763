/* libnftables as loaded when it is first needed. With the libraries behind it that takes a millisecond, which nobody waits for who has no use for it: `run`, poststop, and
 * the start of the forwarder, beside which the hook's rules are made. */
#ifndef FW_NFT_LIBRARY_H
#define FW_NFT_LIBRARY_H

#include <stdint.h>

#include "base/error.h"

struct nft_ctx;

/* The functions of libnftables(3) that fw/nft.c uses, each under its name without "nft_". */
struct nft_library {
	struct nft_ctx *(*ctx_new)(uint32_t flags);
	void (*ctx_free)(struct nft_ctx *context);
	void (*ctx_output_set_flags)(struct nft_ctx *context, unsigned flags);
	int (*ctx_buffer_output)(struct nft_ctx *context);
	int (*ctx_buffer_error)(struct nft_ctx *context);
	const char *(*ctx_get_output_buffer)(struct nft_ctx *context);
	const char *(*ctx_get_error_buffer)(struct nft_ctx *context);
	int (*run_cmd_from_buffer)(struct nft_ctx *context, const char *commands);
};

/* Loaded once for the process, and never unloaded; for any thread. NULL when it cannot be loaded: ELIBACC, with the loader's reason. */
const struct nft_library *nft_library(struct error *error);

#endif
