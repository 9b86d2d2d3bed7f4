// SPDX-License-Identifier: MIT
#include "decode/pci.h"

static int decode_pci_subclass(const struct decode_env *env, const struct decode_step *step,
			       const void *in, size_t len, struct buf *out)
{
	(void)step;
	return pci_decode(PCI_SUBCLASS, env, in, len, out);
}

DECODER(pci_subclass, .name = "pci_subclass",
	.doc = "decimal PCI subclass (class << 8 | subclass) → its name in pci.ids",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .decode = decode_pci_subclass);
