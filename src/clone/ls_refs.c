/*
 * What a worker does to ask a repository for its refs.
 */
#include "clone/clone_private.h"

#include "base/clock.h"

static const struct upload_pack_ref *
find_ref(const struct upload_pack_refs *refs, const char *name)
{
	for (size_t i = 0; i < refs->n_refs; i++)
		if (strcmp(refs->refs[i].name, name) == 0)
			return &refs->refs[i];
	return NULL;
}

/* "refs/heads/main" → "main"; "" for what no file of ours can carry. */
static void set_branch(struct clone_tip *tip, const char *ref)
{
	size_t n;

	tip->branch[0] = '\0';
	if (!ref || strncmp(ref, "refs/heads/", 11) != 0)
		return;
	ref += 11;
	n = strlen(ref);
	if (n >= sizeof(tip->branch))
		return;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)ref[i] <= ' ' || ref[i] == 0x7f)
			return;
	memcpy(tip->branch, ref, n + 1);
}

/* Which commit the default branch is: HEAD's; where the server does not say,
 * that of the branch which REST named. */
static int choose_tip(struct clone_job *j, const struct upload_pack_refs *refs,
		      const char *main_ref, struct clone_tip *tip)
{
	const struct upload_pack_ref *ref = find_ref(refs, "HEAD");
	const struct upload_pack_ref *main = main_ref ? find_ref(refs, main_ref)
						      : NULL;
	const char *target = ref ? ref->target : NULL;

	if (!ref || !ref->oid[0]) {
		ref = main;
		if (ref)
			target = main_ref;
	} else if (!target && main && strcmp(main->oid, ref->oid) == 0) {
		target = main_ref;
	}
	set_branch(tip, target ? target : main_ref);
	tip->empty = !ref || !ref->oid[0];
	if (!tip->empty && oid_parse(ref->oid, &tip->commit) < 0)
		return ctx_fail(j->ctx, -EPROTO,
				"%s/%s: the server's HEAD is no object id",
				j->workspace, j->slug);
	tip->want = tip->commit;
	return 0;
}

/* An answer about the default branch alone is the same for an empty repository
 * and for one whose default branch does not exist: the other refs tell. */
static int ls_other_refs(struct clone_job *j, const char *const *all,
			 struct clone_tip *tip, struct clone_refs **ret_names)
{
	cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {0};
	int r = 0;

	if (!*ret_names) {
		r = upload_pack_ls_refs(j->ctx, j->session->up, all, &refs);
		if (r < 0)
			return r;
		*ret_names = clone_refs_new(&refs);
	}
	for (size_t i = 0; i < CLONE_REF_KINDS; i++)
		tip->missing |= (*ret_names)->n_names[i] > 0;
	return 0;
}

static int ls_refs_once(struct clone_job *j, struct clone_tip *ret_tip,
			struct clone_refs **ret_names)
{
	cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {0};
	cleanup(clone_refs_unref) struct clone_refs *names = NULL;
	cleanup(free) char *main_ref =
		j->main_branch ? mem_asprintf("refs/heads/%s", j->main_branch)
			       : NULL;
	const char *prefixes[] = {"HEAD", main_ref, NULL};
	const char *all[] = {"HEAD", "refs/heads/", "refs/tags/", NULL};
	struct clone_tip tip = {.server = j->server};
	int r = clone_connect(j, j->workspace, j->slug);

	if (r < 0)
		return r;
	/* Before the question: what is pushed meanwhile is not in it. */
	tip.checked_ms = clock_wall_ms();
	mutex_lock(&j->clones->lock);
	tip.serial = ++j->clones->n_ls_refs;
	mutex_unlock(&j->clones->lock);
	r = upload_pack_ls_refs(j->ctx, j->session->up, j->all ? all : prefixes,
				&refs);
	if (r < 0)
		return r;
	clone_caps_remember(j);
	r = choose_tip(j, &refs, main_ref, &tip);
	if (r < 0)
		return r;
	names = j->all ? clone_refs_new(&refs) : NULL;
	if (tip.empty)
		r = ls_other_refs(j, all, &tip, &names);
	if (r < 0)
		return r;
	*ret_tip = tip;
	*ret_names = steal(&names);
	return 0;
}

static int ls_refs_anywhere(struct clone_job *j, struct clone_tip *ret_tip,
			    struct clone_refs **ret_names)
{
	int r;

	j->server = &j->clones->server;
	r = ls_refs_once(j, ret_tip, ret_names);
	if (r == -ENOENT && clone_to_fallback(j)) {
		j->ctx->sentence[0] = '\0';
		r = ls_refs_once(j, ret_tip, ret_names);
	}
	return r;
}

int clone_job_ls_refs(struct clone_job *j)
{
	bool renamed = false;

	for (;;) {
		cleanup(clone_refs_unref) struct clone_refs *names = NULL;
		struct clone_tip tip = {0};
		int r = ls_refs_anywhere(j, &tip, &names);

		if (r == -ENOENT && !renamed && clone_name_is_other(j)) {
			renamed = true;
			continue;
		}
		if (r >= 0)
			r = clone_name_judge(j, &tip, names, renamed);
		if (r == CLONE_NAME_OTHER && !renamed) {
			renamed = true;
			continue;
		}
		if (r < 0 || r == CLONE_NAME_HOLD)
			return r < 0 ? r : 0;
		clone_name_learnt(j->clone, j, &tip);
		clone_refs_learn(j->clone, &tip, steal(&names));
		clone_session_keep(j);
		return 0;
	}
}
