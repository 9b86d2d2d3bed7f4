// SPDX-License-Identifier: MIT
#include "engine/scrape.h"

#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Level 1 is smaller than zlib's level 1 at less than half of its time. */
#define GZIP_LEVEL 1

/*
 * What clients that read slowly may hold. Beyond the first, the oldest pages are taken from their
 * readers, so that others get theirs: at 100,000 series (11 MB) whoever needs longer than six
 * further scrapes. Beyond the second, which is only reached when readers do not let go, there are
 * no further pages.
 */
#define HELD_BYTES_MAX   ((size_t)64 << 20)
#define HELD_BYTES_LIMIT (4 * HELD_BYTES_MAX)

/* A page is kept for the next scrape that wants this format and encoding, unless this many have not
 * wanted it: pages are most of the memory. */
#define SPARE_FOR_SCRAPES 64

enum {
	ENCODINGS = 2, /* plain, gzip */
	N_PAGES = EXPOSITION_FORMATS * ENCODINGS,
};

struct scraper {
	struct scrape_source source;
	pthread_t thread;
	struct libdeflate_compressor *compressor; /* made at the first use */
	uint64_t scrape;                          /* counts them */

	pthread_mutex_t lock; /* of all that follows, and of what pages say of readers */
	pthread_cond_t wake;
	struct scrape_request *waiting;
	struct page *spare[EXPOSITION_FORMATS][ENCODINGS];
	struct page *held; /* by readers, the oldest first */
	size_t held_bytes;
	bool stopping;
};

/* Pages of one scrape. */
struct scrape {
	struct page *pages[EXPOSITION_FORMATS][ENCODINGS];
};

/* ---- pages ---- */

static void page_free(struct page *p)
{
	if (!p)
		return;
	buf_free(&p->body);
	free(p);
}

/* Keeps @p for the next one, or frees it; s->lock is held. */
static void page_put_away(struct scraper *s, struct page *p)
{
	struct page **spare = &s->spare[p->format][p->gzip];

	if (*spare)
		page_free(p);
	else
		*spare = p;
}

static struct page *page_take(struct scraper *s, enum exposition_format format, bool gzip)
{
	struct page *p;

	pthread_mutex_lock(&s->lock);
	p = s->spare[format][gzip];
	s->spare[format][gzip] = NULL;
	if (!p && s->held_bytes < HELD_BYTES_LIMIT)
		p = calloc(1, sizeof(*p));
	pthread_mutex_unlock(&s->lock);
	if (!p)
		return NULL;
	p->scraper = s;
	p->format = format;
	p->gzip = gzip;
	p->in_making = true;
	p->revoked = false;
	p->used = s->scrape;
	buf_reset(&p->body);
	return p;
}

/* No further reader will come. */
static void page_finish(struct scraper *s, struct page *p)
{
	pthread_mutex_lock(&s->lock);
	p->in_making = false;
	if (!p->readers)
		page_put_away(s, p);
	pthread_mutex_unlock(&s->lock);
}

/* Adds @p to the pages that are held, behind the older ones; s->lock is held. */
static void hold_page(struct scraper *s, struct page *p)
{
	struct page **at = &s->held;

	while (*at)
		at = &(*at)->next;
	*at = p;
	p->next = NULL;
	s->held_bytes += p->body.len;
}

static void unhold_page(struct scraper *s, struct page *p)
{
	struct page **at = &s->held;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	s->held_bytes -= p->body.len;
	if (!p->in_making)
		page_put_away(s, p);
}

void scrape_release(struct scrape_request *r)
{
	struct page *p = r->page;
	struct scraper *s = p->scraper;
	struct scrape_request **at = &p->readers;

	pthread_mutex_lock(&s->lock);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!p->readers)
		unhold_page(s, p);
	pthread_mutex_unlock(&s->lock);
}

/* Asks the readers of the oldest pages, but of none of this scrape, to let go, until what the
 * others hold is little enough. */
static void revoke_oldest(struct scraper *s)
{
	size_t bytes;

	pthread_mutex_lock(&s->lock);
	bytes = s->held_bytes;
	for (struct page *p = s->held; bytes > HELD_BYTES_MAX && p && p->used != s->scrape;
	     p = p->next) {
		bytes -= p->body.len;
		for (struct scrape_request *r = p->readers; r && !p->revoked; r = r->next) {
			if (r->revoke)
				r->revoke(r);
		}
		p->revoked = true;
	}
	pthread_mutex_unlock(&s->lock);
}

/* Frees what nobody has wanted for long. */
static void drop_idle_pages(struct scraper *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < N_PAGES; i++) {
		struct page **spare = &s->spare[i / ENCODINGS][i % ENCODINGS];

		if (*spare && s->scrape - (*spare)->used > SPARE_FOR_SCRAPES) {
			page_free(*spare);
			*spare = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- one scrape ---- */

static void render_page(struct scraper *s, struct scrape *scrape, enum exposition_format format)
{
	struct page *p = page_take(s, format, false);

	if (!p)
		return;
	s->source.render(s->source.ctx, expositions[format], &p->body);
	if (buf_ok(&p->body))
		scrape->pages[format][false] = p;
	else
		page_finish(s, p);
}

/* Room is for the largest page that fits where @plain is: as it grows by and by, nothing is
 * allocated anew. */
static bool compress_into(struct scraper *s, const struct buf *plain, struct buf *to)
{
	if (!s->compressor)
		s->compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
	if (!s->compressor ||
	    !buf_reserve(to, libdeflate_gzip_compress_bound(s->compressor, plain->cap)))
		return false;
	to->len =
		libdeflate_gzip_compress(s->compressor, plain->data, plain->len, to->data, to->cap);
	return to->len > 0;
}

static void compress_page(struct scraper *s, struct scrape *scrape, enum exposition_format format)
{
	struct page *p = page_take(s, format, true);

	if (!p)
		return;
	if (compress_into(s, &scrape->pages[format][false]->body, &p->body))
		scrape->pages[format][true] = p;
	else
		page_finish(s, p);
}

/* Those who wait, of the formats in @rendered (NULL: all). */
static struct scrape_request *take_waiting(struct scraper *s, const struct scrape *rendered)
{
	struct scrape_request *taken = NULL, **at = &s->waiting;

	pthread_mutex_lock(&s->lock);
	while (*at) {
		struct scrape_request *r = *at;

		if (rendered && !rendered->pages[r->format][false]) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = taken;
		taken = r;
	}
	pthread_mutex_unlock(&s->lock);
	return taken;
}

static void answer(struct scraper *s, struct scrape_request *r, struct page *page)
{
	r->page = page;
	if (page) {
		pthread_mutex_lock(&s->lock);
		if (!page->readers)
			hold_page(s, page);
		r->next = page->readers;
		page->readers = r;
		pthread_mutex_unlock(&s->lock);
	}
	r->done(r, page);
}

/* Answers those who want it plain, or can only have nothing; gives back the others. */
static struct scrape_request *answer_plain(struct scraper *s, struct scrape_request *batch,
					   const struct scrape *scrape)
{
	struct scrape_request *others = NULL;

	while (batch) {
		struct scrape_request *r = batch;
		struct page *plain = scrape->pages[r->format][false];

		batch = r->next;
		if (plain && r->gzip) {
			r->next = others;
			others = r;
		} else {
			answer(s, r, plain);
		}
	}
	return others;
}

/* Plain is no error for who would rather have it compressed. */
static void answer_gzip(struct scraper *s, struct scrape_request *batch, struct scrape *scrape)
{
	while (batch) {
		struct scrape_request *r = batch;
		struct page **pages = scrape->pages[r->format];

		batch = r->next;
		if (!pages[true])
			compress_page(s, scrape, r->format);
		answer(s, r, pages[true] ? pages[true] : pages[false]);
	}
}

/* Reads, and renders what those want who have come until then. Gives them back with those who came
 * in the meantime for the same formats. */
static struct scrape_request *read_and_render(struct scraper *s, struct scrape *scrape)
{
	struct scrape_request *batch, **end = &batch;

	s->source.read(s->source.ctx);
	batch = take_waiting(s, NULL);
	for (; *end; end = &(*end)->next) {
		if (!scrape->pages[(*end)->format][false])
			render_page(s, scrape, (*end)->format);
	}
	s->source.release(s->source.ctx);
	*end = take_waiting(s, scrape);
	return batch;
}

static void scrape_once(struct scraper *s)
{
	struct scrape scrape = {0};
	struct scrape_request *batch;

	s->scrape++;
	batch = read_and_render(s, &scrape);
	batch = answer_plain(s, batch, &scrape);
	answer_gzip(s, batch, &scrape);
	for (size_t i = 0; i < N_PAGES; i++) {
		struct page *p = scrape.pages[i / ENCODINGS][i % ENCODINGS];

		if (p)
			page_finish(s, p);
	}
	revoke_oldest(s);
	drop_idle_pages(s);
}

static void *scrape_thread(void *arg)
{
	struct scraper *s = arg;

	for (;;) {
		bool end;

		pthread_mutex_lock(&s->lock);
		while (!s->waiting && !s->stopping)
			pthread_cond_wait(&s->wake, &s->lock);
		end = !s->waiting;
		pthread_mutex_unlock(&s->lock);
		if (end)
			return NULL;
		scrape_once(s);
	}
}

/* ---- life ---- */

int scraper_start(const struct scrape_source *source, struct scraper **ret, struct error *e)
{
	struct scraper *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "no memory for the scraper");
	s->source = *source;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	err = pthread_create(&s->thread, NULL, scrape_thread, s);
	if (err) {
		free(s);
		return error_set(e, -err, "cannot start the scraper's thread: %s", strerror(err));
	}
	*ret = s;
	return 0;
}

void scraper_stop(struct scraper *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	for (size_t i = 0; i < N_PAGES; i++)
		page_free(s->spare[i / ENCODINGS][i % ENCODINGS]);
	libdeflate_free_compressor(s->compressor);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void scraper_request(struct scraper *s, struct scrape_request *r)
{
	pthread_mutex_lock(&s->lock);
	r->next = s->waiting;
	s->waiting = r;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}
