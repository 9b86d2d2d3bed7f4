// SPDX-License-Identifier: MIT
#include "engine/describe.h"

#include "engine/plan.h"

static bool is_chosen(const struct text_list *subset, const char *name)
{
	for (size_t i = 0; i < subset->count; i++) {
		if (STREQ(subset->items[i].text, name))
			return true;
	}
	return subset->count == 0;
}

static void add_labels(struct buf *b, const struct metric_config *m, const struct text_list *subset)
{
	size_t n = m->labels.count;

	if (m->type == METRIC_HISTOGRAM && m->values.count == 0)
		n--; /* the last one is the bucket */
	for (size_t i = 0; i < n; i++) {
		const struct label_config *label = &m->labels.items[i];
		const char *name = label->name.text;

		if (is_chosen(subset, name))
			buf_printf(b, label->when.text ? "%s[%s]" : "%s%s", b->len ? "," : "",
				   name);
	}
}

static void tell_metric(const struct config *c, const struct metric_config *m,
			const struct value_config *v,
			void (*fn)(void *ctx, const struct metric_doc *m), void *ctx)
{
	static const struct text_list all;
	const char *help = v ? v->help.text : m->help.text;
	const struct text *alias = v ? &v->alias : &m->alias;
	_cleanup_buf_ struct buf name = {0};
	_cleanup_buf_ struct buf labels = {0};

	if (alias->text)
		buf_add_str(&name, alias->text);
	else
		buf_printf(&name, "%s_%s", c->namespace_.text ? c->namespace_.text : PREFIX_BUILTIN,
			   v ? v->name.text : m->name.text);
	add_labels(&labels, m, v ? &v->labels : &all);
	fn(ctx, &(struct metric_doc){
			.name = buf_str(&name),
			.type = metric_type_name(v ? v->type : m->type),
			.labels = buf_str(&labels),
			.help = help ? help : "",
		});
}

void module_each_metric(const struct config *c, void (*fn)(void *ctx, const struct metric_doc *m),
			void *ctx)
{
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		if (m->no_export)
			continue;
		for (size_t k = 0; k < m->values.count; k++) {
			if (!m->values.items[k].no_export)
				tell_metric(c, m, &m->values.items[k], fn, ctx);
		}
		if (m->values.count == 0)
			tell_metric(c, m, NULL, fn, ctx);
	}
}
