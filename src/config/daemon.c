// SPDX-License-Identifier: MIT
#include "config/daemon.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "config/bind.h"
#include "config/source.h"

static int add_value(const struct binding *at, const char *key, const struct node *n,
		     struct strv *to)
{
	_cleanup_free_ char *text = NULL;
	int err = binding_visit(at, n);

	if (!err)
		err = binding_copy_text(at, key, n, &text);
	return err ? err : strv_add(to, text, strlen(text));
}

/* Gives back 0 also after an error in the file: the walk goes on to find what else is wrong. */
static int add_values(const struct binding *at, const char *name, const struct node *n,
		      struct strv *to)
{
	struct shown key = shown(name);
	int err = 0;

	if (n->kind == NODE_MAPPING) {
		binding_error(at, n->place,
			      "option '%s': expected a value or a list of values, found "
			      "a mapping",
			      key.text);
		return 0;
	}
	if (n->kind == NODE_SCALAR)
		err = add_value(at, key.text, n, to);
	for (const struct node *i = n->first; i && !err; i = i->next)
		err = add_value(at, key.text, node_resolve(i), to);
	return err == -EINVAL ? 0 : err;
}

static int add_setting(struct binding *at, const char *module, const struct node *name,
		       const struct node *value)
{
	struct daemon_config *d = at->item;
	struct setting *items =
		reallocarray(d->settings.items, d->settings.count + 1, sizeof(*items));
	struct setting *s;

	if (!items)
		return -ENOMEM;
	d->settings.items = items;
	s = &items[d->settings.count++];
	*s = (struct setting){
		.module = strdup(module),
		.name = strdup(name->text),
		.place = name->place,
	};
	if (!s->module || !s->name)
		return -ENOMEM;
	return add_values(at, name->text, value, &s->values);
}

static int add_module(struct daemon_config *d, const struct node *name)
{
	struct text *items = reallocarray(d->modules.items, d->modules.count + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	d->modules.items = items;
	items[d->modules.count].place = name->place;
	items[d->modules.count].text = strdup(name->text);
	return items[d->modules.count++].text ? 0 : -ENOMEM;
}

static int bind_module(struct binding *at, const struct node *module, const struct node *options)
{
	_cleanup_free_ struct named_place *names = NULL;
	size_t count = 0;
	int err = add_module(at->item, module);

	if (err || node_is_empty(options))
		return err;
	if (options->kind != NODE_MAPPING) {
		binding_error(at, options->place,
			      "module '%s': expected a mapping of options, such as "
			      "{enabled: false}",
			      shown(module->text).text);
		return 0;
	}
	names = calloc(options->count / 2 + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (const struct node *k = options->first; k && !err; k = k->next->next) {
		const struct node *name = node_resolve(k);

		err = binding_visit(at, k);
		if (err)
			return err;
		if (name->kind != NODE_SCALAR) {
			binding_error(at, name->place, "expected the name of an option");
			continue;
		}
		err = add_setting(at, module->text, name, node_resolve(k->next));
		names[count++] = (struct named_place){name->text, name->place};
	}
	binding_check_unique(at, "option", names, count);
	return err;
}

static const struct key web_keys[] = {
	{"api", KEY_BOOL, .offset = 0,
	 .doc = "what only looks can be asked at the listener of the metrics, too, as --web.api"},
};

static const struct schema web_schema = {"web", "webs", sizeof(((struct daemon_config *)NULL)->web),
					 KEYS(web_keys)};

static const struct key daemon_keys[] = {
	{"modules", KEY_NAMED, .named = bind_module,
	 .doc = "module to options, as --option MODULE.NAME=VALUE has them"},
	{"aliases", KEY_BOOL, .offset = offsetof(struct daemon_config, aliases),
	 .doc = "export the names of other tools as well, as --aliases"},
	{"web", KEY_MAPPING, .offset = offsetof(struct daemon_config, web), .sub = &web_schema,
	 .doc = "the listener of the metrics"},
};

static const struct schema daemon_schema = {"the daemon file", "daemon files",
					    sizeof(struct daemon_config), KEYS(daemon_keys)};

int daemon_config_parse(struct source source, struct report *r, struct daemon_config **ret)
{
	struct daemon_config *d = calloc(1, sizeof(*d));
	bool empty;
	int err;

	if (!d) {
		source_free(&source);
		return -ENOMEM;
	}
	d->source = source;
	err = bind_source(&daemon_schema, &d->source, r, d, &empty);
	if (err)
		daemon_config_free(d);
	else
		*ret = d;
	return err;
}

int daemon_config_parse_file(const char *path, struct report *r, struct daemon_config **ret)
{
	struct source source;
	int err = source_read(path, r, &source);

	return err ? err : daemon_config_parse(source, r, ret);
}

void daemon_config_free(struct daemon_config *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->settings.count; i++) {
		struct setting *s = &d->settings.items[i];

		free(s->module);
		free(s->name);
		strv_free(&s->values);
	}
	free(d->settings.items);
	for (size_t i = 0; i < d->modules.count; i++)
		free(d->modules.items[i].text);
	free(d->modules.items);
	source_free(&d->source);
	free(d);
}

bool daemon_config_is_likely(const char *path)
{
	return schema_is_likely(&daemon_schema, path);
}
