/* The packet log, read so that DNS does not feel it. */
#include "proxy/packets.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fw/packet_log.h"
#include "proxy/notice.h"
#include "proxy/proxy.h"

#define PACKETS_BURST    32768 /* records; more than the socket's buffer has */
#define PACKETS_RATE     20000 /* a second */
#define PACKETS_PAUSE_MS 20

struct packets {
	struct proxy *proxy;
	struct packet_log *log;
	struct event *readable, *resume;
	bool ready;    /* there may be something to read */
	int64_t level; /* records that may be read now */
	int64_t filled_ms;
};

static void packets_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	((struct packets *)context)->ready = true;
}

static void packets_resume(evutil_socket_t fd, short what, void *context)
{
	struct packets *packets = context;

	(void)fd;
	(void)what;
	packets->ready = true;
	event_add(packets->readable, NULL);
}

struct packets *packets_start(struct proxy *proxy, int fd)
{
	struct packets *packets = calloc(1, sizeof(*packets));

	if (!packets)
		return NULL;
	packets->proxy = proxy;
	packets->level = PACKETS_BURST;
	packets->filled_ms = clock_now_ms();
	packets->log = packet_log_take(fd, !proxy->start.serial);
	/* by edge: it is not asked of the kernel again whether what is left for the next turn is still there */
	packets->readable = event_new(proxy->base, fd, EV_READ | EV_PERSIST | EV_ET, packets_readable, packets);
	packets->resume = event_new(proxy->base, -1, 0, packets_resume, packets);
	if (!packets->log || !packets->readable || !packets->resume || event_add(packets->readable, NULL)) {
		packets_stop(packets);
		return NULL;
	}
	return packets;
}

void packets_stop(struct packets *packets)
{
	if (!packets)
		return;
	if (packets->readable)
		event_free(packets->readable);
	if (packets->resume)
		event_free(packets->resume);
	packet_log_close(packets->log);
	free(packets);
}

static void packets_visit(void *context, const struct packet_record *record)
{
	notice_packet(context, record);
}

/* Whether anything may be read now. */
static bool level_holds(struct packets *packets)
{
	int64_t now_ms = clock_now_ms(), filled = packets->level + (now_ms - packets->filled_ms) * PACKETS_RATE / 1000;

	packets->level = filled > PACKETS_BURST ? PACKETS_BURST : filled;
	packets->filled_ms = now_ms;
	return packets->level > 0;
}

static void packets_pause(struct packets *packets)
{
	static const struct timeval pause = {.tv_usec = PACKETS_PAUSE_MS * 1000};

	packets->ready = false;
	event_del(packets->readable);
	event_add(packets->resume, &pause);
}

bool packets_turn(struct packets *packets)
{
	uint64_t lost;
	int count;

	if (!packets || !packets->ready)
		return false;
	if (!level_holds(packets)) {
		packets_pause(packets);
		return false;
	}
	count = packet_log_read(packets->log, packets_visit, packets->proxy, &lost);
	if (count < 0) { /* nothing is there, or for a reason that the next record may not have */
		packets->ready = false;
		notice_lost_tell(packets->proxy);
		return false;
	}
	packets->level -= count ? count : 1;
	notice_lost(packets->proxy, lost);
	return true;
}
