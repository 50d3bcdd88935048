/*
 * bitbucketfs cache [keep | unkeep | drop PATH…]: what the cache takes of the
 * disk, and what is to be in it. It works on the cache itself, whether it is
 * mounted or not, and asks the service nothing.
 */
#include "cmd/cache.h"
#include "cmd/cache_place.h"
#include "cmd/command.h"
#include "cmd/remote.h"

#include "base/file.h"
#include "base/json.h"
#include "base/terminal.h"
#include "base/text.h"
#include "content/usage.h"
#include "store/evict.h"

#include <unistd.h>

/* ---- what there is ---- */

struct showing {
	const struct config *config;
	struct json *caches; /* NULL: for people */
	struct buf *out;
	struct ctx ctx;
	unsigned columns;
	size_t n;
};

static int show_one(void *arg, const char *dir)
{
	struct showing *s = arg;
	cleanup(usage_done) struct usage usage = {0};
	uint64_t bound = cache_bound(s->config->cache_size, dir);
	int r = usage_read(&s->ctx, dir, &usage);

	if (r < 0)
		return r;
	if (s->caches) {
		cache_tell(&usage, dir, bound, json_append_object(s->caches));
		return 0;
	}
	/* Of one account alone nobody has to be told which. */
	if (s->n++)
		buf_putc(s->out, '\n');
	buf_printf(s->out, "%s\n", dir);
	cache_show(&usage, bound, s->columns, s->out);
	return 0;
}

static enum command_exit show(const struct config *config, bool as_json)
{
	cleanup(json_free) struct json *top = json_new_object();
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	cleanup(buf_done) struct buf shown = BUF_INIT(0);
	struct terminal terminal;
	struct showing s = {
		.config = config,
		.caches = as_json ? json_add_array(top, "caches") : NULL,
		.out = &out,
	};
	int r;

	terminal_look(STDOUT_FILENO, &terminal);
	s.columns = terminal.columns;
	ctx_init(&s.ctx, NULL, -1);
	r = account_each(config->cache_dir, config->api_url, show_one, &s);
	if (r < 0)
		command_say("%s",
			    *s.ctx.sentence ? s.ctx.sentence : strerror(-r));
	ctx_done(&s.ctx);
	if (r < 0)
		return COMMAND_FAILED;
	if (as_json)
		json_pretty(top, &out);
	else if (!s.n)
		buf_printf(&out, "%s has nothing yet\n", config->cache_dir);
	buf_puts(&out, "");
	terminal_fold(&terminal, out.data, CACHE_NAME_AT, &shown);
	return command_print(shown.data, shown.len);
}

/* ---- by hand ---- */

struct by_hand {
	const struct hand *hand;
	const char *name; /* "acme/widgets", "acme" */
	struct ctx ctx;
	size_t n;
	bool failed;
};

struct hand {
	const char *word;
	/* What is to be said of it; or -errno, with the sentence. */
	int (*work)(struct ctx *, const char *dir,
		    const struct usage_repository *, const char *name,
		    struct buf *said);
};

/* The reasons why something of a cache cannot be changed. */
static int refused(struct ctx *ctx, const char *name, int r)
{
	switch (r) {
	case -ENOENT:
		return ctx_fail(ctx, r,
				"nothing of %s's files is cached: look into "
				"its tree first",
				name);
	case -EPERM:
		return ctx_fail(ctx, r,
				"%s is kept: bitbucketfs cache unkeep %s lets "
				"it go",
				name, name);
	case -EBUSY:
		return ctx_fail(ctx, r,
				"%s stays: it is being fetched, or another "
				"bitbucketfs is evicting; try again in a "
				"moment",
				name);
	case -EROFS:
		return ctx_fail(ctx, r,
				"%s stays as it is: the cache is on a file "
				"system that is read-only",
				name);
	default:
		return ctx_fail(ctx, r, "%s stays as it is: %s", name,
				strerror(-r));
	}
}

static int keep(struct ctx *ctx, const char *dir,
		const struct usage_repository *r, const char *name,
		struct buf *said)
{
	int e = evict_keep(dir, r->uuid, true);

	if (e < 0)
		return refused(ctx, name, e);
	buf_printf(said, "%s is kept\n", name);
	return 0;
}

static int unkeep(struct ctx *ctx, const char *dir,
		  const struct usage_repository *r, const char *name,
		  struct buf *said)
{
	int e = evict_keep(dir, r->uuid, false);

	if (e < 0)
		return refused(ctx, name, e);
	buf_printf(said, "%s is kept no longer\n", name);
	return 0;
}

static int drop(struct ctx *ctx, const char *dir,
		const struct usage_repository *r, const char *name,
		struct buf *said)
{
	uint64_t n_git = 0, n_files = 0;
	char text[16];
	int e = r->kept ? -EPERM : 0;

	if (!e && r->has_store)
		e = evict_drop(ctx, dir, r->uuid, &n_git);
	if (!e)
		e = usage_drop_files(dir, r, &n_files);
	if (e < 0)
		return refused(ctx, name, e);
	buf_printf(said, "%s: %s freed\n", name,
		   text_bytes(n_git + n_files, text));
	return 0;
}

static const struct hand hands[] = {
	{"keep", keep},
	{"unkeep", unkeep},
	{"drop", drop},
};

static void say(const struct by_hand *h, const char *sentence)
{
	command_say("%s", *sentence ? sentence : h->name);
}

static void work_on(struct by_hand *h, const char *dir,
		    const struct usage *usage)
{
	struct usage_repository *r, *next;

	HASH_ITER (hh, usage->all, r, next) {
		cleanup(buf_done) struct buf said = BUF_INIT(0);

		/* A workspace's are those of which files are here; a repository
		 * is told when there are none. */
		if (!usage_is_of(r, h->name) ||
		    (!usage_bytes(r) && !strchr(h->name, '/')))
			continue;
		h->n++;
		if (h->hand->work(&h->ctx, dir, r, r->name, &said) < 0) {
			say(h, h->ctx.sentence);
			h->failed = true;
		} else if (command_print(said.data, said.len) != COMMAND_OK) {
			h->failed = true;
		}
	}
}

static int work_in(void *arg, const char *dir)
{
	struct by_hand *h = arg;
	cleanup(usage_done) struct usage usage = {0};
	cleanup(fd) int held = -1;
	int r = account_use(dir, &held);

	if (r == -EBUSY)
		return ctx_fail(&h->ctx, r,
				"%s is locked by another bitbucketfs, which "
				"removes it",
				dir);
	if (!r)
		r = usage_read(&h->ctx, dir, &usage);
	if (!r)
		work_on(h, dir, &usage);
	return r;
}

static enum command_exit by_hand(const struct config *config,
				 const struct hand *hand, const char *path)
{
	cleanup(cache_place_done) struct cache_place place = {0};
	struct by_hand h = {.hand = hand};
	enum command_exit end = cache_place_of(path, &place);
	int r;

	if (end != COMMAND_OK)
		return end;
	h.name = place.name;
	ctx_init(&h.ctx, NULL, -1);
	r = place.dir ? work_in(&h, place.dir)
		      : account_each(config->cache_dir, config->api_url,
				     work_in, &h);
	if (r < 0)
		say(&h, *h.ctx.sentence ? h.ctx.sentence : strerror(-r));
	else if (!h.n)
		command_say("nothing of '%s' is cached", place.name);
	ctx_done(&h.ctx);
	return r < 0 || h.failed || !h.n ? COMMAND_FAILED : COMMAND_OK;
}

static enum command_exit all_by_hand(const struct config *config,
				     const struct hand *hand,
				     const struct command_line *line)
{
	enum command_exit end = COMMAND_OK;

	for (size_t i = 1; i < line->n_operands; i++) {
		enum command_exit one =
			by_hand(config, hand, line->operands[i]);

		end = end == COMMAND_OK ? one : end;
	}
	return end;
}

static const struct hand *find_hand(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(hands); i++)
		if (!strcmp(hands[i].word, word))
			return &hands[i];
	return NULL;
}

enum command_exit cache_command(const struct command_line *line)
{
	const char *word = line->n_operands ? line->operands[0] : NULL;
	const struct hand *hand = word ? find_hand(word) : NULL;
	struct remote remote = {0};
	enum command_exit end;

	if (word && !hand)
		return command_usage("cache takes keep, unkeep or drop, and "
				     "not '%s'",
				     word);
	if (hand && line->n_operands < 2)
		return command_usage("cache %s needs a PATH: a repository or "
				     "a workspace, like ~/bitbucket/acme/"
				     "widgets or acme/widgets",
				     word);
	if (hand && line->json)
		return command_usage("cache %s takes no --json", word);
	end = remote_read_config(&remote, line);
	if (end == COMMAND_OK)
		end = hand ? all_by_hand(&remote.config, hand, line)
			   : show(&remote.config, line->json);
	remote_done(&remote);
	return end;
}
