// SPDX-License-Identifier: MIT
#include "kernel/kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct source {
	struct btf *btf; /* NULL: not needed yet, or there is none */
	int error;       /* errno of having tried in vain; 0 */
};

struct kernel_btf {
	const char *path;
	pthread_mutex_t lock; /* of what follows */
	unsigned holders;
	struct source given;
	struct source running;
};

int kernel_btf_new(const char *path, struct kernel_btf **ret)
{
	struct kernel_btf *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->path = path;
	pthread_mutex_init(&k->lock, NULL);
	*ret = k;
	return 0;
}

static void forget(struct source *s)
{
	btf__free(s->btf);
	*s = (struct source){0};
}

void kernel_btf_free(struct kernel_btf *k)
{
	if (!k)
		return;
	forget(&k->given);
	forget(&k->running);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

const char *kernel_btf_path(const struct kernel_btf *k)
{
	return k->path;
}

void kernel_btf_hold(struct kernel_btf *k)
{
	pthread_mutex_lock(&k->lock);
	k->holders++;
	pthread_mutex_unlock(&k->lock);
}

void kernel_btf_release(struct kernel_btf *k)
{
	pthread_mutex_lock(&k->lock);
	if (--k->holders == 0) {
		forget(&k->given);
		forget(&k->running);
	}
	pthread_mutex_unlock(&k->lock);
}

static struct btf *get(struct kernel_btf *k, struct source *s, const char *path)
{
	struct btf *btf;
	int error;

	pthread_mutex_lock(&k->lock);
	if (!s->btf && !s->error) {
		s->btf = path ? btf__parse(path, NULL) : btf__load_vmlinux_btf();
		s->error = s->btf ? 0 : errno;
	}
	btf = s->btf;
	error = s->error;
	pthread_mutex_unlock(&k->lock);
	errno = error;
	return btf;
}

struct btf *kernel_btf_get(struct kernel_btf *k)
{
	return k->path ? get(k, &k->given, k->path) : kernel_btf_get_running(k);
}

struct btf *kernel_btf_get_running(struct kernel_btf *k)
{
	return get(k, &k->running, NULL);
}
