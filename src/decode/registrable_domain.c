// SPDX-License-Identifier: MIT
#include <string.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "decode/suffixes.h"

/* RFC 1035, 2.3.4: a name has at most 255 bytes. What is longer is none, and is passed on. */
enum { LONGEST_NAME = 255 };

/* The name as the list has names; a NUL in a label is a byte like any other. */
static void copy_lower(char *to, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		to[i] = name[i] ? name[i] : '?';
		if (to[i] >= 'A' && to[i] <= 'Z')
			to[i] = (char)(to[i] - 'A' + 'a');
	}
	to[len] = '\0';
}

static int decode_registrable_domain(const struct decode_env *env, const struct decode_step *step,
				     const void *in, size_t len, struct buf *out)
{
	char name[LONGEST_NAME + 1];

	(void)step;
	if (len > 1 && ((const char *)in)[len - 1] == '.')
		len--;
	if (len > LONGEST_NAME) {
		buf_add(out, in, len);
		return DECODE_OK;
	}
	copy_lower(name, in, len);
	buf_add_str(out, name + suffixes_registrable(env->host->suffixes, name));
	return DECODE_OK;
}

DECODER(registrable_domain, .name = "registrable_domain",
	.doc = "domain name → the part of it that somebody has registered, by the Public Suffix "
	       "List: example.co.uk of www.example.co.uk; a suffix is passed on; in lower case",
	.takes = FORM_TEXT | FORM_NAME, .gives = FORM_NAME, .decode = decode_registrable_domain);
