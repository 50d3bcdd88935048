/*
 * cmd/doctor/indexers: a crawl of a mount costs requests, and what it finds
 * nobody looks for there. updatedb runs as root, who cannot look into a mount
 * without allow_other; the desktops' own run as the user.
 */
#include "cmd/doctor/indexers.h"
#include "cmd/doctor/doctor.h"

#include "cmd/mount/preflight.h"
#include "model/indexers.h"

#include "base/file.h"
#include "base/program.h"

#include <ctype.h>
#include <dirent.h>
#include <strings.h>
#include <unistd.h>

#define CONF "/etc/updatedb.conf"
#define CONF_MAX (256 * KIB)
#define ASK_MS 2000
#define N_NAME strlen("Name:\t")
#define MOUNTINFO_MAX (16 * MIB)
#define TRACKER "org.freedesktop.Tracker3.Miner.Files"
/* What it has where nobody set anything. */
#define TRACKER_DEFAULT \
	"['&DESKTOP', '&DOCUMENTS', '&MUSIC', '&PICTURES', '&VIDEOS']"

/* ---- texts ---- */

/* What follows NAME= or NAME = in a line of its own, to the line's end; NULL:
 * there is no such line. */
static const char *value_of(const char *text, const char *name, size_t *ret_n)
{
	size_t n = strlen(name);

	while (text && *text) {
		const char *line = text + strspn(text, " \t");
		const char *end = strchrnul(text, '\n');
		const char *equals = line + n;

		if (!strncmp(line, name, n)) {
			equals += strspn(equals, " \t");
			if (*equals == '=') {
				*ret_n = (size_t)(end - equals - 1);
				return equals + 1;
			}
		}
		text = *end ? end + 1 : end;
	}
	return NULL;
}

static bool is_below(const char *path, const char *dir, size_t n)
{
	while (n > 1 && dir[n - 1] == '/')
		n--;
	return n && !strncmp(path, dir, n) &&
	       (!path[n] || path[n] == '/' || n == 1);
}

/* Each word of a value; the quotes round all of it are no part of one. */
static const char *next_word(const char **at, const char *end,
			     const char *between, size_t *ret_n)
{
	const char *word;

	while (*at < end && strchr(between, **at))
		(*at)++;
	word = *at;
	while (*at < end && !strchr(between, **at))
		(*at)++;
	*ret_n = (size_t)(*at - word);
	return *ret_n ? word : NULL;
}

bool indexers_updatedb_prunes(const char *conf, const char *path)
{
	size_t n, n_word;
	const char *value = value_of(conf, "PRUNEFS", &n), *word, *end;

	end = value ? value + n : NULL;
	while (value && (word = next_word(&value, end, " \t\"\r", &n_word)))
		if (n_word == strlen(PREFLIGHT_TYPE) &&
		    !strncasecmp(word, PREFLIGHT_TYPE, n_word))
			return true;
	value = value_of(conf, "PRUNEPATHS", &n);
	end = value ? value + n : NULL;
	while (value && (word = next_word(&value, end, " \t\"\r", &n_word)))
		if (is_below(path, word, n_word))
			return true;
	return false;
}

/* "$HOME/Documents" and the like, after the home. */
static char *expanded(const char *text, size_t n, const char *home)
{
	static const char *const names[] = {"$HOME", "${HOME}", "~"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n_name = strlen(names[i]);

		if (n >= n_name && !strncmp(text, names[i], n_name))
			return mem_asprintf("%s%.*s", home, (int)(n - n_name),
					    text + n_name);
	}
	return mem_dup0(text, n);
}

/* Of "&DOCUMENTS" what user-dirs.dirs says: XDG_DOCUMENTS_DIR="$HOME/…". */
static char *special(const char *name, size_t n, const char *user_dirs,
		     const char *home)
{
	cleanup(free) char *key = mem_asprintf("XDG_%.*s_DIR", (int)n, name);
	size_t n_value;
	const char *value = value_of(user_dirs, key, &n_value);

	if (value && n_value > 2 && *value == '"')
		return expanded(value + 1, strcspn(value + 1, "\"\n"), home);
	return mem_asprintf("%s/%.*s", home, (int)n, name);
}

bool indexers_tracker_covers(const char *list, const char *user_dirs,
			     const char *home, const char *path)
{
	for (const char *word = list; (word = strchr(word, '\''));) {
		size_t n = strcspn(++word, "'");
		bool is_special = *word == '&';
		cleanup(free) char *dir =
			is_special ? special(word + 1, n - 1, user_dirs, home)
				   : expanded(word, n, home);
		size_t n_dir = strlen(dir);

		/* Without user-dirs.dirs: Documents, in whichever letters. */
		if (is_below(path, dir, n_dir) ||
		    (is_special && !strncasecmp(path, dir, n_dir) &&
		     strchr("/", path[n_dir])))
			return true;
		word += n + (word[n] != 0);
	}
	return false;
}

static bool is_among(const char *value, size_t n, const char *home,
		     const char *path)
{
	const char *end = value + n, *word;
	size_t n_word;

	while ((word = next_word(&value, end, ",\r", &n_word))) {
		cleanup(free) char *dir = expanded(word, n_word, home);

		if (is_below(path, dir, strlen(dir)))
			return true;
	}
	return false;
}

bool indexers_baloo_covers(const char *rc, const char *home, const char *path)
{
	size_t n;
	const char *value = value_of(rc, "Indexing-Enabled", &n);

	if (value && !strncasecmp(value, "false", 5))
		return false;
	value = value_of(rc, "exclude folders[$e]", &n);
	if (value && is_among(value, n, home, path))
		return false;
	value = value_of(rc, "folders[$e]", &n);
	return value ? is_among(value, n, home, path)
		     : is_below(path, home, strlen(home));
}

/* ---- this machine ---- */

/* The first mount of this user that the indexer would go through. */
struct crawl {
	bool (*covers)(void *arg, const char *path);
	void *arg;
	bool any_allows; /* some mount lets others in */
	char *path;      /* NULL: none */
};

static void judge_place(void *arg, const char *path,
			const struct preflight_place *place)
{
	struct crawl *crawl = arg;

	if (place->user != getuid())
		return;
	crawl->any_allows |= place->allows_others;
	if (!crawl->path && crawl->covers(crawl->arg, path))
		crawl->path = mem_strdup(path);
}

/* Those that are mounted, and where one would be without a MOUNTPOINT. */
static void look(const struct doctor *d, struct crawl *crawl)
{
	cleanup(buf_done) struct buf text = BUF_INIT(MOUNTINFO_MAX);
	cleanup(free) char *usual = NULL;

	if (!file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text))
		preflight_each(text.data ? text.data : "", judge_place, crawl);
	if (!crawl->path &&
	    !preflight_path(d->remote.config.mountpoint, &usual) &&
	    crawl->covers(crawl->arg, usual))
		crawl->path = steal(&usual);
}

static const char *const gnome[] = {INDEXERS_GNOME, NULL};
static const char *const kde[] = {INDEXERS_KDE, NULL};
static const char *const locate[] = {INDEXERS_LOCATE, NULL};

/* A mount shows the first of them what is cached, and no more. */
static bool is_barred(const struct doctor *d, const char *const *names)
{
	const char *const *barred =
		(const char *const *)d->remote.config.indexers;

	return indexers_have(barred ? barred : indexers_usual, *names);
}

static void say_barred(struct report *r, const char *check, const char *who,
		       const char *path)
{
	report_add(r, check, REPORT_OK,
		   "%s goes through %s, is shown what is cached there, and "
		   "causes no requests",
		   who, path);
}

/* A process of this user that is one of them. */
static bool runs(const char *const *names)
{
	DIR *all = opendir("/proc");
	struct dirent *one;
	bool found = false;

	while (all && !found && (one = readdir(all))) {
		cleanup(free) char *path =
			mem_asprintf("/proc/%s/status", one->d_name);
		cleanup(buf_done) struct buf text = BUF_INIT(CONF_MAX);
		const char *uid;
		cleanup(free) char *name = NULL;

		if (!isdigit((unsigned char)one->d_name[0]) ||
		    file_read(path, CONF_MAX, &text) || text.len < N_NAME)
			continue;
		name = mem_dup0(text.data + N_NAME,
				strcspn(text.data + N_NAME, "\n"));
		uid = strstr(text.data, "\nUid:\t");
		found = indexers_have(names, name) && uid &&
			strtoul(uid + 6, NULL, 10) == getuid();
	}
	if (all)
		closedir(all);
	return found;
}

static char *read_text(const char *path)
{
	struct buf text = BUF_INIT(CONF_MAX);

	if (path)
		file_read(path, CONF_MAX, &text);
	buf_puts(&text, "");
	return buf_steal(&text, NULL);
}

static char *read_config(const char *name)
{
	cleanup(free) char *path = NULL;

	file_xdg_path(FILE_XDG_CONFIG, name, &path);
	return read_text(path);
}

static bool updatedb_covers(void *conf, const char *path)
{
	return !indexers_updatedb_prunes(conf, path);
}

void doctor_check_plocate(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(free) char *conf = read_text(CONF);
	struct crawl crawl = {.covers = updatedb_covers, .arg = conf};

	(void)ctx;
	if (access(CONF, F_OK)) {
		report_add(r, "plocate", REPORT_OK, "there is no " CONF);
		return;
	}
	look(d, &crawl);
	if (!crawl.path)
		report_add(r, "plocate", REPORT_OK,
			   CONF " leaves mounts of Bitbucket out");
	else if (!crawl.any_allows &&
		 !(d->is_configured && doctor_allows_others(d)))
		report_add(r, "plocate", REPORT_OK,
			   "updatedb, which is root, cannot look into a mount "
			   "without allow_other");
	else if (is_barred(d, locate))
		say_barred(r, "plocate", "updatedb", crawl.path);
	else
		report_add(
			r, "plocate", REPORT_WARNING,
			"updatedb goes through %s every day, since "
			"allow_other lets root in: as root add " PREFLIGHT_TYPE
			" to PRUNEFS in " CONF,
			crawl.path);
	free(crawl.path);
}

struct tracker {
	char *list, *user_dirs, *home;
};

static bool tracker_covers(void *arg, const char *path)
{
	struct tracker *t = arg;

	return indexers_tracker_covers(t->list, t->user_dirs, t->home, path);
}

static char *ask_tracker(struct ctx *ctx)
{
	static const char *const argv[] = {"gsettings", "get", TRACKER,
					   "index-recursive-directories", NULL};
	cleanup(buf_done) struct buf out = BUF_INIT(CONF_MAX);
	cleanup(buf_done) struct buf err = BUF_INIT(CONF_MAX);
	int status = -1;

	if (program_run(ctx, argv, environ, NULL, ASK_MS, &out, &err,
			&status) ||
	    status || !out.len)
		return mem_strdup(TRACKER_DEFAULT);
	return buf_steal(&out, NULL);
}

void doctor_check_tracker(struct ctx *ctx, struct doctor *d, struct report *r)
{
	struct tracker t = {0};
	struct crawl crawl = {.covers = tracker_covers, .arg = &t};

	if (!runs(gnome)) {
		report_add(r, "tracker", REPORT_OK, "does not run");
		return;
	}
	if (!file_home_path("", &t.home)) {
		t.list = ask_tracker(ctx);
		t.user_dirs = read_config("user-dirs.dirs");
		look(d, &crawl);
	}
	if (crawl.path && is_barred(d, gnome))
		say_barred(r, "tracker", "GNOME's search", crawl.path);
	else if (crawl.path)
		report_add(r, "tracker", REPORT_WARNING,
			   "GNOME's search goes through %s: mount at another "
			   "place, or take what is above it out of the "
			   "index-recursive-directories (gsettings, " TRACKER
			   ")",
			   crawl.path);
	else
		report_add(r, "tracker", REPORT_OK, "indexes no mount");
	free(t.list);
	free(t.user_dirs);
	free(t.home);
	free(crawl.path);
}

struct baloo {
	char *rc, *home;
};

static bool baloo_covers(void *arg, const char *path)
{
	struct baloo *b = arg;

	return indexers_baloo_covers(b->rc, b->home, path);
}

void doctor_check_baloo(struct ctx *ctx, struct doctor *d, struct report *r)
{
	struct baloo b = {0};
	struct crawl crawl = {.covers = baloo_covers, .arg = &b};

	(void)ctx;
	if (!runs(kde)) {
		report_add(r, "baloo", REPORT_OK, "does not run");
		return;
	}
	if (!file_home_path("", &b.home)) {
		b.rc = read_config("baloofilerc");
		look(d, &crawl);
	}
	if (crawl.path && is_barred(d, kde))
		say_barred(r, "baloo", "KDE's search", crawl.path);
	else if (crawl.path)
		report_add(r, "baloo", REPORT_WARNING,
			   "KDE's search goes through %s: run balooctl6 config "
			   "add excludeFolders '%s' (or balooctl)",
			   crawl.path, crawl.path);
	else
		report_add(r, "baloo", REPORT_OK, "indexes no mount");
	free(b.rc);
	free(b.home);
	free(crawl.path);
}
