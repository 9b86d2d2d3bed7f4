// SPDX-License-Identifier: MIT
#include "decode/suffixes.h"

#include <errno.h>
#include <libpsl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct suffixes {
	const char *path;
	pthread_mutex_t lock; /* of the reading; a list that was read does not change */
	bool read;
	psl_ctx_t *list; /* NULL: there is none */
};

int suffixes_new(const char *path, struct suffixes **ret)
{
	struct suffixes *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->path = path;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void suffixes_free(struct suffixes *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	psl_free(s->list);
	free(s);
}

static const psl_ctx_t *list_of(struct suffixes *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->read) {
		s->list = s->path ? psl_load_file(s->path) : psl_latest(NULL);
		if (!s->list)
			log_warn("there is no Public Suffix List (Debian: publicsuffix): of names "
				 "under co.uk and the like, the two last labels are shown");
	}
	s->read = true;
	pthread_mutex_unlock(&s->lock);
	return s->list;
}

/* Where the two last labels begin. */
static const char *two_labels(const char *name)
{
	const char *dot = strrchr(name, '.');

	while (dot && dot > name && dot[-1] != '.')
		dot--;
	return dot ? dot : name;
}

size_t suffixes_registrable(struct suffixes *s, const char *name)
{
	const psl_ctx_t *list = list_of(s);
	const char *domain = list ? psl_registrable_domain(list, name) : two_labels(name);

	return domain ? (size_t)(domain - name) : 0;
}
