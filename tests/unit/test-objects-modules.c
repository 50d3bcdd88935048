/*
 * store/objects_modules: .gitmodules, whoever wrote it.
 */
#include "store/objects_modules.h"
#include "store/objects.h"

#include "base/file.h"
#include "base/sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct buf said = BUF_INIT(4 * MIB);

static bool say(void *arg, const char *path, const char *url)
{
	(void)arg;
	buf_printf(&said, "%s=%s;", path, url);
	return true;
}

static int read_text(const char *text)
{
	buf_clear(&said);
	buf_puts(&said, "");
	return objects_modules(text, strlen(text), say, NULL);
}

#define expect(text, want)                                             \
	do {                                                           \
		assert_int_equal(read_text(text), 0);                  \
		assert_string_equal(said.data ? said.data : "", want); \
	} while (0)

static void what_git_writes(void **state)
{
	(void)state;
	expect("", "");
	expect("[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = "
	       "../lib.git\n\tbranch = main\n[submodule \"a.b\"]\n\turl = "
	       "https://x/y\n\tpath = a.b\n",
	       "vendor/lib=../lib.git;a.b=https://x/y;");
	expect("[submodule \"q\"]\npath = \"with \\\"quotes\\\" and # "
	       "signs\"\nurl = x # said\n; and that\n",
	       "with \"quotes\" and # signs=x;");
	expect("[core]\n\tbare = true\n", "");
	/* Sections of the same name are one; git takes the first value. */
	expect("[submodule \"l\"]\npath=a\n[submodule "
	       "\"l\"]\nurl=u\npath=b\nurl=v\n",
	       "a=u;");
	expect("[submodule \"no-path\"]\nurl=u\n[submodule "
	       "\"no-url\"]\npath=p\n",
	       "p=;");
	expect("[SubModule \"Case\"]\nPATH=p\nURL=U\n", "p=U;");
}

/* git clone passes over these, too. */
static void what_git_takes_for_suspicious(void **state)
{
	(void)state;
	expect("[submodule \"l\"]\npath=l\nurl=--upload-pack=touch x\n", "l=;");
	expect("[submodule \"l\"]\npath=-l\nurl=u\n", "");
	expect("[submodule \"../../x\"]\npath=l\nurl=u\n", "");
	expect("[submodule \"x/..\"]\npath=l\nurl=u\n", "");
	expect("[submodule \"..\"]\npath=l\nurl=u\n", "");
	expect("[submodule \"x\\\\..\\\\y\"]\npath=l\nurl=u\n", "");
	expect("[submodule \"\"]\npath=l\nurl=u\n", "");
	expect("[submodule \"..fine\"]\npath=l\nurl=u\n", "l=u;");
	/* A name in a tree may have one. */
	expect("[submodule \"n\"]\npath=\"a\\nb\"\nurl=\"u\\n-v\"\n",
	       "a\nb=u\n-v;");
}

/* A file of the user's that is there, and one that would never end. */
static void no_other_file_is_read(void **state)
{
	char place[] = "/tmp/test-modules-XXXXXX";
	cleanup(free) char *other = NULL, *pipe = NULL;
	static const char *const forms[] = {
		"[include]\npath=%s\n",
		"[INCLUDE] path = %s\n",
		"[include \"\"]\npath=%s\n",
		"[core]x=1\n[iNclude]\n\tpath = \"%s\"\n",
		"[includeIf \"gitdir:/\"]\npath=%s\n",
		"[includeIf \"onbranch:**\"]path=%s\n",
	};
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(place));
	other = mem_asprintf("%s/config", place);
	pipe = mem_asprintf("%s/pipe", place);
	f = fopen(other, "we");
	assert_non_null(f);
	fputs("[submodule \"secret\"]\npath=s\nurl=secret\n", f);
	fclose(f);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(forms); i++) {
		cleanup(buf_done) struct buf all = BUF_INIT(0);
		const char *file = i % 2 ? pipe : other;
		const char *form = forms[i / 2], *at = strstr(form, "%s");

		buf_add(&all, form, (size_t)(at - form));
		buf_printf(&all, "%s%s[submodule \"l\"]\npath=l\nurl=u\n", file,
			   at + 2);
		expect(all.data, "l=u;");
	}
	unlink(other);
	unlink(pipe);
	rmdir(place);
}

static void what_is_none(void **state)
{
	cleanup(free) char *large = mem_alloc(OBJECTS_MODULES_MAX + 1);

	(void)state;
	assert_int_equal(read_text("[submodule \"l\"\npath=l\n"), -EBADMSG);
	assert_int_equal(read_text("<html>"), -EBADMSG);
	memset(large, '\n', OBJECTS_MODULES_MAX + 1);
	assert_int_equal(objects_modules(large, OBJECTS_MODULES_MAX, say, NULL),
			 0);
	assert_int_equal(
		objects_modules(large, OBJECTS_MODULES_MAX + 1, say, NULL),
		-EFBIG);
}

static void very_many(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	(void)state;
	for (unsigned i = 0; i < OBJECTS_MODULES_MOST; i++)
		buf_printf(&text, "[submodule \"%u\"]\npath=%u\nurl=u\n", i, i);
	assert_int_equal(read_text(text.data), 0);
	buf_puts(&text, "[submodule \"x\"]\npath=x\nurl=u\n");
	assert_int_equal(read_text(text.data), -EFBIG);
	buf_done(&said);
}

static bool is_own(void *arg, const char *path, const char *url)
{
	unsigned *n = arg;

	(void)path;
	n[1] += strtoul(url, NULL, 10) == n[0];
	return true;
}

static void read_own(void *arg)
{
	unsigned *n = arg;
	cleanup(free) char *text =
		mem_asprintf("[submodule \"s\"]\npath = s\nurl = %u\n%*s", n[0],
			     (int)n[0] * 100, "");

	for (unsigned i = 0; i < 500; i++)
		if (objects_modules(text, strlen(text), is_own, n) < 0)
			break;
}

/* Many at once, each its own text. */
static void side_by_side(void **state)
{
	struct thread *threads[8];
	unsigned n[ARRAY_SIZE(threads)][2];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++) {
		n[i][0] = i + 1;
		n[i][1] = 0;
		assert_int_equal(
			thread_start("reader", read_own, n[i], &threads[i]), 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++) {
		thread_join(threads[i]);
		assert_int_equal(n[i][1], 500);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_git_writes),
		cmocka_unit_test(what_git_takes_for_suspicious),
		cmocka_unit_test(no_other_file_is_read),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(very_many),
		cmocka_unit_test(side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
