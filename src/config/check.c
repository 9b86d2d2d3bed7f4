// SPDX-License-Identifier: MIT
/* What can be wrong with a config whose keys and types are right. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/network.h"
#include "base/suggest.h"
#include "config/key_types.h"
#include "config/language.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* What a kind of name may be made of; prometheus.io/docs/concepts/data_model for the first two. */
struct name_rule {
	const char *what;
	const char *first;
	const char *rest;
	const char *words;
};

static const struct name_rule metric_name = {"a metric name",
					     LOWER UPPER "_:", LOWER UPPER DIGITS "_:",
					     "letters, digits, '_' and ':', no digit first"};
static const struct name_rule label_name = {"a label name", LOWER UPPER "_", LOWER UPPER DIGITS "_",
					    "letters, digits and '_', no digit first"};
static const struct name_rule option_name = {"an option name", LOWER, LOWER DIGITS "_",
					     "small letters, digits and '_', a letter first"};
static const struct name_rule word = {"a word of the command line", LOWER, LOWER DIGITS "_-",
				      "small letters, digits, '_' and '-', a letter first"};
const struct name_rule probe_name_rule = {"the name of a probe or mechanism", LOWER,
					  LOWER DIGITS "_",
					  "small letters, digits and '_', a letter first"};
const struct name_rule c_name_rule = {"the name of a variable or function", LOWER UPPER "_",
				      LOWER UPPER DIGITS "_",
				      "letters, digits and '_', no digit first"};

void check_name(const struct binding *at, const struct text *t, const struct name_rule *rule)
{
	const char *s = t->text;

	if (!s)
		return;
	if (*s && strchr(rule->first, *s) && strspn(s, rule->rest) == strlen(s))
		return;
	binding_error(at, t->place, "'%s' cannot be %s: %s", shown(s).text, rule->what,
		      rule->words);
}

void check_word(const struct binding *at, const struct text *t)
{
	check_name(at, t, &word);
}

void check_names(const struct binding *at, const struct text_list *list,
		 const struct name_rule *rule)
{
	for (size_t i = 0; i < list->count; i++)
		check_name(at, &list->items[i], rule);
}

/* --- metrics ------------------------------------------------------------------------------- */

int check_label(struct binding *at, void *item)
{
	const struct label_config *label = item;
	const char *name = label->name.text;

	check_name(at, &label->name, &label_name);
	if (name && strncmp(name, "__", 2) == 0)
		binding_error(
			at, label->name.place,
			"'%s' cannot be a label name: Prometheus keeps names that begin with '__' "
			"to itself",
			shown(name).text);
	return 0;
}

/* A text in a map's value is no number that could be a metric. */
static int check_text_value(const struct binding *at, struct value_config *v)
{
	if (!binding_has(at, "size"))
		binding_error(at, at->place,
			      "missing key 'size': how many bytes the decoders get of '%s'",
			      v->name.text ? shown(v->name.text).text : "it");
	if (binding_has(at, "type"))
		binding_error(at, binding_place(at, "type"),
			      "a value with 'decoders' is a text, and of no metric type");
	check_no_buckets(at);
	v->no_export = true;
	return 0;
}

/* What is said of `top` is about a counter, and said with the others. */
static void check_top(const struct binding *at, const struct value_config *v)
{
	static const char *const keys[] = {"top", "others", "rest"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (binding_has(at, "top") && !binding_has(at, keys[i]))
			binding_error(at, v->place, "'top' needs '%s', which is missing", keys[i]);
		else if (!binding_has(at, "top") && binding_has(at, keys[i]))
			binding_error(at, binding_place(at, keys[i]),
				      "'%s' is about 'top', which is missing", keys[i]);
	}
	if (binding_has(at, "top") && v->type != METRIC_COUNTER)
		binding_error(at, binding_place(at, "top"), "'top' is for counters only");
}

int check_value(struct binding *at, void *item)
{
	struct value_config *v = item;

	check_name(at, &v->name, &metric_name);
	check_top(at, v);
	check_name(at, &v->alias, &metric_name);
	if (binding_has(at, "decoders"))
		return check_text_value(at, v);
	if (v->size & (v->size - 1) || v->size > 8)
		binding_error(at, binding_place(at, "size"),
			      "'size': expected 1, 2, 4 or 8, found %u", v->size);
	else if (v->type == METRIC_HISTOGRAM && v->size && v->size != 8)
		binding_error(at, binding_place(at, "size"),
			      "the buckets of a histogram have 8 bytes");
	if (v->size == 0)
		v->size = 8;
	if (v->type == METRIC_HISTOGRAM)
		check_buckets(at, &v->buckets);
	else if (binding_is_right(at, "type") || !binding_has(at, "type"))
		check_no_buckets(at);
	return 0;
}

/* The collector counts seconds. */
enum { SHORTEST_TTL_NS = 1000000000 };

/* What is about series of a metric. */
static void check_no_limits_unexported(const struct binding *at, const struct metric_config *m)
{
	static const char *const keys[] = {"max_series", "overflow", "ttl", "when"};

	for (size_t i = 0; m->no_export && i < ARRAY_SIZE(keys); i++) {
		if (binding_has(at, keys[i]))
			binding_error(at, binding_place(at, keys[i]),
				      "'%s' is about a metric, and 'export' says that this is none",
				      keys[i]);
	}
}

static void check_limits(const struct binding *at, const struct metric_config *m)
{
	if (binding_has(at, "overflow") && !binding_has(at, "max_series"))
		binding_error(
			at, binding_place(at, "overflow"),
			"'overflow' is about what comes beyond 'max_series', which is missing");
	check_no_limits_unexported(at, m);
	if (binding_is_right(at, "ttl") && m->ttl_ns < SHORTEST_TTL_NS)
		binding_error(at, m->ttl_place, "'ttl' must be one second at least");
}

/* `le` is the label of histograms' buckets in Prometheus: free only for what becomes it. */
static void check_le(const struct binding *at, const struct metric_config *m)
{
	size_t count = m->labels.count - (m->type == METRIC_HISTOGRAM && m->labels.count > 0);

	for (size_t i = 0; i < count; i++) {
		const struct text *name = &m->labels.items[i].name;

		if (name->text && STREQ(name->text, "le"))
			binding_error(
				at, name->place,
				"'le' cannot be a label name: it is that of a histogram's buckets");
	}
}

/* What is `of` another one has its bytes there. */
static void check_shared_bytes(const struct binding *at, const struct metric_config *m)
{
	for (size_t i = 0; i < m->labels.count; i++) {
		const struct label_config *label = &m->labels.items[i];
		size_t other = 0;

		if (!label->of.text)
			continue;
		while (other < i && (!m->labels.items[other].name.text ||
				     !STREQ(m->labels.items[other].name.text, label->of.text)))
			other++;
		if (other == i || m->labels.items[other].of.text)
			binding_error(at, label->of.place,
				      "no label before it that has bytes of its own is called '%s'",
				      shown(label->of.text).text);
		else if (label->size > m->labels.items[other].size || label->padding)
			binding_error(at, label->of.place,
				      "'%s' has %u bytes, and this one is cut out of them",
				      shown(label->of.text).text, m->labels.items[other].size);
	}
}

static int check_labels_unique(const struct binding *at, const struct metric_config *m)
{
	_cleanup_free_ struct named_place *names = calloc(m->labels.count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < m->labels.count; i++)
		names[i] = (struct named_place){m->labels.items[i].name.text,
						m->labels.items[i].name.place};
	binding_check_unique(at, "label", names, m->labels.count);
	return 0;
}

/* The labels that a value keeps are labels of its metric. */
static int check_kept_labels(const struct binding *at, const struct metric_config *m,
			     const struct value_config *v)
{
	_cleanup_free_ struct named_place *kept = calloc(v->labels.count + 1, sizeof(*kept));
	_cleanup_free_ const char **names = calloc(m->labels.count + 1, sizeof(*names));

	if (!names || !kept)
		return -ENOMEM;
	for (size_t i = 0; i < m->labels.count; i++)
		names[i] = m->labels.items[i].name.text;
	for (size_t i = 0; i < v->labels.count; i++) {
		const struct text *label = &v->labels.items[i];
		const char *nearest;

		kept[i] = (struct named_place){label->text, label->place};
		nearest = label->text ? suggest_nearest(label->text, names, m->labels.count) : NULL;
		if (!label->text || (nearest && STREQ(nearest, label->text)))
			continue;
		binding_error(at, label->place, "'%s' has no label '%s'%s%s%s",
			      m->name.text ? shown(m->name.text).text : "the metric",
			      shown(label->text).text, nearest ? ", did you mean '" : "",
			      nearest ? nearest : "", nearest ? "'?" : "");
	}
	binding_check_unique(at, "label", kept, v->labels.count);
	return 0;
}

int check_metric(struct binding *at, void *item)
{
	struct metric_config *m = item;
	int err = check_labels_unique(at, m);

	check_shared_bytes(at, m);
	check_name(at, &m->name, &metric_name);
	check_name(at, &m->alias, &metric_name);
	check_le(at, m);
	check_limits(at, m);
	if (m->flush_interval_ns && !m->perf_event_array)
		binding_error(at, binding_place(at, "flush_interval"),
			      "'flush_interval' goes with perf_event_array: true only");
	for (size_t i = 0; i < m->values.count && !err; i++)
		err = check_kept_labels(at, m, &m->values.items[i]);
	return err;
}

/* Without its last label a histogram is none. */
static void check_bucket_is_always(const struct binding *at, const struct metric_config *m)
{
	const struct label_config *last =
		m->labels.count ? &m->labels.items[m->labels.count - 1] : NULL;

	if (last && (last->when.text || last->of.text))
		binding_error(at, last->when.text ? last->when.place : last->of.place,
			      "the last label of a histogram is the bucket, which is always there");
}

int check_histogram(struct binding *at, void *item)
{
	struct metric_config *m = item;

	m->type = METRIC_HISTOGRAM;
	check_shared_bytes(at, m);
	check_name(at, &m->name, &metric_name);
	check_name(at, &m->alias, &metric_name);
	check_le(at, m);
	check_limits(at, m);
	check_bucket_is_always(at, m);
	if (m->labels.count == 0 && (binding_is_right(at, "labels") || !binding_has(at, "labels")))
		binding_error(at, at->place,
			      "a histogram needs at least one label: the last one is the bucket");
	check_buckets(at, &m->buckets);
	return check_labels_unique(at, m);
}

/* --- options and attaching ----------------------------------------------------------------- */

static bool is_allowed(const struct option_config *o, uint64_t number)
{
	return !o->max || number <= o->max;
}

static void report_default(const struct binding *at, const struct option_config *o,
			   const struct text *t)
{
	char most[32] = "";

	if (o->max)
		snprintf(most, sizeof(most), " of at most %u", o->max);
	binding_error(at, t->place, "'default': expected %s%s, found '%s'",
		      o->type == OPTION_BOOL ? "true or false" : "a whole number", most,
		      shown(t->text).text);
}

/* Puts the default of a bool or uint into the one spelling that those who read it expect. */
static int normalize_default(const struct binding *at, const struct option_config *o,
			     struct text *t)
{
	char number[24];
	uint64_t n;
	char *copy;
	bool b;

	if (o->type == OPTION_BOOL && bool_parse(t->text, &b)) {
		copy = strdup(b ? "true" : "false");
	} else if (o->type == OPTION_UINT && number_parse(t->text, &n) && is_allowed(o, n)) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)n);
		copy = strdup(number);
	} else {
		report_default(at, o, t);
		return 0;
	}
	if (!copy)
		return -ENOMEM;
	free(t->text);
	t->text = copy;
	return 0;
}

/* A list that goes into a variable is one of numbers. */
static int check_default_list(const struct binding *at, const struct option_config *o)
{
	for (size_t i = 0; o->rodata.text && i < o->defaults.count; i++) {
		const struct text *t = &o->defaults.items[i];
		uint64_t n;

		if (t->text && number_parse(t->text, &n) && !is_allowed(o, n))
			binding_error(at, t->place, "'default': %s is more than 'max'",
				      shown(t->text).text);
		else if (t->text && !number_parse(t->text, &n))
			binding_error(at, t->place,
				      "'default': a list for a variable is of whole numbers, "
				      "found '%s'",
				      shown(t->text).text);
	}
	return 0;
}

static void check_default_network(const struct binding *at, const struct text *t)
{
	struct network network;

	if (*t->text && !network_parse(t->text, &network))
		binding_error(at, t->place, "'default': expected " NETWORK_TAKES ", found '%s'",
			      shown(t->text).text);
}

bool option_is_choice(const struct option_config *o, const char *value)
{
	for (size_t i = 0; i < o->choices.count; i++) {
		if (STREQ(o->choices.items[i].text, value))
			return true;
	}
	return o->choices.count == 0;
}

void option_add_choices(const struct option_config *o, struct buf *to)
{
	for (size_t i = 0; i < o->choices.count; i++)
		buf_printf(to, "%s%s",
			   i == 0                     ? ""
			   : i + 1 < o->choices.count ? ", "
						      : " or ",
			   o->choices.items[i].text);
}

static void check_default_string(const struct binding *at, const struct option_config *o,
				 const struct text *t)
{
	_cleanup_buf_ struct buf choices = {0};

	if (!binding_is_right(at, "choices") || option_is_choice(o, t->text))
		return;
	option_add_choices(o, &choices);
	binding_error(at, t->place, "'default': expected %s, found '%s'", buf_str(&choices),
		      shown(t->text).text);
}

static int check_default(const struct binding *at, const struct option_config *o)
{
	if (!binding_is_right(at, "default"))
		return 0;
	if (o->type == OPTION_LIST)
		return check_default_list(at, o);
	if (o->defaults.count != 1)
		binding_error(at, binding_place(at, "default"),
			      "'default': a list is for an option of type list");
	else if (o->type == OPTION_NETWORK && o->defaults.items[0].text)
		check_default_network(at, &o->defaults.items[0]);
	else if (o->type == OPTION_STRING && o->defaults.items[0].text)
		check_default_string(at, o, &o->defaults.items[0]);
	else if (o->defaults.items[0].text)
		return normalize_default(at, o, &o->defaults.items[0]);
	return 0;
}

int check_option(struct binding *at, void *item)
{
	const struct option_config *o = item;

	check_name(at, &o->name, &option_name);
	check_name(at, &o->rodata, &c_name_rule);
	check_name(at, &o->max_entries, &c_name_rule);
	if (o->max_entries.text && o->type != OPTION_UINT && binding_is_right(at, "type"))
		binding_error(at, o->max_entries.place,
			      "'max_entries' needs an option of type uint: it is a number");
	if (o->choices.count && o->type != OPTION_STRING && binding_is_right(at, "type"))
		binding_error(at, binding_place(at, "choices"), "'choices' are of type string");
	if (o->max && o->type != OPTION_UINT && !(o->type == OPTION_LIST && o->rodata.text) &&
	    binding_is_right(at, "type"))
		binding_error(at, binding_place(at, "max"), "'max' is about numbers");
	if (o->file && o->type != OPTION_STRING && o->type != OPTION_LIST &&
	    binding_is_right(at, "type"))
		binding_error(at, binding_place(at, "file"),
			      "'file' needs an option of type string or list: what it names");
	if (o->name.text && STREQ(o->name.text, "enabled"))
		binding_error(at, o->name.place,
			      "'enabled' cannot be an option name: each module has it already");
	return binding_is_right(at, "type") ? check_default(at, o) : 0;
}

/* What nobody should set for the sake of being measured. */
#define NEVER "kernel.unprivileged_bpf_disabled"

int check_sysctl(struct binding *at, void *item)
{
	const struct sysctl_config *s = item;

	if (s->name.text && (strchr(s->name.text, '/') || !strchr(s->name.text, '.')))
		binding_error(at, s->name.place,
			      "'%s' is no name of a kernel parameter, as net.core.somaxconn",
			      shown(s->name.text).text);
	if (s->name.text && STREQ(s->name.text, NEVER))
		binding_error(at, s->name.place,
			      "'" NEVER "' is left alone: it keeps users without rights from "
			      "loading programs");
	return 0;
}

#define HOOK(name) (UINT32_C(1) << HOOK_##name)
#define CGROUP_HOOKS                                                                               \
	(HOOK(CGROUP) | HOOK(CGROUP_SKB_INGRESS) | HOOK(CGROUP_SKB_EGRESS) | HOOK(SOCK_OPS))
#define INTERFACE_HOOKS (HOOK(TC_INGRESS) | HOOK(TC_EGRESS) | HOOK(XDP))

/* The keys of an attach row that not every hook has: which have it, and which need it. */
static const struct hook_key {
	const char *key;
	uint32_t hooks;
	uint32_t required;
} hook_keys[] = {
	{"interfaces", INTERFACE_HOOKS, INTERFACE_HOOKS},
	{"link_layer", INTERFACE_HOOKS},
	{"netns", INTERFACE_HOOKS},
	{"mode", HOOK(XDP)},
	{"family", HOOK(NETFILTER), HOOK(NETFILTER)},
	{"netfilter_hook", HOOK(NETFILTER), HOOK(NETFILTER)},
	{"priority", HOOK(NETFILTER)},
	{"defragment", HOOK(NETFILTER)},
	{"cgroup", CGROUP_HOOKS},
	{"map", HOOK(ITER)},
	{"interval", HOOK(ITER)},
	{"event", HOOK(PERF_EVENT), HOOK(PERF_EVENT)},
};

/* "hook 'section' takes no 'interfaces'; it is for tc_ingress and tc_egress" */
static void check_hook_key(const struct binding *at, const struct hook_key *k,
			   enum attach_hook hook)
{
	_cleanup_buf_ struct buf for_hooks = {0};
	const char *names[HOOK_COUNT];

	if (k->required >> hook & 1 && !binding_has(at, k->key))
		binding_error(at, at->place, "missing key '%s' in %s", k->key, at->schema->one);
	if (k->hooks >> hook & 1 || !binding_has(at, k->key))
		return;
	for (unsigned i = 0; i < HOOK_COUNT; i++)
		names[i] = k->hooks >> i & 1 ? attach_hook_name((enum attach_hook)i) : NULL;
	key_names_add(&for_hooks, names, HOOK_COUNT, "and");
	binding_error(at, binding_place(at, k->key), "hook '%s' takes no '%s'; it is for %s",
		      attach_hook_name(hook), k->key, buf_str(&for_hooks));
}

int check_attach(struct binding *at, void *item)
{
	const struct attach_config *a = item;

	check_name(at, &a->program, &c_name_rule);
	for (size_t i = 0; binding_is_right(at, "hook") && i < ARRAY_SIZE(hook_keys); i++)
		check_hook_key(at, &hook_keys[i], a->hook);
	return 0;
}

void check_is_option(const struct binding *at, const struct config *c, const struct text *t,
		     const char *name, enum option_type type, const char *type_name)
{
	const struct option_config *o = config_find_option(c, name);

	if (!o)
		binding_error(at, t->place, "this config has no option '%s'", shown(name).text);
	else if (o->type != type)
		binding_error(at, t->place, "option '%s' is not of type %s", shown(name).text,
			      type_name);
}

/* "$name" stands for what the option of that name, a list, says. */
static void check_reference(const struct binding *at, const struct config *c, const struct text *t)
{
	if (t->text && t->text[0] == '$')
		check_is_option(at, c, t, t->text + 1, OPTION_LIST, "list");
}

void check_when(const struct binding *at, const struct config *c, const struct text *t)
{
	if (t->text)
		check_is_option(at, c, t, t->text, OPTION_BOOL, "bool");
}

/* A stage is at the interfaces that its pipeline's options say; what these are is known to whoever
 * has both. */
void check_when_or_pipeline(const struct binding *at, const struct config *c, const struct text *t)
{
	const char *pipeline = c->has_stage ? c->stage.pipeline.text : NULL;
	size_t len = pipeline ? strlen(pipeline) : 0;

	if (t->text && pipeline && strncmp(t->text, pipeline, len) == 0 && t->text[len] == '.')
		return;
	check_when(at, c, t);
}

static void check_conditions(const struct binding *at, const struct config *c)
{
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		check_when(at, c, &m->when);
		for (size_t j = 0; j < m->labels.count; j++)
			check_when_or_pipeline(at, c, &m->labels.items[j].when);
		for (size_t j = 0; j < m->values.count; j++)
			check_when(at, c, &m->values.items[j].when);
		check_tops(at, c, m);
	}
}

/* --- the file as a whole ------------------------------------------------------------------- */

/* Counters, gauges and histograms, each in the order of the file, become one list. */
static int join_metrics(struct config_file *f)
{
	const enum metric_type types[] = {METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM};
	struct metric_list *lists[] = {&f->counters, &f->gauges, &f->histograms};
	size_t count = f->counters.count + f->gauges.count + f->histograms.count;
	struct metric_config *to = calloc(count + 1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	f->config.metrics.items = to;
	f->config.metrics.count = count;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (lists[i]->count)
			memcpy(to, lists[i]->items, lists[i]->count * sizeof(*to));
		for (size_t j = 0; j < lists[i]->count; j++)
			to[j].type = types[i];
		to += lists[i]->count;
		free(lists[i]->items);
		*lists[i] = (struct metric_list){0};
	}
	return 0;
}

static int check_options_unique(const struct binding *at, const struct config *c)
{
	_cleanup_free_ struct named_place *names = calloc(c->options.count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < c->options.count; i++)
		names[i] = (struct named_place){c->options.items[i].name.text,
						c->options.items[i].name.place};
	binding_check_unique(at, "option", names, c->options.count);
	return 0;
}

static void check_namespace(const struct binding *at, const struct text *t)
{
	check_name(at, t, &metric_name);
	if (t->text && t->text[0] && t->text[strlen(t->text) - 1] == '_')
		binding_error(at, t->place, "'%s': leave out the final underscore, it is added",
			      shown(t->text).text);
}

/* "$name" stands for one of the choices of that option, and all of them are modes. */
static void check_mode(const struct binding *at, const struct config *c, const struct text *t)
{
	const struct option_config *o = t->text ? config_find_option(c, t->text + 1) : NULL;
	enum xdp_mode ignored;

	if (!t->text)
		return;
	check_is_option(at, c, t, t->text + 1, OPTION_STRING, "string");
	if (!o || o->type != OPTION_STRING)
		return;
	if (!o->choices.count || !o->defaults.count)
		binding_error(at, o->place,
			      "option '%s' needs choices and a default, since a mode is chosen by "
			      "it",
			      shown(o->name.text).text);
	for (size_t i = 0; i < o->choices.count; i++) {
		const struct text *choice = &o->choices.items[i];

		if (choice->text && !xdp_mode_parse(choice->text, &ignored))
			binding_error(at, choice->place, "'%s' is no mode of hook xdp",
				      shown(choice->text).text);
	}
}

static void check_attach_rows(const struct binding *at, const struct config *c)
{
	for (size_t i = 0; i < c->attach.count; i++) {
		if (c->has_stage && INTERFACE_HOOKS & UINT32_C(1) << c->attach.items[i].hook)
			binding_error(at, c->attach.items[i].place,
				      "a stage has its packets from its pipeline, which is what is "
				      "attached at interfaces");
		check_when(at, c, &c->attach.items[i].when);
	}
	for (size_t i = 0; i < c->attach.count; i++) {
		const struct attach_config *row = &c->attach.items[i];

		for (size_t j = 0; j < row->interfaces.count; j++)
			check_reference(at, c, &row->interfaces.items[j]);
		for (size_t j = 0; j < row->netns.count; j++)
			check_reference(at, c, &row->netns.items[j]);
		check_mode(at, c, &row->mode_option);
	}
}

/* A stage's programs are its pipeline's. */
static void check_persistence(const struct binding *at, const struct config *c)
{
	if (c->has_stage && binding_has(at, "persistent"))
		binding_error(at, binding_place(at, "persistent"),
			      "a stage cannot say 'persistent': its pipeline does");
	if (!c->has_stage && !c->persistent && binding_has(at, "layout"))
		binding_error(at, binding_place(at, "layout"),
			      "'layout' is of maps that are kept: it goes with 'persistent: true', "
			      "or into a stage");
}

int check_file(struct binding *at, void *item)
{
	struct config_file *f = item;
	const struct config *c = &f->config;
	int err = join_metrics(f);

	if (err)
		return err;
	check_namespace(at, &c->namespace_);
	check_persistence(at, c);
	check_names(at, &c->kaddrs, &c_name_rule);
	check_attach_rows(at, c);
	check_conditions(at, c);
	check_tables(at, c);
	check_ttls(at, c);
	err = check_options_unique(at, c);
	if (!err)
		err = check_probes(at, c);
	return err ? err : check_metrics_unique(at, c);
}
