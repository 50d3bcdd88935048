/*
 * cmd/mount/control: the thread `control` accepts, and gives each client a
 * thread of its own, so that a client that says nothing, reads nothing, or
 * whose command waits for the network, holds up nobody. When too many say or
 * read nothing, the one that came first goes.
 */
#include "control_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE 64
/* Most of them wait for the network. */
#define CLIENTS_MAX 256
#define TALKERS_MAX 32
/* Who has just come is not silent yet. */
#define SILENT_MS 200
/* For the whole of a request, and for the whole of an answer: who sends a byte
 * now and then is as slow as who sends none. */
#define TALK_MS 5000
/* accept() finds no descriptor free. */
#define PAUSE_MS 200

struct client {
	struct client *prev, *next; /* the oldest first */
	struct control *control;
	struct thread *thread;
	int fd; /* closed by the thread `control`, which may cut it off */
	/* Of the command. The thread `control` alone cancels it, by its group
	 * or because who asked has gone, and frees it. */
	struct ctx ctx;
	/* Under the control's lock: */
	bool talks under_lock; /* it is being listened to, or answered */
	int64_t talks_since_ms under_lock;
	bool ended under_lock;
	bool gone under_lock;  /* who asks has hung up */
	bool stops under_lock; /* its command then does */
};

struct control {
	struct control_config config;
	struct ctx_group *group;
	char *mountpoint;
	char name[CONTROL_NAME_MAX];
	int place, listener;
	int wake;         /* an eventfd: a client has ended, or all is to end */
	struct stat made; /* the socket in its directory */
	struct thread *thread;
	struct client *clients; /* the thread `control`'s */
	size_t n_clients;
	struct mutex lock;
	bool stopping under_lock;
};

static void wake(struct control *control)
{
	eventfd_write(control->wake, 1);
}

/* ---- a client ---- */

/* A line into the buffer, without its end. */
static int read_line(int fd, struct buf *line)
{
	int64_t until = clock_mono_ms() + TALK_MS;

	for (;;) {
		char bytes[1024], *end;
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno == EAGAIN) {
			int r = control_wait(fd, POLLIN, until);

			if (r < 0)
				return r;
		} else if (n < 0) {
			if (errno != EINTR)
				return -errno;
		} else {
			end = memchr(bytes, '\n', (size_t)n);
			if (buf_add(line, bytes,
				    end ? (size_t)(end - bytes) : (size_t)n))
				return -EMSGSIZE;
			if (end)
				return 0;
			if (clock_mono_ms() >= until)
				return -ETIMEDOUT;
		}
	}
}

/* How many words there are; -EBADMSG: that is no request. */
static int split(char *line, size_t n, char *words[CONTROL_WORDS_MAX + 1])
{
	size_t n_words = 0;

	if (memchr(line, '\0', n))
		return -EBADMSG;
	for (char *word = line; word;) {
		char *end = strchr(word, ' ');

		if (end)
			*end++ = '\0';
		if (n_words == CONTROL_WORDS_MAX || !control_read_word(word))
			return -EBADMSG;
		words[n_words++] = word;
		word = end;
	}
	words[n_words] = NULL;
	return (int)n_words;
}

/* Whoever of the two comes second, this or hang_up, cancels it. */
static void begin_command(struct client *client,
			  const struct control_command *command)
{
	bool gone;

	client->ctx.caller = control_peer(client->fd);
	ctx_because(&client->ctx, "bitbucketfs %s", command->name);
	ctx_narrow(&client->ctx, command->timeout_ms);
	mutex_lock(&client->control->lock);
	client->stops = command->stops;
	gone = client->gone && command->stops;
	mutex_unlock(&client->control->lock);
	if (gone)
		ctx_cancel(&client->ctx);
}

static int run_command(struct client *client,
		       const struct control_command *command, char **words,
		       struct buf *answer)
{
	int r;

	begin_command(client, command);
	r = command->run(client->control->config.arg, &client->ctx,
			 (const char *const *)words, answer);
	if (r && !answer->len)
		buf_puts(answer, client->ctx.sentence);
	return r;
}

static int find_and_run(struct client *client, char **words, size_t n_words,
			struct buf *answer)
{
	const struct control_command *c = client->control->config.commands;

	while (c->name && strcmp(c->name, words[0]) != 0)
		c++;
	if (!c->name) {
		buf_puts(answer, "this daemon is of another version, and does "
				 "not know that command");
		return -ENOSYS;
	}
	return n_words - 1 == c->n_words
		       ? run_command(client, c, words + 1, answer)
		       : -EBADMSG;
}

static void set_talks(struct client *client, bool talks)
{
	mutex_lock(&client->control->lock);
	client->talks = talks;
	client->talks_since_ms = clock_mono_ms();
	mutex_unlock(&client->control->lock);
}

static void answer_client(struct client *client, int errnum,
			  const struct buf *text)
{
	cleanup(buf_done) struct buf all =
		BUF_INIT(CONTROL_ANSWER_MAX + CONTROL_REQUEST_MAX);

	buf_printf(&all, "%d", -errnum);
	control_add_word(&all, client->control->mountpoint);
	buf_putc(&all, '\n');
	buf_add(&all, text->data, text->len);
	control_write(client->fd, all.data, all.len, clock_mono_ms() + TALK_MS);
}

static void client_main(void *arg)
{
	struct client *client = arg;
	struct control *control = client->control;
	cleanup(buf_done) struct buf line = BUF_INIT(CONTROL_REQUEST_MAX);
	cleanup(buf_done) struct buf answer = BUF_INIT(CONTROL_ANSWER_MAX);
	char *words[CONTROL_WORDS_MAX + 1];
	int n, r = read_line(client->fd, &line);

	if (r == 0) {
		n = line.len ? split(line.data, line.len, words) : -EBADMSG;
		set_talks(client, false);
		r = n < 0 ? n : find_and_run(client, words, (size_t)n, &answer);
		set_talks(client, true);
		answer_client(client, r, &answer);
	} else if (r == -EMSGSIZE) {
		answer_client(client, r, &answer);
	}
	shutdown(client->fd, SHUT_WR);
	mutex_lock(&control->lock);
	client->ended = true;
	mutex_unlock(&control->lock);
	wake(control);
}

/* ---- the thread `control` ---- */

static void free_client(struct control *control, struct client *client)
{
	DL_DELETE(control->clients, client);
	control->n_clients--;
	client->thread = thread_join(client->thread);
	ctx_done(&client->ctx);
	file_close(client->fd);
	free(client);
}

static void reap(struct control *control)
{
	struct client *client, *next;

	DL_FOREACH_SAFE (control->clients, client, next) {
		bool ended;

		mutex_lock(&control->lock);
		ended = client->ended;
		mutex_unlock(&control->lock);
		if (ended)
			free_client(control, client);
	}
}

static bool is_full(struct control *control)
{
	struct client *client;
	size_t n_talk = 0;

	mutex_lock(&control->lock);
	DL_FOREACH (control->clients, client)
		n_talk += client->talks;
	mutex_unlock(&control->lock);
	return n_talk >= TALKERS_MAX || control->n_clients >= CLIENTS_MAX;
}

/* Its thread finds that out, and ends. In how many ms there may be one, or -1.
 */
static int cut_off_silent(struct control *control)
{
	int64_t left = -1;
	struct client *client;

	mutex_lock(&control->lock);
	DL_FOREACH (control->clients, client)
		if (client->talks && !client->ended)
			break;
	if (client) {
		left = client->talks_since_ms + SILENT_MS - clock_mono_ms();
		if (left <= 0)
			shutdown(client->fd, SHUT_RDWR);
	}
	mutex_unlock(&control->lock);
	return left > 0 ? (int)left : -1;
}

static void begin_client(struct control *control, int fd)
{
	struct client *client = mem_calloc(1, sizeof(*client));

	*client = (struct client){
		.control = control,
		.fd = fd,
		.talks = true,
		.talks_since_ms = clock_mono_ms(),
	};
	ctx_init(&client->ctx, control->group, -1);
	if (thread_start("control-client", client_main, client,
			 &client->thread)) {
		ctx_done(&client->ctx);
		file_close(fd);
		free(client);
		return;
	}
	DL_APPEND(control->clients, client);
	control->n_clients++;
}

static void hang_up(struct client *client)
{
	bool stops;

	mutex_lock(&client->control->lock);
	client->gone = true;
	stops = client->stops;
	mutex_unlock(&client->control->lock);
	if (stops)
		ctx_cancel(&client->ctx);
}

/* Those that are still there, each with its place in ready. */
static size_t watch_clients(struct control *control,
			    struct pollfd ready[CLIENTS_MAX])
{
	struct client *client;
	size_t n = 0;

	mutex_lock(&control->lock);
	DL_FOREACH (control->clients, client)
		ready[n++] = (struct pollfd){
			.fd = client->gone || client->ended ? -1 : client->fd,
		};
	mutex_unlock(&control->lock);
	return n;
}

static void see_who_went(struct control *control, const struct pollfd *ready)
{
	for (struct client *client = control->clients; client;
	     client = client->next, ready++)
		if (ready->revents & (POLLHUP | POLLERR | POLLNVAL))
			hang_up(client);
}

/* False: it could not be asked for one; a pause is due. */
static bool accept_client(struct control *control)
{
	int fd = accept4(control->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == EAGAIN || errno == EINTR ||
		       errno == ECONNABORTED;
	if (control_is_own(fd))
		begin_client(control, fd);
	else
		file_close(fd);
	return true;
}

static bool is_stopping(struct control *control)
{
	return mutex_with(&control->lock, control->stopping);
}

static void control_main(void *arg)
{
	struct control *control = arg;
	bool pause = false;

	while (!is_stopping(control)) {
		bool full = is_full(control);
		struct pollfd ready[2 + CLIENTS_MAX] = {
			{.fd = control->wake, .events = POLLIN},
			{.fd = full || pause ? -1 : control->listener,
			 .events = POLLIN},
		};
		eventfd_t n;
		size_t n_clients;
		int wait = pause ? PAUSE_MS : -1;

		if (full)
			wait = cut_off_silent(control);
		n_clients = watch_clients(control, ready + 2);
		if (poll(ready, 2 + n_clients, wait) < 0)
			continue;
		see_who_went(control, ready + 2);
		if (ready[0].revents)
			eventfd_read(control->wake, &n);
		reap(control);
		pause = ready[1].revents && !accept_client(control);
	}
	for (struct client *client = control->clients; client;
	     client = client->next)
		shutdown(client->fd, SHUT_RDWR);
	while (control->clients)
		free_client(control, control->clients);
}

/* ---- the socket ---- */

/* 1. A command finds a dead daemon's socket.
 * 2. A new daemon, whose mount got the same number, puts its own there.
 * 3. The command removes that one.
 * So both hold the directory's lock. */
static int bind_socket(struct control *control)
{
	struct sockaddr_un address;
	int fd;

	control_address(control->place, control->name, &address);
	/* A daemon that is about to end may still listen there. */
	fd = control_connect(control->place, control->name);
	file_close(fd < 0 ? -1 : fd);
	if (fd >= 0 || fd == -EAGAIN)
		return -EADDRINUSE;
	if (fd == -ECONNREFUSED)
		unlinkat(control->place, control->name, 0);
	/* Before bind(), so that it is never wider. */
	if (fchmod(control->listener, 0600) ||
	    bind(control->listener, (struct sockaddr *)&address,
		 sizeof(address)) ||
	    fstatat(control->place, control->name, &control->made,
		    AT_SYMLINK_NOFOLLOW) ||
	    listen(control->listener, QUEUE))
		return -errno;
	return 0;
}

static int make_socket(struct control *control)
{
	int64_t until = clock_mono_ms() + CONTROL_LOCK_MS;
	int r;

	control->listener =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->listener < 0)
		return -errno;
	for (;;) {
		r = control_place_lock(control->place, CONTROL_LOCK_MS);
		if (r)
			return r;
		r = bind_socket(control);
		control_place_unlock(control->place);
		if (r != -EADDRINUSE || clock_mono_ms() >= until)
			return r;
		poll(NULL, 0, 20);
	}
}

static int open_place(void)
{
	int fd = -ENOENT;

	for (size_t i = 0; i < CONTROL_PLACES && fd < 0; i++)
		fd = control_place_open(i, true);
	return fd;
}

static void remove_socket(struct control *control)
{
	struct stat st;

	if (!control->made.st_ino ||
	    control_place_lock(control->place, CONTROL_LOCK_MS))
		return;
	if (!fstatat(control->place, control->name, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_ino == control->made.st_ino)
		unlinkat(control->place, control->name, 0);
	control_place_unlock(control->place);
}

struct control *control_end(struct control *control)
{
	if (!control)
		return NULL;
	mutex_lock(&control->lock);
	control->stopping = true;
	mutex_unlock(&control->lock);
	ctx_group_cancel(control->group);
	if (control->thread) {
		wake(control);
		control->thread = thread_join(control->thread);
	}
	remove_socket(control);
	file_close(control->wake);
	file_close(control->listener);
	file_close(control->place);
	mutex_done(&control->lock);
	ctx_group_free(control->group);
	free(control->mountpoint);
	free(control);
	return NULL;
}

int control_serve(const struct control_config *config,
		  struct control **ret_control)
{
	struct control *control = mem_calloc(1, sizeof(*control));
	int r;

	*control = (struct control){
		.config = *config,
		.group = ctx_group_new(CLIENTS_MAX),
		.mountpoint = mem_strdup(config->mountpoint),
		.listener = -1,
		.wake = -1,
		.place = open_place(),
	};
	mutex_init(&control->lock);
	control_name(config->device, control->name);
	r = control->place < 0 ? control->place : make_socket(control);
	if (!r) {
		control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = control->wake < 0 ? -errno
				      : thread_start("control", control_main,
						     control, &control->thread);
	}
	if (!r) {
		*ret_control = control;
		return 0;
	}
	control_end(control);
	return r;
}
