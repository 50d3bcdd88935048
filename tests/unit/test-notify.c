/*
 * base/notify: what a service manager hears.
 */
#include "base/notify.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char dir[] = "/tmp/bitbucketfs-test-notify-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return file_remove_tree(dir);
}

/* The manager, called as NOTIFY_SOCKET has it. */
static int manager(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, n);
	if (*name == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_hears(int fd, const char *text)
{
	char got[8192] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	assert_int_equal(n, strlen(text));
	assert_string_equal(got, text);
}

static void talk_to(const char *name)
{
	cleanup(fd) int hears = manager(name);
	cleanup(fd) int fd = notify_open();

	assert_true(fd >= 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	log_redact("s3cr3t");
	assert_int_equal(notify_send(fd, "READY=%d\nSTATUS=s3cr3t", 1), 0);
	assert_int_equal(notify_send(fd, "STOPPING=1"), 0);
	assert_hears(hears, "READY=1\nSTATUS=\xe2\x80\xa6");
	assert_hears(hears, "STOPPING=1");
	log_forget();
}

static void a_socket_with_a_place(void **state)
{
	(void)state;
	cleanup(free) char *name = mem_asprintf("%s/notify", dir);

	talk_to(name);
}

static void an_abstract_one(void **state)
{
	(void)state;
	cleanup(free) char *name = mem_asprintf("@%s/notify", dir);

	talk_to(name);
}

static void nobody_wants_to_know(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(), -ENOENT);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_open(), -ENOENT);
	assert_int_equal(notify_send(-1, "READY=1"), 0);
}

static void who_cannot_be_told(void **state)
{
	(void)state;
	cleanup(free) char *gone = mem_asprintf("%s/gone", dir);
	char longest[200];

	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", gone, 1);
	assert_int_equal(notify_open(), -ECONNREFUSED);
	setenv("NOTIFY_SOCKET", "@bitbucketfs-nobody-listens", 1);
	assert_int_equal(notify_open(), -ECONNREFUSED);
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_open(), -ENAMETOOLONG);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(notify_open(), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_open(), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "@", 1);
	assert_int_equal(notify_open(), -EAFNOSUPPORT);
	assert_null(getenv("NOTIFY_SOCKET"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_with_a_place),
		cmocka_unit_test(an_abstract_one),
		cmocka_unit_test(nobody_wants_to_know),
		cmocka_unit_test(who_cannot_be_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
