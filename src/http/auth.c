// SPDX-License-Identifier: MIT
#include "http/auth.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/tls.h"

enum {
	CREDENTIALS_MAX = 600, /* name, colon, password: libcrypt takes 512 bytes of that */
	JOBS_MAX = 32,
	JOBS_OF_PEER_MAX = 2,
	ACCEPTED_MAX = 64,
	REFUSED_MAX = 256,
};

/* So long a wrong password is remembered: who tries it again and again costs nothing. */
#define REFUSED_NS (10 * NSEC_PER_SEC)

struct digest {
	uint8_t bytes[AUTH_DIGEST_SIZE];
};

struct remembered {
	struct digest digest;
	uint64_t until_ns; /* 0: nothing */
};

/* One pair of name and password to be checked, for all who ask about it. */
struct job {
	struct job *next; /* NULL also of the last one */
	struct digest digest;
	unsigned peer;
	bool used;
	struct auth_question *askers;
	char credentials[CREDENTIALS_MAX]; /* name NUL password NUL */
};

struct user {
	char *name;
	char *hash;
};

struct auth {
	atomic_uint refs;
	struct user *users;
	size_t n_users;
	struct digest key;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	struct job jobs[JOBS_MAX];
	struct job *first, *last;
	bool checks_first;
	struct remembered accepted[ACCEPTED_MAX];
	struct remembered refused[REFUSED_MAX];
	unsigned next_accepted, next_refused;

	struct crypt_data crypt; /* the thread's */
};

/* ---- what was said ---- */

/* "Basic bmFtZTpwYXNz" → name NUL password NUL in @to; false when it is nothing like that. */
static bool read_credentials(const char *field, char to[CREDENTIALS_MAX])
{
	gnutls_datum_t encoded, decoded;
	const char *colon;
	bool fits;

	if (!field || strncasecmp(field, "Basic ", 6) != 0)
		return false;
	field += 6 + strspn(field + 6, " ");
	encoded = (gnutls_datum_t){(unsigned char *)field, (unsigned)strlen(field)};
	if (gnutls_base64_decode2(&encoded, &decoded))
		return false;
	colon = memchr(decoded.data, ':', decoded.size);
	fits = colon && decoded.size < CREDENTIALS_MAX && !memchr(decoded.data, 0, decoded.size);
	memset(to, 0, CREDENTIALS_MAX);
	if (fits) {
		memcpy(to, decoded.data, decoded.size);
		to[colon - (const char *)decoded.data] = '\0';
	}
	gnutls_memset(decoded.data, 0, decoded.size);
	gnutls_free(decoded.data);
	return fits;
}

static const char *password_of(const char *credentials)
{
	return credentials + strlen(credentials) + 1;
}

static bool make_digest(const struct auth *a, const char *credentials, struct digest *ret)
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, a->key.bytes, sizeof(a->key.bytes), credentials,
				CREDENTIALS_MAX, ret->bytes) == 0;
}

/* ---- what is known ---- */

static bool is_remembered(const struct remembered *rows, size_t count, const struct digest *digest,
			  uint64_t now)
{
	bool found = false;

	for (size_t i = 0; i < count; i++)
		found |= rows[i].until_ns > now &&
			 gnutls_memcmp(&rows[i].digest, digest, sizeof(*digest)) == 0;
	return found;
}

static void remember(struct auth *a, const struct digest *digest, bool accepted)
{
	if (accepted)
		a->accepted[a->next_accepted++ % ACCEPTED_MAX] =
			(struct remembered){*digest, UINT64_MAX};
	else
		a->refused[a->next_refused++ % REFUSED_MAX] =
			(struct remembered){*digest, clock_monotonic_ns() + REFUSED_NS};
}

/* ---- checking ---- */

/* The same work whether the user exists or not. */
static bool check(struct auth *a, const char *credentials)
{
	const struct user *user = NULL;
	const char *hash, *made;

	for (size_t i = 0; i < a->n_users; i++) {
		if (STREQ(a->users[i].name, credentials))
			user = &a->users[i];
	}
	hash = user ? user->hash : a->users[0].hash;
	/* Not crypt_r(3), which gives back a text also when it fails. */
	made = crypt_rn(password_of(credentials), hash, &a->crypt, sizeof(a->crypt));
	return made && strlen(made) == strlen(hash) &&
	       gnutls_memcmp(made, hash, strlen(hash)) == 0 && user;
}

static void tell(struct auth_question *askers, enum auth_verdict verdict)
{
	while (askers) {
		struct auth_question *q = askers;

		askers = q->next;
		q->verdict = verdict;
		q->done(q);
	}
}

/* Frees the job and gives back who asked. */
static struct auth_question *end_job(struct auth *a, struct job *j)
{
	struct auth_question *askers = j->askers;

	a->first = j->next;
	if (!a->first)
		a->last = NULL;
	gnutls_memset(j->credentials, 0, sizeof(j->credentials));
	j->used = false;
	return askers;
}

static void *check_thread(void *arg)
{
	struct auth *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stopping) {
		struct job *j = a->first;
		struct auth_question *askers;
		bool yes;

		if (!j) {
			pthread_cond_wait(&a->wake, &a->lock);
			continue;
		}
		a->checks_first = true;
		pthread_mutex_unlock(&a->lock);
		yes = check(a, j->credentials);
		pthread_mutex_lock(&a->lock);
		a->checks_first = false;
		remember(a, &j->digest, yes);
		askers = end_job(a, j);
		pthread_mutex_unlock(&a->lock);
		tell(askers, yes ? AUTH_YES : AUTH_NO);
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- asking ---- */

/* The job about the same pair, or a new one at the end of the queue; NULL: too many. */
static struct job *find_job(struct auth *a, const struct digest *digest, unsigned peer)
{
	struct job *unused = NULL;
	unsigned of_peer = 0;

	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct job *j = &a->jobs[i];

		if (!j->used) {
			unused = j;
			continue;
		}
		if (gnutls_memcmp(&j->digest, digest, sizeof(*digest)) == 0)
			return j;
		of_peer += j->peer == peer;
	}
	return of_peer < JOBS_OF_PEER_MAX ? unused : NULL;
}

static void queue_job(struct auth *a, struct job *j, const struct digest *digest, unsigned peer,
		      const char *credentials)
{
	j->used = true;
	j->next = NULL;
	j->askers = NULL;
	j->digest = *digest;
	j->peer = peer;
	memcpy(j->credentials, credentials, CREDENTIALS_MAX);
	if (a->last)
		a->last->next = j;
	else
		a->first = j;
	a->last = j;
	pthread_cond_signal(&a->wake);
}

/* a->lock is held. */
static enum auth_verdict find_verdict(struct auth *a, const char *credentials, unsigned peer,
				      const struct digest *digest, struct auth_question *q)
{
	uint64_t now = clock_monotonic_ns();
	struct job *j;

	if (is_remembered(a->accepted, ACCEPTED_MAX, digest, now))
		return AUTH_YES;
	if (is_remembered(a->refused, REFUSED_MAX, digest, now))
		return AUTH_NO;
	j = a->stopping ? NULL : find_job(a, digest, peer);
	if (!j)
		return AUTH_BUSY;
	if (!j->used)
		queue_job(a, j, digest, peer, credentials);
	q->next = j->askers;
	j->askers = q;
	return AUTH_LATER;
}

enum auth_verdict auth_ask(struct auth *a, const char *authorization, unsigned peer,
			   struct auth_question *q)
{
	char credentials[CREDENTIALS_MAX];
	enum auth_verdict verdict = AUTH_NO;
	struct digest digest;

	if (!read_credentials(authorization, credentials))
		return AUTH_NO;
	if (make_digest(a, credentials, &digest)) {
		pthread_mutex_lock(&a->lock);
		verdict = find_verdict(a, credentials, peer, &digest, q);
		pthread_mutex_unlock(&a->lock);
	}
	gnutls_memset(credentials, 0, sizeof(credentials));
	return verdict;
}

/* ---- life ---- */

static int copy_users(struct auth *a, const struct web_config *c)
{
	a->users = calloc(c->users.count, sizeof(*a->users));
	if (!a->users)
		return -ENOMEM;
	for (; a->n_users < c->users.count; a->n_users++) {
		struct user *u = &a->users[a->n_users];

		u->name = strdup(c->users.items[a->n_users].from);
		u->hash = strdup(c->users.items[a->n_users].to);
		if (!u->name || !u->hash)
			return -ENOMEM;
	}
	return 0;
}

struct auth *auth_new(const struct web_config *c)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->refs = 1;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	if (tls_start_library() || copy_users(a, c) ||
	    gnutls_rnd(GNUTLS_RND_KEY, &a->key, sizeof(a->key)) ||
	    pthread_create(&a->thread, NULL, check_thread, a)) {
		auth_unref(a);
		return NULL;
	}
	a->has_thread = true;
	return a;
}

struct auth *auth_ref(struct auth *a)
{
	a->refs++;
	return a;
}

void auth_unref(struct auth *a)
{
	if (!a || --a->refs > 0)
		return;
	auth_stop(a);
	if (a->has_thread)
		pthread_join(a->thread, NULL);
	for (size_t i = 0; a->users && i < a->n_users; i++) {
		free(a->users[i].name);
		free(a->users[i].hash);
	}
	free(a->users);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	gnutls_memset(a, 0, sizeof(*a));
	free(a);
}

bool auth_is_same(const struct auth *a, const struct web_config *c)
{
	if (a->n_users != c->users.count)
		return false;
	for (size_t i = 0; i < a->n_users; i++) {
		if (!STREQ(a->users[i].name, c->users.items[i].from) ||
		    !STREQ(a->users[i].hash, c->users.items[i].to))
			return false;
	}
	return true;
}

void auth_stop(struct auth *a)
{
	struct auth_question *askers = NULL;
	struct job *j;

	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	/* Who asked about the one that is being checked is told when that is done. */
	j = a->checks_first ? a->first->next : a->first;
	for (; j; j = j->next) {
		struct auth_question **at = &j->askers;

		while (*at)
			at = &(*at)->next;
		*at = askers;
		askers = j->askers;
		j->askers = NULL;
	}
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	tell(askers, AUTH_BUSY);
}
