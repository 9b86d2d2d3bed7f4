// SPDX-License-Identifier: MIT
/* Why a TCP reset is sent, named by the running kernel (6.10 and newer give reasons). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/enum_names.h"

#define PREFIX "SK_RST_REASON_"

static void release_reset_reason(void *state)
{
	enum_names_free(state);
}

/* Where a config is only checked there is no kernel to ask. */
static int prepare_reset_reason(const struct decoder_setup *setup, struct decode_step *step)
{
	struct enum_names *reasons = NULL;
	struct error error;
	int err;

	if (!setup->env->host)
		return 0;
	err = enum_names_read(setup->env->host->btf, "sk_rst_reason", &reasons, &error);
	if (err == -ENOMEM)
		return err;
	if (err && err != -EINVAL) /* -EINVAL: a kernel without reasons */
		return report_error(setup->report, setup->source, step->config->name.place, "%s",
				    error.text);
	step->state = reasons;
	return 0;
}

static const char *strip_prefix(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 ? name + strlen(PREFIX) : name;
}

static int decode_reset_reason(const struct decode_env *env, const struct decode_step *step,
			       const void *in, size_t len, struct buf *out)
{
	const char *name = NULL;
	uint64_t number;

	(void)env;
	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	if (step->state)
		name = enum_names_find(step->state, number);
	else if (number == 0)
		name = PREFIX "NOT_SPECIFIED";
	if (name)
		buf_add_str(out, strip_prefix(name));
	else
		buf_printf(out, "unknown:%" PRIu64, number);
	return DECODE_OK;
}

DECODER(reset_reason, .name = "reset_reason",
	.doc = "decimal reason of tcp_send_reset → the running kernel's name for it, without "
	       "SK_RST_REASON_; NOT_SPECIFIED for 0 where it has no reasons; else unknown:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .prepare = prepare_reset_reason,
	.release = release_reset_reason, .decode = decode_reset_reason);
