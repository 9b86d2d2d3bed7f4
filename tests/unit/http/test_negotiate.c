// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/negotiate.h"

#define TEXT   "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_1 "text/plain; version=1.0.0; charset=utf-8"
#define OM     "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OM_0   "application/openmetrics-text; version=0.0.1; charset=utf-8"
#define PROTOBUF                                                                                   \
	"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "               \
	"encoding=delimited"

/* What Prometheus takes as protobuf, as it sends it. */
#define PROTO                                                                                      \
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding="        \
	"delimited"

static const struct {
	const char *accept;
	const char *content_type;
} formats[] = {
	/* Prometheus 2.0 to 2.42, with and without native histograms */
	{"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	 OM_0},
	{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q="
	 "0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	 OM},
	{PROTO ",application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;"
	       "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	 PROTOBUF},
	/* 2.49 and later */
	{PROTO ";q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,"
	       "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/"
	       "*;q=0.2",
	 PROTOBUF},
	/* 3 */
	{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
	 "application/openmetrics-text;version=0.0.1;q=0.5,"
	 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/"
	 "*;q=0.2",
	 OM},
	{PROTO ";escaping=allow-utf-8;q=0.7,"
	       "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
	       "application/openmetrics-text;version=0.0.1;q=0.5,"
	       "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
	       "*/*;q=0.2",
	 PROTOBUF},
	/* scrape_protocols: [PrometheusText1.0.0, PrometheusText0.0.4] */
	{"text/plain;version=1.0.0;escaping=underscores;q=0.6,text/plain;version=0.0.4;q=0.5,*/"
	 "*;q=0.2",
	 TEXT_1},
	{"text/plain;version=0.0.4;q=0.6,text/plain;version=1.0.0;q=0.5,*/*;q=0.2", TEXT},
	/* curl, browsers, nobody */
	{NULL, TEXT},
	{"", TEXT},
	{"*/*", TEXT},
	{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
	 TEXT},
	{"text/plain", TEXT},
	{"text/*", TEXT},
	{"text/plain; charset=utf-8", TEXT},
	/* what is not known, or not to be had */
	{"image/png", TEXT},
	{"application/json;q=0.9", TEXT},
	{"application/openmetrics-text;version=2.0.0", TEXT},
	{"application/vnd.google.protobuf;proto=other.Message;encoding=delimited", TEXT},
	{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
	 TEXT},
	{"text/plain;version=9", TEXT},
	/* without a version the newest, except of text, which is what everybody reads */
	{"application/openmetrics-text", OM},
	{"application/vnd.google.protobuf", PROTOBUF},
	{"application/openmetrics-text;version=1.0.0,0.0.1", OM},
	{"application/*", OM},
	/* letters, blanks, quotes */
	{"  Application/OpenMetrics-Text ;\tVersion = 1.0.0 ; Q=0.5 , text/plain;q=0.4", OM},
	{"application/openmetrics-text;version=\"1.0.0\"", OM},
	{"x/y;z=\"a,b;q=1, application/openmetrics-text\", text/plain;q=0.1", TEXT},
	{"x/y;z=\"\\\",application/openmetrics-text;z=\\\"\";q=0, text/plain;q=0.1", TEXT},
	{"application/openmetrics-text;z=\"never closed, text/plain", OM},
	{",,;;,=,;q,;=,application/openmetrics-text,,", OM},
	/* quality: what is named most precisely decides; among equals the first */
	{"text/plain, application/openmetrics-text", TEXT},
	{"application/openmetrics-text, text/plain", OM},
	{"*/*, application/openmetrics-text", TEXT},
	{"*/*;q=0.1, application/openmetrics-text;q=0.2", OM},
	{"application/openmetrics-text;q=0, */*", TEXT},
	{"text/plain;q=0, */*", OM},
	{"text/*;q=0, */*;q=0.001", OM},
	{"text/*;q=0.9, text/plain;version=0.0.4;q=0.1, application/openmetrics-text;q=0.5",
	 TEXT_1},
	{"text/plain;q=0.3, application/openmetrics-text;q=0.301", OM},
	{"text/plain;q=1, application/openmetrics-text;q=1.000", TEXT},
	{"*/*;q=0", TEXT},
	/* no such quality counts as none */
	{"text/plain;q=0.9, application/openmetrics-text;q=x", OM},
	{"text/plain;q=0.9, application/openmetrics-text;q=", OM},
	{"text/plain;q=0.9, application/openmetrics-text;q=-1", OM},
	{"text/plain;q=0.9, application/openmetrics-text;q=17", OM},
	{"text/plain;q=0.9, application/openmetrics-text;q=1.999999999999", OM},
	{"text/plain;q=0.1, application/openmetrics-text;q=0.00001", TEXT},
};

static void test_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct negotiated n = negotiate_format(formats[i].accept);

		if (strcmp(n.content_type, formats[i].content_type) != 0)
			fail_msg("%s\ngives %s", formats[i].accept, n.content_type);
	}
	assert_int_equal(negotiate_format(NULL).format, EXPOSITION_TEXT);
	assert_int_equal(negotiate_format("application/openmetrics-text").format,
			 EXPOSITION_OPENMETRICS);
	assert_int_equal(negotiate_format(PROTO).format, EXPOSITION_PROTOBUF);
}

static const struct {
	const char *accept_encoding;
	bool gzip;
} encodings[] = {
	{"gzip", true},
	{"GZip", true},
	{"x-gzip", true},
	{"gzip;q=0.5, deflate", true},
	{"deflate, gzip;q=1.0, *;q=0.5", true},
	{"identity;q=0.1,\tgzip", true},
	{"*", true},
	{"gzip;q=0.001", true},
	{"gzip, deflate, br, zstd", true},
	{"gzip;q=0", false},
	{"gzip; q=0.000", false},
	{"deflate, br", false},
	{"gzipped", false},
	{"zip", false},
	{"*;q=0", false},
	{"gzip;q=0, *", false},
	{"*, gzip;q=0", false},
	{"identity", false},
	{"", false},
	{NULL, false},
};

static void test_encodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		if (negotiate_gzip(encodings[i].accept_encoding) != encodings[i].gzip)
			fail_msg("%s", encodings[i].accept_encoding);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_encodings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
