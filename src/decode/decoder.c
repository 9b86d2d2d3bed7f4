// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/utf8.h"
#include "decode/container_names.h"
#include "decode/hostnames.h"
#include "kernel/cgroups.h"
#include "kernel/links.h"
#include "kernel/netnames.h"
#include "kernel/netowners.h"

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

static void report_unknown_decoder(const struct text *name, const struct source *source,
				   struct report *report)
{
	_cleanup_buf_ struct buf hint = {0};
	const char *names[64] = {0};
	const char *nearest;
	size_t count = MIN(decoder_count(), ARRAY_SIZE(names));

	for (size_t i = 0; i < count; i++)
		names[i] = decoder_at(i)->name;
	nearest = suggest_nearest(name->text, names, count);
	if (nearest)
		buf_printf(&hint, ", did you mean '%s'?", nearest);
	for (size_t i = 0; !nearest && i < count; i++)
		buf_printf(&hint, "%s%s", i ? ", " : "; there are: ", names[i]);
	report_error(report, source, name->place, "unknown decoder '%s'%s", name->text,
		     buf_str(&hint));
}

static const struct {
	enum decoder_parameter parameter;
	const char *key;
} parameter_keys[] = {
	{DECODER_PARAM_STATIC_MAP, "static_map"}, {DECODER_PARAM_REGEXPS, "regexps"},
	{DECODER_PARAM_BTF_ENUM, "btf_enum"},     {DECODER_PARAM_PREFIX, "prefix"},
	{DECODER_PARAM_PREFIX6, "prefix6"},       {DECODER_PARAM_PROTOCOL, "protocol"},
};

static unsigned given_parameters(const struct decoder_config *config)
{
	return (config->has_static_map ? DECODER_PARAM_STATIC_MAP : 0) |
	       (config->regexps.count ? DECODER_PARAM_REGEXPS : 0) |
	       (config->btf_enum.text ? DECODER_PARAM_BTF_ENUM : 0) |
	       (config->has_prefix ? DECODER_PARAM_PREFIX : 0) |
	       (config->has_prefix6 ? DECODER_PARAM_PREFIX6 : 0) |
	       (config->has_protocol ? DECODER_PARAM_PROTOCOL : 0);
}

static int check_parameters(const struct decoder *d, const struct decoder_config *config,
			    const struct source *source, struct report *report)
{
	unsigned given = given_parameters(config);
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parameter_keys); i++) {
		unsigned bit = parameter_keys[i].parameter;

		if ((given & bit) && !(d->parameters & bit))
			err = report_error(report, source, config->place,
					   "decoder '%s' takes no '%s'", d->name,
					   parameter_keys[i].key);
		if (!(given & bit) && (d->required & bit))
			err = report_error(report, source, config->place, "decoder '%s' needs '%s'",
					   d->name, parameter_keys[i].key);
	}
	return err;
}

/* ---- what follows what ---- */

static const char *form_name(enum decode_form form)
{
	switch (form) {
	case FORM_BYTES:
		return "bytes";
	case FORM_NUMBER:
		return "a decimal number";
	case FORM_TEXT:
		return "text";
	case FORM_NAME:
		break;
	}
	return "a name";
}

/* What could stand before @d: the decoders that begin a chain and give what it takes. */
static void add_predecessors(struct buf *b, const struct decoder *d)
{
	const char *names[64] = {0};
	size_t n = 0;

	for (size_t i = 0; i < decoder_count() && n < ARRAY_SIZE(names); i++) {
		const struct decoder *other = decoder_at(i);

		if (other != d && (other->takes & FORM_BYTES) && (other->gives & d->takes))
			names[n++] = other->name;
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", names[i]);
}

/* Whether the step @index takes what the steps before it give: the key's bytes where it is the
 * first. */
static int check_place(const struct label_decoder *d, size_t index, const struct source *source,
		       struct report *report)
{
	const struct decoder_config *config = &d->config->decoders.items[index];
	const struct decoder *decoder = d->chain[index].decoder;
	struct place place = config->name.place;
	_cleanup_buf_ struct buf others = {0};

	if (decoder->takes & d->gives)
		return 0;
	if (index && decoder->takes == FORM_BYTES)
		return report_error(report, source, place,
				    "decoder '%s' takes the bytes of the key, so it must be the "
				    "first; '%s' before it gives %s",
				    decoder->name, config[-1].name.text, form_name(d->gives));
	add_predecessors(&others, decoder);
	if (index == 0)
		return report_error(report, source, place,
				    "decoder '%s' cannot be the first: it takes text, not the "
				    "bytes of the key; put before it %s",
				    decoder->name, buf_str(&others));
	return report_error(report, source, place,
			    "decoder '%s' takes a decimal number, but '%s' before it gives %s; "
			    "have instead %s",
			    decoder->name, config[-1].name.text, form_name(d->gives),
			    buf_str(&others));
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

static bool size_fits(const struct decoder *d, uint32_t size)
{
	if (d->size_multiple)
		return size % d->size_multiple == 0;
	return !d->sizes || (size < 32 && (d->sizes & DECODER_SIZE(size)));
}

static int check_size(const struct decoder *first, const struct label_config *label,
		      const struct source *source, struct report *report)
{
	_cleanup_buf_ struct buf sizes = {0};

	if (size_fits(first, label->size))
		return 0;
	if (first->size_multiple)
		buf_printf(&sizes, "multiples of %u", first->size_multiple);
	else
		add_sizes(&sizes, first->sizes);
	return report_error(report, source, label->place,
			    "label '%s' has a size of %u bytes, but its decoder '%s' takes %s",
			    label->name.text, label->size, first->name, buf_str(&sizes));
}

/* @judge_place: all before it is right, so that it is known what it gets. */
static int check_step(const struct label_decoder *d, size_t index, bool judge_place,
		      const struct decoder_setup *setup)
{
	const struct decode_step *step = &d->chain[index];
	int err = judge_place ? check_place(d, index, setup->source, setup->report) : 0;

	if (check_parameters(step->decoder, step->config, setup->source, setup->report))
		err = -EINVAL;
	if (index == 0 && step->decoder->takes & FORM_BYTES &&
	    check_size(step->decoder, setup->label, setup->source, setup->report))
		err = -EINVAL;
	return err;
}

static int add_step(struct label_decoder *d, size_t index, bool judge_place,
		    const struct decoder_setup *setup)
{
	const struct decoder_config *config = &setup->label->decoders.items[index];
	const struct decoder *decoder = decoder_find(config->name.text);
	struct decode_step *step = &d->chain[index];
	int err;

	if (!decoder) {
		report_unknown_decoder(&config->name, setup->source, setup->report);
		return -EINVAL;
	}
	*step = (struct decode_step){.config = config, .decoder = decoder};
	err = check_step(d, index, judge_place, setup);
	if (err)
		return err;
	d->follows |= decoder->follows;
	d->gives = decoder->gives;
	return decoder->prepare ? decoder->prepare(setup, step) : 0;
}

int label_decoder_build(struct label_decoder *d, const struct label_config *label,
			const struct decode_env *env, const struct source *source,
			struct report *report)
{
	const struct decoder_setup setup = {env, label, source, report};
	size_t count = label->decoders.count;
	int err = 0;

	*d = (struct label_decoder){.config = label, .gives = FORM_BYTES};
	d->chain = calloc(count, sizeof(*d->chain));
	if (!d->chain)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int failed = add_step(d, i, !err, &setup);

		if (failed)
			err = failed;
	}
	if (err)
		label_decoder_free(d);
	return err;
}

void label_decoder_free(struct label_decoder *d)
{
	for (size_t i = 0; d->chain && i < d->config->decoders.count; i++) {
		const struct decode_step *step = &d->chain[i];

		if (step->state && step->decoder->release)
			step->decoder->release(step->state);
	}
	free(d->chain);
	*d = (struct label_decoder){0};
}

/* Bytes that a config passes on as they are must not spoil the exposition. */
static int give_valid(struct decode_scratch *scratch, const char *text, size_t len,
		      struct decoded *ret)
{
	if (!utf8_is_valid(text, len)) {
		buf_reset(&scratch->valid);
		utf8_add_valid(&scratch->valid, text, len);
		text = buf_str(&scratch->valid);
		if (!buf_ok(&scratch->valid))
			return -ENOMEM;
		len = scratch->valid.len;
	}
	*ret = (struct decoded){.text = text, .len = len};
	return 0;
}

int label_decoder_run(const struct label_decoder *d, const struct decode_env *env, const void *in,
		      struct decode_scratch *scratch, struct decoded *ret)
{
	size_t len = d->config->size;
	int result = DECODE_OK, err;

	for (size_t i = 0; i < d->config->decoders.count; i++) {
		const struct decode_step *step = &d->chain[i];
		struct buf *out = &scratch->bufs[i % 2];
		int made;

		buf_reset(out);
		made = step->decoder->decode(env, step, in, len, out);
		if (made < 0 || made == DECODE_DROP)
			return made;
		result = MAX(result, made);
		in = buf_str(out); /* never NULL, also where the text is empty */
		if (!buf_ok(out))
			return -ENOMEM;
		len = out->len;
	}
	err = give_valid(scratch, in, len, ret);
	return err ? err : result;
}

static uint64_t generation_of_links(const struct decode_env *env)
{
	return links_generation(env->links);
}

static uint64_t generation_of_cgroups(const struct decode_env *env)
{
	return cgroups_generation(env->cgroups);
}

static uint64_t generation_of_netns(const struct decode_env *env)
{
	uint64_t names = netnames_generation(env->host->netnames);

	return names + netowners_generation(env->host->netowners, names);
}

static uint64_t generation_of_containers(const struct decode_env *env)
{
	return container_names_generation(env->host->containers);
}

static const struct {
	enum name_source source;
	uint64_t (*generation)(const struct decode_env *env);
} name_sources[] = {
	{FOLLOWS_LINKS, generation_of_links},
	{FOLLOWS_CGROUPS, generation_of_cgroups},
	{FOLLOWS_NETNS, generation_of_netns},
	{FOLLOWS_CONTAINERS, generation_of_containers},
};

uint64_t decode_generation(const struct decode_env *env, unsigned sources)
{
	uint64_t sum = 0;

	/* Each only grows, so their sum changes with any of them. */
	for (size_t i = 0; i < ARRAY_SIZE(name_sources); i++) {
		if (sources & name_sources[i].source)
			sum += name_sources[i].generation(env);
	}
	return sum;
}

void decode_scratch_free(struct decode_scratch *s)
{
	buf_free(&s->bufs[0]);
	buf_free(&s->bufs[1]);
	buf_free(&s->valid);
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
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && rows[low].number == number ? rows[low].name : NULL;
}

int number_name_decode(const struct number_name *rows, size_t count, const char *unknown,
		       const void *in, size_t len, struct buf *out)
{
	const char *name;
	uint64_t number;

	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	name = number_name_find(rows, count, number);
	if (name)
		buf_add_str(out, name);
	else
		buf_printf(out, "%s:%" PRIu64, unknown, number);
	return DECODE_OK;
}
