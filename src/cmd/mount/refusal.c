/*
 * cmd/mount/refusal: standard error leads into a file without a name. Not into
 * a pipe: with auto_unmount fusermount3 stays, and holds its end for as long as
 * the mount is there.
 */
#include "cmd/mount/refusal.h"

#include "base/file.h"

#include <sys/mman.h>
#include <unistd.h>

#define WORDS_MAX 1024

void refusal_listen(struct refusal *r)
{
	fflush(stderr);
	r->file = memfd_create("words", MFD_CLOEXEC);
	r->saved = r->file < 0 ? -1 : dup(STDERR_FILENO);
	if (r->saved < 0 || dup2(r->file, STDERR_FILENO) < 0)
		r->file = file_close(r->file);
}

char *refusal_heard(struct refusal *r)
{
	char words[WORDS_MAX] = "";
	ssize_t n = 0;

	fflush(stderr);
	if (r->file >= 0) {
		dup2(r->saved, STDERR_FILENO);
		n = pread(r->file, words, sizeof(words) - 1, 0);
	}
	r->file = file_close(r->file);
	r->saved = file_close(r->saved);
	words[n > 0 ? n : 0] = 0;
	return mem_strdup(words);
}

/* Lines without who says them, in one line. */
static char *in_one_line(const char *words)
{
	struct buf line = BUF_INIT(WORDS_MAX);

	while (*words) {
		size_t n = strcspn(words, "\n");
		const char *from = words;

		for (size_t i = 0; i < 2; i++) {
			static const char *const who[] = {"fusermount3: ",
							  "fuse: "};

			if (!strncmp(from, who[i], strlen(who[i])))
				from += strlen(who[i]);
		}
		if (words + n > from)
			buf_printf(&line, "%s%.*s", line.len ? "; " : "",
				   (int)(words + n - from), from);
		words += n + (words[n] == '\n');
	}
	return buf_steal(&line, NULL);
}

/* Words that are known, and what is to be done. */
static const struct {
	const char *words, *sentence;
} known[] = {
	{"user_allow_other",
	 "with allow_other or allow_root it is not mounted, because "
	 "/etc/fuse.conf does not let users do so: as root write the line "
	 "user_allow_other into that file, or leave the option out"},
	{"too many FUSE filesystems",
	 "it is not mounted, because too many FUSE file systems are already: "
	 "unmount one, or as root raise mount_max in /etc/fuse.conf"},
	{"not owned by user",
	 "it is not mounted, because the directory is another user's: take "
	 "one of your own"},
	{"no write access to mountpoint",
	 "it is not mounted, because this user may not write to the "
	 "directory: take one of your own"},
	{"mounting over filesystem type",
	 "it is not mounted, because fusermount3 does not mount over the file "
	 "system that the directory is in: take one of another"},
	{"mount failed: Operation not permitted",
	 "it is not mounted, because this system does not let it (a container "
	 "needs --device /dev/fuse --cap-add SYS_ADMIN, and of AppArmor "
	 "--security-opt apparmor=unconfined)"},
};

char *refusal_sentence(const char *mountpoint, const char *words, int errnum)
{
	cleanup(free) char *line = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(words, known[i].words))
			return mem_asprintf("%s: %s", mountpoint,
					    known[i].sentence);
	line = in_one_line(words);
	return mem_asprintf(
		"mounting at %s failed: %s (see bitbucketfs doctor)",
		mountpoint, line && *line ? line : strerror(errnum));
}
