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
/* Whether the secret of that version may be sent: 0 or -EACCES, see
 * credential_authorize. take: it is going to be sent now. */
int credential_rows_ask(struct ctx *, struct credential_rows *,
			enum credential_door, uint64_t version, bool take,
			const char *hint);
void credential_rows_heard(struct credential_rows *, enum credential_door,
			   uint64_t version, long status);
void credential_rows_forget(struct credential_rows *);

#endif
