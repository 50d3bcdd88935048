/*
 * Which packs go. An object may be in several; one that must stay as it is
 * stays in one of them at least.
 */
#include "objects_evict_private.h"

#include "store/pack_read.h"

#include "base/file.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *pack_path(const char *store, const char *name, const char *suffix)
{
	return mem_asprintf("%s/objects/pack/%s%s", store, name, suffix);
}

bool objects_pack_is_promisor(const char *store, const char *name)
{
	cleanup(free) char *path = pack_path(store, name, ".promisor");

	return access(path, F_OK) == 0;
}

/* Commits and trees alone, of an earlier eviction or a fetch without blobs. */
bool objects_pack_has_no_blobs(const char *store, const char *name)
{
	cleanup(free) char *path = pack_path(store, name, ".promisor");
	struct stat st;

	return stat(path, &st) == 0 && st.st_size == 0;
}

static int by_size(const void *a, const void *b)
{
	const struct evict_pack *x = a, *y = b;

	return x->size > y->size ? -1 : x->size < y->size;
}

int objects_packs_list(const char *store, struct evict_pack **ret_packs,
		       size_t *ret_n)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", store);
	DIR *d = opendir(dir);
	struct evict_pack *packs = NULL;
	size_t n = 0, room = 0;
	struct dirent *e;
	struct stat st;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		size_t length = strlen(e->d_name);
		cleanup(free) char *path = NULL;

		if (length <= 4 || strcmp(e->d_name + length - 4, ".idx") != 0)
			continue;
		mem_grow(packs, n, room);
		packs[n] = (struct evict_pack){.size = 0};
		packs[n].name = mem_dup0(e->d_name, length - 4);
		path = pack_path(store, packs[n].name, ".pack");
		if (stat(path, &st) == 0) {
			packs[n].size = (uint64_t)st.st_size;
			packs[n].came_ms = (int64_t)st.st_mtim.tv_sec * 1000 +
					   st.st_mtim.tv_nsec / 1000000;
		}
		n++;
	}
	closedir(d);
	if (n)
		qsort(packs, n, sizeof(*packs), by_size);
	*ret_packs = packs;
	*ret_n = n;
	return 0;
}

void objects_packs_free(struct evict_pack *packs, size_t n)
{
	while (n)
		free(packs[--n].name);
	free(packs);
}

static int count_in(void *arg, const struct oid *oid)
{
	struct eviction *e = arg;
	struct evict_member *m = objects_evict_find(e->warm, oid);

	if (m)
		m->n_packs++;
	return 0;
}

/* A tree in another pack may lead to nothing that is missing (git fsck). */
static int count_parts_in(void *arg, const struct oid *oid)
{
	struct eviction *e = arg;
	struct evict_member *m = objects_evict_find(e->rest, oid);

	if (m)
		m->n_packs++;
	return 0;
}

static int is_needed(void *arg, const struct oid *oid)
{
	const struct eviction *e = arg;
	const struct evict_member *m = objects_evict_find(e->warm, oid);

	return m && m->n_packs < 2;
}

static int count_out(void *arg, const struct oid *oid)
{
	struct eviction *e = arg;
	struct evict_member *m = objects_evict_find(e->warm, oid);

	if (m)
		m->n_packs--;
	return 0;
}

static int each_in(struct eviction *e, const struct evict_pack *pack,
		   int (*each)(void *arg, const struct oid *))
{
	cleanup(free) char *index = pack_path(e->o->path, pack->name, ".idx");

	return ctx_is_cancelled(e->ctx) ? -EINTR
					: pack_index_each(index, each, e);
}

static int note_going(void *arg, const struct oid *oid)
{
	struct eviction *e = arg;
	struct evict_member *m = objects_evict_find(e->rest, oid);

	if (m) {
		m->goes = true;
		m->n_packs -= e->is_of_parts;
	}
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct evict_pack *x = a, *y = b;

	return x->came_ms < y->came_ms ? -1 : x->came_ms > y->came_ms;
}

/* What came lately was not read yet. */
static bool is_old_part(const struct eviction *e, const struct evict_pack *p)
{
	return p->came_ms < e->before_ms &&
	       objects_pack_is_promisor(e->o->path, p->name) &&
	       !objects_pack_has_no_blobs(e->o->path, p->name);
}

/* Of its parts. */
static bool is_enough(const struct eviction *e)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < e->n_packs; i++)
		sum += e->packs[i].size;
	return sum >= e->n_bytes_most;
}

int objects_evict_choose(struct eviction *e)
{
	struct evict_pack *packs = NULL;
	size_t n = 0;
	int r = objects_packs_list(e->o->path, &packs, &n);

	if (e->is_of_parts && n)
		qsort(packs, n, sizeof(*packs), by_time);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = each_in(e, &packs[i], count_in);
		if (r == 0 && e->is_of_parts &&
		    objects_pack_is_promisor(e->o->path, packs[i].name))
			r = each_in(e, &packs[i], count_parts_in);
	}
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (e->is_of_parts && is_enough(e))
			break;
		if (e->is_of_parts && !is_old_part(e, &packs[i]))
			continue;
		r = each_in(e, &packs[i], is_needed);
		if (r == 0)
			r = each_in(e, &packs[i], count_out);
		else
			continue;
		mem_grow(e->packs, e->n_packs, e->room_packs);
		e->packs[e->n_packs] = packs[i];
		e->packs[e->n_packs++].name = steal(&packs[i].name);
	}
	objects_packs_free(packs, n);
	for (size_t i = 0; r >= 0 && i < e->n_packs; i++)
		r = each_in(e, &e->packs[i], note_going);
	return r < 0 ? r : 0;
}

bool objects_evict_is_worth(const struct eviction *e)
{
	for (size_t i = 0; i < e->n_packs; i++)
		if (!objects_pack_has_no_blobs(e->o->path, e->packs[i].name))
			return true;
	return false;
}

bool objects_evict_has_spare(const char *path)
{
	struct evict_pack *packs = NULL;
	bool has = false;
	size_t n = 0;

	if (objects_packs_list(path, &packs, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		has = has || !objects_pack_has_no_blobs(path, packs[i].name);
	objects_packs_free(packs, n);
	return has;
}

void objects_evict_choose_done(struct eviction *e)
{
	objects_packs_free(e->packs, e->n_packs);
}

/* ---- what goes ---- */

uint64_t objects_evict_unlink(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && unlink(path) == 0
		       ? (uint64_t)st.st_blocks * 512
		       : 0;
}

int objects_pack_remove(const struct objects *o, const char *name,
			uint64_t *ret_freed)
{
	static const char *const suffixes[] = {".idx", ".rev", ".pack",
					       ".promisor"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		cleanup(free) char *path =
			pack_path(o->path, name, suffixes[i]);

		*ret_freed += objects_evict_unlink(path);
		if (access(path, F_OK) == 0)
			return -EROFS;
	}
	return 0;
}

int objects_evict_remove(struct eviction *e, const char *kept,
			 uint64_t *ret_freed)
{
	cleanup(fd) int lock = -1;
	int r = objects_lock(e->o->path, LOCK_EX, &lock);

	for (size_t i = 0; r == 0 && i < e->n_packs; i++)
		if (!kept || strcmp(e->packs[i].name, kept) != 0)
			r = objects_pack_remove(e->o, e->packs[i].name,
						ret_freed);
	return r;
}
