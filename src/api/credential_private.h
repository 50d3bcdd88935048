/*
 * api/credential, inside: credential.c makes what each door is told,
 * credential_rows.c decides whether it may be told now.
 */
#ifndef API_CREDENTIAL_PRIVATE_H
#define API_CREDENTIAL_PRIVATE_H

#include "api/credential.h"

/* The refusals in a row at each door. */
struct credential_rows;
struct credential_rows *credential_rows_new(void);
struct credential_rows *credential_rows_free(struct credential_rows *);
/* NULL: nobody is signed in, and nothing is sent. */
struct credential_rows *credential_rows(const struct credential *);

#endif
