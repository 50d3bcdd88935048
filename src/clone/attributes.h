/*
 * clone/attributes: what the .gitattributes of a tree say of a file's filter
 * (gitattributes(5)), as git's attr.c reads them.
 *
 * Not by libgit2, whose attributes code knows no quoted patterns, takes "!x"
 * for all but x, lets a backslash quote a space, and expands a macro where it
 * stands, so that "-macro" further down takes nothing back (1.5 to 1.9). Here
 * that decides whether a person is shown a picture or the three lines that name
 * it.
 *
 * Must never know where the texts are from. Private to clone/.
 */
#ifndef CLONE_ATTRIBUTES_H
#define CLONE_ATTRIBUTES_H

#include "base/defs.h"

/* A larger text counts as an empty one. */
#define ATTRIBUTES_MOST ((size_t)1 << 20)
/* Macros of a tree; further ones are as if they were not defined. */
#define ATTRIBUTES_MACROS 64

/* One text, parsed. Immutable, counted. */
struct attributes_file;
/* root: that of the tree's own directory, where macros are defined; NULL: this
 * is it (of no text, where there is none). */
struct attributes_file *attributes_file_new(const char *text, size_t n,
					    const struct attributes_file *root);
struct attributes_file *attributes_file_ref(struct attributes_file *);
struct attributes_file *attributes_file_unref(struct attributes_file *);
DEFINE_CLEANUP(struct attributes_file *, attributes_file_unref);
size_t attributes_file_size(const struct attributes_file *); /* in memory */
/* The text has that word somewhere: without one, no file has the filter. */
bool attributes_file_has_lfs(const struct attributes_file *);

/* A text's place. */
struct attributes_at {
	struct attributes_file *file;
	size_t n_dir; /* so many bytes of a path in it are its directory: 3 in
		       * "src/main", 0 of the root */
};
/* Whether the file at that path has filter=lfs. They are all that there are
 * above it, the root's first, also where it is empty. */
bool attributes_are_lfs(const struct attributes_at *, size_t n,
			const char *path);

/* attributes_match.c: whether a pattern matches a text (gitignore(5)), of which
 * neither has a NUL. is_path: what is between slashes is matched by itself,
 * and "**" is any number of that. */
bool attributes_match(const char *pattern, size_t n_pattern, const char *text,
		      size_t n_text, bool is_path);

#endif
