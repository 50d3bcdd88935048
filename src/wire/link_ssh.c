/*
 * wire/link over SSH (gitprotocol-pack(5), "SSH Transport"): git-upload-pack
 * itself at the other end of one connection, which begins with its
 * advertisement.
 *
 * Between two calls a link has no connection: it lies with the set
 * (src/wire/ssh.c), so that no link that somebody keeps keeps a process. After
 * an exchange of v2 it is anybody's who asks the same repository, and what the
 * server said first is said again to him. After an advertisement alone it is
 * this link's: by v0 the refs are in it, and they grow old.
 */
#include "asked.h"
#include "ssh_private.h"

#include "base/clock.h"
#include "base/log.h"

struct link_ssh {
	struct link link;
	struct ssh *ssh;
	struct ssh_place place;
	char *url;  /* for people */
	char *path; /* "ws/repo.git" */
	char *key;  /* of the connections that are kept */
};

static bool may_be_at_fallback(const struct ssh_verdict *verdict)
{
	return verdict->kind == SSH_NOT_CONNECTED;
}

/* The connection ended before the answer: why. */
static void judge(const struct ssh_place *place, struct ssh_connection *c,
		  struct ssh_verdict *ret_verdict)
{
	buf_puts(&c->said, "");
	log_debug("ssh of %s says: %s", place->host, c->said.data);
	ssh_judge(place, c->said.data, ret_verdict);
}

/* ---- the advertisement ---- */

/* 0, and *ret is the connection; or -errno, and what was the matter, if the
 * program ended. */
static int open_at(struct ctx *ctx, struct link_ssh *link,
		   const struct ssh_place *place, const struct http_sink *sink,
		   struct ssh_verdict *ret_verdict)
{
	cleanup(ssh_connection_free) struct ssh_connection *c = NULL;
	bool answered = false;
	int r = ssh_connect(ctx, link->ssh, place, link->path, &c);

	if (r < 0)
		return r;
	r = ssh_talk(ctx, c, NULL, 0, sink, &link->link.ended, &answered);
	if (answered)
		ssh_count_session(link->ssh);
	if (r == 1) {
		judge(place, c, ret_verdict);
		if (answered)
			ret_verdict->kind = SSH_OTHER;
		ssh_find_out(ctx, link->ssh, place, ret_verdict);
		return ret_verdict->errnum;
	}
	if (r < 0)
		return r;
	c->key = mem_strdup(link->key);
	c->only = link;
	ssh_keep(link->ssh, steal(&c));
	return 0;
}

/* The port, and when nothing connects there, the other one; the one that
 * connected is the first for a while. */
static int open_anywhere(struct ctx *ctx, struct link_ssh *link,
			 const struct http_sink *sink)
{
	cleanup(ssh_place_done) struct ssh_place other = {0};
	bool has_other = ssh_fallback_place(link->ssh, &link->place, &other);
	bool back = has_other && ssh_falls_back_first(link->ssh);
	struct ssh_verdict verdict = {.kind = SSH_UNKNOWN};
	struct ssh_verdict second = {.kind = SSH_UNKNOWN};
	int r2, r = open_at(ctx, link, back ? &other : &link->place, sink,
			    &verdict);

	if (r < 0 && has_other && may_be_at_fallback(&verdict)) {
		r2 = open_at(ctx, link, back ? &link->place : &other, sink,
			     &second);
		if (r2 == 0 || !may_be_at_fallback(&second)) {
			ssh_note_fallback(link->ssh, !back);
			verdict = second;
			r = r2;
		}
	}
	link->link.missing = r < 0 && verdict.missing;
	return r < 0 && *verdict.sentence
		       ? ctx_fail(ctx, r, "%s", verdict.sentence)
		       : r;
}

static int link_ssh_advertise(struct ctx *ctx, struct link *base,
			      const struct http_sink *sink)
{
	struct link_ssh *link = (struct link_ssh *)base;
	struct ssh_connection *c;
	int r;

	base->ended = base->stale = base->missing = false;
	/* One of its own would be the connection that has just failed it. */
	ssh_forget(link->ssh, link);
	c = ssh_take(link->ssh, link->key, link);
	if (!c)
		return open_anywhere(ctx, link, sink);
	r = sink->write(sink->arg, c->greeting.data, c->greeting.len);
	if (r < 0 || !base->ended) {
		ssh_connection_free(c);
		return r < 0 ? r : open_anywhere(ctx, link, sink);
	}
	c->only = link;
	ssh_keep(link->ssh, c);
	return 0;
}

/* ---- requests ---- */

/* What the answer's end lets of the connection. */
static void put_back(struct link_ssh *link, struct ssh_connection *c, bool v2)
{
	if (!v2) {
		/* git-upload-pack of v0 ends with its answer. */
		ssh_connection_free(c);
		return;
	}
	/* A greeting that was not taken down whole cannot be said again. */
	c->only = c->greeting.failed ? link : NULL;
	ssh_keep(link->ssh, c);
}

static int link_ssh_exchange(struct ctx *ctx, struct link *base, bool v2,
			     const void *request, size_t n,
			     const struct http_sink *sink)
{
	struct link_ssh *link = (struct link_ssh *)base;
	cleanup(ssh_connection_free) struct ssh_connection *c = NULL;
	struct ssh_verdict verdict;
	cleanup(free) char *at = mem_asprintf("%s/%s", link->url, link->path);
	bool answered = false;
	int64_t began_ms;
	int r;

	base->ended = base->stale = base->missing = false;
	c = ssh_take(link->ssh, v2 ? link->key : NULL, link);
	if (!c) {
		base->stale = true;
		return -ECONNRESET;
	}
	began_ms = clock_mono_ms();
	r = ssh_talk(ctx, c, request, n, sink, &base->ended, &answered);
	asked_say(ctx, &(struct asked){
			       .method = "SSH",
			       .url = at,
			       .began_ms = began_ms,
			       .left = -1,
			       .failed = r < 0 ? r : 0,
		       });
	if (r == 0) {
		put_back(link, steal(&c), v2);
		return 0;
	}
	if (r < 0)
		return r;
	/* Hung up on while it lay there: another one is made. */
	base->stale = !answered;
	judge(&link->place, c, &verdict);
	base->missing = verdict.missing;
	return ctx_fail(ctx, verdict.errnum, "%s", verdict.sentence);
}

/* Nobody redirects by SSH. */
static int link_ssh_look_for(struct ctx *ctx, struct link *base)
{
	(void)ctx;
	(void)base;
	return 0;
}

static struct link *link_ssh_free(struct link *base)
{
	struct link_ssh *link = (struct link_ssh *)base;

	if (!link)
		return NULL;
	ssh_forget(link->ssh, link);
	ssh_place_done(&link->place);
	free(link->url);
	free(link->path);
	free(link->key);
	free(link);
	return NULL;
}

int link_ssh_new(struct ssh *ssh, const char *url, const char *whose,
		 const char *workspace, const char *slug,
		 struct link **ret_link)
{
	static const struct link_ops ops = {
		.advertise = link_ssh_advertise,
		.exchange = link_ssh_exchange,
		.look_for = link_ssh_look_for,
		.free = link_ssh_free,
	};
	struct link_ssh *link;
	struct ssh_place place;

	if (ssh_place_parse(url, &place))
		return -EINVAL;
	if (!ssh_can_be_asked_for(workspace, slug)) {
		ssh_place_done(&place);
		return -ENAMETOOLONG;
	}
	link = mem_calloc(1, sizeof(*link));
	link->link.ops = &ops;
	link->ssh = ssh;
	link->place = place;
	link->url = mem_strdup(url);
	link->link.url = link->url;
	link->path = mem_asprintf("%s/%s.git", workspace, slug);
	link->key = mem_asprintf("%s %s %s", url, link->path, whose);
	*ret_link = &link->link;
	return 0;
}
