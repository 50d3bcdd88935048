/*
 * cmd/mount/control: this user alone is heard, within bounds; nobody is held up
 * by a client that is slow; what dead daemons left goes.
 */
#include "cmd/mount/control.h"

#include "base/clock.h"
#include "base/file.h"

#include "child.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOBODY 65534
#define LONG_MS 20000
#define DEVICE makedev(0, 77)
#define N_SILENT 80
#define N_WAITING 60

static int echo(void *arg, struct ctx *ctx, const char *const *words,
		struct buf *answer)
{
	(void)arg;
	(void)ctx;
	for (; *words; words++)
		buf_printf(answer, "<%s>", *words);
	return 0;
}

static int refuse(void *arg, struct ctx *ctx, const char *const *words,
		  struct buf *answer)
{
	(void)arg;
	(void)words;
	(void)answer;
	return ctx_fail(ctx, -EPERM, "It is another account.");
}

/* For a while, or until the end of the mount; its deadline may come before. */
static int wait_long(void *arg, struct ctx *ctx, const char *const *words,
		     struct buf *answer)
{
	(void)arg;
	(void)words;
	(void)answer;
	return ctx_sleep(ctx, LONG_MS / 2);
}

static atomic_int n_begun, n_cancelled;

static int wait_and_tell(void *arg, struct ctx *ctx, const char *const *words,
			 struct buf *answer)
{
	int r;

	(void)arg;
	(void)words;
	(void)answer;
	atomic_fetch_add(&n_begun, 1);
	r = ctx_sleep(ctx, LONG_MS / 2);
	if (r == -EINTR)
		atomic_fetch_add(&n_cancelled, 1);
	return r;
}

static int talk_much(void *arg, struct ctx *ctx, const char *const *words,
		     struct buf *answer)
{
	(void)arg;
	(void)ctx;
	(void)words;
	while (!buf_puts(answer, "0123456789abcdef"))
		;
	return 0;
}

static const struct control_command commands[] = {
	{"echo", 2, 1000, false, echo},
	{"refuse", 0, 1000, false, refuse},
	{"soon", 0, 50, false, wait_long},
	{"late", 0, LONG_MS, false, wait_long},
	{"stops", 0, LONG_MS, true, wait_and_tell},
	{"stays", 0, LONG_MS, false, wait_and_tell},
	{"much", 0, 1000, false, talk_much},
	{0},
};

struct place {
	char dir[64]; /* XDG_RUNTIME_DIR; beside it that of the state */
	struct control *control;
};

static char *socket_path(const struct place *p)
{
	return mem_asprintf("%s/bitbucketfs/0-77", p->dir);
}

static void serve(struct place *p, dev_t device)
{
	const struct control_config config = {
		.commands = commands,
		.device = device,
		.mountpoint = "/home/ada/my bucket",
	};

	assert_int_equal(control_serve(&config, &p->control), 0);
}

static void end(struct place *p)
{
	p->control = control_end(p->control);
}

static int set_up(void **state)
{
	static struct place p;
	cleanup(free) char *states = NULL;

	p = (struct place){0};
	snprintf(p.dir, sizeof(p.dir), "/tmp/test-control-XXXXXX");
	check(mkdtemp(p.dir));
	states = mem_asprintf("%s/state", p.dir);
	setenv("XDG_RUNTIME_DIR", p.dir, 1);
	setenv("XDG_STATE_HOME", states, 1);
	*state = &p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	end(p);
	return file_remove_tree(p->dir);
}

static int ask(struct control_answer *ret, const char *word)
{
	const char *const words[] = {word, NULL};

	return control_ask(DEVICE, words, LONG_MS, ret);
}

static int dial(const struct place *p)
{
	cleanup(free) char *path = socket_path(p);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(fd >= 0);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&name, sizeof(name)))
		return fd;
	close(fd);
	return -1;
}

/* What comes until the other end closes; how much. */
static size_t drain(int fd, struct buf *bytes)
{
	char piece[4096];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		buf_add(bytes, piece, (size_t)n);
	close(fd);
	return bytes->len;
}

static void words_come_and_an_answer_goes(void **state)
{
	struct place *p = *state;
	cleanup(control_answer_done) struct control_answer a = {0};
	static const char *const words[] = {"echo", "a b\n%41\xc3\xa4", "",
					    NULL};

	serve(p, DEVICE);
	assert_int_equal(control_ask(DEVICE, words, LONG_MS, &a), 0);
	assert_int_equal(a.errnum, 0);
	assert_string_equal(a.mountpoint, "/home/ada/my bucket");
	assert_string_equal(a.text, "<a b\n%41\xc3\xa4><>");
}

static void a_failure_has_its_sentence(void **state)
{
	struct place *p = *state;
	static const struct {
		const char *word, *text;
		int errnum;
	} all[] = {
		{"refuse", "It is another account.", -EPERM},
		{"echo", "", -EBADMSG},
		{"nonsense",
		 "this daemon is of another version, and does not know that "
		 "command",
		 -ENOSYS},
		{"soon", "", -ETIMEDOUT},
	};

	serve(p, DEVICE);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		cleanup(control_answer_done) struct control_answer a = {0};

		assert_int_equal(ask(&a, all[i].word), 0);
		assert_int_equal(a.errnum, all[i].errnum);
		assert_string_equal(a.text, all[i].text);
	}
}

/* Nobody but the user gets that far; should the mode be widened, nobody else is
 * heard. */
static void the_socket_is_its_users(void **state)
{
	struct place *p = *state;
	cleanup(free) char *path = socket_path(p);
	cleanup(free) char *dir = mem_asprintf("%s/bitbucketfs", p->dir);
	struct stat st;
	int status;
	pid_t child;

	serve(p, DEVICE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	if (getuid() != 0)
		return;
	check(!chmod(p->dir, 0755) && !chmod(dir, 0755) && !chmod(path, 0666));
	child = fork();
	check(child >= 0);
	if (!child) {
		cleanup(buf_done) struct buf bytes = BUF_INIT(0);
		int fd;

		check(!setuid(NOBODY));
		fd = dial(p);
		check(fd >= 0);
		send(fd, "echo a b\n", 9, MSG_NOSIGNAL);
		_exit(drain(fd, &bytes) ? 1 : 0);
	}
	check(waitpid(child, &status, 0) == child);
	assert_int_equal(status, 0);
}

static void nothing_is_larger_than_it_may_be(void **state)
{
	struct place *p = *state;
	cleanup(control_answer_done) struct control_answer a = {0};
	cleanup(buf_done) struct buf bytes = BUF_INIT(0);
	cleanup(buf_done) struct buf none = BUF_INIT(0);
	cleanup(free) char *line = mem_calloc(1, CONTROL_REQUEST_MAX + 2);
	int fd;

	serve(p, DEVICE);
	assert_int_equal(ask(&a, "much"), 0);
	assert_int_equal(a.errnum, 0);
	assert_true(strlen(a.text) > CONTROL_ANSWER_MAX / 2 &&
		    strlen(a.text) <= CONTROL_ANSWER_MAX);
	memset(line, 'a', CONTROL_REQUEST_MAX + 1);
	fd = dial(p);
	send(fd, line, CONTROL_REQUEST_MAX + 1, MSG_NOSIGNAL);
	drain(fd, &bytes);
	assert_non_null(strstr(bytes.data, "90 "));
	fd = dial(p);
	send(fd, "echo a\0b\n", 9, MSG_NOSIGNAL);
	drain(fd, &none);
	assert_non_null(strstr(none.data, "74 "));
}

/* A daemon that hangs is not waited for. */
static void who_asks_waits_no_longer_than_he_said(void **state)
{
	struct place *p = *state;
	static const char *const words[] = {"late", NULL};
	cleanup(control_answer_done) struct control_answer a = {0};

	serve(p, DEVICE);
	assert_int_equal(control_ask(DEVICE, words, 50, &a), -ETIMEDOUT);
}

/* Far more of them than may be connected at once. */
static void the_silent_hold_up_nobody(void **state)
{
	struct place *p = *state;
	cleanup(control_answer_done) struct control_answer a = {0};
	int silent[N_SILENT];

	serve(p, DEVICE);
	for (size_t i = 0; i < N_SILENT; i++) {
		silent[i] = dial(p);
		assert_true(silent[i] >= 0);
		/* Every other one asks, and does not read. */
		if (i % 2)
			send(silent[i], "much\n", 5, MSG_NOSIGNAL);
	}
	assert_int_equal(ask(&a, "refuse"), 0);
	assert_int_equal(a.errnum, -EPERM);
	/* The oldest had to go. */
	assert_int_equal(recv(silent[0], &(char){0}, 1, 0), 0);
	end(p);
	for (size_t i = 0; i < N_SILENT; i++)
		close(silent[i]);
}

static void await(const atomic_int *what, int n)
{
	int64_t until = clock_mono_ms() + LONG_MS / 4;

	while (atomic_load(what) < n && clock_mono_ms() < until)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(what), n);
}

/* 1. A loop of a shell starts as many fetches, in the background.
 * 2. Somebody asks how it is, or stops them.
 */
static void those_who_wait_hold_up_nobody(void **state)
{
	struct place *p = *state;
	int waiting[N_WAITING];
	int before = atomic_load(&n_begun);

	serve(p, DEVICE);
	for (size_t i = 0; i < N_WAITING; i++) {
		waiting[i] = dial(p);
		send(waiting[i], "stops\n", 6, MSG_NOSIGNAL);
		await(&n_begun, before + (int)i + 1);
	}
	for (size_t i = 0; i < N_SILENT; i++) {
		cleanup(control_answer_done) struct control_answer a = {0};

		assert_int_equal(ask(&a, "refuse"), 0);
		assert_int_equal(a.errnum, -EPERM);
	}
	end(p);
	for (size_t i = 0; i < N_WAITING; i++)
		close(waiting[i]);
}

static void the_end_waits_for_no_command(void **state)
{
	struct place *p = *state;
	cleanup(free) char *path = socket_path(p);
	cleanup(buf_done) struct buf bytes = BUF_INIT(0);
	int64_t begun;
	int fd;

	serve(p, DEVICE);
	fd = dial(p);
	send(fd, "late\n", 5, MSG_NOSIGNAL);
	begun = clock_mono_ms();
	end(p);
	assert_true(clock_mono_ms() - begun < LONG_MS / 2);
	drain(fd, &bytes);
	assert_int_equal(access(path, F_OK), -1);
}

/* Ctrl-C of a command ends what it asked for, where that is to end. */
static void what_nobody_waits_for_stops(void **state)
{
	struct place *p = *state;
	int stays, half, fd;

	atomic_store(&n_begun, 0);
	atomic_store(&n_cancelled, 0);
	serve(p, DEVICE);
	stays = dial(p);
	send(stays, "stays\n", 6, MSG_NOSIGNAL);
	half = dial(p);
	send(half, "stops\n", 6, MSG_NOSIGNAL);
	fd = dial(p);
	send(fd, "stops\n", 6, MSG_NOSIGNAL);
	await(&n_begun, 3);
	/* Who has said all still listens. */
	shutdown(half, SHUT_WR);
	close(stays);
	close(fd);
	await(&n_cancelled, 1);
	/* And who is gone before it began. */
	fd = dial(p);
	send(fd, "stops\n", 6, MSG_NOSIGNAL);
	close(fd);
	await(&n_begun, 4);
	await(&n_cancelled, 2);
	end(p);
	await(&n_cancelled, 4);
	close(half);
}

static void serve_until_killed(void *arg, int in, int out)
{
	serve(arg, DEVICE);
	child_wait(in, out);
	for (;;)
		pause();
}

static void note(void *arg, const struct control_answer *answer)
{
	buf_printf(arg, "%d %s %s;", answer->errnum,
		   answer->mountpoint ? answer->mountpoint : "?", answer->text);
}

static void what_the_dead_left_goes(void **state)
{
	struct place *p = *state;
	cleanup(control_answer_done) struct control_answer a = {0};
	cleanup(free) char *path = socket_path(p);
	struct child c = child_start(serve_until_killed, p);

	assert_int_equal(ask(&a, "refuse"), 0);
	child_end(&c);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(ask(&(struct control_answer){0}, "refuse"),
			 -ECONNREFUSED);
	assert_int_equal(access(path, F_OK), -1);
	/* And a new mount of that number takes its place. */
	c = child_start(serve_until_killed, p);
	child_end(&c);
	assert_int_equal(access(path, F_OK), 0);
	serve(p, DEVICE);
	control_answer_done(&a);
	assert_int_equal(ask(&a, "refuse"), 0);
	assert_int_equal(a.errnum, -EPERM);
}

static void all_are_asked(void **state)
{
	struct place *p = *state;
	static const char *const words[] = {"echo", "1", "2", NULL};
	cleanup(buf_done) struct buf said = BUF_INIT(0);
	struct child dead = child_start(serve_until_killed, p);
	cleanup(free) char *path = socket_path(p);
	struct control *first;

	child_end(&dead);
	serve(p, makedev(0, 5));
	first = p->control;
	/* In a place that this process would not have taken. */
	unsetenv("XDG_RUNTIME_DIR");
	serve(p, makedev(0, 6));
	setenv("XDG_RUNTIME_DIR", p->dir, 1);
	assert_int_equal(control_ask_all(words, LONG_MS, note, &said), 2);
	assert_string_equal(said.data, "0 /home/ada/my bucket <1><2>;"
				       "0 /home/ada/my bucket <1><2>;");
	assert_int_equal(access(path, F_OK), -1);
	control_end(first);
}

/* Somebody else's directory, or one that others may write to, is no place. */
static void a_place_of_others_is_none(void **state)
{
	struct place *p = *state;
	cleanup(free) char *dir = mem_asprintf("%s/bitbucketfs", p->dir);
	cleanup(free) char *other =
		mem_asprintf("%s/state/bitbucketfs/control/0-77", p->dir);
	cleanup(control_answer_done) struct control_answer a = {0};

	check(!mkdir(dir, 0700));
	if (getuid() == 0)
		check(!chown(dir, NOBODY, NOBODY));
	else
		check(!chmod(dir, 0777));
	serve(p, DEVICE);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(ask(&a, "refuse"), 0);
	assert_int_equal(a.errnum, -EPERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(words_come_and_an_answer_goes),
		TEST(a_failure_has_its_sentence),
		TEST(the_socket_is_its_users),
		TEST(nothing_is_larger_than_it_may_be),
		TEST(who_asks_waits_no_longer_than_he_said),
		TEST(the_silent_hold_up_nobody),
		TEST(those_who_wait_hold_up_nobody),
		TEST(the_end_waits_for_no_command),
		TEST(what_nobody_waits_for_stops),
		TEST(what_the_dead_left_goes),
		TEST(all_are_asked),
		TEST(a_place_of_others_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
