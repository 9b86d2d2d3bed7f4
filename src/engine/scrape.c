// SPDX-License-Identifier: MIT
#include "engine/scrape.h"

#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Pages that may exist at once: one is being rendered, the others are on their way to slow
 * clients. */
#define PAGES_MAX 16

/* Pages that are kept for the next scrapes when nobody reads them: they are most of the memory, and
 * two scrapes at once are rare. */
#define PAGES_SPARE 1

/* Level 1 is smaller than zlib's level 1 at less than half of its time. */
#define GZIP_LEVEL 1

struct scraper {
	scrape_render_fn render;
	void *ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct scrape_request *waiting;
	struct page *spare;
	unsigned n_spare;
	unsigned n_pages;
	bool stopping;
	struct libdeflate_compressor *compressor; /* made at the first use */
};

static void page_free(struct page *p)
{
	buf_free(&p->text);
	buf_free(&p->gzip);
	free(p);
}

void page_unref(struct page *p)
{
	struct scraper *s = p->scraper;

	pthread_mutex_lock(&s->lock);
	if (--p->refs == 0) {
		if (s->n_spare < PAGES_SPARE) {
			p->next = s->spare;
			s->spare = p;
			s->n_spare++;
		} else {
			s->n_pages--;
			page_free(p);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* A page that nobody else has; NULL without memory, or when there are too many. */
static struct page *page_take(struct scraper *s)
{
	struct page *p;

	pthread_mutex_lock(&s->lock);
	p = s->spare;
	if (p) {
		s->spare = p->next;
		s->n_spare--;
	} else if (s->n_pages < PAGES_MAX && (p = calloc(1, sizeof(*p)))) {
		s->n_pages++;
		p->scraper = s;
	}
	if (p)
		p->refs = 1;
	pthread_mutex_unlock(&s->lock);
	return p;
}

static bool compress_page(struct scraper *s, struct page *p)
{
	size_t bound;

	if (!s->compressor)
		s->compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
	if (!s->compressor)
		return false;
	bound = libdeflate_gzip_compress_bound(s->compressor, p->text.len);
	if (!buf_reserve(&p->gzip, bound))
		return false;
	p->gzip.len = libdeflate_gzip_compress(s->compressor, p->text.data, p->text.len,
					       p->gzip.data, p->gzip.cap);
	return p->gzip.len > 0;
}

/* Answers all requests of @batch with @page (may be NULL); gives back those that want gzip while
 * there is none yet. */
static struct scrape_request *answer(struct scraper *s, struct scrape_request *batch,
				     struct page *page)
{
	struct scrape_request *later = NULL;

	while (batch) {
		struct scrape_request *r = batch;

		batch = r->next;
		if (page && r->want_gzip && page->gzip.len == 0) {
			r->next = later;
			later = r;
			continue;
		}
		if (page) {
			pthread_mutex_lock(&s->lock);
			page->refs++;
			pthread_mutex_unlock(&s->lock);
		}
		r->done(r, page);
	}
	return later;
}

static struct scrape_request *take_waiting(struct scraper *s)
{
	struct scrape_request *batch;

	pthread_mutex_lock(&s->lock);
	batch = s->waiting;
	s->waiting = NULL;
	pthread_mutex_unlock(&s->lock);
	return batch;
}

static void scrape_once(struct scraper *s)
{
	struct page *page = page_take(s);
	struct scrape_request *later;

	if (page) {
		buf_reset(&page->text);
		buf_reset(&page->gzip);
		page->content_type = exposition_text.content_type;
		s->render(s->ctx, &exposition_text, &page->text);
		if (!buf_ok(&page->text)) {
			page_unref(page);
			page = NULL;
		}
	}
	/* Whoever came in the meantime gets this one as well. */
	later = answer(s, take_waiting(s), page);
	if (page && later) {
		if (!compress_page(s, page)) {
			/* Plain text is no error for who would rather have it compressed. */
			for (struct scrape_request *r = later; r; r = r->next)
				r->want_gzip = false;
		}
		answer(s, later, page);
	}
	if (page)
		page_unref(page);
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

int scraper_start(scrape_render_fn render, void *ctx, struct scraper **ret, struct error *e)
{
	struct scraper *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "no memory for the scraper");
	s->render = render;
	s->ctx = ctx;
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
	while (s->spare) {
		struct page *p = s->spare;

		s->spare = p->next;
		page_free(p);
	}
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
