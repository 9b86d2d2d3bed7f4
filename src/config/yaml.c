// SPDX-License-Identifier: MIT
#include "config/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>

#include "base/trial.h"
#include "base/utf8.h"

/* The language needs seven levels. */
enum { DEEPEST = 64, MOST_ANCHORS = 256, BLOCK_SIZE = 1 << 16 };

/* Memory of the tree: it is freed as a whole. */
struct block {
	struct block *next;
	size_t used;
	size_t size;
	char data[];
};

struct anchor {
	char *name;
	const struct node *node;
};

/* Turns byte offsets, which come in rising order, into lines and columns without looking twice. */
struct cursor {
	size_t offset;
	uint32_t line;
	uint32_t column;
};

struct yaml {
	const struct source *source;
	struct report *report;
	struct block *blocks;
	struct node *root;
	uint32_t n_nodes;
	struct cursor cursor;
	size_t start; /* bytes before the text: the byte order mark */
	struct place last;
	struct anchor anchors[MOST_ANCHORS];
	size_t n_anchors;
	struct {
		struct node *node;
		struct node *last_child;
	} open[DEEPEST];
	size_t depth;
};

static void *yaml_allocate(struct yaml *y, size_t size)
{
	struct block *b = y->blocks;
	void *p;

	size = ROUND_UP(size, sizeof(void *));
	if (!b || b->size - b->used < size) {
		b = malloc(sizeof(*b) + MAX(size, (size_t)BLOCK_SIZE));
		if (!b)
			return NULL;
		*b = (struct block){.next = y->blocks, .size = MAX(size, (size_t)BLOCK_SIZE)};
		y->blocks = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

void yaml_free(struct yaml *y)
{
	for (struct block *b = y->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(y);
}

const struct node *yaml_root(const struct yaml *y)
{
	return y->root;
}

const struct node *node_resolve(const struct node *n)
{
	return n->kind == NODE_ALIAS ? n->target : n;
}

bool node_is_empty(const struct node *n)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (n->kind != NODE_SCALAR || !n->plain)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (STREQ(n->text, words[i]))
			return true;
	}
	return false;
}

static void cursor_step(struct cursor *c, const struct source *s)
{
	size_t n = utf8_sequence(s->text + c->offset, s->len - c->offset);

	if (s->text[c->offset] == '\n') {
		c->line++;
		c->column = 1;
	} else {
		c->column++;
	}
	c->offset += MAX(n, (size_t)1);
}

/* The place of the bytes from @from to @to; of its first line, where there are several. */
static struct place place_of(struct yaml *y, size_t from, size_t to)
{
	const struct source *s = y->source;
	struct cursor *at = &y->cursor, end;

	from = MIN(from, s->len);
	to = MIN(to, s->len);
	if (from < at->offset)
		*at = (struct cursor){.offset = y->start, .line = 1, .column = 1};
	while (at->offset < from)
		cursor_step(at, s);
	end = *at;
	while (end.offset < to && end.line == at->line && s->text[end.offset] != '\n')
		cursor_step(&end, s);
	return (struct place){
		.line = at->line,
		.column = at->column,
		.width = MAX(end.column - at->column, 1U),
	};
}

/* The quotes belong to what is marked; the library's marks leave them out. */
static struct place place_of_token(struct yaml *y, struct fy_token *token, size_t around)
{
	const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);

	if (!start || !end)
		return y->last;
	return place_of(y, y->start + start->input_pos - around,
			y->start + end->input_pos + around);
}

/* -EINVAL, which a reader of this file alone (an analyzer, too) sees here. */
#define yaml_error(y, at, ...) (report_error((y)->report, (y)->source, at, __VA_ARGS__), -EINVAL)

/* Hang @n into the innermost open list or mapping. */
static void add_child(struct yaml *y, struct node *n)
{
	struct node *parent;

	if (y->depth == 0) {
		y->root = n;
		return;
	}
	parent = y->open[y->depth - 1].node;
	if (parent->count++ == 0) {
		parent->first = n;
		/* A block mapping has no token of its own: it is marked by its first key. */
		if (parent->kind == NODE_MAPPING && parent->place.column == n->place.column &&
		    parent->place.line == n->place.line)
			parent->place = n->place;
	} else {
		y->open[y->depth - 1].last_child->next = n;
	}
	y->open[y->depth - 1].last_child = n;
}

static int add_node(struct yaml *y, enum node_kind kind, struct place at, struct node **ret)
{
	struct node *n;

	if (y->n_nodes++ == MOST_NODES)
		return yaml_error(y, at, "more than %d values in one file", MOST_NODES);
	n = yaml_allocate(y, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct node){.kind = kind, .place = at};
	y->last = at;
	*ret = n;
	add_child(y, n);
	return 0;
}

static int copy_text(struct yaml *y, struct fy_token *token, char **ret, size_t *ret_len)
{
	size_t len = 0;
	const char *text = token ? fy_token_get_text(token, &len) : "";
	char *copy = text ? yaml_allocate(y, len + 1) : NULL;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret = copy;
	*ret_len = len;
	return 0;
}

static int set_anchor(struct yaml *y, struct node *n, struct fy_token *token)
{
	struct anchor *a = &y->anchors[y->n_anchors];
	size_t len;
	int err;

	if (!token)
		return 0;
	if (y->n_anchors == MOST_ANCHORS)
		return yaml_error(y, n->place, "more than %d anchors in one file", MOST_ANCHORS);
	err = copy_text(y, token, &a->name, &len);
	if (err)
		return err;
	a->node = n;
	y->n_anchors++;
	return 0;
}

static int refuse_tag(struct yaml *y, struct fy_token *tag)
{
	if (!tag)
		return 0;
	return yaml_error(
		y, place_of_token(y, tag, 0),
		"a tag ('!…') has no meaning here; a text that begins with '!' needs quotes");
}

static int on_scalar(struct yaml *y, const struct fy_event *e)
{
	struct fy_token *token = e->scalar.value;
	enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
	size_t quote = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	struct node *n = NULL;
	int err = refuse_tag(y, e->scalar.tag);

	if (!err)
		err = add_node(y, NODE_SCALAR, token ? place_of_token(y, token, quote) : y->last,
			       &n);
	if (!err)
		err = copy_text(y, token, &n->text, &n->len);
	if (err)
		return err;
	n->plain = style == FYSS_PLAIN;
	return set_anchor(y, n, e->scalar.anchor);
}

/* A later anchor of the same name replaces an earlier one (YAML 1.2.2, section 3.2.2.2). */
static int on_alias(struct yaml *y, const struct fy_event *e)
{
	size_t len;
	char *name;
	struct node *n;
	int err = add_node(y, NODE_ALIAS, place_of_token(y, e->alias.anchor, 1), &n);

	if (!err)
		err = copy_text(y, e->alias.anchor, &name, &len);
	if (err)
		return err;
	for (size_t i = y->n_anchors; i-- > 0 && !n->target;) {
		if (STREQ(y->anchors[i].name, name))
			n->target = y->anchors[i].node;
	}
	if (!n->target)
		return yaml_error(y, n->place,
				  "nothing above has the anchor '&%.60s'; a text that begins with "
				  "'*' needs quotes",
				  name);
	return 0;
}

static int open_node(struct yaml *y, enum node_kind kind, struct fy_token *token,
		     struct fy_token *tag, struct fy_token *anchor)
{
	struct place at = place_of_token(y, token, 0);
	struct node *n;
	int err = refuse_tag(y, tag);

	if (err)
		return err;
	if (y->depth == DEEPEST)
		return yaml_error(y, at, "nested more than %d levels deep", DEEPEST);
	err = add_node(y, kind, at, &n);
	if (err)
		return err;
	y->open[y->depth++].node = n;
	return set_anchor(y, n, anchor);
}

static int on_event(struct yaml *y, const struct fy_event *e)
{
	switch (e->type) {
	case FYET_SCALAR:
		return on_scalar(y, e);
	case FYET_ALIAS:
		return on_alias(y, e);
	case FYET_MAPPING_START:
		return open_node(y, NODE_MAPPING, e->mapping_start.mapping_start,
				 e->mapping_start.tag, e->mapping_start.anchor);
	case FYET_SEQUENCE_START:
		return open_node(y, NODE_LIST, e->sequence_start.sequence_start,
				 e->sequence_start.tag, e->sequence_start.anchor);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		y->depth--;
		return 0;
	case FYET_DOCUMENT_START:
		if (!y->root)
			return 0;
		return yaml_error(y, place_of_token(y, e->document_start.document_start, 0),
				  "a second document begins here; a file holds one");
	default:
		return 0;
	}
}

/* What the library says, beginning with `says`, in words that tell what to look for. */
static const struct {
	const char *says;
	const char *sentence;
} sentences[] = {
	{"invalid multiline plain key", "this goes on into the next line, where a ':' follows: "
					"either a ':' is missing here, or the "
					"next line is not aligned with its neighbours"},
	{"could not find expected ':'", "expected 'key: value', found no ':' after this"},
	{"tab character may not be used as indentation",
	 "indent with blanks; YAML takes no tabs there"},
	{"invalid tab used as indentation", "indent with blanks; YAML takes no tabs there"},
	{"invalid tab character as indent", "indent with blanks; YAML takes no tabs there"},
	{"invalid nested block mapping on the same line",
	 "a second ':' on the line; a text that contains ': ' needs quotes"},
	{"block sequence on the same line as a mapping key",
	 "a list written with '-' begins on the line after its key"},
	{"flow sequence without a closing bracket",
	 "a list opened with '[' is not closed with ']'"},
	{"flow sequence with invalid extra closing bracket", "this ']' closes nothing"},
	{"flow mapping with invalid extra closing brace", "this '}' closes nothing"},
	{"mismatched flow",
	 "this closes nothing that is open here; a text that begins with '!', '[' or "
	 "'{' needs quotes"},
	{"flow sequence with invalid extra comma", "two commas with nothing between them"},
	{"flow mapping with invalid extra comma", "two commas with nothing between them"},
	{"missing comma in flow mapping", "a mapping opened with '{' needs ',' or '}' here"},
	{"missing comma in flow sequence", "a list opened with '[' needs ',' or ']' here"},
	{"wrongly indented double-quoted scalar",
	 "the text in quotes that begins here is not closed"},
	{"wrongly indented single-quoted scalar",
	 "the text in quotes that begins here is not closed"},
	{"single-quoted scalar without closing quote",
	 "the text in quotes that begins here is not closed"},
	{"double-quoted scalar without closing quote",
	 "the text in quotes that begins here is not closed"},
	{"invalid trailing content after", "nothing may follow the closing quote"},
	{"invalid value after mapping",
	 "expected 'key: value' aligned with the keys above (a ':' needs a blank after it)"},
	{"invalid indentation in mapping", "this line is not aligned with any line above it"},
	{"plain scalar cannot start with", "a text that begins with this character needs quotes"},
	{"invalid escape",
	 "unknown escape in a text in double quotes; in single quotes '\\' is itself"},
	{"double-quoted scalar has invalid hex escape", "not a hexadecimal escape"},
	{"block scalar no linebreak found", "nothing may follow '|' or '>' on its line"},
	{"invalid anchor detected",
	 "'&' begins an anchor; a text that begins with it needs quotes"},
	{"invalid alias detected",
	 "'*' begins an alias; a text that begins with it needs quotes: \"*\""},
	{"did not find expected node content", "a value is missing here"},
};

static void report_syntax(struct yaml *y, struct place at, const char *says)
{
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		if (strncmp(says, sentences[i].says, strlen(sentences[i].says)) == 0) {
			(void)yaml_error(y, at, "%s", sentences[i].sentence);
			return;
		}
	}
	(void)yaml_error(y, at, "not valid YAML: %.200s", says);
}

/* What is missing at the end of the file is shown behind the last thing that is there. */
static struct place end_of_text(struct yaml *y)
{
	const struct source *s = y->source;
	size_t len = s->len;

	while (len > y->start && strchr(" \t\r\n", s->text[len - 1]))
		len--;
	return place_of(y, len, len);
}

static struct place place_of_syntax_error(struct yaml *y, const struct fy_diag_error *e)
{
	const struct fy_mark *start = e->fyt ? fy_token_start_mark(e->fyt) : NULL;

	if (!start)
		return (struct place){0};
	if (y->start + start->input_pos >= y->source->len)
		return end_of_text(y);
	return place_of_token(y, e->fyt, 0);
}

static int collect_syntax_errors(struct yaml *y, struct fy_diag *diag)
{
	const struct fy_diag_error *e;
	void *iterator = NULL;
	bool told = false;

	while ((e = fy_diag_errors_iterate(diag, &iterator))) {
		if (e->type < FYET_ERROR)
			continue;
		report_syntax(y, place_of_syntax_error(y, e), e->msg);
		told = true;
	}
	if (!told)
		(void)yaml_error(y, y->last, "not valid YAML");
	return -EINVAL;
}

static int parse_events(struct yaml *y, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *e;
	int err = 0;

	while (!err && (e = fy_parser_parse(parser))) {
		err = on_event(y, e);
		fy_parser_event_free(parser, e);
	}
	if (!err && fy_parser_get_stream_error(parser))
		err = collect_syntax_errors(y, diag);
	return err;
}

static void discard_output(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	(void)diag, (void)user, (void)text, (void)len;
}

static int parse_with(struct yaml *y, struct fy_diag *diag)
{
	const struct source *s = y->source;
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
	struct fy_parser *parser = fy_parser_create(&cfg);
	int err = -ENOMEM;

	if (!parser)
		return err;
	if (fy_parser_set_string(parser, s->text + y->start, s->len - y->start) == 0)
		err = parse_events(y, parser, diag);
	fy_parser_destroy(parser);
	return err;
}

/* Bytes that cannot be in a YAML text, found before the library sees them. */
static int check_bytes(struct yaml *y)
{
	const struct source *s = y->source;

	for (size_t i = y->start, n; i < s->len; i += n) {
		unsigned char c = (unsigned char)s->text[i];

		n = utf8_sequence(s->text + i, s->len - i);
		if (n == 0)
			return yaml_error(y, place_of(y, i, i),
					  "byte 0x%02x is not UTF-8: is this a text file?", c);
		if ((c < 0x20 && !strchr("\t\n\r", c)) || c == 0x7f || c == 0)
			return yaml_error(y, place_of(y, i, i),
					  "control character 0x%02x: is this a text file?", c);
	}
	return 0;
}

static int parse_text(struct yaml *y)
{
	struct fy_diag_cfg cfg;
	struct fy_diag *diag;
	int err;

	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.output_fn = discard_output;
	diag = fy_diag_create(&cfg);
	if (!diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(diag, true);
	err = parse_with(y, diag);
	fy_diag_destroy(diag);
	return err;
}

static void try_to_parse(void *y)
{
	(void)parse_text(y);
}

/* libfyaml 0.7.12 crashes on "? a:<tab>-": whoever writes both is let in only after a trial. */
static int try_where_risky(struct yaml *y)
{
	const struct source *s = y->source;
	bool survived = true;
	int r = 0;

	if (memchr(s->text, '?', s->len) && memchr(s->text, '\t', s->len))
		r = trial_run(try_to_parse, y, &survived);
	if (r == 0 && !survived)
		return yaml_error(y, (struct place){0},
				  "the YAML library does not survive this file: write it without "
				  "tabs, and without '?' in front of keys");
	return r;
}

static int parse_source(struct yaml *y)
{
	int err = check_bytes(y);

	if (err || y->source->len == y->start)
		return err;
	err = try_where_risky(y);
	return err ? err : parse_text(y);
}

int yaml_parse(const struct source *s, struct report *r, struct yaml **ret)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	_cleanup_yaml_ struct yaml *y = calloc(1, sizeof(*y));
	int err;

	if (!y)
		return -ENOMEM;
	if (s->len >= 3 && memcmp(s->text, byte_order_mark, 3) == 0)
		y->start = 3;
	y->source = s;
	y->report = r;
	y->cursor = (struct cursor){.offset = y->start, .line = 1, .column = 1};
	err = parse_source(y);
	if (err)
		return err;
	if (y->root)
		node_take_meaning(y->root);
	*ret = TAKE_PTR(y);
	return 0;
}
