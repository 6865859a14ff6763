/* A range of addresses as the networks that make it up. */
#include "fw/net_range.h"

static unsigned __int128 addr_number(const struct addr *addr)
{
	unsigned __int128 number = 0;

	for (size_t i = 0; i < (addr->family == ADDR_V4 ? 4u : 16u); i++)
		number = number << 8 | addr->octets[i];
	return number;
}

static void addr_set_number(struct addr *addr, unsigned __int128 number)
{
	for (size_t i = addr->family == ADDR_V4 ? 4 : 16; i-- > 0; number >>= 8)
		addr->octets[i] = (uint8_t)number;
}

bool net_range_add(struct netset *set, struct rule *rule, const struct addr *first, const struct addr *last)
{
	unsigned width = first->family == ADDR_V4 ? 32 : 128;
	unsigned __int128 next = addr_number(first), end = addr_number(last), host_bits;

	if (first->family != last->family || next > end)
		return false;
	for (;;) {
		unsigned bits = 0;

		while (bits < width) {
			host_bits = ((unsigned __int128)2 << bits) -
				    1; /* of a network one bit larger; all ones when the shift leaves nothing */
			if ((next & host_bits) || end - next < host_bits)
				break;
			bits++;
		}
		host_bits = bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << bits) - 1;
		rule->net.addr = *first;
		addr_set_number(&rule->net.addr, next);
		rule->net.prefix_length = (uint8_t)(width - bits);
		if (netset_add(set, rule))
			return false;
		if (next + host_bits == end)
			return true;
		next += host_bits + 1;
	}
}
