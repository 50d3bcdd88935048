/*
 * setup/sign_in inside: the file of one sign-in.
 */
#ifndef SETUP_SIGN_IN_PRIVATE_H
#define SETUP_SIGN_IN_PRIVATE_H

#include "setup/sign_in.h"

/* What the file has; the token is NULL where the keyring has it. As
 * sign_in_read. */
int sign_in_read_file(struct ctx *, const char *path, struct sign_in *ret);
/* 0 or -errno, without a sentence. */
int sign_in_write_file(const char *path, const struct sign_in *);
/* The directory of that path. 0 or -errno with a sentence. */
int sign_in_make_directory(struct ctx *, const char *path);
/* The sentence; returns r. */
int sign_in_cannot_write(struct ctx *, const char *path, int r);

#endif
