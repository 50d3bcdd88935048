/*
 * content/documents: what the service would lead to. A pull request's diff and
 * diffstat are redirects, two requests each, and the pull request itself has a
 * link to where they lead, made of its two commits.
 *
 * The link is as old as the document that has it, while the redirect tells the
 * commits of now: the link serves where nothing is at hand, the answer is
 * believed no longer than the document, and whoever asks for it again asks for
 * the redirect. Of an item that is closed both lead to the same for ever.
 */
#include "content/documents_private.h"

#include "base/text.h"

/* The item that the scope is in, however far below it: "…/@7/changes/diff". */
static char *item_key(const struct scope *scope)
{
	const char *at = NULL, *end;

	for (const char *s = scope->key; (s = strstr(s, "/@")); s++)
		at = s;
	end = at ? strchr(at + 1, '/') : NULL;
	return end ? mem_dup0(scope->key, (size_t)(end - scope->key)) : NULL;
}

/* Whether it can go into a path as it is, and leads nowhere else. */
static bool is_plain(const char *text)
{
	if (strstr(text, "/../") || strstr(text, "/./"))
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '#')
			return false;
	return true;
}

/* What is behind "…/repositories/{ws}/{repo}" and the endpoint's name. */
static const char *tail_of(const char *href, const char *name)
{
	static const char top[] = "/repositories/";
	const char *at = strstr(href, top);

	if (!at)
		return NULL;
	at += strlen(top);
	at = strchr(at, '/');
	at = at ? strchr(at + 1, '/') : NULL;
	return at && !strncmp(at, name, strlen(name)) ? at + strlen(name)
						      : NULL;
}

/* NULL: there is no link, or it is not about the commits that the item has. */
static const char *spec_of(const struct json *item, const char *path,
			   const char *name)
{
	const char *source = json_str(item, "source.commit.hash");
	const char *destination = json_str(item, "destination.commit.hash");
	const char *href = json_str(item, path);
	const char *tail = href ? tail_of(href, name) : NULL;

	return tail && is_plain(tail) && source && *source && destination &&
			       *destination && strstr(tail, source) &&
			       strstr(tail, destination)
		       ? tail
		       : NULL;
}

char *documents_direct(struct ctx *ctx, const struct documents_fetch *f,
		       const struct cache_entry *old, int64_t *ret_left_ms)
{
	cleanup(free) char *key = NULL, *path = NULL;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(json_free) struct json *json = NULL;
	const struct resource_direct *direct = f->row->direct;
	const char *spec, *name;

	if (!direct || f->anew || (old && old->body))
		return NULL;
	key = item_key(f->scope);
	e = key ? answer_peek(f->documents->config.cache, key) : NULL;
	json = answer_json(e);
	if (!json)
		return NULL;
	*ret_left_ms = direct->is_final && direct->is_final(json) ? FINAL_MS
								  : e->left_ms;
	if (*ret_left_ms <= 0)
		return NULL;
	name = strrchr(direct->endpoint, '}') + 1;
	spec = spec_of(json, direct->link, name);
	if (!spec || documents_path(ctx, f->documents, direct->endpoint,
				    f->scope, &path) < 0)
		return NULL;
	return mem_asprintf("%s%s", path, spec);
}

bool documents_direct_failed(struct ctx *ctx, long status)
{
	if (status != 400 && status != 404)
		return false;
	ctx->sentence[0] = '\0';
	return true;
}
