/*
 * cmd/cache_place: of a path in a mount its first two names count, and the
 * mount says where its cache is.
 */
#include "cmd/cache_place.h"
#include "cmd/mount/inside.h"
#include "cmd/mount/preflight.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define STATUS_MAX MIB

void cache_place_done(struct cache_place *place)
{
	free(place->name);
	free(place->dir);
	*place = (struct cache_place){0};
}

/* "acme" or "acme/widgets" of what a path begins with; NULL: of neither. */
static char *name_in(const char *path)
{
	size_t n = strcspn(path, "/"), n_slug;
	cleanup(free) char *workspace = mem_dup0(path, n);
	const char *slug = path + n + strspn(path + n, "/");
	cleanup(free) char *repository = NULL;

	if (!text_is_workspace_id(workspace))
		return NULL;
	n_slug = strcspn(slug, "/");
	repository = mem_dup0(slug, n_slug);
	/* acme/.workspace is the workspace's. */
	if (!n_slug || *slug == '.')
		return steal(&workspace);
	return text_is_repo_slug(repository)
		       ? mem_asprintf("%s/%s", workspace, repository)
		       : NULL;
}

static enum command_exit ask_mount(const char *mountpoint, char **ret_dir)
{
	cleanup(free) char *file =
		mem_asprintf("%s/.bitbucketfs/status.json", mountpoint);
	cleanup(buf_done) struct buf text = BUF_INIT(STATUS_MAX);
	cleanup(json_free) struct json *json = NULL;
	int r = preflight_answers(mountpoint, PREFLIGHT_ANSWER_MS);

	if (!r)
		r = file_read(file, STATUS_MAX, &text);
	if (!r)
		r = json_parse(text.data, text.len, &json);
	if (!r && !json_str(json, "cache.directory"))
		r = -EBADMSG;
	if (r) {
		command_say("the mount at %s does not say where its cache is: "
			    "%s",
			    mountpoint, strerror(-r));
		return COMMAND_FAILED;
	}
	*ret_dir = mem_strdup(json_str(json, "cache.directory"));
	return COMMAND_OK;
}

/* True: it is in a mount of ours. */
static bool look(const char *path, struct inside *inside)
{
	cleanup(buf_done) struct buf table = BUF_INIT(0);

	return !preflight_table(&table) &&
	       !inside_look(table.data ? table.data : "", path, inside);
}

enum command_exit cache_place_of(const char *path, struct cache_place *ret)
{
	cleanup(inside_done) struct inside inside = {0};
	bool is_inside = look(path, &inside);

	ret->name = name_in(is_inside ? inside.path : path);
	if (!ret->name) {
		command_say("'%s' is no repository and no workspace%s", path,
			    is_inside ? "" : ", nor in a mount of yours");
		return COMMAND_FAILED;
	}
	return is_inside ? ask_mount(inside.mountpoint, &ret->dir) : COMMAND_OK;
}
