/*
 * What login keeps: what is written is read, of which file nothing is believed,
 * and what the source gives after a refusal.
 */
#include "setup/sign_in.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define URL "https://api.example.com:8443/2.0"

static char home[] = "/tmp/test-sign-in.XXXXXX";
static char *path;
static struct ctx ctx;

static int before(void **state)
{
	(void)state;
	memcpy(strrchr(home, '.'), ".XXXXXX", 7);
	assert_non_null(mkdtemp(home));
	setenv("XDG_STATE_HOME", home, 1);
	assert_int_equal(sign_in_path("", URL, &path), 0);
	ctx_init(&ctx, NULL, -1);
	return 0;
}

static int after(void **state)
{
	(void)state;
	ctx_done(&ctx);
	free(path);
	return file_remove_tree(home);
}

static int keep(const char *profile, enum sign_in_kind kind, const char *name,
		const char *token)
{
	cleanup(sign_in_done) struct sign_in sign_in = {
		.kind = kind, .token = mem_strdup(token)};

	if (kind == SIGN_IN_API_TOKEN)
		sign_in.email = mem_strdup(name);
	else if (kind != SIGN_IN_ACCESS_TOKEN)
		sign_in.username = mem_strdup(name);
	return sign_in_write(&ctx, profile, URL, &sign_in);
}

static void test_kinds(void **state)
{
	(void)state;
	for (int i = 0; i < SIGN_IN_KINDS; i++) {
		cleanup(sign_in_done) struct sign_in got = {0};
		enum sign_in_kind kind = (enum sign_in_kind)i;
		bool named = kind != SIGN_IN_ACCESS_TOKEN;

		assert_int_equal(keep("", kind, "ada @x", "a token=#"), 0);
		assert_int_equal(sign_in_read(&ctx, "", URL, &got), 0);
		assert_int_equal(got.kind, kind);
		assert_string_equal(got.token, "a token=#");
		assert_string_equal(got.where, path);
		assert_int_equal(!!got.email, kind == SIGN_IN_API_TOKEN);
		assert_int_equal(!!got.username,
				 named && kind != SIGN_IN_API_TOKEN);
		if (named)
			assert_string_equal(
				got.email ? got.email : got.username, "ada @x");
	}
}

static void test_modes(void **state)
{
	cleanup(free) char *dir = mem_asprintf("%s/bitbucketfs", home);
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(keep("", SIGN_IN_ACCESS_TOKEN, NULL, "t"), 0);
	umask(022);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_places(void **state)
{
	cleanup(sign_in_done) struct sign_in got = {0}, work = {0};
	cleanup(free) char *odd = NULL;

	(void)state;
	assert_int_equal(keep("", SIGN_IN_BASIC, "ada", "one"), 0);
	assert_int_equal(sign_in_read(&ctx, "work", URL, &work), -ENOENT);
	assert_int_equal(keep("work", SIGN_IN_BASIC, "bob", "two"), 0);
	assert_int_equal(sign_in_read(&ctx, "", URL, &got), 0);
	assert_int_equal(sign_in_read(&ctx, "work", URL, &work), 0);
	assert_string_equal(got.token, "one");
	assert_string_equal(work.token, "two");
	assert_int_equal(sign_in_path("../a@b", URL, &odd), 0);
	assert_non_null(strstr(odd, "/api.example.com_8443@..%2Fa%40b"));
	assert_int_equal(sign_in_erase(&ctx, "work", URL), 0);
	assert_int_equal(sign_in_erase(&ctx, "work", URL), -ENOENT);
	assert_int_equal(access(path, F_OK), 0);
}

/* Nothing of these is a sign-in, and none of them is a crash. */
static void test_damaged(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"kind api-token\ntoken t\n",
		"kind username\ntoken t\n",
		"kind access-token\n",
		"kind other\ntoken t\n",
		"token t\n",
		"kind access-token\ntoken t",
		"kind access-token\ntoken \n",
		"kind access-tokentoken t\n",
	};

	(void)state;
	assert_int_equal(keep("", SIGN_IN_ACCESS_TOKEN, NULL, "t"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sign_in got = {0};

		assert_int_equal(
			file_write_atomic(path, 0600, bad[i], strlen(bad[i])),
			0);
		assert_int_equal(sign_in_read(&ctx, "", URL, &got), -EBADMSG);
		assert_non_null(strstr(ctx.sentence, "sign in again"));
	}
}

static void test_others(void **state)
{
	struct sign_in got = {0};
	cleanup(free) char *aside = mem_asprintf("%s.aside", path);

	(void)state;
	assert_int_equal(keep("", SIGN_IN_ACCESS_TOKEN, NULL, "t"), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sign_in_read(&ctx, "", URL, &got), -EPERM);
	assert_non_null(strstr(ctx.sentence, "can be read by others"));
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	assert_int_equal(sign_in_read(&ctx, "", URL, &got), -EPERM);
	/* Written anew it is this user's alone again. */
	assert_int_equal(keep("", SIGN_IN_ACCESS_TOKEN, NULL, "u"), 0);
	assert_int_equal(sign_in_read(&ctx, "", URL, &got), 0);
	sign_in_done(&got);
}

/* The token and version that the source gives. */
static void assert_gives(const struct credential_source *source,
			 const char *token, uint64_t version)
{
	cleanup(credential_secret_done) struct credential_secret got = {0};

	assert_int_equal(source->get(source->arg, &ctx, &got), 0);
	assert_string_equal(got.token, token);
	assert_int_equal(got.version, version);
}

static void renew(const struct credential_source *source, uint64_t version)
{
	assert_int_equal(source->renew(source->arg, &ctx, version), 0);
}

static void test_source(void **state)
{
	struct credential_source source;
	cleanup(free) char *where = NULL;

	(void)state;
	assert_int_equal(sign_in_source_new(&ctx, "", URL, &source, &where),
			 -ENOENT);
	assert_int_equal(keep("", SIGN_IN_OAUTH_CLIENT, "id", "s"), 0);
	assert_int_equal(sign_in_source_new(&ctx, "", URL, &source, &where),
			 -EOPNOTSUPP);
	assert_int_equal(keep("", SIGN_IN_API_TOKEN, "ada", "one"), 0);
	assert_int_equal(sign_in_source_new(&ctx, "", URL, &source, &where), 0);
	assert_string_equal(where, path);
	assert_gives(&source, "one", 1);
	renew(&source, 1);
	assert_gives(&source, "one", 1);
	assert_int_equal(keep("", SIGN_IN_API_TOKEN, "ada", "two"), 0);
	assert_gives(&source, "one", 1);
	renew(&source, 1);
	assert_gives(&source, "two", 2);
	/* A late one, of somebody who was refused with the first. */
	assert_int_equal(keep("", SIGN_IN_API_TOKEN, "ada", "three"), 0);
	renew(&source, 1);
	assert_gives(&source, "two", 2);
	assert_int_equal(keep("", SIGN_IN_API_TOKEN, "bob", "four"), 0);
	renew(&source, 2);
	assert_gives(&source, "two", 2);
	assert_int_equal(sign_in_erase(&ctx, "", URL), 0);
	renew(&source, 2);
	assert_gives(&source, "two", 2);
	source.free(source.arg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kinds, before, after),
		cmocka_unit_test_setup_teardown(test_modes, before, after),
		cmocka_unit_test_setup_teardown(test_places, before, after),
		cmocka_unit_test_setup_teardown(test_damaged, before, after),
		cmocka_unit_test_setup_teardown(test_others, before, after),
		cmocka_unit_test_setup_teardown(test_source, before, after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
