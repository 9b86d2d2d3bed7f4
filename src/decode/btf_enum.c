// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/enum_names.h"

static void release_btf_enum(void *state)
{
	enum_names_free(state);
}

/* Where a config is only checked there is no kernel to ask. */
static int prepare_btf_enum(const struct decoder_setup *setup, struct decode_step *step)
{
	const struct text *name = &step->config->btf_enum;
	struct enum_names *e;
	struct error error;
	int err;

	if (!setup->env->host)
		return 0;
	err = enum_names_read(setup->env->host->btf, name->text, &e, &error);
	if (err == -ENOMEM)
		return err;
	if (err)
		return report_error(setup->report, setup->source, name->place, "%s", error.text);
	step->state = e;
	return 0;
}

static int decode_btf_enum(const struct decode_env *env, const struct decode_step *step,
			   const void *in, size_t len, struct buf *out)
{
	const char *name;
	uint64_t number;

	(void)env;
	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	name = enum_names_find(step->state, number);
	if (name)
		buf_add_str(out, name);
	else
		buf_printf(out, "unknown:%.*s", (int)len, (const char *)in);
	return DECODE_OK;
}

DECODER(btf_enum, .name = "btf_enum",
	.doc = "decimal → the name that an enum of the running kernel has for it, else unknown:N",
	.parameters = DECODER_PARAM_BTF_ENUM, .required = DECODER_PARAM_BTF_ENUM,
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .prepare = prepare_btf_enum,
	.release = release_btf_enum, .decode = decode_btf_enum);
