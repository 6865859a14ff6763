/* What the hook and the supervisor, whom it starts for a container's forwarder, have agreed on: these descriptors are open, and one
 * line goes into the pipe, "ready" or "error: TEXT", before it is closed. */
#ifndef STATE_FORWARDER_H
#define STATE_FORWARDER_H

enum forwarder_descriptor {
	FORWARDER_NETNS = 3, /* the container's network namespace */
	FORWARDER_INIT,      /* a pidfd of its init */
	FORWARDER_READY,     /* the write end of the pipe */
	FORWARDER_BUNDLE,    /* its state folder, opened and checked by the hook */
	FORWARDER_DESCRIPTORS_END,
};

#endif
