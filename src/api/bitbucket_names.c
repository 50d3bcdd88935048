/*
 * api/bitbucket, workspaces by uuid: a path has a workspace's {uuid}, which no
 * rename changes. A team's proxy with routes of its own may know workspaces by
 * their slugs alone, and answers 404. Then the slug is tried, once, and used
 * from then on if the answer names the uuid that was meant. Once a uuid was
 * taken, no slug is tried: a 404 would otherwise be asked twice, and could be
 * answered for whoever has that slug by now.
 */
#include "api/bitbucket_private.h"

#include "base/map.h"
#include "base/text.h"

struct bitbucket_name {
	char *segment; /* "%7B…%7D" */
	char *uuid, *slug;
	UT_hash_handle hh;
};

static char *encoded(const char *text)
{
	struct buf out = BUF_INIT(0);

	text_percent_encode(&out, text, "");
	return buf_steal(&out, NULL);
}

void bitbucket_name_workspace(struct bitbucket *b, const char *uuid,
			      const char *slug)
{
	cleanup(free) char *segment = NULL;
	struct bitbucket_name *name;

	if (uuid[0] != '{' || !*slug)
		return;
	segment = encoded(uuid);
	mutex_lock(&b->lock);
	HASH_FIND_STR(b->names, segment, name);
	if (!name) {
		name = mem_calloc(1, sizeof(*name));
		name->segment = steal(&segment);
		name->uuid = mem_strdup(uuid);
		HASH_ADD_KEYPTR(hh, b->names, name->segment,
				strlen(name->segment), name);
	}
	if (!name->slug || strcmp(name->slug, slug)) {
		free(name->slug);
		name->slug = mem_strdup(slug);
	}
	mutex_unlock(&b->lock);
}

void bitbucket_names_done(struct bitbucket *b)
{
	struct bitbucket_name *name, *next;

	mutex_lock(&b->lock);
	HASH_ITER (hh, b->names, name, next) {
		HASH_DEL(b->names, name);
		free(name->segment);
		free(name->uuid);
		free(name->slug);
		free(name);
	}
	mutex_unlock(&b->lock);
}

/* Where in a URL of ours the workspace is; NULL: nowhere. */
static const char *workspace_in(const struct bitbucket *b, const char *url)
{
	static const char *const before[] = {"/repositories/", "/workspaces/",
					     "/snippets/", "/user/workspaces/"};
	size_t n = strlen(b->api_url);

	if (strncmp(url, b->api_url, n))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		if (!strncmp(url + n, before[i], strlen(before[i])))
			return url + n + strlen(before[i]);
	return NULL;
}

char *bitbucket_url_by_name(struct bitbucket *b, const char *url,
			    char **ret_uuid)
{
	const char *at = workspace_in(b, url);
	cleanup(free) char *segment = NULL, *slug = NULL;
	struct bitbucket_name *name;
	char *by_name = NULL;
	size_t n;

	if (!at || strncmp(at, "%7B", 3))
		return NULL;
	n = strcspn(at, "/?");
	segment = mem_dup0(at, n);
	mutex_lock(&b->lock);
	HASH_FIND_STR(b->names, segment, name);
	if (name && b->uuids != BITBUCKET_UUIDS_TAKEN) {
		slug = encoded(name->slug);
		by_name = mem_asprintf("%.*s%s%s", (int)(at - url), url, slug,
				       at + n);
		*ret_uuid = mem_strdup(name->uuid);
	}
	mutex_unlock(&b->lock);
	return by_name;
}

enum bitbucket_uuids bitbucket_uuids(struct bitbucket *b)
{
	return mutex_with(&b->lock, b->uuids);
}

bool bitbucket_takes_uuids(struct bitbucket *b)
{
	return bitbucket_uuids(b) == BITBUCKET_UUIDS_TAKEN;
}

void bitbucket_set_uuids(struct bitbucket *b, enum bitbucket_uuids uuids)
{
	mutex_lock(&b->lock);
	if (b->uuids == BITBUCKET_UUIDS_UNTRIED)
		b->uuids = uuids;
	mutex_unlock(&b->lock);
}

char *bitbucket_url(struct bitbucket *b, const char *path)
{
	cleanup(free) char *url = mem_asprintf("%s%s", b->api_url, path);
	cleanup(free) char *uuid = NULL, *by_name = NULL;

	if (bitbucket_uuids(b) == BITBUCKET_UUIDS_REFUSED)
		by_name = bitbucket_url_by_name(b, url, &uuid);
	return by_name ? steal(&by_name) : steal(&url);
}
