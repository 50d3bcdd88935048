/*
 * A conversation with a repository's git server: where it is, what it can do,
 * what it is sent.
 */
#include "clone/clone_private.h"

#include "base/clock.h"
#include "base/text.h"

#define SESSION_MS 10000
/* A connection that was used so lately is there still. */
#define WARM_MS 30000

bool clone_caps_recall(struct clone_set *cs, const struct clone_server *server,
		       struct upload_pack_caps *ret_caps)
{
	cleanup(blob_unref) struct blob *caps = NULL;
	const char *origin = server->origin;

	*ret_caps = (struct upload_pack_caps){0};
	return !server->is_ssh &&
	       cache_fact_get(cs->cache, "git-caps", origin, strlen(origin),
			      &caps) >= 0 &&
	       upload_pack_caps_parse(blob_data(caps), ret_caps);
}

void clone_caps_remember(struct clone_job *j)
{
	cleanup(blob_unref) struct blob *old = NULL;
	cleanup(buf_done) struct buf caps = BUF_INIT(4 * KIB);
	const char *origin = j->server->origin;
	int r;

	/* A SHA-256 repository says nothing of the host's others. A server
	 * that speaks v0 alone is remembered by an empty fact: without one it
	 * would be asked for v2 first, in vain, by each job. */
	if (j->server->is_ssh || j->session->caps.sha256)
		return;
	if (upload_pack_caps_format(&j->session->caps, &caps) < 0)
		buf_clear(&caps);
	r = cache_fact_get(j->clones->cache, "git-caps", origin, strlen(origin),
			   &old);
	if (r < 0 && caps.len == 0)
		return;
	if (r >= 0 && blob_len(old) == caps.len &&
	    memcmp(blob_data(old), caps.len ? caps.data : "", caps.len) == 0)
		return;
	(void)cache_fact_put(j->clones->cache, "git-caps", origin,
			     strlen(origin), caps.len ? caps.data : "",
			     caps.len);
}

struct clone_session *clone_session_free(struct clone_session *session)
{
	if (!session)
		return NULL;
	upload_pack_free(session->up);
	link_free(session->link);
	free(session);
	return NULL;
}

static int authorize(void *arg, struct ctx *ctx, struct http_authorization *ret)
{
	const struct clone_set *cs = arg;

	return credential_authorize(ctx, cs->credential, CREDENTIAL_GIT, ret);
}

static void was_heard(void *arg, struct ctx *,
		      const struct http_authorization *sent,
		      const struct http_response *answer)
{
	const struct clone_set *cs = arg;

	if (answer->authorized)
		credential_heard(cs->credential, CREDENTIAL_GIT, sent,
				 answer->status);
}

static int renew(void *arg, struct ctx *ctx,
		 const struct http_authorization *refused)
{
	const struct clone_set *cs = arg;

	return credential_renew(ctx, cs->credential, refused);
}

struct http_authorizer clone_authorizer(struct clone_set *cs)
{
	return (struct http_authorizer){authorize, was_heard, renew, cs};
}

char *clone_url(const struct clone_server *server, const char *workspace,
		const char *slug)
{
	struct buf url = BUF_INIT(8 * KIB);

	buf_printf(&url, "%s/", server->url);
	text_percent_encode(&url, workspace, "");
	buf_putc(&url, '/');
	text_percent_encode(&url, slug, "");
	buf_puts(&url, ".git");
	if (!url.failed)
		return buf_steal(&url, NULL);
	buf_done(&url);
	return NULL;
}

static void begin_session(struct clone_job *j)
{
	j->session = clone_session_free(j->session);
	j->session = mem_calloc(1, sizeof(*j->session));
	j->session->since_ms = clock_mono_ms();
	(void)clone_caps_recall(j->clones, j->server, &j->session->caps);
}

/* r: of the link. */
static int begin_conversation(struct clone_job *j, int r)
{
	if (r == -ENAMETOOLONG)
		return ctx_fail(j->ctx, r,
				"no path has the name of this repository: it "
				"is too long, or odd");
	if (r < 0)
		return r;
	return upload_pack_new(j->session->link, &j->session->caps,
			       &j->session->up);
}

int clone_connect_to(struct clone_job *j, const char *url)
{
	const struct http_authorizer as = clone_authorizer(j->clones);

	begin_session(j);
	return begin_conversation(
		j, link_http_new(j->clones->http, url,
				 j->server->authorized ? &as : NULL,
				 &j->session->link));
}

int clone_connect(struct clone_job *j, const char *workspace, const char *slug)
{
	cleanup(free) char *url = NULL;

	if (j->server->is_ssh) {
		begin_session(j);
		return begin_conversation(
			j, link_ssh_new(j->clones->ssh, j->server->url,
					j->clone->uuid, workspace, slug,
					&j->session->link));
	}
	url = clone_url(j->server, workspace, slug);
	return url ? clone_connect_to(j, url)
		   : begin_conversation(j, -ENAMETOOLONG);
}

void clone_session_keep(struct clone_job *j)
{
	struct clone_session *old;

	/* A fetch begins with git_url. */
	if (j->session->caps.v2 || j->server != &j->clones->server)
		return;
	mutex_lock(&j->clones->lock);
	old = j->clone->session;
	j->clone->session = steal(&j->session);
	mutex_unlock(&j->clones->lock);
	clone_session_free(old);
}

bool clone_session_take(struct clone_job *j)
{
	mutex_lock(&j->clones->lock);
	j->session = steal(&j->clone->session);
	mutex_unlock(&j->clones->lock);
	if (j->session && clock_mono_ms() - j->session->since_ms > SESSION_MS)
		j->session = clone_session_free(j->session);
	return j->session;
}

/* ---- before it is needed ---- */

void clone_note_used(const struct clone_job *j)
{
	if (j->server != &j->clones->server)
		return;
	mutex_lock(&j->clones->lock);
	j->clones->warm_ms = clock_mono_ms();
	mutex_unlock(&j->clones->lock);
}

int clone_job_greet(struct clone_job *j)
{
	int r = clone_connect(j, j->workspace, j->slug);

	/* Not what is remembered: a request is what makes the connection. */
	if (r >= 0) {
		j->session->caps = (struct upload_pack_caps){0};
		r = upload_pack_greet(j->ctx, j->session->up);
	}
	if (r >= 0)
		clone_caps_remember(j);
	return r;
}

bool clone_is_cold(struct clone *c)
{
	struct clone_set *cs = c->clones;
	int64_t now = clock_mono_ms();

	return !cs->server.is_ssh &&
	       mutex_with(&cs->lock,
			  !cs->warm_ms || now - cs->warm_ms > WARM_MS);
}

void clone_warm(struct ctx *ctx, struct clone *c)
{
	struct clone_set *cs = c->clones;
	struct upload_pack_caps caps;

	mutex_lock(&cs->lock);
	cs->warm_ms = clock_mono_ms();
	mutex_unlock(&cs->lock);
	clone_queue_greet(ctx, c, clone_caps_recall(cs, &cs->server, &caps));
}

bool clone_to_fallback(struct clone_job *j)
{
	if (!j->clones->fallback.url || j->server == &j->clones->fallback)
		return false;
	j->server = &j->clones->fallback;
	return true;
}
