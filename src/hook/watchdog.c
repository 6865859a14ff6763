/* The alarm behind the hook's deadline. All that its handler does is async-signal-safe. */
#include "hook/watchdog.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "state/bundle.h"

static volatile sig_atomic_t report_fd = -1;

static void expire(int signal_number)
{
	static const char message[] =
		"the hook did not end in time; see what the file system of the state folder or the kernel's netfilter is busy with\n";
	int log_fd = -1;

	(void)signal_number;
	if (report_fd >= 0)
		log_fd = openat(report_fd, BUNDLE_HOOK_ERROR, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (log_fd >= 0)
		(void)!write(log_fd, message, sizeof(message) - 1);
	(void)!write(STDERR_FILENO, message, sizeof(message) - 1);
	_exit(1);
}

void watchdog_start(unsigned seconds)
{
	struct sigaction action = {.sa_handler = expire};

	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
}

void watchdog_report_to(int bundle_fd)
{
	report_fd = bundle_fd;
}
