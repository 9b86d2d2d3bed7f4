// SPDX-License-Identifier: MIT
/* Scrapes: who shares what, which memory is used again, and who has to let go. */
#include <libdeflate.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/scrape.h"

enum { LARGE = 1 << 20 };

/* A scraper whose source says how often it was asked, and whose pages are as long as wanted. */
struct bench {
	struct scraper *scraper;
	sem_t may_read; /* each `read` waits for one */
	sem_t reading;  /* … and tells that it waits */
	unsigned reads, renders[EXPOSITION_FORMATS], releases;
	size_t page_len;
};

/* Who asks. */
struct reader {
	struct scrape_request request;
	sem_t done;
	unsigned revoked;
};

static void source_read(void *ctx)
{
	struct bench *b = ctx;

	sem_post(&b->reading);
	sem_wait(&b->may_read);
	b->reads++;
}

static void source_render(void *ctx, const struct exposition *x, struct buf *out)
{
	struct bench *b = ctx;
	enum exposition_format format = 0;

	while (expositions[format] != x)
		format++;
	b->renders[format]++;
	if (!buf_reserve(out, b->page_len))
		return;
	if (b->page_len < LARGE) /* of large ones nothing is used but the address space */
		memset(out->data, 'a' + (int)format, b->page_len);
	out->len = b->page_len;
}

static void source_release(void *ctx)
{
	struct bench *b = ctx;

	b->releases++;
}

static void bench_open(struct bench *b, size_t page_len)
{
	const struct scrape_source source = {source_read, source_render, source_release, b};
	struct error error;

	*b = (struct bench){.page_len = page_len};
	sem_init(&b->may_read, 0, 0);
	sem_init(&b->reading, 0, 0);
	assert_int_equal(scraper_start(&source, &b->scraper, &error), 0);
}

static void bench_close(struct bench *b)
{
	scraper_stop(b->scraper);
	assert_int_equal(b->reads, b->releases);
	sem_destroy(&b->may_read);
	sem_destroy(&b->reading);
}

static void on_done(struct scrape_request *request, struct page *page)
{
	struct reader *r = CONTAINER_OF(request, struct reader, request);

	assert_ptr_equal(request->page, page);
	sem_post(&r->done);
}

static void on_revoke(struct scrape_request *request)
{
	CONTAINER_OF(request, struct reader, request)->revoked++;
}

static void ask(struct bench *b, struct reader *r, enum exposition_format format, bool gzip)
{
	*r = (struct reader){
		.request = {.format = format, .gzip = gzip, .done = on_done, .revoke = on_revoke}};
	sem_init(&r->done, 0, 0);
	scraper_request(b->scraper, &r->request);
}

static const struct page *get(struct reader *r)
{
	sem_wait(&r->done);
	return r->request.page;
}

/* A scrape for one alone. */
static const struct page *get_alone(struct bench *b, struct reader *r,
				    enum exposition_format format, bool gzip)
{
	ask(b, r, format, gzip);
	sem_post(&b->may_read);
	return get(r);
}

/* Asks, and waits until the scraper has begun with it: it has done with all that came before. */
static void begin_next(struct bench *b, struct reader *r)
{
	while (sem_trywait(&b->reading) == 0)
		;
	ask(b, r, EXPOSITION_TEXT, false);
	sem_wait(&b->reading);
}

static void end_next(struct bench *b, struct reader *r)
{
	sem_post(&b->may_read);
	get(r);
	scrape_release(&r->request);
}

/* ---- sharing ---- */

static const struct {
	enum exposition_format format;
	bool gzip;
} questions[] = {
	{EXPOSITION_TEXT, false},       {EXPOSITION_TEXT, true},
	{EXPOSITION_PROTOBUF, false},   {EXPOSITION_PROTOBUF, false},
	{EXPOSITION_OPENMETRICS, true}, {EXPOSITION_OPENMETRICS, true},
};

static void assert_content(const struct page *page, char letter, size_t len)
{
	_cleanup_free_ char *expected = malloc(len), *plain = malloc(len);
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	size_t got = page->body.len;

	memset(expected, letter, len);
	if (page->gzip)
		assert_int_equal(libdeflate_gzip_decompress(d, page->body.data, page->body.len,
							    plain, len, &got),
				 LIBDEFLATE_SUCCESS);
	assert_int_equal(got, len);
	assert_memory_equal(page->gzip ? plain : page->body.data, expected, len);
	libdeflate_free_decompressor(d);
}

static void test_one_reading_for_all_formats(void **state)
{
	struct reader readers[ARRAY_SIZE(questions)];
	struct bench b;

	(void)state;
	bench_open(&b, 10000);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		ask(&b, &readers[i], questions[i].format, questions[i].gzip);
		if (i == 0)
			sem_wait(&b.reading); /* the others come while it reads */
	}
	sem_post(&b.may_read);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		const struct page *page = get(&readers[i]);

		assert_non_null(page);
		assert_int_equal(page->gzip, questions[i].gzip);
		assert_content(page, 'a' + (char)questions[i].format, 10000);
	}
	assert_int_equal(b.reads, 1);
	for (size_t i = 0; i < EXPOSITION_FORMATS; i++)
		assert_int_equal(b.renders[i], 1);
	assert_ptr_equal(readers[2].request.page, readers[3].request.page);
	assert_ptr_equal(readers[4].request.page, readers[5].request.page);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		scrape_release(&readers[i].request);
	bench_close(&b);
}

static void test_nobody_gets_what_was_read_before(void **state)
{
	struct reader first, second;
	struct bench b;

	(void)state;
	bench_open(&b, 10);
	get_alone(&b, &first, EXPOSITION_TEXT, false);
	get_alone(&b, &second, EXPOSITION_TEXT, false);
	assert_int_equal(b.reads, 2);
	assert_ptr_not_equal(first.request.page, second.request.page);
	scrape_release(&first.request);
	scrape_release(&second.request);
	bench_close(&b);
}

/* ---- memory ---- */

static void test_pages_are_used_again(void **state)
{
	const char *data[EXPOSITION_FORMATS][2];
	struct reader r;
	struct bench b;

	(void)state;
	bench_open(&b, 100000);
	for (unsigned round = 0; round < 5; round++, b.page_len++) { /* each a byte longer */
		for (unsigned i = 0; i < EXPOSITION_FORMATS * 2; i++) {
			const struct page *page = get_alone(&b, &r, i / 2, i % 2);

			if (round == 1) /* the first found its size by growing */
				data[i / 2][i % 2] = page->body.data;
			else if (round > 1)
				assert_ptr_equal(page->body.data, data[i / 2][i % 2]);
			scrape_release(&r.request);
		}
	}
	bench_close(&b);
}

/* ---- slow readers ---- */

enum { SLOW = 100 };

static void test_small_pages_keep_nobody_out(void **state)
{
	static struct reader slow[SLOW];
	struct bench b;

	(void)state;
	bench_open(&b, 10000);
	for (size_t i = 0; i < SLOW; i++)
		assert_non_null(get_alone(&b, &slow[i], EXPOSITION_TEXT, i % 2));
	for (size_t i = 0; i < SLOW; i++) {
		assert_int_equal(slow[i].revoked, 0);
		scrape_release(&slow[i].request);
	}
	bench_close(&b);
}

/* 16 MiB each: four of them are as much as slow readers may hold. */
static void test_large_pages_are_revoked(void **state)
{
	struct reader slow[8], next;
	struct bench b;

	(void)state;
	bench_open(&b, 16 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		assert_non_null(get_alone(&b, &slow[i], EXPOSITION_TEXT, false));
	begin_next(&b, &next);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		assert_int_equal(slow[i].revoked, i < 4); /* the oldest, each once */
	end_next(&b, &next);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		scrape_release(&slow[i].request);
	bench_close(&b);
}

/* Readers that do not let go: at some time there is no page any more, and then there is again. */
static void test_what_never_lets_go_has_an_end(void **state)
{
	struct reader slow[12], last;
	struct bench b;
	size_t n = 0;

	(void)state;
	bench_open(&b, 60 << 20);
	while (n < ARRAY_SIZE(slow) && get_alone(&b, &slow[n], EXPOSITION_TEXT, false))
		n++;
	assert_int_equal(n, 5); /* 256 MiB are held then */
	scrape_release(&slow[0].request);
	assert_non_null(get_alone(&b, &last, EXPOSITION_TEXT, false));
	scrape_release(&last.request);
	while (--n > 0)
		scrape_release(&slow[n].request);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_reading_for_all_formats),
		cmocka_unit_test(test_nobody_gets_what_was_read_before),
		cmocka_unit_test(test_pages_are_used_again),
		cmocka_unit_test(test_small_pages_keep_nobody_out),
		cmocka_unit_test(test_large_pages_are_revoked),
		cmocka_unit_test(test_what_never_lets_go_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
