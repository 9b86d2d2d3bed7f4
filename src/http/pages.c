// SPDX-License-Identifier: MIT
#include "http/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/negotiate.h"
#include "kernel/mapread.h"

/* ---- metrics ---- */

/* Its memory is used again by the next one. */
struct metrics_request {
	struct scrape_request scrape;
	struct pages *pages;
	struct http_request *http;
	const char *content_type;
	struct metrics_request *next;
};

static struct metrics_request *metrics_request_take(struct pages *p)
{
	struct metrics_request *m = p->spare;

	if (!m)
		return calloc(1, sizeof(*m));
	p->spare = m->next;
	*m = (struct metrics_request){0};
	return m;
}

static void metrics_request_give_back(struct metrics_request *m)
{
	m->next = m->pages->spare;
	m->pages->spare = m;
}

static void release_page(void *ctx)
{
	struct metrics_request *m = ctx;

	if (m->scrape.page)
		scrape_release(&m->scrape);
	metrics_request_give_back(m);
}

/* In the server's thread again: the page is there. */
static void send_page(void *ctx, struct http_request *r)
{
	struct metrics_request *m = ctx;
	struct page *page = m->scrape.page;
	const struct http_fields fields = {
		.type = m->content_type,
		.encoding = page && page->gzip ? "gzip" : NULL,
		.vary = "Accept, Accept-Encoding",
	};

	if (!page) {
		http_respond_text(r, 503,
				  "503: no memory for a scrape, or too many slow readers\n");
		release_page(m);
		return;
	}
	http_respond_from(r, &fields, page->body.data, page->body.len, release_page, m);
}

/* In the scraper's thread. */
static void page_done(struct scrape_request *scrape, struct page *page)
{
	struct metrics_request *m = CONTAINER_OF(scrape, struct metrics_request, scrape);

	(void)page;
	http_resume(m->http);
}

/* In the scraper's thread: others need the memory that this reader has held for long. */
static void page_revoked(struct scrape_request *scrape)
{
	http_give_up(CONTAINER_OF(scrape, struct metrics_request, scrape)->http);
}

static void serve_metrics(void *ctx, struct http_request *r)
{
	struct negotiated wanted = negotiate_format(http_header(r, "Accept"));
	struct pages *p = ctx;
	struct metrics_request *m = metrics_request_take(p);

	if (!m) {
		http_respond_text(r, 503, "503: no memory\n");
		return;
	}
	m->pages = p;
	m->http = r;
	m->content_type = wanted.content_type;
	m->scrape.format = wanted.format;
	m->scrape.gzip = negotiate_gzip(http_header(r, "Accept-Encoding"));
	m->scrape.done = page_done;
	m->scrape.revoke = page_revoked;
	/* A client that has left meanwhile has no use for its page. */
	if (!http_suspend(r, (struct http_later){send_page, release_page, m})) {
		metrics_request_give_back(m);
		return;
	}
	scraper_request(p->agent->scraper, &m->scrape);
}

/* ---- the page for people ---- */

static void add_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			buf_add_str(b, "&lt;");
		else if (*text == '&')
			buf_add_str(b, "&amp;");
		else if (*text == '"')
			buf_add_str(b, "&quot;");
		else
			buf_add_char(b, *text);
	}
}

static void add_row(struct buf *b, const char *name, const char *state, const char *about)
{
	buf_add_str(b, "<tr><td>");
	add_escaped(b, name);
	buf_printf(b, "</td><td>%s</td><td>", state);
	add_escaped(b, about);
	buf_add_str(b, "</td></tr>\n");
}

static void add_modules(struct buf *b, struct agent *a)
{
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++) {
		const struct plan *p = a->units[i]->plan;

		for (size_t k = 0; k < p->n_modules; k++) {
			const struct config *c = p->modules[k].config;

			add_row(b, c->name, "runs", c->description.text ? c->description.text : "");
		}
	}
	for (size_t i = 0; i < a->n_broken; i++)
		add_row(b, a->broken[i].name, "<b>broken</b>", a->broken[i].error.text);
	pthread_mutex_unlock(&a->lock);
}

static void serve_index(void *ctx, struct http_request *r)
{
	static const char head[] =
		"<!doctype html><html lang=en><meta charset=utf-8><title>wiregauge</title>\n"
		"<meta name=viewport content='width=device-width'><style>"
		"body{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:3em auto;padding:0 "
		"1em}"
		"table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3em .8em "
		".3em 0;"
		"border-bottom:1px solid "
		"#8884;vertical-align:top}@media(prefers-color-scheme:dark){"
		"body{background:#111;color:#ddd}a{color:#8cf}}</style>\n<h1>wiregauge</h1>\n";
	struct pages *p = ctx;
	_cleanup_buf_ struct buf b = {0};

	buf_add_str(&b, head);
	buf_printf(&b, "<p>Version %s. Metrics for Prometheus: <a href='", WIREGAUGE_VERSION);
	add_escaped(&b, p->telemetry_path);
	buf_add_str(&b, "'>");
	add_escaped(&b, p->telemetry_path);
	buf_add_str(&b, "</a>. More at a shell: <code>wiregauge status</code>.</p>\n"
			"<table><tr><th>Module</th><th>State</th><th></th></tr>\n");
	add_modules(&b, p->agent);
	buf_add_str(&b, "</table></html>\n");
	if (buf_ok(&b))
		http_respond(r, 200, "text/html; charset=utf-8", b.data, b.len);
	else
		http_respond_text(r, 503, "503: no memory\n");
}

/* ---- raw maps, for whoever writes a config ---- */

/* More than a person reads. */
#define MAP_ENTRIES_SHOWN 1000

struct map_dump {
	struct buf *out;
	const struct map_info *map;
	size_t stride;
	size_t shown;
};

static void add_hex(struct buf *b, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(b, "%02x", bytes[i]);
}

static int dump_entries(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct map_dump *d = ctx;

	for (size_t i = 0; i < count && d->shown < MAP_ENTRIES_SHOWN; i++, d->shown++) {
		add_hex(d->out, keys + i * d->map->key_size, d->map->key_size);
		buf_add_str(d->out, ": ");
		add_hex(d->out, values + i * d->stride, d->stride);
		buf_add_char(d->out, '\n');
	}
	return 0;
}

static void dump_map(struct buf *out, const char *unit, const struct map_info *map)
{
	struct map_dump dump = {.out = out, .map = map};
	struct mapread *reader;
	struct error error;

	buf_printf(out,
		   "# %s %s: key %u bytes, value %u bytes%s, at most %u entries, %u are shown\n",
		   unit, map->name, map->key_size, map->value_size,
		   map->per_cpu ? " for each CPU" : "", map->max_entries, MAP_ENTRIES_SHOWN);
	if (mapread_new(map, &reader, &error)) {
		buf_printf(out, "# %s\n", error.text);
		return;
	}
	dump.stride = mapread_value_stride(reader);
	if (mapread_all(reader, dump_entries, &dump, &error))
		buf_printf(out, "# %s\n", error.text);
	mapread_free(reader);
}

static void serve_maps(void *ctx, struct http_request *r)
{
	struct pages *p = ctx;
	struct agent *a = p->agent;
	_cleanup_buf_ struct buf b = {0};

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++) {
		struct map_info map;

		for (size_t k = 0; object_map(a->units[i]->object, k, &map); k++)
			dump_map(&b, a->units[i]->plan->name, &map);
	}
	pthread_mutex_unlock(&a->lock);
	if (buf_ok(&b))
		http_respond(r, 200, "text/plain; charset=utf-8", b.data, b.len);
	else
		http_respond_text(r, 503, "503: no memory\n");
}

void pages_init(struct pages *p, struct agent *agent, const char *telemetry_path, bool debug)
{
	*p = (struct pages){.agent = agent, .telemetry_path = telemetry_path};
	p->routes[p->n_routes++] = (struct http_route){telemetry_path, serve_metrics, p, HTTP_GET};
	p->routes[p->n_routes++] = (struct http_route){"/", serve_index, p, HTTP_GET};
	if (debug)
		p->routes[p->n_routes++] = (struct http_route){"/maps", serve_maps, p, HTTP_GET};
}

void pages_free(struct pages *p)
{
	while (p->spare) {
		struct metrics_request *m = p->spare;

		p->spare = m->next;
		free(m);
	}
}
