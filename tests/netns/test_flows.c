/* fw/flows.c with the kernel: entries made by datagrams into the void. */
#include "own_netns.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fw/flows.h"
#include "fw/netlink_open.h"
#include "fw/nft.h"

static struct error failure;

/* Connection tracking begins with the first rule that asks for it. */
static int track(void **state)
{
	(void)state;
	return nft_apply("add table inet track; add chain inet track out { type filter hook output priority 0; }; "
			 "add rule inet track out ct state established accept",
		&failure);
}

static void open_flow(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	cleanup_fd int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);

	if (!is_v4)
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	assert_int_equal(
		sendto(fd, "?", 1, 0, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)), 1);
}

static struct addr_net net_of(const char *text)
{
	struct addr_net net;

	assert_int_equal(addr_net_parse(&net, text, strlen(text)), 0);
	return net;
}

static size_t end(const struct addr_net *nets, size_t count)
{
	cleanup_fd int fd = netlink_open_flows(&failure);
	size_t ended = 0;

	assert_true(fd >= 0);
	if (flows_end(fd, nets, count, &ended, &failure))
		fail_msg("%s", failure.text);
	return ended;
}

static void flows_to_the_networks_end_and_the_others_stay(void **unused)
{
	struct addr_net nets[] = {net_of("198.51.100.0/24"), net_of("2001:db8:5::/48")};

	(void)unused;
	end(NULL, 0);
	open_flow("198.51.100.1", 1);
	open_flow("198.51.100.255", 2);
	open_flow("198.51.101.1", 3);
	open_flow("2001:db8:5::1", 4);
	open_flow("2001:db8:6::1", 5);
	assert_int_equal(end(nets, 2), 3);
	assert_int_equal(end(nets, 2), 0);
	assert_int_equal(end(NULL, 0), 2);
}

static void more_flows_than_a_round_holds_all_end(void **unused)
{
	struct addr_net net = net_of("198.51.100.0/24");

	(void)unused;
	for (uint16_t port = 1; port <= 2500; port++)
		open_flow("198.51.100.7", port);
	assert_int_equal(end(&net, 1), 2500);
}

static void without_flows_nothing_ends(void **unused)
{
	(void)unused;
	end(NULL, 0);
	assert_int_equal(end(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_to_the_networks_end_and_the_others_stay),
		cmocka_unit_test(more_flows_than_a_round_holds_all_end),
		cmocka_unit_test(without_flows_nothing_ends),
	};

	if (!own_netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, track, NULL);
}
