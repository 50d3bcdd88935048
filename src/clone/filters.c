/*
 * What a fetch leaves out: of a repository that is not small, from a server
 * that can filter, all blobs of a commit, and trees that come behind it
 * (way.c); of a directory the large ones.
 *
 * A server that can filter may refuse kinds of filters one by one
 * (uploadpackfilter.<kind>.allow), for all its repositories or for one. Each
 * kind is tried when it is first needed. One that was refused is remembered for
 * the repository, and for its host if it has worked for none of its
 * repositories: it is not sent again.
 */
#include "clone/clone_private.h"

/* The depth-1 pack of a repository of so many bytes, history included, takes as
 * long as a round trip or two. */
#define SMALL_BYTES (2 * MIB)

/* As git calls them when it refuses one. */
static const struct {
	enum clone_filter kind;
	const char *name;
} kinds[] = {
	{CLONE_FILTER_BLOB_NONE, "blob:none"},
	{CLONE_FILTER_BLOB_LIMIT, "blob:limit"},
	{CLONE_FILTER_TREE, "tree"},
	{CLONE_FILTER_COMBINE, "combine"},
};

/* What is known: "+blob:none -combine". */
struct known {
	unsigned works, refused; /* of enum clone_filter */
};

/* c NULL: the host's. */
static char *key_of(const struct clone_server *server, const struct clone *c)
{
	return mem_asprintf("%s%s%s", server->origin, c ? " " : "",
			    c ? c->uuid : "");
}

static void recall(const struct clone_set *cs,
		   const struct clone_server *server, const struct clone *c,
		   struct known *known)
{
	cleanup(free) char *key = key_of(server, c);
	cleanup(blob_unref) struct blob *text = NULL;
	char word[32];

	*known = (struct known){0};
	if (cache_fact_get(cs->cache, "git-filters", key, strlen(key), &text) <
	    0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(word, sizeof(word), "+%s ", kinds[i].name);
		if (strstr(blob_data(text), word))
			known->works |= kinds[i].kind;
		word[0] = '-';
		if (strstr(blob_data(text), word))
			known->refused |= kinds[i].kind;
	}
}

static void remember(const struct clone_job *j, const struct clone *c,
		     const struct known *known)
{
	cleanup(free) char *key = key_of(j->server, c);
	cleanup(buf_done) struct buf text = BUF_INIT(KIB);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((known->works | known->refused) & kinds[i].kind)
			buf_printf(&text, "%c%s ",
				   known->works & kinds[i].kind ? '+' : '-',
				   kinds[i].name);
	(void)cache_fact_put(j->clones->cache, "git-filters", key, strlen(key),
			     text.len ? text.data : "", text.len);
}

static bool works(const struct clone_server *server, const struct clone *c,
		  unsigned wanted)
{
	struct known host, own;

	recall(c->clones, server, NULL, &host);
	recall(c->clones, server, c, &own);
	return !((own.refused | host.refused) & wanted);
}

void clone_filter_worked(struct clone_job *j)
{
	struct known host;

	recall(j->clones, j->server, NULL, &host);
	if (!(j->filter_kinds & ~host.works))
		return;
	host.works |= j->filter_kinds;
	host.refused &= ~j->filter_kinds;
	remember(j, NULL, &host);
}

/* Those that the server names; all that were sent, if it names none. */
static unsigned named_in(const char *sentence, unsigned sent)
{
	unsigned named = 0;
	char word[32];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(word, sizeof(word), "'%s'", kinds[i].name);
		if (strstr(sentence, word))
			named |= kinds[i].kind;
	}
	return named & sent ? named & sent : sent;
}

void clone_filter_refused(struct clone_job *j)
{
	unsigned refused = named_in(j->ctx->sentence, j->filter_kinds);
	struct known host, own;

	recall(j->clones, j->server, j->clone, &own);
	own.refused |= refused;
	remember(j, j->clone, &own);
	recall(j->clones, j->server, NULL, &host);
	if (!(refused & ~host.works))
		return;
	host.refused |= refused & ~host.works;
	remember(j, NULL, &host);
}

int64_t clone_said_size(struct clone *c)
{
	const struct clone_naming *names = &c->clones->ask_names;
	cleanup(free) char *workspace = NULL;

	if (!names->size)
		return -1;
	mutex_lock(&c->clones->lock);
	workspace = mem_strdup(c->workspace);
	mutex_unlock(&c->clones->lock);
	return names->size(names->arg, c->uuid, workspace);
}

static bool is_small(struct clone *c)
{
	int64_t size = clone_said_size(c);

	return size >= 0 && size <= (int64_t)SMALL_BYTES;
}

static bool can_filter(const struct clone_server *server, const struct clone *c,
		       const struct upload_pack_caps *caps)
{
	return upload_pack_can_filter(caps) &&
	       works(server, c, CLONE_FILTER_BLOB_NONE);
}

bool clone_comes_whole(struct clone *c)
{
	const struct clone_server *server = &c->clones->server;
	struct upload_pack_caps caps;

	return is_small(c) || (clone_caps_recall(c->clones, server, &caps) &&
			       !can_filter(server, c, &caps));
}

bool clone_can_go_ahead(struct clone *c)
{
	const struct clone_server *server = &c->clones->server;
	struct known host;

	recall(c->clones, server, NULL, &host);
	return !server->is_ssh && host.works & CLONE_FILTER_TREE &&
	       works(server, c, CLONE_FILTER_TREE);
}

bool clone_filter_try(struct clone_job *j, const char *filter, unsigned wanted)
{
	if (!works(j->server, j->clone, wanted))
		return false;
	j->filter = filter;
	j->filter_kinds = wanted;
	return true;
}

void clone_filter_choose(struct clone_job *j)
{
	j->filter = NULL;
	j->filter_kinds = 0;
	j->whole = j->need.kind == CLONE_NEED_ALL && !j->n_listed;
	if (j->need.kind == CLONE_NEED_ALL)
		return;
	j->whole = is_small(j->clone) ||
		   !can_filter(j->server, j->clone, &j->session->caps);
	if (j->whole || j->need.kind == CLONE_NEED_BLOB)
		return;
	if (j->need.kind == CLONE_NEED_DIRECTORY) {
		clone_directory_choose(j);
		return;
	}
	/* What is wanted itself is outside of the filter. A combination would
	 * do as well, but for it git goes through all trees below. */
	if (j->need.kind == CLONE_NEED_TREE &&
	    clone_filter_try(j, "tree:0", CLONE_FILTER_TREE))
		return;
	/* By SSH the trees beside it would be another session: way.c. */
	if (j->need.kind == CLONE_NEED_COMMIT && !j->server->is_ssh &&
	    clone_filter_try(j, "tree:1", CLONE_FILTER_TREE))
		return;
	(void)clone_filter_try(j, "blob:none", CLONE_FILTER_BLOB_NONE);
}
