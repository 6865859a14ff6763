/* cli/proc.h: what /proc says, read without being fooled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/proc.h"

static void all_five_sets_are_joined_and_none_may_be_missing(void **unused)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	uint64_t capabilities = 0;

	(void)unused;
	for (unsigned missing = 0; missing <= 5; missing++) {
		char text[512] = "Name:\tx\n";

		for (unsigned i = 0; i < 5; i++)
			if (i != missing)
				sprintf(text + strlen(text), "%s:\t%016x\n", sets[i], 1u << i);
		capabilities = 0;
		assert_int_equal(proc_status_capabilities(text, &capabilities), missing == 5);
		assert_int_equal(capabilities, missing == 5 ? 0x1f : 0);
	}
}

static void a_name_cannot_stand_for_a_set(void **unused)
{
	uint64_t capabilities = 0;

	(void)unused;
	assert_false(proc_status_capabilities("Name:\tCapEff:0 CapInh:0 CapPrm:0 CapBnd:0 CapAmb:0\n", &capabilities));
}

static void a_listing_of_sockets_is_read(void **unused)
{
	static const char listing[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		"   0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 30457 1 0000000000000000 100 0 0 10 0\n"
		"   1: 0100007F:0035 0100007F:C350 06 00000000:00000000 03:00000F9C 00000000     0        0 0 3 0000000000000000\n"
		"  12: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000  1000 "
		"       0 18446744073709551615 2 0000000000000000 0\n"
		"a line of no sense\n";
	struct proc_socket socket;
	const char *at = listing;

	(void)unused;
	assert_true(proc_socket_next(&at, &socket));
	assert_string_equal(socket.address, "0100007F");
	assert_int_equal(socket.port, 53);
	assert_int_equal(socket.inode, 30457);
	assert_true(proc_socket_next(&at, &socket));
	assert_int_equal(socket.inode, 0);
	assert_true(proc_socket_next(&at, &socket));
	assert_string_equal(socket.address, "00000000000000000000000001000000");
	assert_true(socket.inode == UINT64_MAX);
	assert_false(proc_socket_next(&at, &socket));
}

static void a_family_is_a_process_with_its_children(void **unused)
{
	struct proc_list family = {0};
	struct error error = {0};
	pid_t child = fork();

	(void)unused;
	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(proc_family(getpid(), &family, &error), 0);
	assert_int_equal(family.count, 2);
	assert_int_equal(family.pids[0], getpid());
	assert_int_equal(family.pids[1], child);
	proc_list_free(&family);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(proc_family(child, &family, &error), -2);
	proc_list_free(&family);
	assert_int_equal(proc_state(child), 0);
}

static void a_socket_has_its_holder(void **unused)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct stat status;

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(proc_holds_socket(getpid(), status.st_ino), 1);
	close(fd);
	assert_int_equal(proc_holds_socket(getpid(), status.st_ino), 0);
}

static void a_process_namespace_that_is_our_own_tells_nothing(void **unused)
{
	struct proc_list processes = {0};
	struct error error = {0};

	(void)unused;
	assert_int_equal(proc_of_namespace(getpid(), &processes, &error), -1);
	proc_list_free(&processes);
}

static void a_program_has_a_name(void **unused)
{
	char name[64];

	(void)unused;
	assert_int_equal(proc_program(getpid(), name, sizeof(name)), 0);
	assert_string_equal(name, "test_proc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_five_sets_are_joined_and_none_may_be_missing),
		cmocka_unit_test(a_name_cannot_stand_for_a_set),
		cmocka_unit_test(a_listing_of_sockets_is_read),
		cmocka_unit_test(a_family_is_a_process_with_its_children),
		cmocka_unit_test(a_socket_has_its_holder),
		cmocka_unit_test(a_process_namespace_that_is_our_own_tells_nothing),
		cmocka_unit_test(a_program_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
