/*
 * api/credential, refusals: who may still send a credential that was
 * refused.
 *
 * A revoked token in a folder that many programs look at would be sent with
 * each look, and after some of that the service locks the account: no new token
 * helps then before somebody has signed in with a captcha. A 401 alone does not
 * say that the credential is bad, though: an access token gets it wherever an
 * endpoint is not for its kind, and the user name in place of the e-mail is
 * refused by REST and taken by git. So each door has its own row of refusals,
 * and needs three of them; where both doors refuse, the credential is dead and
 * one is enough.
 *
 * The minute is on the clock that goes on in suspend. Whoever is admitted after
 * it takes the turn: of many at once one sends the credential.
 *
 * A row is of all secrets that a source gave, for a source that brings a new
 * one after each refusal would otherwise never be stopped. But a secret that
 * the door has not refused yet is admitted whatever became of those before it:
 * otherwise a new sign-in would wait for the minute of the old one.
 */
#include "api/credential_private.h"

#include "base/clock.h"

#define REFUSALS_MOST 3
#define AGAIN_MS INT64_C(60000)

struct row {
	unsigned n_refused; /* in a row */
	/* Versions of the secret: of the last 401, the newest that was heard
	 * of; 0: none. */
	uint64_t refused, newest;
	/* clock_boot_ms: the last refusal or turn, the last urgent one's */
	int64_t asked_ms, urgent_ms;
};

struct credential_rows {
	struct mutex lock;
	struct row rows[CREDENTIAL_DOORS] under_lock;
};

static void forget(struct credential_rows *rows) requires_lock(rows->lock)
{
	for (int door = 0; door < CREDENTIAL_DOORS; door++)
		rows->rows[door] = (struct row){
			.asked_ms = INT64_MIN / 2,
			.urgent_ms = INT64_MIN / 2,
		};
}

struct credential_rows *credential_rows_new(void)
{
	struct credential_rows *rows = mem_calloc(1, sizeof(*rows));

	mutex_init(&rows->lock);
	mutex_lock(&rows->lock);
	forget(rows);
	mutex_unlock(&rows->lock);
	return rows;
}

struct credential_rows *credential_rows_free(struct credential_rows *rows)
{
	if (!rows)
		return NULL;
	mutex_done(&rows->lock);
	free(rows);
	return NULL;
}

/* Whether there were enough refusals to send nothing. */
static bool is_enough(const struct credential_rows *rows,
		      enum credential_door door, uint64_t version,
		      enum ctx_class who) requires_lock(rows->lock)
{
	const struct row *row = &rows->rows[door];
	bool both = rows->rows[0].n_refused && rows->rows[1].n_refused;

	return version <= row->refused &&
	       row->n_refused >=
		       (who == CTX_REFRESH || both ? 1 : REFUSALS_MOST);
}

static int refuse(struct ctx *ctx, enum credential_door door, int64_t left_ms,
		  const char *hint)
{
	char until[24];

	ctx->refused = ctx->who == CTX_REFRESH;
	clock_format_iso8601(clock_wall_ms() + left_ms, until);
	return ctx_fail(ctx, -EACCES,
			"Bitbucket refused the credential (401) several times "
			"in a row%s, and it is not sent again before %s, so "
			"that the account is not locked: %s.",
			door == CREDENTIAL_GIT ? " for git" : "", until, hint);
}

int credential_rows_ask(struct ctx *ctx, struct credential_rows *rows,
			enum credential_door door, uint64_t version, bool take,
			const char *hint)
{
	int64_t now = clock_boot_ms(), left = 0;

	mutex_lock(&rows->lock);
	if (is_enough(rows, door, version, ctx->who)) {
		struct row *row = &rows->rows[door];

		left = row->asked_ms + AGAIN_MS - now;
		if (left > 0 && ctx->urgent &&
		    now - row->urgent_ms >= AGAIN_MS) {
			left = 0;
			if (take)
				row->urgent_ms = now;
		}
		if (left <= 0 && take)
			row->asked_ms = now;
	}
	mutex_unlock(&rows->lock);
	return left > 0 ? refuse(ctx, door, left, hint) : 0;
}

void credential_rows_heard(struct credential_rows *rows,
			   enum credential_door door, uint64_t version,
			   long status)
{
	struct row *row = &rows->rows[door];

	mutex_lock(&rows->lock);
	/* 1. A request leaves with the old secret. 2. Another one brings a new
	 * secret, which is taken: the row ends. 3. The first is refused. Its
	 * 401 says nothing of the secret that is sent from now on. */
	if (version < row->newest)
		goto out;
	row->newest = version;
	if (status == 401) {
		row->n_refused++;
		row->refused = version;
		row->asked_ms = clock_boot_ms();
	} else if (status >= 200 && status < 400) {
		row->n_refused = 0;
	}
out:
	mutex_unlock(&rows->lock);
}

void credential_rows_forget(struct credential_rows *rows)
{
	mutex_lock(&rows->lock);
	forget(rows);
	mutex_unlock(&rows->lock);
}
