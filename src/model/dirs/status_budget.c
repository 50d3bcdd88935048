/*
 * model/dirs/status, of requests: how many were sent, what is left of the
 * quotas, who waits for them, who walks.
 */
#include "model/dirs/status.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>

static const char *const class_names[CTX_CLASSES] = {
	[CTX_PERSON] = "people",
	[CTX_WALK] = "walks",
	[CTX_REFRESH] = "refreshes",
};

static void text_quota(const struct budget_quota *q, struct buf *out)
{
	char when[24];

	buf_printf(out, "quota: %" PRId64 " of %" PRId64 " left", q->left,
		   q->limit);
	if (q->full_ms)
		buf_printf(out, ", full again at %s",
			   clock_format_iso8601(q->full_ms, when));
	if (q->used > 0)
		buf_puts(out, "; used in the last hour:");
	for (int who = 0; q->used > 0 && who < CTX_CLASSES; who++)
		buf_printf(out, "%s %u by %s", who ? "," : "", q->by_class[who],
			   class_names[who]);
	buf_putc(out, '\n');
}

static void text_waits(const struct budget_state *s, struct buf *out)
{
	char when[24];

	for (int who = 0; who < CTX_CLASSES; who++)
		if (s->waits_until_ms[who])
			buf_printf(out, "waiting: %s, until %s\n",
				   class_names[who],
				   clock_format_iso8601(s->waits_until_ms[who],
							when));
}

void status_budget_text(struct model *model, struct buf *out)
{
	const struct model_config *c = &model->config;
	struct budget_state s;
	char when[24];

	budget_state(c->budget, &s);
	text_quota(&s.api, out);
	text_waits(&s, out);
	buf_printf(out,
		   "requests: %" PRIu64 " to the API, %" PRIu64
		   " to git; %u to the API in the last hour\n",
		   http_n_requests(c->api_http), clone_set_requests(c->clones),
		   s.api.used);
	buf_printf(out, "git quota: %" PRId64 " of %" PRId64 " left\n",
		   s.git.left, s.git.limit);
	if (s.paused_until_ms)
		buf_printf(out, "paused: until %s, as the service asks",
			   clock_format_iso8601(s.paused_until_ms, when));
	if (s.tries_ms)
		buf_printf(out,
			   "; one request tries at %s, .bitbucketfs/refresh/"
			   "PATH/.now at once",
			   clock_format_iso8601(s.tries_ms, when));
	if (s.paused_until_ms)
		buf_putc(out, '\n');
	for (size_t i = 0; i < s.n_walks; i++)
		buf_printf(out,
			   "walk: %s (session %d), %u requests in ten "
			   "minutes\n",
			   s.walks[i].name, (int)s.walks[i].session,
			   s.walks[i].n_requests);
}

static void json_quota(const struct budget_quota *q, struct json *o)
{
	struct json *by = json_add_object(o, "by");

	for (int who = 0; who < CTX_CLASSES; who++)
		json_add_int(by, class_names[who], q->by_class[who]);
	json_add_int(o, "used", q->used);
	json_add_int(o, "limit", q->limit);
	json_add_int(o, "left", q->left);
	json_add_bool(o, "told", q->told);
	status_json_time(o, "reset", q->reset_ms);
	status_json_time(o, "full", q->full_ms);
}

void status_budget_json(struct model *model, struct json *root)
{
	const struct model_config *c = &model->config;
	struct budget_state s;
	struct json *o, *walks;

	budget_state(c->budget, &s);
	o = json_add_object(root, "requests");
	json_add_int(o, "api", (int64_t)http_n_requests(c->api_http));
	json_add_int(o, "git", (int64_t)clone_set_requests(c->clones));
	json_add_int(o, "last_hour", s.api.used);
	json_add_int(o, "limit", s.api.limit);
	json_add_int(o, "remaining", s.api.left);
	status_json_time(o, "paused_until", s.paused_until_ms);
	status_json_time(o, "tries_at", s.tries_ms);
	o = json_add_object(root, "quotas");
	json_quota(&s.api, json_add_object(o, "api"));
	json_quota(&s.git, json_add_object(o, "git"));
	o = json_add_object(root, "waits_until");
	for (int who = 0; who < CTX_CLASSES; who++)
		status_json_time(o, class_names[who], s.waits_until_ms[who]);
	walks = json_add_array(root, "walks");
	for (size_t i = 0; i < s.n_walks; i++) {
		o = json_append_object(walks);
		json_add_int(o, "session", s.walks[i].session);
		json_add_str(o, "command", s.walks[i].name);
		json_add_int(o, "requests", s.walks[i].n_requests);
	}
}
