/*
 * cmd/mount/refusal: what others say while it is mounted, as one sentence of
 * ours.
 */
#include "cmd/mount/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void what_is_said_is_heard(void **state)
{
	struct refusal refusal;
	cleanup(free) char *nothing = NULL;
	cleanup(free) char *words = NULL;

	(void)state;
	refusal_listen(&refusal);
	nothing = refusal_heard(&refusal);
	assert_string_equal(nothing, "");
	refusal_listen(&refusal);
	fprintf(stderr, "mine, ");
	assert_int_equal(system("echo theirs >&2"), 0);
	words = refusal_heard(&refusal);
	assert_string_equal(words, "mine, theirs\n");
}

static void it_is_one_sentence_with_the_remedy(void **state)
{
	static const struct {
		const char *words, *said;
	} cases[] = {
		{"fusermount3: option allow_other only allowed if "
		 "'user_allow_other' is set in /etc/fuse.conf\n",
		 "user_allow_other into that file"},
		{"fusermount3: mountpoint /x not owned by user\n",
		 "take one of your own"},
		{"fusermount3: user has no write access to mountpoint /x\n",
		 "take one of your own"},
		{"fusermount3: too many FUSE filesystems mounted; mount_max=N "
		 "can be set in /etc/fuse.conf\n",
		 "raise mount_max"},
		{"fusermount3: mounting over filesystem type 0x1 is "
		 "forbidden\n",
		 "take one of another"},
		{"fusermount3: mount failed: Operation not permitted\n",
		 "--cap-add SYS_ADMIN"},
		{"fuse: mount failed: Invalid argument\nfusermount3: more\n\n",
		 "mounting at /x failed: mount failed: Invalid argument; more"},
		{"", "mounting at /x failed: Permission denied (see "
		     "bitbucketfs doctor)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *is =
			refusal_sentence("/x", cases[i].words, EACCES);

		if (!strstr(is, cases[i].said) || !strstr(is, "/x") ||
		    strchr(is, '\n'))
			fail_msg("'%s': '%s'", cases[i].words, is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_heard),
		cmocka_unit_test(it_is_one_sentence_with_the_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
