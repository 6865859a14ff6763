/* An nft library gone wrong, for tests/podman/failure.sh: loaded into every program of a bed by /etc/ld.so.preload, it spoils what is sent to the kernel
 * in the way that the file SPOIL names: fail (every command fails), ignore (a change is reported as done and was not), open (done, and then
 * a rule that accepts everything is put first). Listings are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define SPOIL "/etc/spoil"

struct nft_ctx;
int nft_run_cmd_from_buffer(struct nft_ctx *context, const char *commands);

int nft_run_cmd_from_buffer(struct nft_ctx *context, const char *commands)
{
	int (*next)(struct nft_ctx *, const char *) = (int (*)(struct nft_ctx *, const char *))dlsym(RTLD_NEXT, "nft_run_cmd_from_buffer");
	char mode[16] = "";
	FILE *file = fopen(SPOIL, "re");
	int status;

	if (file) {
		if (fscanf(file, "%15s", mode) != 1)
			mode[0] = '\0';
		fclose(file);
	}
	if (!next || !strcmp(mode, "fail"))
		return -1;
	if (!strncmp(commands, "list", 4))
		return next(context, commands);
	if (!strcmp(mode, "ignore"))
		return 0;
	status = next(context, commands);
	if (!status && !strcmp(mode, "open"))
		next(context, "insert rule inet terok_shield output accept");
	return status;
}
