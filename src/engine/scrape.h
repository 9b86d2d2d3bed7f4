/* SPDX-License-Identifier: MIT */
/*
 * Scrapes, one at a time in a thread of their own. Whoever asks while one is being taken shares its
 * result: ten scrapers at once cost as much as one, and those who want other formats get theirs out
 * of the same reading of the maps. The result is a page for each format and encoding that somebody
 * asked for. A page is never changed and is sent from where it was rendered; its memory is used
 * again once the last reader is done.
 *
 *	                 ┌► render text ─────► page ─► compress ► page
 *	read all maps ───┼► render OpenMetrics …
 *	                 └► render protobuf …
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "metrics/exposition.h"

struct scraper; /* opaque */

/* One scrape in one format and encoding. */
struct page {
	struct buf body;
	enum exposition_format format;
	bool gzip;
	/* The scraper's: */
	struct scraper *scraper;
	struct scrape_request *readers;
	bool in_making; /* or being compressed: not to be used again yet */
	bool revoked;
	uint64_t used; /* the scrape that last made it */
	struct page *next;
};

/* Where the numbers come from. Called in the scraper's thread, in this order, `render` for each
 * format that is wanted. */
struct scrape_source {
	void (*read)(void *ctx); /* what there is now stays as it is until `release` */
	void (*render)(void *ctx, const struct exposition *x, struct buf *out);
	void (*release)(void *ctx);
	void *ctx;
};

/*
 * A question, in memory of whoever asks. `done` is called in the scraper's thread. @page is NULL
 * without memory; else it is r->page, and r stays the scraper's until scrape_release(). A page that
 * should be compressed is plain where there was no memory for that.
 *
 * `revoke` (may be NULL) is called in the scraper's thread when slow readers hold too much memory
 * and this is of those who hold theirs longest: see that scrape_release() is called soon, but not
 * from within `revoke`.
 */
struct scrape_request {
	enum exposition_format format;
	bool gzip;
	void (*done)(struct scrape_request *r, struct page *page);
	void (*revoke)(struct scrape_request *r);
	/* The scraper's: */
	struct page *page;
	struct scrape_request *next;
};

int scraper_start(const struct scrape_source *source, struct scraper **ret, struct error *e);

/* Ends the thread when what it has is answered. No request may come after that, and all pages must
 * have been released. */
void scraper_stop(struct scraper *s);

void scraper_request(struct scraper *s, struct scrape_request *r);

/* @r has done with its page. Any thread. */
void scrape_release(struct scrape_request *r);
