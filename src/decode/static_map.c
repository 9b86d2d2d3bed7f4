// SPDX-License-Identifier: MIT
#include <string.h>

#include "decode/decoder.h"

static const struct mapping_row *find_row(const struct decoder_config *config, const char *text,
					  size_t len)
{
	for (size_t i = 0; i < config->static_map.count; i++) {
		const struct mapping_row *row = &config->static_map.items[i];

		if (strlen(row->from) == len && memcmp(row->from, text, len) == 0)
			return row;
	}
	return NULL;
}

static int decode_static_map(const struct decode_env *env, const struct decode_step *step,
			     const void *in, size_t len, struct buf *out)
{
	const struct decoder_config *config = step->config;
	const struct mapping_row *row = find_row(config, in, len);

	(void)env;
	if (config->static_map.count == 0)
		buf_add_str(out, "empty mapping");
	else if (row)
		buf_add_str(out, row->to);
	else
		buf_printf(out, "%s%.*s", config->allow_unknown ? "" : "unknown:", (int)len,
			   (const char *)in);
	return DECODE_OK;
}

DECODER(static_map, .name = "static_map", .doc = "text → the text that the config gives for it",
	.parameters = DECODER_PARAM_STATIC_MAP, .required = DECODER_PARAM_STATIC_MAP,
	.takes = FORM_ANY, .gives = FORM_TEXT, .decode = decode_static_map);
