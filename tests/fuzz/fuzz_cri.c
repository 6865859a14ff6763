/* config.json of a container of containerd or CRI-O: what is taken out is gone, what is put in is there, and it is still JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/cri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void container_check(const struct text *json)
{
	static struct cri_container container;
	const struct cri_annotation annotation = {"terok.shield.state_dir", "/x"};
	cleanup_text struct text annotated = {0};
	struct error error = {0};

	if (cri_container_parse(&container, json->data, json->length, &error) != 0)
		return;
	if (container.config.capabilities & 1u << OCI_CAP_NET_RAW || !*container.sandbox)
		abort();
	cri_container_check(&container, "id", &error);
	/* Now it has one that is no pod's to set. */
	if (cri_annotations_add(json->data, json->length, &annotation, 1, &annotated, &error) != 0 ||
		cri_container_parse(&container, annotated.data, annotated.length, &error) == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int document = CRI_CONFIG; document <= CRI_PROCESS; document++) {
		cleanup_text struct text dropped = {0};
		struct error error = {0};

		if (cri_capability_drop((enum cri_document)document, (const char *)data, size, "CAP_NET_RAW", &dropped, &error) != 0)
			continue;
		if (dropped.length > size)
			abort();
		if (document == CRI_CONFIG)
			container_check(&dropped);
		else
			cri_process_check(dropped.data, dropped.length, &error);
	}
	return 0;
}
