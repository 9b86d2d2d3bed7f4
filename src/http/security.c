// SPDX-License-Identifier: MIT
#include "http/security.h"

#include <errno.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

struct file_stamp {
	char *path;
	struct stat stat; /* all zero: it could not be read */
};

/* How many hold a struct http_security, beside which it lies. */
struct counted {
	struct http_security security;
	atomic_uint refs;
};

/* ---- files ---- */

static struct stat stat_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		memset(&st, 0, sizeof(st));
	st.st_atim = (struct timespec){0};
	return st;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool security_has_changed(struct http_security *s)
{
	bool changed = false;

	for (size_t i = 0; i < s->n_stamps; i++) {
		struct stat now = stat_of(s->stamps[i].path);

		changed |= !is_same_file(&now, &s->stamps[i].stat);
		s->stamps[i].stat = now;
	}
	return changed;
}

/* Before they are read: what changes while they are read is seen later. */
static int add_stamp(struct http_security *s, char *path)
{
	if (!path)
		return -ENOMEM;
	s->stamps[s->n_stamps++] = (struct file_stamp){path, stat_of(path)};
	return 0;
}

static int add_stamps(struct http_security *s)
{
	const struct web_tls *tls = &s->config->tls;
	const struct text *const files[] = {&tls->cert_file, &tls->key_file, &tls->client_ca_file};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++) {
		if (files[i]->text)
			err = add_stamp(s, tls_path(s->config, files[i]->text));
	}
	return err;
}

enum { FILES_MAX = 4 };

/* @file is freed. */
static int add_folder(struct strv *to, char *file)
{
	const char *folder = file ? dirname(file) : NULL;
	int err = folder ? strv_add(to, folder, strlen(folder)) : -ENOMEM;

	free(file);
	return err;
}

int security_add_folders(const char *path, struct strv *to)
{
	_cleanup_report_ struct report ignored = {0};
	struct web_config *config = NULL;
	int err = add_folder(to, strdup(path));

	if (err || web_config_parse_file(path, &ignored, &config))
		return err;
	const char *const files[] = {config->tls.cert_file.text, config->tls.key_file.text,
				     config->tls.client_ca_file.text};

	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++) {
		if (files[i])
			err = add_folder(to, tls_path(config, files[i]));
	}
	web_config_free(config);
	return err;
}

/* ---- life ---- */

static void add_headers(struct http_security *s)
{
	for (size_t i = 0; i < WEB_HEADERS; i++) {
		const char *text = s->config->http.headers[i].text;

		if (text)
			buf_printf(&s->headers, "%s: %s\r\n", web_header_names[i], text);
	}
	buf_add_str(&s->headers, "\r\n");
}

static int take_users(struct http_security *s, const struct http_security *before)
{
	if (s->config->users.count == 0)
		return 0;
	if (before && before->auth && auth_is_same(before->auth, s->config))
		s->auth = auth_ref(before->auth);
	else
		s->auth = auth_new(s->config);
	return s->auth ? 0 : -ENOMEM;
}

static int load(struct http_security *s, const char *path, const struct http_security *before,
		struct report *r)
{
	int err;

	s->stamps = calloc(FILES_MAX, sizeof(*s->stamps));
	err = s->stamps ? add_stamp(s, strdup(path)) : -ENOMEM;
	if (!err)
		err = web_config_parse_file(path, r, &s->config);
	if (!err)
		err = add_stamps(s);
	if (!err && s->config->has_tls)
		err = tls_new(s->config, r, &s->tls);
	if (err)
		return err;
	add_headers(s);
	return buf_ok(&s->headers) ? take_users(s, before) : -ENOMEM;
}

int security_load(const char *path, const struct http_security *before, struct report *r,
		  struct http_security **ret)
{
	struct counted *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	err = load(&c->security, path, before, r);
	if (err)
		security_unref(&c->security);
	else
		*ret = &c->security;
	return err;
}

struct http_security *security_ref(struct http_security *s)
{
	if (s)
		CONTAINER_OF(s, struct counted, security)->refs++;
	return s;
}

void security_unref(struct http_security *s)
{
	if (!s || --CONTAINER_OF(s, struct counted, security)->refs > 0)
		return;
	auth_unref(s->auth);
	tls_free(s->tls);
	buf_free(&s->headers);
	for (size_t i = 0; i < s->n_stamps; i++)
		free(s->stamps[i].path);
	free(s->stamps);
	web_config_free(s->config);
	free(CONTAINER_OF(s, struct counted, security));
}
