// SPDX-License-Identifier: MIT
#include "kernel/ksyms.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/macro.h"

#define KALLSYMS "/proc/kallsyms"

enum {
	ARENA_CHUNK = 256 << 10,
	FIRST_SYMBOLS = 16384,
	REREAD_S = 10,
	FARTHEST = 1 << 20, /* no function is that large */
};

/* Names lie here one behind the other and never move, because they were handed out. */
struct arena {
	struct arena *older;
	size_t used;
	size_t size;
	char names[];
};

struct symbol {
	uint64_t address;
	const char *name;
};

struct symbols {
	struct symbol *items; /* by address, each once */
	size_t count;
	size_t cap;
};

struct ksyms {
	pthread_mutex_t lock;
	struct symbols symbols;
	struct arena *arena;
	uint64_t read_ns; /* when the file was read last; 0: never */
};

int ksyms_new(struct ksyms **ret)
{
	struct ksyms *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	pthread_mutex_init(&k->lock, NULL);
	*ret = k;
	return 0;
}

void ksyms_free(struct ksyms *k)
{
	if (!k)
		return;
	for (struct arena *chunk = k->arena, *older; chunk; chunk = older) {
		older = chunk->older;
		free(chunk);
	}
	free(k->symbols.items);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static const char *arena_add(struct arena **arena, const char *name)
{
	size_t len = strlen(name) + 1;
	char *copy;

	if (!*arena || (*arena)->size - (*arena)->used < len) {
		size_t size = MAX((size_t)ARENA_CHUNK, len);
		struct arena *chunk = malloc(sizeof(*chunk) + size);

		if (!chunk)
			return NULL;
		*chunk = (struct arena){.older = *arena, .size = size};
		*arena = chunk;
	}
	copy = (*arena)->names + (*arena)->used;
	memcpy(copy, name, len);
	(*arena)->used += len;
	return copy;
}

/* The last symbol at or before @address. */
static const struct symbol *find_nearest(const struct symbols *s, uint64_t address)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address - s->items[low - 1].address > FARTHEST)
		return NULL;
	return &s->items[low - 1];
}

static const struct symbol *find(const struct symbols *s, uint64_t address)
{
	const struct symbol *nearest = find_nearest(s, address);

	return nearest && nearest->address == address ? nearest : NULL;
}

/* "ffffffff81000000 T _stext" or "ffffffffc0000000 t name\t[module]": the name is cut out of @line.
 */
static bool parse_line(char *line, uint64_t *ret_address, char **ret_name)
{
	char *end;

	*ret_address = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || end[1] == '\0' || end[2] != ' ')
		return false;
	*ret_name = end + 3;
	(*ret_name)[strcspn(*ret_name, "\t\n ")] = '\0';
	return **ret_name != '\0';
}

/* Gives back 0 to go on; anything else ends the reading with it. */
typedef int (*symbol_fn)(void *ctx, uint64_t address, const char *name);

static int read_file(symbol_fn fn, void *ctx)
{
	FILE *file = fopen(KALLSYMS, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	uint64_t address;
	char *name;
	int r = 0;

	if (!file)
		return -errno;
	while (r == 0 && getline(&line, &size, file) >= 0) {
		if (parse_line(line, &address, &name))
			r = fn(ctx, address, name);
	}
	if (r == 0 && ferror(file))
		r = -EIO;
	fclose(file);
	return r;
}

struct reading {
	struct ksyms *ksyms;
	struct symbols fresh;
};

static int keep(void *ctx, uint64_t address, const char *name)
{
	struct reading *reading = ctx;
	struct symbols *fresh = &reading->fresh;
	const struct symbol *known;

	/* 0: hidden, or an absolute symbol that nobody asks for. Of several names of one address,
	 * which follow each other, the first. */
	if (address == 0 || (fresh->count && fresh->items[fresh->count - 1].address == address))
		return 0;
	if (fresh->count == fresh->cap) {
		size_t cap = MAX(fresh->cap * 2, (size_t)FIRST_SYMBOLS);
		void *p = realloc(fresh->items, cap * sizeof(*fresh->items));

		if (!p)
			return -ENOMEM;
		fresh->items = p;
		fresh->cap = cap;
	}
	known = find(&reading->ksyms->symbols, address);
	if (known && STREQ(known->name, name))
		name = known->name;
	else
		name = arena_add(&reading->ksyms->arena, name);
	if (!name)
		return -ENOMEM;
	fresh->items[fresh->count++] = (struct symbol){address, name};
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* What was known stays when reading fails. */
static void read_again(struct ksyms *k)
{
	struct reading reading = {.ksyms = k};
	struct symbols fresh;
	void *p;

	if (read_file(keep, &reading) < 0) {
		free(reading.fresh.items);
		return;
	}
	fresh = reading.fresh;
	if (fresh.count > 0)
		qsort(fresh.items, fresh.count, sizeof(*fresh.items), by_address);
	p = realloc(fresh.items, MAX(fresh.count, (size_t)1) * sizeof(*fresh.items));
	if (p)
		fresh.items = p;
	fresh.cap = fresh.count;
	free(k->symbols.items);
	k->symbols = fresh;
}

static const char *look_up(struct ksyms *k, uint64_t address,
			   const struct symbol *(*find_it)(const struct symbols *, uint64_t))
{
	const struct symbol *symbol;
	const char *name = NULL;
	uint64_t now;

	pthread_mutex_lock(&k->lock);
	symbol = find_it(&k->symbols, address);
	now = clock_monotonic_ns();
	if (!symbol && (k->read_ns == 0 || now - k->read_ns >= REREAD_S * NSEC_PER_SEC)) {
		k->read_ns = now;
		read_again(k);
		symbol = find_it(&k->symbols, address);
	}
	if (symbol)
		name = symbol->name;
	pthread_mutex_unlock(&k->lock);
	return name;
}

const char *ksyms_name(struct ksyms *k, uint64_t address)
{
	return look_up(k, address, find);
}

const char *ksyms_nearest(struct ksyms *k, uint64_t address)
{
	return look_up(k, address, find_nearest);
}

struct search {
	const char *symbol;
	uint64_t address;
};

static int match(void *ctx, uint64_t address, const char *name)
{
	struct search *search = ctx;

	if (!STREQ(name, search->symbol))
		return 0;
	search->address = address;
	return 1;
}

int ksyms_address(struct ksyms *k, const char *symbol, uint64_t *ret, struct error *e)
{
	struct search search = {.symbol = symbol};
	int r = read_file(match, &search);

	(void)k; /* the table has one name an address, and a symbol may be another of its names */
	if (r < 0)
		return error_set(e, r, "cannot read " KALLSYMS ": %s", strerror(-r));
	if (r == 0)
		return error_set(e, -ENOENT, "this kernel has no symbol \"%s\" (" KALLSYMS ")",
				 symbol);
	if (search.address == 0)
		return error_set(
			e, -EPERM,
			"cannot get the address of \"%s\": " KALLSYMS
			" hides addresses; run as root, with kernel.kptr_restrict at most 1",
			symbol);
	*ret = search.address;
	return 0;
}
