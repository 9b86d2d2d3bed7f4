// SPDX-License-Identifier: MIT
#include "decode/pci.h"

#include <errno.h>
#include <inttypes.h>

#include "decode/hostnames.h"

static void add_unknown(enum pci_kind kind, struct pci_ids *ids, uint32_t n, struct buf *out)
{
	switch (kind) {
	case PCI_VENDOR:
		buf_printf(out, "unknown pci vendor: 0x%02" PRIx32, n);
		return;
	case PCI_DEVICE:
		buf_printf(out, "unknown pci device: 0x%04" PRIx32, n);
		return;
	case PCI_SUBCLASS:
		if (pci_ids_name(ids, PCI_CLASS, n >> 8)) {
			buf_printf(out,
				   "unknown pci subclass: 0x%02" PRIx32 " (class 0x%02" PRIx32 ")",
				   n & 0xff, n >> 8);
			return;
		}
		n >>= 8;
		break;
	case PCI_CLASS:
	case N_PCI_KINDS:
		break;
	}
	buf_printf(out, "unknown pci class: 0x%02" PRIx32, n);
}

int pci_decode(enum pci_kind kind, const struct decode_env *env, const void *in, size_t len,
	       struct buf *out)
{
	struct pci_ids *ids = env->host->pci_ids;
	const char *name;
	uint64_t number;

	if (decode_parse_decimal(in, len, &number) || number > UINT32_MAX)
		return -EINVAL;
	name = pci_ids_name(ids, kind, (uint32_t)number);
	if (name)
		buf_add_str(out, name);
	else if (pci_ids_present(ids))
		add_unknown(kind, ids, (uint32_t)number, out);
	else
		buf_add_str(out, "missing pci.ids db");
	return DECODE_OK;
}
