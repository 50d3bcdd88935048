/*
 * content/documents: the sizes of a directory's files at a commit, as /src says
 * them (src/api/README.md, 24): of what a filter left out of a pack, whose size
 * git does not tell. One page, the largest first; not kept here: whoever asks
 * knows the objects' ids, and keeps it by them.
 */
#include "content/documents_private.h"

#include "base/text.h"

#define QUERY                                                     \
	"?pagelen=100&sort=-size&fields=values.path,values.type," \
	"values.size,values.attributes"

/* Its content is what git has under that name: not that of a large file which
 * is elsewhere, or a link's. */
static bool is_plain(const struct json *entry)
{
	JSON_EACH (attribute, json_at(entry, "attributes")) {
		const char *is = json_str(attribute, "");

		if (is && (!strcmp(is, "lfs") || !strcmp(is, "link") ||
			   !strcmp(is, "subrepository")))
			return false;
	}
	return true;
}

/* The name of a file that is in that directory itself; NULL. */
static const char *name_of(const struct json *entry, const char *dir)
{
	const char *type = json_str(entry, "type");
	const char *path = json_str(entry, "path");
	size_t n = strlen(dir);

	if (!type || strcmp(type, "commit_file") != 0 || !path)
		return NULL;
	if (n && (strncmp(path, dir, n) != 0 || path[n++] != '/'))
		return NULL;
	/* What is no UTF-8 is told as U+FFFD, so the name may be another's. */
	return path[n] && !strchr(path + n, '/') &&
			       !strstr(path, "\xef\xbf\xbd")
		       ? path + n
		       : NULL;
}

static char *path_of(const char *workspace, const char *repository,
		     const char *commit, const char *dir)
{
	cleanup(free) char *top =
		bitbucket_repository_path(workspace, repository);
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	buf_printf(&path, "%s/src/%s/", top, commit);
	if (*dir) {
		text_percent_encode(&path, dir, "/");
		buf_putc(&path, '/');
	}
	buf_puts(&path, QUERY);
	return path.failed ? NULL : buf_steal(&path, NULL);
}

int documents_sizes(struct ctx *ctx, struct documents *d,
		    const struct documents_directory *dir,
		    void (*each)(void *arg, const char *name, uint64_t size),
		    void *arg)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = path_of(dir->workspace, dir->repository,
					   dir->commit, dir->path);
	int r;

	if (!path)
		return -ENAMETOOLONG;
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	r = bitbucket_get_once(ctx, d->config.bitbucket, path, &reply, &answer);
	ctx_wait_end(ctx);
	if (r >= 0)
		r = bitbucket_parse(ctx, &reply, "the directory", &json);
	if (r < 0)
		return r;
	JSON_EACH (entry, json_at(json, "values")) {
		const char *name = name_of(entry, dir->path);
		int64_t size = json_int(entry, "size", -1);

		if (name && size >= 0 && is_plain(entry))
			each(arg, name, (uint64_t)size);
	}
	return 0;
}
