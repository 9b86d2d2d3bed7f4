// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

/* The bounds of the section that DECODER() fills; the linker makes these two names. */
extern const struct decoder *const __start_wiregauge_decoders[];
extern const struct decoder *const __stop_wiregauge_decoders[];

static size_t decoder_count(void)
{
	return (size_t)(__stop_wiregauge_decoders - __start_wiregauge_decoders);
}

const struct decoder *decoder_find(const char *name)
{
	for (size_t i = 0; i < decoder_count(); i++) {
		if (STREQ(__start_wiregauge_decoders[i]->name, name))
			return __start_wiregauge_decoders[i];
	}
	return NULL;
}

const struct decoder *decoder_at(size_t index)
{
	/* The linker's order is that of the files, which are sorted by name. */
	return index < decoder_count() ? __start_wiregauge_decoders[index] : NULL;
}

static int report_unknown_decoder(const struct text *name, const struct source *source,
				  struct report *report)
{
	const char *names[64] = {0};
	const char *nearest;
	size_t count = MIN(decoder_count(), ARRAY_SIZE(names));

	for (size_t i = 0; i < count; i++)
		names[i] = decoder_at(i)->name;
	nearest = suggest_nearest(name->text, names, count);
	if (nearest)
		return report_error(report, source, name->place,
				    "unknown decoder '%s', did you mean '%s'?", name->text,
				    nearest);

	_cleanup_buf_ struct buf list = {0};

	for (size_t i = 0; i < count; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
	return report_error(report, source, name->place, "unknown decoder '%s'; there are: %s",
			    name->text, buf_str(&list));
}

static const struct {
	enum decoder_parameter parameter;
	const char *key;
} parameter_keys[] = {
	{DECODER_PARAM_STATIC_MAP, "static_map"},
	{DECODER_PARAM_REGEXPS, "regexps"},
};

static int check_parameters(const struct decoder *d, const struct decoder_config *config,
			    const struct source *source, struct report *report)
{
	unsigned given = (config->has_static_map ? DECODER_PARAM_STATIC_MAP : 0) |
			 (config->regexps.count ? DECODER_PARAM_REGEXPS : 0);
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parameter_keys); i++) {
		unsigned bit = parameter_keys[i].parameter;

		if ((given & bit) && !(d->parameters & bit))
			err = report_error(report, source, config->place,
					   "decoder '%s' takes no '%s'", d->name,
					   parameter_keys[i].key);
		if (!(given & bit) && (d->parameters & bit))
			err = report_error(report, source, config->place, "decoder '%s' needs '%s'",
					   d->name, parameter_keys[i].key);
	}
	return err;
}

/* "1, 2, 4 or 8" */
static void add_sizes(struct buf *b, uint32_t sizes)
{
	for (unsigned n = 1; n < 32; n++) {
		uint32_t higher = sizes & ~(DECODER_SIZE(n) | (DECODER_SIZE(n) - 1));

		if (!(sizes & DECODER_SIZE(n)))
			continue;
		buf_add_u64(b, n);
		if (higher)
			buf_add_str(b, higher & (higher - 1) ? ", " : " or ");
	}
}

static int check_size(const struct decoder *first, const struct label_config *label,
		      const struct source *source, struct report *report)
{
	_cleanup_buf_ struct buf sizes = {0};

	if (!first->sizes || (label->size < 32 && (first->sizes & DECODER_SIZE(label->size))))
		return 0;
	add_sizes(&sizes, first->sizes);
	return report_error(report, source, label->place,
			    "label '%s' has a size of %u bytes, but its decoder '%s' takes %s",
			    label->name.text, label->size, first->name, buf_str(&sizes));
}

int label_decoder_build(struct label_decoder *d, const struct label_config *label,
			const struct source *source, struct report *report)
{
	size_t count = label->decoders.count;
	int err = 0;

	*d = (struct label_decoder){.config = label};
	d->chain = calloc(count, sizeof(*d->chain));
	if (!d->chain)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct decoder_config *config = &label->decoders.items[i];

		d->chain[i] = decoder_find(config->name.text);
		if (!d->chain[i]) {
			err = report_unknown_decoder(&config->name, source, report);
			continue;
		}
		d->follows_links |= d->chain[i]->follows_links;
		if (check_parameters(d->chain[i], config, source, report))
			err = -EINVAL;
	}
	if (count && d->chain[0] && check_size(d->chain[0], label, source, report))
		err = -EINVAL;
	if (err)
		label_decoder_free(d);
	return err;
}

void label_decoder_free(struct label_decoder *d)
{
	free(d->chain);
	*d = (struct label_decoder){0};
}

int label_decoder_run(const struct label_decoder *d, const struct decode_env *env, const void *in,
		      struct decode_scratch *scratch, struct decoded *ret)
{
	size_t len = d->config->size;
	int result = DECODE_OK;

	for (size_t i = 0; i < d->config->decoders.count; i++) {
		struct buf *out = &scratch->bufs[i % 2];
		int step;

		buf_reset(out);
		step = d->chain[i]->decode(env, &d->config->decoders.items[i], in, len, out);
		if (step < 0 || step == DECODE_DROP)
			return step;
		result = MAX(result, step);
		in = buf_str(out); /* never NULL, also where the text is empty */
		if (!buf_ok(out))
			return -ENOMEM;
		len = out->len;
	}
	ret->text = in;
	ret->len = len;
	return result;
}

void decode_scratch_free(struct decode_scratch *s)
{
	buf_free(&s->bufs[0]);
	buf_free(&s->bufs[1]);
}

int decode_parse_decimal(const void *in, size_t len, uint64_t *ret)
{
	const char *text = in;
	uint64_t n = 0;

	if (len == 0 || len > 20)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)text[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, digit, &n))
			return -EINVAL;
	}
	*ret = n;
	return 0;
}

const char *number_name_find(const struct number_name *rows, size_t count, uint64_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].number == number)
			return rows[i].name;
	}
	return NULL;
}
