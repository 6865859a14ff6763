/* Handing descriptors to a program at numbers that both know. */
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

/* In a child between fork and exec: from[i] will be open at first + i in the program, or that number closed where from[i] is negative;
 * whatever has a higher number is closed by the exec. from: changed to copies out of the way, which stay usable until then.
 * Async-signal-safe. Returns 0 or a negative errno. */
int descriptor_arrange(int from[], int count, int first);

#endif
