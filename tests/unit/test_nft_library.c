/* libnftables as it is loaded: complete, and with a reason and a remedy where it is spoiled. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nftables/libnftables.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fw/nft.h"
#include "fw/nft_library.h"

#define SPOILED "spoiled" /* this program's argument where the library is */

static void it_is_loaded_with_every_function(void **context)
{
	const struct nft_library *nft = nft_library(NULL);
	struct nft_ctx *nft_context;

	(void)context;
	assert_non_null(nft);
	assert_ptr_equal(nft, nft_library(NULL));
	nft_context = nft->ctx_new(NFT_CTX_DEFAULT);
	assert_non_null(nft_context);
	assert_int_equal(nft->ctx_buffer_error(nft_context), 0);
	assert_int_not_equal(nft->run_cmd_from_buffer(nft_context, "no command"), 0);
	assert_non_null(strstr(nft->ctx_get_error_buffer(nft_context), "syntax error"));
	nft->ctx_free(nft_context);
}

/* Where the library is spoiled: what apply and list say. */
static int spoiled_main(void)
{
	struct error error = {0};
	char *json = NULL;

	if (nft_apply("list tables", &error) != -ELIBACC || nft_list_json(&json, &error) != -ELIBACC || json)
		return 1;
	puts(error.text);
	return 0;
}

static void a_spoiled_one_is_an_error_with_its_remedy(void **context)
{
	char folder[] = "/tmp/test_nft_library.XXXXXX", library[sizeof(folder) + 32], command[PATH_MAX + 128];
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	cleanup_free char *said = NULL;
	FILE *child;

	(void)context;
	assert_true(length > 0);
	program[length] = '\0';
	assert_non_null(mkdtemp(folder));
	snprintf(library, sizeof(library), "%s/libnftables.so.1", folder);
	assert_int_equal(file_replace(AT_FDCWD, library, 0755, "no library", strlen("no library")), 0);
	snprintf(command, sizeof(command), "LD_LIBRARY_PATH=%s '%s' " SPOILED, folder, program);
	child = popen(command, "re");
	assert_non_null(child);
	assert_int_equal(file_read_fd(fileno(child), 4096, &said, NULL), 0);
	assert_int_equal(pclose(child), 0);
	assert_non_null(strstr(said, "cannot load libnftables"));
	assert_non_null(strstr(said, library)); /* the place */
	assert_non_null(strstr(said, "install it again"));
	assert_int_equal(remove(library), 0);
	assert_int_equal(remove(folder), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_loaded_with_every_function),
		cmocka_unit_test(a_spoiled_one_is_an_error_with_its_remedy),
	};

	if (argc == 2 && strcmp(argv[1], SPOILED) == 0)
		return spoiled_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
