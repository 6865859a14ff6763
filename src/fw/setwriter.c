/* The set writer: see setwriter.h for how it works.
 *
 * The kernel works off what is sent inside sendmsg(2), and a listing goes on inside recvmsg(2), so every answer is queued when the
 * call returns: all reading is without waiting, and a queue that is empty too early is an error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>

#include "base/cleanup.h"
#include "fw/netlink_open.h"
#include "fw/ruleset.h"
#include "fw/setwriter_parse.h"

#define BATCH_SIZE       (64u << 10) /* 64 additions that renew, with the longest names, are 52 KiB */
#define MESSAGE_SIZE     512         /* more than the longest message for one element, or the batch's end */
#define REPLY_SIZE       (32u << 10) /* the most that the kernel puts into one datagram of a listing */
#define KEY_SIZE         24
#define PROBE_SET        "probe"
#define PROBE_TIMEOUT_MS (3600u * 1000u)

struct setwriter {
	int fd;
	uint32_t port; /* its port id */
	bool reads_only;
	bool renews;
	uint32_t sequence;       /* of the message put last */
	uint32_t batch_sequence; /* of the batch's first message */
	size_t used;             /* octets of batch; 0 when nothing is collected */
	size_t last;             /* where the message put last begins */
	_Alignas(struct nlmsghdr) uint8_t batch[BATCH_SIZE];
	_Alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
};

/* The four learned sets. */
static const struct learned_set {
	const char *name;
	enum addr_family family;
	bool with_port;
} learned_sets[] = {
	{"learned_v4", ADDR_V4, false},
	{"learned_v6", ADDR_V6, false},
	{"learned_port_v4", ADDR_V4, true},
	{"learned_port_v6", ADDR_V6, true},
};

struct element {
	const char *table, *set;
	uint8_t key[KEY_SIZE]; /* as the kernel has it: network order, each field padded to four octets */
	size_t key_length;
};

/* ---- messages ---- */

static struct nlmsghdr *message_put(struct setwriter *writer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(writer->batch + writer->used);
	struct nfgenmsg *header;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++writer->sequence;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->version = NFNETLINK_V0;
	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	else
		header->nfgen_family = NFPROTO_INET;
	return message;
}

/* To be called when the attributes are in. */
static void message_end(struct setwriter *writer, const struct nlmsghdr *message)
{
	writer->last = writer->used;
	writer->used += NLMSG_ALIGN(message->nlmsg_len);
}

static struct nlmsghdr *message_start(struct setwriter *writer, uint16_t type, uint16_t flags)
{
	if (!writer->used) {
		message_end(writer, message_put(writer, NFNL_MSG_BATCH_BEGIN, 0));
		writer->batch_sequence = writer->sequence;
	}
	return message_put(writer, NFNL_SUBSYS_NFTABLES << 8 | type, flags);
}

/* The type of user data that nft shows as an element's comment. */
static void put_comment(struct nlmsghdr *message, const char *comment)
{
	size_t length = strnlen(comment, SETWRITER_COMMENT_MAX);
	uint8_t udata[2 + SETWRITER_COMMENT_MAX + 1] = {NFTNL_UDATA_SET_ELEM_COMMENT, (uint8_t)(length + 1)};

	_Static_assert(SETWRITER_COMMENT_MAX + 1 <= UINT8_MAX, "the length is one octet");
	if (!length)
		return;
	memcpy(udata + 2, comment, length);
	mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, 2 + length + 1, udata);
}

/* timeout_ms 0 and comment NULL: without. expires_ms: what is left of the timeout. */
static void put_element(
	struct nlmsghdr *message, const struct element *element, uint64_t timeout_ms, uint64_t expires_ms, const char *comment)
{
	struct nlattr *list, *item, *key;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, element->table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, element->set);
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, element->key_length, element->key);
	mnl_attr_nest_end(message, key);
	if (timeout_ms) {
		mnl_attr_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_ms));
		mnl_attr_put_u64(message, NFTA_SET_ELEM_EXPIRATION, htobe64(expires_ms));
	}
	if (comment)
		put_comment(message, comment);
	mnl_attr_nest_end(message, item);
	mnl_attr_nest_end(message, list);
}

static void collect_addition(
	struct setwriter *writer, const struct element *element, uint64_t timeout_ms, uint64_t expires_ms, const char *comment)
{
	struct nlmsghdr *message = message_start(writer, NFT_MSG_NEWSETELEM, NLM_F_CREATE);

	put_element(message, element, timeout_ms, expires_ms, comment);
	message_end(writer, message);
}

static void collect_deletion(struct setwriter *writer, const struct element *element)
{
	struct nlmsghdr *message = message_start(writer, NFT_MSG_DELSETELEM, 0);

	put_element(message, element, 0, 0, NULL);
	message_end(writer, message);
}

static bool has_room(const struct setwriter *writer, size_t messages)
{
	/* The batch's beginning and end are counted too. */
	return BATCH_SIZE - writer->used >= (messages + 2) * MESSAGE_SIZE;
}

/* ---- exchange ---- */

static int send_batch(struct setwriter *writer)
{
	if (send(writer->fd, writer->batch, writer->used, 0) < 0)
		return -errno;
	return 0;
}

/* The next datagram from the kernel. Returns 1, 0 when none is queued, or a negative errno. */
static int receive(int fd, void *buffer, size_t size, struct netlink_span *datagram)
{
	struct sockaddr_nl from = {0};
	struct iovec vector = {buffer, size};
	struct msghdr message = {.msg_name = &from, .msg_iov = &vector, .msg_iovlen = 1};
	ssize_t length;

	do {
		message.msg_namelen = sizeof(from);
		length = recvmsg(fd, &message, MSG_DONTWAIT);
	} while ((length < 0 && errno == EINTR) || (length >= 0 && from.nl_pid != 0));
	if (length < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (message.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	*datagram = (struct netlink_span){buffer, (size_t)length};
	return 1;
}

/* Reads until the acknowledgement of the last message, behind which nothing comes; after an error until nothing is queued, so that the next exchange
 * begins with an empty queue. */
static int read_replies(struct setwriter *writer, uint32_t first, uint32_t last)
{
	struct setwriter_replies replies = {.first = first, .last = last};
	struct netlink_span datagram;
	int error = 0, result;

	while ((result = receive(writer->fd, writer->reply, sizeof(writer->reply), &datagram)) != 0) {
		if (result > 0) {
			setwriter_parse_replies(&replies, datagram);
			if (replies.acknowledged && !replies.status && !error)
				return 0;
			continue;
		}
		error = error ? error : result;
		if (result != -ENOBUFS && result != -EMSGSIZE)
			break;
	}
	if (replies.status)
		return replies.status;
	if (error)
		return error;
	return replies.acknowledged ? 0 : -EIO;
}

void setwriter_reset(struct setwriter *writer)
{
	writer->used = 0;
	writer->last = 0;
}

int setwriter_commit(struct setwriter *writer)
{
	struct nlmsghdr *last;
	int result;

	if (!writer->used)
		return 0;
	last = (struct nlmsghdr *)(writer->batch + writer->last);
	last->nlmsg_flags |= NLM_F_ACK;
	message_end(writer, message_put(writer, NFNL_MSG_BATCH_END, 0));
	result = send_batch(writer);
	if (!result)
		result = read_replies(writer, writer->batch_sequence, last->nlmsg_seq);
	setwriter_reset(writer);
	return result;
}

/* Sends the one request in the buffer (not a batch) and hands its answers to the listing. */
static int list(struct setwriter *writer, struct setwriter_listing *listing)
{
	struct netlink_span datagram;
	int result = send_batch(writer);

	setwriter_reset(writer);
	if (result)
		return result;
	while (!listing->done) {
		result = receive(writer->fd, writer->reply, sizeof(writer->reply), &datagram);
		if (result < 0)
			return result;
		if (!result)
			return -EIO;
		setwriter_parse_listing(listing, datagram);
	}
	return listing->result ? listing->result : listing->status;
}

/* ---- elements ---- */

static int element_from_key(struct element *element, const struct setwriter_key *key)
{
	bool with_port = key->port != 0;
	size_t octets = key->addr.family == ADDR_V4 ? 4 : 16;

	if ((key->addr.family != ADDR_V4 && key->addr.family != ADDR_V6) || with_port != (key->protocol != 0))
		return -EINVAL;
	*element = (struct element){.table = RULESET_TABLE};
	for (size_t i = 0; i < sizeof(learned_sets) / sizeof(*learned_sets); i++)
		if (learned_sets[i].family == key->addr.family && learned_sets[i].with_port == with_port)
			element->set = learned_sets[i].name;
	memcpy(element->key, key->addr.octets, octets);
	if (with_port) {
		element->key[octets] = key->protocol;
		element->key[octets + 4] = (uint8_t)(key->port >> 8);
		element->key[octets + 5] = (uint8_t)key->port;
	}
	element->key_length = octets + (with_port ? 8 : 0);
	return 0;
}

int setwriter_add(struct setwriter *writer, const struct setwriter_key *key, uint64_t timeout_ms, const char *comment, bool renew)
{
	bool replace = renew && !writer->renews;
	struct element element;
	int result = element_from_key(&element, key);

	if (writer->reads_only)
		return -EPERM;
	if (result || timeout_ms < 1000)
		return -EINVAL;
	if (!has_room(writer, replace ? 3 : 1))
		return -ENOBUFS;
	if (replace) {
		/* The first addition is for the deletion, which would fail if there were no element. */
		collect_addition(writer, &element, timeout_ms, timeout_ms, comment);
		collect_deletion(writer, &element);
	}
	collect_addition(writer, &element, timeout_ms, timeout_ms, comment);
	return 0;
}

int setwriter_delete(struct setwriter *writer, const struct setwriter_key *key)
{
	struct element element;
	int result = element_from_key(&element, key);

	if (result)
		return result;
	if (!has_room(writer, 1))
		return -ENOBUFS;
	collect_deletion(writer, &element);
	return 0;
}

static int keep_element(void *context, const struct setwriter_element *element)
{
	*(struct setwriter_element *)context = *element;
	return 0;
}

static int get_element(
	struct setwriter *writer, const struct element *element, enum addr_family family, bool with_port, struct setwriter_element *found)
{
	struct setwriter_listing listing = {.family = family, .with_port = with_port, .visit = keep_element, .context = found};
	struct nlmsghdr *message;

	if (writer->used)
		return -EBUSY; /* the buffer holds a batch */
	message = message_put(writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_ACK);
	put_element(message, element, 0, 0, NULL);
	message_end(writer, message);
	listing.sequence = writer->sequence;
	return list(writer, &listing);
}

int setwriter_look(struct setwriter *writer, const struct setwriter_key *key, bool *found, struct setwriter_element *read_back)
{
	struct element element;
	int result = element_from_key(&element, key);

	if (result)
		return result;
	*read_back = (struct setwriter_element){0};
	result = get_element(writer, &element, key->addr.family, key->port != 0, read_back);
	if (result && result != -ENOENT)
		return result;
	*found = !result && addr_equal(&read_back->key.addr, &key->addr);
	return 0;
}

int setwriter_get(struct setwriter *writer, const struct setwriter_key *key, bool *found, uint64_t *expires_ms)
{
	struct setwriter_element read_back;
	int result = setwriter_look(writer, key, found, &read_back);

	if (!result && expires_ms)
		*expires_ms = *found ? read_back.expires_ms : 0;
	return result;
}

static int each_in_set(
	struct setwriter *writer, const struct learned_set *set, int (*visit)(void *, const struct setwriter_element *), void *context)
{
	struct setwriter_listing listing = {.family = set->family, .with_port = set->with_port, .visit = visit, .context = context};
	struct nlmsghdr *message = message_put(writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	message_end(writer, message);
	listing.sequence = writer->sequence;
	return list(writer, &listing);
}

int setwriter_each(struct setwriter *writer, int (*visit)(void *context, const struct setwriter_element *element), void *context)
{
	int result = 0;

	if (writer->used)
		return -EBUSY;
	for (size_t i = 0; !result && i < sizeof(learned_sets) / sizeof(*learned_sets); i++)
		result = each_in_set(writer, &learned_sets[i], visit, context);
	return result;
}

/* ---- opening ---- */

static void collect_table(struct setwriter *writer, uint16_t type, const char *table)
{
	struct nlmsghdr *message = message_start(writer, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	message_end(writer, message);
}

static void collect_probe_set(struct setwriter *writer, const char *table)
{
	struct nlmsghdr *message = message_start(writer, NFT_MSG_NEWSET, NLM_F_CREATE);

	mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, PROBE_SET);
	mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(NFT_SET_TIMEOUT));
	mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, 0);
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(4));
	mnl_attr_put_u32(message, NFTA_SET_ID, htonl(1));
	message_end(writer, message);
}

/* Does adding an element again renew its timeout? Tried on a table that no hook leads to. Its name holds the socket's port id, which no
 * other socket of the namespace has, so two probes never meet; what a killed probe left under the same name is deleted first. */
static int probe(struct setwriter *writer)
{
	struct setwriter_element found = {0};
	struct element element = {.set = PROBE_SET, .key = {127, 0, 0, 1}, .key_length = 4};
	char table[sizeof(RULESET_TABLE "_probe_4294967295")];
	int result, removed;

	snprintf(table, sizeof(table), RULESET_TABLE "_probe_%u", writer->port);
	element.table = table;
	collect_table(writer, NFT_MSG_NEWTABLE, table);
	collect_table(writer, NFT_MSG_DELTABLE, table);
	collect_table(writer, NFT_MSG_NEWTABLE, table);
	collect_probe_set(writer, table);
	collect_addition(writer, &element, PROBE_TIMEOUT_MS, PROBE_TIMEOUT_MS / 2, NULL);
	result = setwriter_commit(writer);
	if (result)
		return result;
	collect_addition(writer, &element, PROBE_TIMEOUT_MS, PROBE_TIMEOUT_MS, NULL);
	result = setwriter_commit(writer);
	if (!result)
		result = get_element(writer, &element, ADDR_V4, false, &found);
	writer->renews = found.expires_ms > PROBE_TIMEOUT_MS / 2;
	collect_table(writer, NFT_MSG_DELTABLE, table);
	removed = setwriter_commit(writer);
	return result ? result : removed;
}

int setwriter_take(struct setwriter **taken, int fd, struct error *error)
{
	struct setwriter *writer = calloc(1, sizeof(*writer));
	int result = writer ? netlink_port(fd, &writer->port) : -ENOMEM;

	if (result) {
		free(writer);
		close(fd);
		return error_errno(error, -result, "cannot take the set writer's socket");
	}
	netlink_drain(fd);
	writer->fd = fd;
	*taken = writer;
	return 0;
}

int setwriter_open_reader(struct setwriter **opened, struct error *error)
{
	int fd = netlink_open_writer(error), result;

	if (fd < 0)
		return fd;
	result = setwriter_take(opened, fd, error);
	if (!result)
		(*opened)->reads_only = true;
	return result;
}

int setwriter_try(struct setwriter *writer)
{
	return writer->used ? -EBUSY : probe(writer);
}

int setwriter_open(struct setwriter **opened, struct error *error)
{
	struct setwriter *writer = NULL;
	int fd = netlink_open_writer(error), result;

	if (fd < 0)
		return fd;
	result = setwriter_take(&writer, fd, error);
	if (result)
		return result;
	result = setwriter_try(writer);
	if (result) {
		setwriter_close(writer);
		return error_errno(error, -result, "cannot try out how nftables sets renew their timeouts");
	}
	*opened = writer;
	return 0;
}

void setwriter_close(struct setwriter *writer)
{
	if (!writer)
		return;
	close(writer->fd);
	free(writer);
}

bool setwriter_renews(const struct setwriter *writer)
{
	return writer->renews;
}

void setwriter_fake_old_kernel(struct setwriter *writer)
{
	writer->renews = false;
}

/* ---- watching ---- */

int setwriter_watch_read(int watch_fd, const struct setwriter *writer)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[16u << 10]; /* larger than any datagram that nf_tables announces changes in */
	uint32_t own = writer->port;
	struct netlink_span datagram;
	bool changed = false;
	int result;

	while ((result = receive(watch_fd, buffer, sizeof(buffer), &datagram)) != 0) {
		if (result > 0)
			changed |= setwriter_parse_foreign(datagram, own, RULESET_TABLE);
		else if (result == -ENOBUFS || result == -EMSGSIZE)
			changed = true; /* what was lost may have been one */
		else
			return result;
	}
	return changed;
}
