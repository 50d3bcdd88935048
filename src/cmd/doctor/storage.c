/*
 * cmd/doctor/storage: the cache as it lies on the disk: whose, how sound, and
 * what room there is. Nothing is made, mended or set aside.
 */
#include "cmd/cache.h"
#include "cmd/doctor/doctor.h"

#include "base/file.h"
#include "base/own.h"
#include "base/text.h"
#include "store/evict.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Below it the next list or tree may not fit. */
#define ROOM_LEAST ((uint64_t)100 * MIB)
#define ROOM_NONE ((uint64_t)1 * MIB)

static char *host_dir(const struct doctor *d)
{
	cleanup(free) char *host = account_host_name(d->remote.config.api_url);

	return mem_asprintf("%s/%s", d->remote.config.cache_dir, host);
}

/* True: it was said what is wrong. */
static bool judge_state(struct ctx *ctx, const char *dir, struct report *r)
{
	enum cache_state state = CACHE_SOUND;
	int e = cache_inspect(ctx, dir, &state);

	if (e == -ETIMEDOUT || e == -EINTR)
		report_add(r, "cache", REPORT_OK,
			   "%s/cache.db could not be read to its end within %d "
			   "seconds: it is large, or a mount checks it just "
			   "now",
			   dir, DOCTOR_CHECK_MS / 1000);
	else if (e)
		report_add(r, "cache", REPORT_ERROR,
			   "%s/cache.db cannot be read: %s", dir, strerror(-e));
	else if (state == CACHE_DAMAGED)
		report_add(r, "cache", REPORT_ERROR,
			   "%s/cache.db is damaged: the next mount sets it "
			   "aside and fetches anew (is the disk sound? see "
			   "dmesg)",
			   dir);
	else if (state == CACHE_LATER)
		report_add(r, "cache", REPORT_ERROR,
			   "%s/cache.db is of a later version of bitbucketfs: "
			   "this one would set it aside, so take the later one",
			   dir);
	return e || state == CACHE_DAMAGED || state == CACHE_LATER;
}

/* True: it was said what is wrong. */
static bool judge_owner(const char *dir, const char *prefix, struct report *r)
{
	char why[OWN_WHY_MAX] = "";
	struct stat st;

	if (own_directory(dir, prefix, why)) {
		report_add(r, "cache", REPORT_ERROR,
			   "the cache cannot be trusted: %s", why);
		return true;
	}
	if (prefix && !*prefix && !stat(dir, &st) && (st.st_mode & 077)) {
		report_add(r, "cache", REPORT_WARNING,
			   "others can look at what %s has of private "
			   "repositories: run chmod 700 '%s'",
			   dir, dir);
		return true;
	}
	return false;
}

struct accounts {
	struct ctx *ctx;
	struct report *report;
	size_t n;
	bool is_bad;
};

static int judge_account(void *arg, const char *dir)
{
	struct accounts *a = arg;

	a->n++;
	if (judge_owner(dir, "", a->report) ||
	    judge_state(a->ctx, dir, a->report))
		a->is_bad = true;
	return 0;
}

void doctor_check_cache(struct ctx *ctx, struct doctor *d, struct report *r)
{
	const char *top = d->remote.config.cache_dir;
	cleanup(free) char *dir = NULL;
	struct accounts all = {.ctx = ctx, .report = r};

	if (!d->is_configured)
		return;
	if (judge_owner(top, NULL, r))
		return;
	dir = host_dir(d);
	if (access(dir, F_OK) && errno == ENOENT) {
		d->cache_is_sound = true;
		report_add(r, "cache", REPORT_OK, "%s has nothing yet", top);
		return;
	}
	if (judge_owner(dir, "accounts", r))
		return;
	(void)account_each(top, d->remote.config.api_url, judge_account, &all);
	d->cache_is_sound = !all.is_bad;
	if (!all.is_bad)
		report_add(r, "cache", REPORT_OK, "%s is sound (%zu account%s)",
			   dir, all.n, all.n == 1 ? "" : "s");
}

/* The directory itself, or the one in which it would be made. */
static int room_at(const char *path, struct statvfs *ret)
{
	cleanup(free) char *at = mem_strdup(path);

	while (statvfs(at, ret)) {
		char *slash = strrchr(at, '/');

		if (errno != ENOENT || !slash)
			return -errno;
		slash[slash == at] = 0;
	}
	return 0;
}

/* What the caches of the host take, and may take. */
struct bound {
	uint64_t cache_size, n_used, n_most;
};

static int add_bound(void *arg, const char *dir)
{
	struct bound *b = arg;
	struct evict_use use;
	uint64_t most = cache_bound(b->cache_size, dir);

	if (!evict_measure(dir, &use, NULL, NULL))
		b->n_used += use.n_bytes;
	if (most && b->n_most < UINT64_MAX - most)
		b->n_most += most;
	else
		b->n_most = UINT64_MAX;
	return 0;
}

/* A bound that the disk cannot hold is none: what is fetched fails before
 * anything is evicted. */
static void judge_bound(const struct doctor *d, uint64_t free_bytes,
			struct report *r)
{
	const struct config *config = &d->remote.config;
	struct bound b = {.cache_size = config->cache_size};
	char is_free[16], used[16], most[16];

	(void)account_each(config->cache_dir, config->api_url, add_bound, &b);
	text_bytes(free_bytes, is_free);
	text_bytes(b.n_used, used);
	text_bytes(b.n_most, most);
	if (!b.n_most)
		report_add(r, "space", REPORT_OK, "%s free for %s", is_free,
			   config->cache_dir);
	else if (b.n_most == UINT64_MAX)
		report_add(r, "space", REPORT_OK,
			   "%s free for %s, which has %s (cache_size is off)",
			   is_free, config->cache_dir, used);
	else if (b.n_most > b.n_used && b.n_most - b.n_used > free_bytes)
		report_add(r, "space", REPORT_WARNING,
			   "%s has %s and may grow to %s, but no more than %s "
			   "is free: set a smaller cache_size",
			   config->cache_dir, used, most, is_free);
	else
		report_add(r, "space", REPORT_OK,
			   "%s free for %s, which has %s of at most %s",
			   is_free, config->cache_dir, used, most);
}

void doctor_check_space(struct ctx *ctx, struct doctor *d, struct report *r)
{
	const char *dir = d->remote.config.cache_dir;
	struct statvfs room;
	char text[16];
	uint64_t free_bytes;
	int e;

	(void)ctx;
	if (!d->is_configured)
		return;
	e = room_at(dir, &room);
	if (e) {
		report_add(r, "space", REPORT_ERROR, "%s: %s", dir,
			   strerror(-e));
		return;
	}
	free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
	text_bytes(free_bytes, text);
	if (room.f_flag & ST_RDONLY)
		report_add(r, "space", REPORT_ERROR,
			   "%s is on a file system that is read-only: name "
			   "another cache_dir",
			   dir);
	else if (room.f_files && !room.f_favail)
		report_add(r, "space", REPORT_ERROR,
			   "the file system of %s has room for no file more "
			   "(inodes): remove some, or name another cache_dir",
			   dir);
	else if (free_bytes < ROOM_LEAST)
		report_add(
			r, "space",
			free_bytes < ROOM_NONE ? REPORT_ERROR : REPORT_WARNING,
			"%s is free for %s, and what does not fit is fetched "
			"again and again: make room, or name another "
			"cache_dir",
			text, dir);
	else
		judge_bound(d, free_bytes, r);
}
