/* SPDX-License-Identifier: MIT */
/*
 * Scrapes, one at a time in a thread of their own. Whoever asks while one is being taken shares its
 * result: ten scrapers at once cost as much as one. The result is a page that is never changed and
 * is sent from where it was rendered; its memory is used again once the last reader is done.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "metrics/exposition.h"

struct scraper; /* opaque */

/* One rendered scrape. */
struct page {
	struct buf text;
	struct buf gzip; /* the same compressed; empty unless somebody asked for it */
	const char *content_type;
	/* The scraper's: */
	unsigned refs;
	struct page *next;
	struct scraper *scraper;
};

/* Appends everything there is to say now. Runs in the scraper's thread, never twice at once. */
typedef void (*scrape_render_fn)(void *ctx, const struct exposition *x, struct buf *out);

/*
 * A question, in memory of whoever asks until `done` was called. `done` runs in the scraper's
 * thread; page_unref() of what it got is up to it. @page is NULL when there was no memory, or when
 * so many pages are still being read by slow clients that no further one is made.
 */
struct scrape_request {
	bool want_gzip;
	void (*done)(struct scrape_request *r, struct page *page);
	struct scrape_request *next;
};

int scraper_start(scrape_render_fn render, void *ctx, struct scraper **ret, struct error *e);

/* Ends the thread when what it has is answered. No request may come after that, and all pages must
 * have been given back. */
void scraper_stop(struct scraper *s);

void scraper_request(struct scraper *s, struct scrape_request *r);

void page_unref(struct page *p);
