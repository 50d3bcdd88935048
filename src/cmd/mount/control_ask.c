/*
 * cmd/mount/control: the side of a command, which waits no longer than it said.
 */
#include "control_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_MS 20
/* More mounts than anybody has; more sockets than a mistake makes. */
#define MOUNTS_MAX ((size_t)64)

void control_answer_done(struct control_answer *answer)
{
	free(answer->mountpoint);
	free(answer->text);
	*answer = (struct control_answer){0};
}

/* Nobody listens; nobody begins to while the lock is held. */
static void remove_stale(int place, const char *name)
{
	int fd;

	if (control_place_lock(place, 0))
		return;
	fd = control_connect(place, name);
	if (fd == -ECONNREFUSED)
		unlinkat(place, name, 0);
	control_place_unlock(place);
	file_close(fd < 0 ? -1 : fd);
}

static int connect_until(int place, const char *name, int64_t until_ms)
{
	int fd;

	while ((fd = control_connect(place, name)) == -EAGAIN) {
		if (clock_mono_ms() >= until_ms)
			return -ETIMEDOUT;
		poll(NULL, 0, STEP_MS);
	}
	if (fd == -ECONNREFUSED)
		remove_stale(place, name);
	if (fd >= 0 && !control_is_own(fd)) {
		file_close(fd);
		return -ECONNREFUSED;
	}
	return fd;
}

static int read_answer(int fd, struct buf *bytes, int64_t until_ms)
{
	for (;;) {
		char piece[4096];
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		int r = 0;

		if (n == 0)
			return 0;
		if (n > 0)
			r = buf_add(bytes, piece, (size_t)n);
		else if (errno == EAGAIN)
			r = control_wait(fd, POLLIN, until_ms);
		else if (errno != EINTR)
			r = -errno;
		if (r < 0)
			return r;
	}
}

/* "ERRNO MOUNTPOINT\n" and the text. */
static int take_apart(char *bytes, struct control_answer *ret)
{
	char *text = strchr(bytes, '\n');
	char *mountpoint = strchr(bytes, ' ');
	uint64_t errnum;

	if (!text || !mountpoint || mountpoint > text)
		return -EBADMSG;
	*text++ = '\0';
	*mountpoint++ = '\0';
	if (text_parse_u64(bytes, 4095, &errnum) ||
	    !control_read_word(mountpoint))
		return -EBADMSG;
	*ret = (struct control_answer){
		.errnum = -(int)errnum,
		.mountpoint = mem_strdup(mountpoint),
		.text = mem_strdup(text),
	};
	return 0;
}

static int ask(int place, const char *name, const char *line, int timeout_ms,
	       struct control_answer *ret)
{
	cleanup(buf_done) struct buf bytes =
		BUF_INIT(CONTROL_ANSWER_MAX + CONTROL_REQUEST_MAX);
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	cleanup(fd) int fd = connect_until(place, name, until_ms);
	int r;

	if (fd < 0)
		return fd;
	r = control_write(fd, line, strlen(line), until_ms);
	if (!r)
		r = read_answer(fd, &bytes, until_ms);
	if (!r)
		r = bytes.len ? take_apart(bytes.data, ret) : -ECONNRESET;
	return r;
}

static char *line_of(const char *const *words)
{
	struct buf line = BUF_INIT(0);

	for (; *words; words++)
		control_add_word(&line, *words);
	buf_putc(&line, '\n');
	return buf_steal(&line, NULL);
}

int control_ask(dev_t device, const char *const *words, int timeout_ms,
		struct control_answer *ret)
{
	cleanup(free) char *line = line_of(words);
	char name[CONTROL_NAME_MAX];
	int r = -ECONNREFUSED;

	control_name(device, name);
	for (size_t i = 0; i < CONTROL_PLACES && r == -ECONNREFUSED; i++) {
		cleanup(fd) int place = control_place_open(i, false);

		if (place >= 0)
			r = ask(place, name, line, timeout_ms, ret);
	}
	return r;
}

/* ---- all of them ---- */

struct asked {
	int place;
	char name[CONTROL_NAME_MAX];
	const char *line;
	int timeout_ms, r;
	struct control_answer answer;
	struct thread *thread;
};

static void ask_main(void *arg)
{
	struct asked *asked = arg;

	asked->r = ask(asked->place, asked->name, asked->line,
		       asked->timeout_ms, &asked->answer);
}

/* The names in a directory. */
static size_t find_names(int place, struct asked *all, size_t n)
{
	int copy = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		file_close(copy);
		return n;
	}
	while (n < MOUNTS_MAX && (entry = readdir(dir))) {
		if (!control_is_name(entry->d_name))
			continue;
		all[n] = (struct asked){.place = place};
		memcpy(all[n].name, entry->d_name, strlen(entry->d_name) + 1);
		n++;
	}
	closedir(dir);
	return n;
}

/* Two variables may name one directory. */
static bool is_among(int place, const int *places, size_t n)
{
	struct stat a, b;

	if (fstat(place, &a))
		return true;
	for (size_t i = 0; i < n; i++)
		if (places[i] >= 0 && !fstat(places[i], &b) &&
		    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			return true;
	return false;
}

static size_t find_all(int places[CONTROL_PLACES], struct asked *all)
{
	size_t n = 0;

	for (size_t i = 0; i < CONTROL_PLACES; i++) {
		places[i] = control_place_open(i, false);
		if (places[i] >= 0 && is_among(places[i], places, i))
			places[i] = file_close(places[i]);
		if (places[i] >= 0)
			n = find_names(places[i], all, n);
	}
	return n;
}

static size_t tell(struct asked *asked,
		   void (*each)(void *arg, const struct control_answer *),
		   void *arg)
{
	asked->thread = thread_join(asked->thread);
	if (asked->r == -ECONNREFUSED)
		return 0;
	if (asked->r)
		asked->answer = (struct control_answer){.errnum = asked->r,
							.text = mem_strdup("")};
	asked->answer.device = control_device(asked->name);
	each(arg, &asked->answer);
	control_answer_done(&asked->answer);
	return 1;
}

size_t control_ask_all(const char *const *words, int timeout_ms,
		       void (*each)(void *arg, const struct control_answer *),
		       void *arg)
{
	cleanup(free) char *line = line_of(words);
	cleanup(free) struct asked *all = mem_calloc(MOUNTS_MAX, sizeof(*all));
	int places[CONTROL_PLACES];
	size_t n = find_all(places, all), n_alive = 0;

	for (size_t i = 0; i < n; i++) {
		all[i].line = line;
		all[i].timeout_ms = timeout_ms;
		if (thread_start("ask", ask_main, &all[i], &all[i].thread))
			ask_main(&all[i]);
	}
	for (size_t i = 0; i < n; i++)
		n_alive += tell(&all[i], each, arg);
	for (size_t i = 0; i < CONTROL_PLACES; i++)
		file_close(places[i]);
	return n_alive;
}
