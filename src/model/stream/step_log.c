/*
 * model/stream/step_log: the logs of a pipeline's steps.
 *
 * The log of a step that has ended never changes; its size is asked for when it
 * is looked at (src/model/README.md, 3). While the step runs, its log grows
 * under its inode: attributes are good for a second, so a program that follows
 * the log asks for them, and that is when the service is asked for more
 * (content/stream says how often). The kernel drops its pages when it hears of
 * another size; what it reads again is on our disk.
 */
#include "model/dirs/row_dir.h"
#include "model/probe.h"
#include "model/stream/streams.h"

#include "base/clock.h"
#include "base/text.h"
#include "content/stream.h"

static const struct provider provider_step_log;

#define NOT_YET_MS 5000
#define NEVER_MS (INT64_C(10) * 60 * 1000)
/* A log that grew within this time belongs to a step that runs: not asked. */
#define QUIET_MS 8000

struct log {
	struct stream *stream;
	char *path;         /* the stream's */
	_Atomic bool ended; /* the step has ended; the stream may lag behind */
	/* the errno that was last recorded; 0: it worked since */
	_Atomic int failure;
};

/* ---- the step ---- */

struct step {
	bool ended;
	int64_t run;
	int64_t time_ms;
};

/* dir: the step's directory, an item that ends one day. */
static int read_step(struct ctx *ctx, struct model *model, struct node *dir,
		     struct step *ret_step)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct resource_items *items = row_dir_of(dir)->row->items;
	int r = row_dir_document(ctx, model, dir, READ_THROUGH, &document);

	if (r < 0)
		return r;
	json = json_of(document.body);
	if (!json)
		return -EBADMSG;
	*ret_step = (struct step){
		.ended = items->is_final && items->is_final(json),
		.run = json_int(json, "run_number", 1),
		.time_ms = document.updated_ms,
	};
	return 0;
}

/* ---- found ---- */

/* The stream at the endpoint, of the step whose directory step_dir is. */
static int find(struct ctx *ctx, struct model *model, struct node *step_dir,
		const char *endpoint, const struct scope *scope,
		struct found *ret_found)
{
	cleanup(free) char *path = NULL, *key = NULL;
	struct log *log;
	struct step step;
	int r = read_step(ctx, model, step_dir, &step);

	if (r == 0)
		r = documents_path(ctx, model->config.documents, endpoint,
				   scope, &path);
	if (r < 0)
		return r;
	/* A step that is run again has another log. */
	key = mem_asprintf("%s#%lld", scope->key, (long long)step.run);
	log = mem_calloc(1, sizeof(*log));
	log->stream = stream_get(model->config.streams, key, path, -1);
	log->path = steal(&path);
	atomic_store(&log->ended, step.ended);
	provider_found(ret_found, &provider_step_log, NODE_FILE, step.time_ms,
		       0, log);
	ret_found->no_size = true;
	return 0;
}

/* Asks for the log, whose size is known only by that. A stream that is dead has
 * a successor. */
static int step_log_size(struct ctx *ctx, struct model *model, struct node *,
			 const char *, struct found *found)
{
	struct log *log = found->what.data;
	bool ended = atomic_load(&log->ended);
	struct stream_growth growth = {0};
	int failure = 0, r;

	r = stream_grow(ctx, log->stream, ended, &growth, &failure);
	if (r == 0 && growth.dead) {
		struct stream *dead = log->stream;

		log->stream = stream_get(model->config.streams,
					 stream_key(dead), log->path, -1);
		stream_unref(dead);
		r = stream_grow(ctx, log->stream, ended, &growth, &failure);
	}
	if (r == -ENOENT) {
		found->left_ms = ended ? NEVER_MS : NOT_YET_MS;
		return 1;
	}
	if (r < 0)
		return r;
	found->what.size = growth.size;
	if (growth.grew_ms && !(growth.ended && found->what.mtime_ms))
		found->what.mtime_ms = growth.grew_ms;
	found->left_ms = growth.ended ? LONGEST_MS : MOMENT_MS;
	found->ask_attr = !growth.ended;
	return 0;
}

int step_log_found(struct ctx *ctx, struct model *model, struct node *dir,
		   const struct resource *row, const struct scope *scope,
		   enum read_through_mode mode, struct found *ret_found)
{
	if (mode != READ_CACHED)
		return find(ctx, model, dir, row->endpoint, scope, ret_found);
	provider_found(ret_found, &provider_step_log, NODE_FILE, 0, 0, NULL);
	ret_found->no_size = true;
	return 0;
}

/* ---- services: each container beside the step's own has a log ---- */

/* The services that the step's document names. Others can be named by uuid. */
static const struct json *services_of(const struct json *step)
{
	const struct json *services = json_at(step, "services");

	return json_is_array(services) ? json_first(services) : NULL;
}

static bool service_name(const struct json *service, struct buf *out)
{
	const char *uuid = json_str(service, "uuid");
	const char *name = json_str(service, "name");

	if (uuid && *uuid)
		text_file_name(out, name && *name ? name : uuid, NULL);
	return out->len > 0;
}

static bool is_uuid(const char *name)
{
	size_t n = strlen(name);

	return n == 38 && name[0] == '{' && name[37] == '}' &&
	       strspn(name + 1, "0123456789abcdefABCDEF-") == 36;
}

static int step_json(struct ctx *ctx, struct model *model,
		     const struct node *dir, enum read_through_mode mode,
		     struct json **ret_json)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	int r = row_dir_document(ctx, model, dir->parent, mode, &document);

	if (r == 0 && !(*ret_json = json_of(document.body)))
		r = -EBADMSG;
	return r;
}

int step_log_services_lookup(struct ctx *ctx, struct model *model,
			     struct node *dir, const char *name,
			     struct found *ret_found)
{
	cleanup(json_free) struct json *step = NULL;
	cleanup(scope_unref) struct scope *scope = NULL;
	const struct row_dir *p = row_dir_of(dir);
	const char *uuid = is_uuid(name) ? name : NULL;
	int r;

	if (probe_matches(name))
		return 0;
	r = step_json(ctx, model, dir, READ_THROUGH, &step);
	if (r < 0)
		return r;
	for (const struct json *i = services_of(step); i && !uuid;
	     i = json_next(i)) {
		cleanup(buf_done) struct buf own = BUF_INIT(64 * KIB);

		if (service_name(i, &own) && !strcmp(own.data, name))
			uuid = json_str(i, "uuid");
	}
	ret_found->left_ms = NOT_YET_MS;
	if (!uuid)
		return 0;
	scope = scope_item(p->scope, p->row, uuid);
	return find(ctx, model, dir->parent, p->row->endpoint, scope,
		    ret_found);
}

/* Names without attributes: sizes are known only by asking for the logs. */
int step_log_services_open(struct ctx *ctx, struct model *model,
			   struct node *dir, struct row_dir_names *names,
			   const struct row_dir_names *, struct dirlist *l)
{
	cleanup(json_free) struct json *step = NULL;
	uint64_t cookie = ROW_DIR_FIRST_ITEM;
	int r = step_json(ctx, model, dir, READ_THROUGH, &step);

	if (r < 0)
		return r;
	names->left_ms = MOMENT_MS;
	for (const struct json *i = services_of(step); i; i = json_next(i)) {
		cleanup(buf_done) struct buf name = BUF_INIT(64 * KIB);

		if (service_name(i, &name))
			dirlist_add_taken(l, mem_strdup(name.data), ++cookie,
					  S_IFREG, ROW_DIR_TAG_SPECIAL);
	}
	return 0;
}

/* ---- the node ---- */

static void say_failure(struct ctx *ctx, struct model *model,
			const struct node *node, struct log *log, int r)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	if (r == -EINTR || atomic_exchange(&log->failure, r) == r || r == 0)
		return;
	node_path(node, &path);
	model_say(model, path.data, -r,
		  ctx->sentence[0] ? ctx->sentence : strerror(-r));
}

/* The directory of the step: a service's log is one level further down. */
static struct node *step_of(const struct node *node)
{
	struct node *dir = node->parent;

	return row_dir_of(dir)->collection ? dir : dir->parent;
}

/* Asks whether the step has ended. If so, the bytes that still come are the
 * last ones. */
static void look_at_step(struct ctx *ctx, struct model *model,
			 const struct node *node, struct log *log,
			 const struct stream_growth *growth)
{
	struct step step;

	if (atomic_load(&log->ended) ||
	    clock_wall_ms() - growth->grew_ms < QUIET_MS)
		return;
	if (read_step(ctx, model, step_of(node), &step) == 0 && step.ended)
		atomic_store(&log->ended, true);
}

static int step_log_attr(struct ctx *ctx, struct model *model,
			 struct node *node, int64_t *ret_left_ms,
			 uint64_t *ret_size)
{
	struct log *log = node_data(node);
	struct stream_growth growth;
	int failure = 0;
	int r = stream_grow(ctx, log->stream, atomic_load(&log->ended), &growth,
			    &failure);

	/* Other failures are recorded, and the node's last size is told: a
	 * program has the file, so it had bytes. */
	if (r == -EINTR)
		return r;
	if (r < 0) {
		say_failure(ctx, model, node, log, r);
		*ret_left_ms = MOMENT_MS;
		return 0;
	}
	say_failure(ctx, model, node, log, failure);
	node_grow(model->nodes, node, growth.size, growth.grew_ms);
	*ret_size = node_size(model->nodes, node);
	*ret_left_ms = growth.ended || growth.dead ? LONGEST_MS : MOMENT_MS;
	if (growth.dead && node_is_linked(model->nodes, node))
		model_drop_child(model, node->parent, node->name);
	if (!growth.ended && !growth.dead)
		look_at_step(ctx, model, node, log, &growth);
	return 0;
}

static int step_log_read(struct ctx *ctx, struct model *, struct node *node,
			 off_t offset, size_t n, struct model_data *ret_data)
{
	const struct log *log = node_data(node);

	return stream_node_read(ctx, log->stream, offset, n, ret_data);
}

static bool step_log_same(const struct node_what *a, const struct node_what *b)
{
	const struct log *x = a->data, *y = b->data;

	return x->stream == y->stream;
}

static uint64_t step_log_hash(const struct node_what *what, uint64_t seed)
{
	const struct log *log = what->data;

	return stream_node_hash(log->stream, seed);
}

static void step_log_free(void *data)
{
	struct log *log = data;

	stream_unref(log->stream);
	free(log->path);
	free(log);
}

static const struct provider provider_step_log = {
	.name = "log",
	.grows = true,
	.size = step_log_size,
	.attr = step_log_attr,
	.read = step_log_read,
	.same_data = step_log_same,
	.hash_data = step_log_hash,
	.free_data = step_log_free,
};
