/* Handing descriptors to a program at numbers that both know. */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

int descriptor_arrange(int from[], int count, int first)
{
	/* All move out of the way first: one's number may be another's goal. */
	for (int i = 0; i < count; i++) {
		if (from[i] < 0)
			continue;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, first + count);
		if (from[i] < 0)
			return -errno;
	}
	for (int i = 0; i < count; i++) {
		if (from[i] < 0)
			close(first + i);
		else if (dup2(from[i], first + i) < 0)
			return -errno;
	}
	return close_range((unsigned)(first + count), ~0u, CLOSE_RANGE_CLOEXEC) ? -errno : 0;
}
