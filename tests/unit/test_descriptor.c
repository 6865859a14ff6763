/* Handing descriptors to a program: each to its number, whatever numbers they had. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/descriptor.h"

#define FIRST 3
#define COUNT 4

/* In a child: three files, at numbers that are each other's goals, and one that is missing. */
static int arrange_try(void)
{
	static const char *const paths[] = {"/dev/null", "/dev/zero", "/dev/full"};
	static const int at[] = {5, 3, 4};
	struct stat wanted[3], found;
	int from[COUNT];

	for (int i = 0; i < 3; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &wanted[i]))
			return 1;
		fcntl(fd, F_DUPFD_CLOEXEC, 40 + i);
		close(fd);
	}
	for (int i = 0; i < 3; i++) {
		if (dup3(40 + i, at[i], O_CLOEXEC) < 0)
			return 2;
		from[i < 1 ? i : i + 1] = at[i];
	}
	dup2(40, 6);
	from[1] = -1;
	if (descriptor_arrange(from, COUNT, FIRST))
		return 3;
	for (int i = 0; i < 3; i++) {
		int number = FIRST + (i < 1 ? i : i + 1);

		if (fstat(number, &found) || found.st_rdev != wanted[i].st_rdev || fcntl(number, F_GETFD) != 0)
			return 4;
		if (fcntl(from[i < 1 ? i : i + 1], F_GETFD) != FD_CLOEXEC) /* usable until the exec */
			return 5;
	}
	if (fcntl(FIRST + 1, F_GETFD) >= 0 || errno != EBADF)
		return 6;
	return fcntl(40, F_GETFD) == FD_CLOEXEC ? 0 : 7;
}

static void each_comes_to_its_number_and_the_others_stay_behind(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(arrange_try());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_comes_to_its_number_and_the_others_stay_behind)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
