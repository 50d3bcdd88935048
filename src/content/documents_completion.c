/*
 * content/documents, the names that shells complete: in names_dir a file for
 * each workspace of the account, with the slug of each of its repositories in a
 * line. A shell reads them without a program and without a request, so there is
 * nothing in a name that a shell would take for more than a letter, and nothing
 * else in a file.
 */
#include "content/documents_private.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#include <dirent.h>
#include <unistd.h>

#define MOST_BYTES (4 * MIB) /* some 100,000 names */

static char *path_of(const struct documents *d, const char *workspace)
{
	return mem_asprintf("%s/%s", d->names_dir, workspace);
}

/* A completion that lacks a name is no reason to fail. */
static void write_names(const struct documents *d, const char *workspace,
			const struct buf *names)
{
	cleanup(buf_done) struct buf before = BUF_INIT(MOST_BYTES);
	cleanup(free) char *path = path_of(d, workspace);
	int r = file_read(path, MOST_BYTES, &before);

	/* Once a minute, where nothing is new, it would be a write for nothing.
	 */
	if (!r && before.len == names->len &&
	    (!names->len || !memcmp(before.data, names->data, names->len)))
		return;
	r = file_mkdirs(d->names_dir, 0700);
	if (!r)
		r = file_write_atomic(path, 0600, names->len ? names->data : "",
				      names->len);
	if (r)
		log_debug("%s, for completions: %s", path, strerror(-r));
}

void documents_tell_repositories(struct documents *d, const char *workspace,
				 const struct collection_lines *lines)
{
	cleanup(buf_done) struct buf names = BUF_INIT(MOST_BYTES);

	if (!d->names_dir || !text_is_workspace_id(workspace))
		return;
	for (size_t i = 0; i < lines->n; i++)
		if (text_is_repo_slug(lines->lines[i].slug))
			buf_printf(&names, "%s\n", lines->lines[i].slug);
	write_names(d, workspace, &names);
}

static bool has(const struct collection_lines *lines, const char *slug)
{
	for (size_t i = 0; i < lines->n; i++)
		if (!strcmp(lines->lines[i].slug, slug))
			return true;
	return false;
}

/* Of those that are none of the account's any more. */
static void remove_others(const struct documents *d,
			  const struct collection_lines *lines)
{
	DIR *dir = opendir(d->names_dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup(free) char *path = NULL;

		if (!text_is_workspace_id(entry->d_name) ||
		    has(lines, entry->d_name))
			continue;
		path = path_of(d, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
}

void documents_tell_workspaces(struct documents *d,
			       const struct collection_lines *lines)
{
	static const struct buf none = BUF_INIT(0);

	if (!d->names_dir)
		return;
	/* Of who was killed while writing. */
	(void)file_sweep(d->names_dir);
	remove_others(d, lines);
	for (size_t i = 0; i < lines->n; i++) {
		const char *slug = lines->lines[i].slug;
		cleanup(free) char *path = path_of(d, slug);

		if (text_is_workspace_id(slug) && access(path, F_OK) != 0)
			write_names(d, slug, &none);
	}
}
