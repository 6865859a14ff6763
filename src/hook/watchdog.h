/* The hook's deadline: whatever it hangs in (a file system, a lock in the kernel), the container's start fails. */
#ifndef HOOK_WATCHDOG_H
#define HOOK_WATCHDOG_H

/* From now on the process ends with status 1 after `seconds`, with a line on stderr. */
void watchdog_start(unsigned seconds);

/* ... and with one in hook-error.log of this folder. bundle_fd is borrowed until the process ends. */
void watchdog_report_to(int bundle_fd);

#endif
