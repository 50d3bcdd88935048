/*
 * setup/account: what was cached for all accounts is removed. A cache directory
 * may be one that the user named, a home even, with other things in it, so only
 * what has the form of ours is touched: in a host's directory the map, its key
 * and lock, and the accounts' directories.
 *
 * Who is killed in the middle leaves no half of an account under its name; the
 * key of the map, by which a host's directory is known, goes last, so that who
 * runs it again goes on.
 */
#include "setup/account_private.h"

#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "accounts.key"

struct removal {
	void (*each)(void *arg, const char *path);
	void *arg;
	int first; /* failure; 0: none */
	/* What is done with each host's directory. */
	void (*host)(struct removal *, const char *dir);
	/* Of the accounts' directories, until all is done: a mount that begins
	 * waits, and makes its own anew. */
	int *locks;
	size_t n_locks;
};

static void note(struct removal *removal, int r)
{
	if (!removal->first)
		removal->first = r;
}

/* A directory of this user's in which nobody else can put things. */
static bool is_own(const char *dir)
{
	struct stat st;

	return !lstat(dir, &st) && S_ISDIR(st.st_mode) && own_is(&st) &&
	       !own_others_may_write(&st);
}

/* Only a host's directory has the key of its map, and a file of that name may
 * be anything else. */
static bool is_host(const char *dir)
{
	cleanup(free) char *key = mem_asprintf("%s/" KEY, dir);
	struct stat st;

	return is_own(dir) && !lstat(key, &st) && S_ISREG(st.st_mode) &&
	       own_is(&st) && st.st_size == ACCOUNT_KEY_BYTES;
}

/* By what cache_open makes. */
static bool has_cache(const char *dir)
{
	cleanup(free) char *lock = mem_asprintf("%s/cache.lock", dir);
	cleanup(free) char *db = mem_asprintf("%s/cache.db", dir);

	return !access(lock, F_OK) || !access(db, F_OK);
}

/* Each directory of this user's in it but hidden ones, without following
 * symlinks. */
static void each_below(const char *dir,
		       void (*each)(struct removal *, const char *dir),
		       struct removal *removal)
{
	DIR *opened = opendir(dir);
	struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", dir, entry->d_name);

		if (*entry->d_name != '.' && is_own(path))
			each(removal, path);
	}
	if (opened)
		closedir(opened);
}

static void look(struct removal *removal, const char *dir)
{
	if (is_host(dir))
		removal->host(removal, dir);
}

/* A profile's directory has those of its hosts. */
static void look_both(struct removal *removal, const char *dir)
{
	if (strrchr(dir, '/')[1] != '@') {
		look(removal, dir);
		return;
	}
	each_below(dir, look, removal);
	/* While there is something to remove it is not empty. */
	rmdir(dir);
}

static void each_host(const char *cache_dir,
		      void (*host)(struct removal *, const char *dir),
		      struct removal *removal)
{
	removal->host = host;
	each_below(cache_dir, look_both, removal);
}

/* ---- what is in use ---- */

static void lock_account(struct removal *removal, const char *dir)
{
	int fd;

	if (!account_is_name(strrchr(dir, '/') + 1))
		return;
	fd = account_open_locked(dir, LOCK_EX | LOCK_NB);
	if (fd < 0) {
		note(removal, fd);
		return;
	}
	removal->locks =
		mem_realloc(removal->locks,
			    (removal->n_locks + 1) * sizeof(*removal->locks));
	removal->locks[removal->n_locks++] = fd;
}

static void lock_host(struct removal *removal, const char *dir)
{
	each_below(dir, lock_account, removal);
}

/* ---- what goes ---- */

static void set_aside(struct removal *removal, const char *dir)
{
	int r = 0;

	if (!account_is_name(strrchr(dir, '/') + 1))
		return;
	/* An account's that was never used, or somebody's. */
	if (has_cache(dir))
		r = account_set_aside(dir);
	else
		rmdir(dir);
	note(removal, r);
}

/* What account.c was writing when it was killed. */
static void remove_pieces(const char *dir)
{
	static const char prefix[] = KEY ".";
	DIR *opened = opendir(dir);
	struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		const char *rest = entry->d_name + strlen(prefix);

		if (!strncmp(entry->d_name, prefix, strlen(prefix)) && *rest &&
		    !rest[strspn(rest, "0123456789")])
			unlinkat(dirfd(opened), entry->d_name, 0);
	}
	if (opened)
		closedir(opened);
	(void)file_sweep(dir);
}

static int remove_file(const char *dir, const char *name)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", dir, name);

	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int remove_contents(struct removal *removal, const char *dir)
{
	static const char *const names[] = {"accounts", "accounts.lock", KEY};
	int r;

	each_below(dir, set_aside, removal);
	r = account_sweep(dir);
	remove_pieces(dir);
	for (size_t i = 0; !r && i < ARRAY_SIZE(names); i++)
		r = remove_file(dir, names[i]);
	return r;
}

static void remove_host(struct removal *removal, const char *dir)
{
	cleanup(free) char *some = mem_asprintf(
		"what was cached in %s, where other things are left", dir);
	int r = remove_contents(removal, dir);

	if (r)
		note(removal, r);
	else
		removal->each(removal->arg, rmdir(dir) ? some : dir);
}

int account_remove_all(const char *cache_dir,
		       void (*each)(void *arg, const char *path), void *arg)
{
	struct removal removal = {.each = each, .arg = arg};

	each_host(cache_dir, lock_host, &removal);
	if (!removal.first) {
		each_host(cache_dir, remove_host, &removal);
		rmdir(cache_dir);
	}
	for (size_t i = 0; i < removal.n_locks; i++)
		file_close(removal.locks[i]);
	free(removal.locks);
	return removal.first;
}
