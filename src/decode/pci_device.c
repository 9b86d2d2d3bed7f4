// SPDX-License-Identifier: MIT
#include "decode/pci.h"

static int decode_pci_device(const struct decode_env *env, const struct decode_step *step,
			     const void *in, size_t len, struct buf *out)
{
	(void)step;
	return pci_decode(PCI_DEVICE, env, in, len, out);
}

DECODER(pci_device, .name = "pci_device",
	.doc = "decimal PCI device (vendor << 16 | device) → its name in pci.ids",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .decode = decode_pci_device);
