/*
 * The files of a corpus, one after the other.
 */
#ifndef TESTS_CORPORA_H
#define TESTS_CORPORA_H

#include "base/file.h"

#include <dirent.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Calls each with every file of $CORPORA/where whose name ends in suffix (NULL:
 * all), in no order; how many there were. ok is handed through. */
static size_t corpora_each(const char *where, const char *suffix,
			   void (*each)(const char *name, const char *data,
					size_t n, bool ok),
			   bool ok)
{
	const char *root = getenv("CORPORA");
	cleanup(free) char *path =
		mem_asprintf("%s/%s", root ? root : "tests/corpora", where);
	DIR *dir = opendir(path);
	size_t n_files = 0;

	if (!dir)
		fail_msg("no corpus %s", path);
	for (struct dirent *d; (d = readdir(dir));) {
		cleanup(free) char *file =
			mem_asprintf("%s/%s", path, d->d_name);
		cleanup(buf_done) struct buf bytes = BUF_INIT(0);
		size_t n_name = strlen(d->d_name);

		if (d->d_name[0] == '.')
			continue;
		if (suffix &&
		    (n_name < strlen(suffix) ||
		     strcmp(d->d_name + n_name - strlen(suffix), suffix)))
			continue;
		assert_int_equal(file_read(file, 16 * MIB, &bytes), 0);
		each(d->d_name, bytes.data ? bytes.data : "", bytes.len, ok);
		n_files++;
	}
	closedir(dir);
	return n_files;
}

#endif
