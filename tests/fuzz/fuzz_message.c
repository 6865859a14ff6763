/* Names on the wire, against ldns: the first two octets say where in the message the name begins, the message follows. What this reader accepts ldns accepts
 * too (not the other way round: only here must a pointer go backwards and not into the header), and both read the same name. */
#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const uint8_t *wire, size_t length, size_t offset, const struct name *name, size_t end)
{
	ldns_rdf *theirs = NULL;
	struct name again;
	size_t at = offset;

	if (ldns_wire2dname(&theirs, wire, length, &at) != LDNS_STATUS_OK || at != end)
		abort();
	if (name_from_wire(&again, ldns_rdf_data(theirs), ldns_rdf_size(theirs)) || !name_equal(&again, name))
		abort();
	if (!message_name_is(wire, length, offset, name))
		abort();
	again.wire[name->length > 1] ^= 1;
	if (name->length > 1 && message_name_is(wire, length, offset, &again) && !name_equal(&again, name))
		abort();
	ldns_rdf_deep_free(theirs);
}

static void check_record(const uint8_t *wire, size_t length, size_t offset, size_t name_end)
{
	struct message_record record;
	size_t end = message_record_read(wire, length, offset, &record);

	if (!end) {
		if (length - name_end >= 10 && length - name_end - 10 >= message_get16(wire + name_end + 8))
			abort();
		return;
	}
	if (end > length || record.owner != offset || record.ttl != name_end + 4 || record.data != name_end + 10 || record.data + (size_t)record.data_length != end)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name name;
	size_t offset, end;

	if (size < 2 || size - 2 > MESSAGE_MAX)
		return 0;
	offset = message_get16(data);
	data += 2;
	size -= 2;
	end = message_name_expand(data, size, offset, &name);
	if (message_name_skip(data, size, offset) != end)
		abort();
	if (!end)
		return 0;
	check_name(data, size, offset, &name, end);
	check_record(data, size, offset, end);
	return 0;
}
