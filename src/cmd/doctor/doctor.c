/*
 * bitbucketfs doctor [ADDRESS] [--json]: the table of checks, run side by side.
 *
 * The configuration is read before them, and the credential, whose program may
 * ask for a passphrase at the terminal. A check that has not come back in time
 * is left behind with all that it may still look at, and the program ends
 * without it.
 */
#include "cmd/doctor/doctor.h"
#include "cmd/doctor/service.h"

#include "cmd/mount/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <time.h>
#include <unistd.h>

#define CONNECTIONS 4
/* Of the hour's requests: fewer are few. */
#define FEW_PERCENT 10

static const struct check {
	const char *name; /* of its line, or of the first of them: stable */
	doctor_check *run;
} checks[] = {
	{"kernel", doctor_check_kernel},
	{"device", doctor_check_device},
	{"fusermount", doctor_check_fusermount},
	{"allow_other", doctor_check_allow_other},
	{"versions", doctor_check_versions},
	{"cache", doctor_check_cache},
	{"space", doctor_check_space},
	{"mounts", doctor_check_mounts},
	{"namespaces", doctor_check_namespaces},
	{"plocate", doctor_check_plocate},
	{"tracker", doctor_check_tracker},
	{"baloo", doctor_check_baloo},
	{"https", doctor_check_service},
	{"git", doctor_check_git},
	{"ssh", doctor_check_ssh},
	{"ssh-443", doctor_check_ssh_443},
	{"curl", doctor_check_curl},
};

struct all;
struct visit {
	struct all *all;
	const struct check *check;
	struct ctx ctx;
	struct report report; /* the thread's until it is done */
	struct thread *thread;
	bool done; /* under all's lock */
};
struct all {
	struct doctor *doctor;
	struct visit visits[ARRAY_SIZE(checks)];
	struct mutex lock;
	struct cond one_done;
};

/* ---- before the checks ---- */

static void add_said(struct report *r, const char *name,
		     enum report_level level, const struct buf *said)
{
	report_add(r, name, level, "%s", said->len ? said->data : "failed");
}

static void judge_credential(struct doctor *d, struct report *r)
{
	const struct credential *credential = d->remote.credential;
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	cleanup(ctx_done) struct ctx ctx;
	const char *label = credential_label(credential), *odd = NULL;
	const char *from = doctor_credential_from(d);

	ctx_init(&ctx, NULL, DOCTOR_CHECK_MS);
	if (credential_kind(credential) == CREDENTIAL_ANONYMOUS) {
		report_add(r, "credential", REPORT_OK, "none is configured");
		return;
	}
	/* A consumer's would be asked of the service. */
	if (credential_kind(credential) != CREDENTIAL_OAUTH &&
	    !credential_for_git(&ctx, credential, &secret))
		odd = service_odd_credential(credential_kind(credential), label,
					     secret.token);
	if (odd)
		report_add(r, "credential", REPORT_WARNING, "%s (from %s)", odd,
			   from);
	else
		report_add(r, "credential", REPORT_OK, "of %s, from %s", label,
			   from);
}

static void judge_address(struct doctor *d, struct report *r)
{
	const struct address_place place = {
		.git_url = d->remote.config.git_url,
		.api_url = d->remote.config.api_url,
	};
	struct address *a = &d->address;

	d->wants_ssh = d->remote.config.ssh_url != NULL;
	if (!d->given)
		return;
	address_read(d->given, &place, a);
	/* Another host than the service's is not asked. */
	d->wants_ssh |= a->form == ADDRESS_SSH &&
			(!a->wrong || !strcmp(place.git_url, CONFIG_GIT_URL));
	if (a->wrong)
		report_add(r, "address", REPORT_ERROR, "%s", a->wrong);
	else if (a->odd)
		report_add(r, "address", REPORT_WARNING, "%s", a->odd);
	else
		report_add(r, "address", REPORT_OK, "%s%s%s%s%s",
			   address_form_name(a->form),
			   a->workspace ? " of " : "",
			   a->workspace ? a->workspace : "",
			   a->repository ? "/" : "",
			   a->repository ? a->repository : "");
}

/* What is said of it elsewhere is a line here. */
static void configure(struct doctor *d, const struct command_line *line,
		      struct report *r)
{
	cleanup(buf_done) struct buf said = BUF_INIT(16 * KIB);
	const struct config *config = &d->remote.config;

	command_listen(&said);
	d->is_configured = remote_read_config(&d->remote, line) == COMMAND_OK;
	if (!d->is_configured)
		add_said(r, "configuration", REPORT_ERROR, &said);
	else
		report_add(r, "configuration", REPORT_OK, "%s%s%s%s",
			   config->file ? config->file : "none",
			   config->file && access(config->file, F_OK)
				   ? " (there is none)"
				   : "",
			   config->profile ? ", profile " : "",
			   config->profile ? config->profile : "");
	buf_clear(&said);
	if (d->is_configured)
		d->has_credential = remote_read_credential(&d->remote) ==
				    COMMAND_OK;
	daemon_harden();
	if (d->has_credential)
		judge_credential(d, r);
	else if (d->is_configured)
		add_said(r, "credential", REPORT_ERROR, &said);
	if (d->is_configured &&
	    (remote_new_http(&d->remote, CONNECTIONS, &d->http) ||
	     (d->has_credential && remote_build(&d->remote)))) {
		add_said(r, "versions", REPORT_ERROR, &said);
		d->is_configured = false;
	}
	command_listen(NULL);
	if (d->is_configured)
		judge_address(d, r);
}

/* ---- side by side ---- */

static void run(void *arg)
{
	struct visit *visit = arg;
	struct all *all = visit->all;

	visit->check->run(&visit->ctx, all->doctor, &visit->report);
	mutex_lock(&all->lock);
	visit->done = true;
	cond_signal(&all->one_done);
	mutex_unlock(&all->lock);
}

static struct all *start(struct doctor *d)
{
	struct all *all = mem_calloc(1, sizeof(*all));

	all->doctor = d;
	mutex_init(&all->lock);
	cond_init(&all->one_done);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct visit *visit = &all->visits[i];

		visit->all = all;
		visit->check = &checks[i];
		ctx_init(&visit->ctx, NULL, DOCTOR_CHECK_MS);
		if (thread_start("check", run, visit, &visit->thread))
			run(visit);
	}
	return all;
}

/* True: it has come back. */
static bool await(struct all *all, struct visit *visit, int64_t until_ms)
{
	bool done;

	mutex_lock(&all->lock);
	while (!visit->done &&
	       cond_wait_until(&all->one_done, &all->lock, until_ms))
		;
	done = visit->done;
	mutex_unlock(&all->lock);
	return done;
}

static void cancel_late(struct all *all, int64_t until_ms)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (!await(all, &all->visits[i], until_ms))
			ctx_cancel(&all->visits[i].ctx);
}

/* In the order of the table. True: all have come back. */
static bool gather(struct all *all, int64_t until_ms, struct report *r)
{
	bool whole = true;

	cancel_late(all, until_ms);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct visit *visit = &all->visits[i];

		if (await(all, visit, until_ms + DOCTOR_GRACE_MS)) {
			visit->thread = thread_join(visit->thread);
			report_take(r, &visit->report);
			ctx_done(&visit->ctx);
			continue;
		}
		whole = false;
		report_add(r, visit->check->name, REPORT_ERROR,
			   "this could not be looked at within %d seconds: a "
			   "disk or a file system that hangs?",
			   DOCTOR_CHECK_MS / 1000);
	}
	return whole;
}

static void end(struct all *all)
{
	cond_done(&all->one_done);
	mutex_done(&all->lock);
	free(all);
}

/* ---- after them ---- */

/* "14:05", of this machine's day. */
static char *time_of_day(int64_t wall_ms, char out[static 8])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (!localtime_r(&s, &tm) || !strftime(out, 8, "%H:%M", &tm))
		out[0] = 0;
	return out;
}

static void add_until(const struct budget_quota *quota, char out[static 32])
{
	int64_t until = quota->full_ms ? quota->full_ms : quota->reset_ms;
	char hour[8];

	out[0] = 0;
	if (until > clock_wall_ms())
		snprintf(out, 32, "; all of them again at %s",
			 time_of_day(until, hour));
}

/* Where the account is known its ledger has what the mounts have asked, and
 * these requests are counted with theirs. A cache of which nobody knows that it
 * is sound is not opened: it would be set aside. */
static void count(struct doctor *d, struct report *r)
{
	cleanup(buf_done) struct buf said = BUF_INIT(16 * KIB);
	char why[1024];
	struct budget_state state;
	cleanup(ctx_done) struct ctx ctx;
	char until[32];
	bool is_asked = atomic_load(&d->n_requests) > 0;

	command_listen(&said);
	ctx_init(&ctx, NULL, DOCTOR_CHECK_MS);
	if (is_asked && d->cache_is_sound &&
	    account_is_there(d->remote.config.cache_dir,
			     d->remote.config.api_url) &&
	    !account_find(&ctx, &d->remote.account, d->remote.config.cache_dir,
			  d->remote.config.api_url, d->remote.credential,
			  why) &&
	    d->remote.account.dir)
		(void)remote_open_cache(&d->remote);
	command_listen(NULL);
	if (!is_asked || report_has(r, "requests"))
		return;
	budget_state(d->remote.budget, &state);
	add_until(&state.api, until);
	report_add(r, "requests",
		   !state.api.left ? REPORT_ERROR
		   : state.api.left * 100 < state.api.limit * FEW_PERCENT
			   ? REPORT_WARNING
			   : REPORT_OK,
		   "%lld of %lld of this hour are left%s%s",
		   (long long)state.api.left, (long long)state.api.limit,
		   state.api.told ? "" : ", counted here", until);
}

static void print(struct doctor *d, const struct report *r, bool as_json,
		  struct buf *out)
{
	cleanup(json_free) struct json *all = NULL;

	if (!as_json) {
		report_text(r, out);
		return;
	}
	all = json_new_object();
	json_add_str(all, "worst", report_level_name(report_worst(r)));
	json_add_int(all, "requests", atomic_load(&d->n_requests));
	report_json(r, all);
	json_pretty(all, out);
}

static void doctor_free(struct doctor *d)
{
	remote_done(&d->remote);
	d->http = http_free(d->http);
	address_done(&d->address);
	mutex_done(&d->lock);
	free(d);
}

enum command_exit doctor_command(const struct command_line *line)
{
	struct doctor *d = mem_calloc(1, sizeof(*d));
	cleanup(report_done) struct report report = {0};
	cleanup(buf_done) struct buf out = BUF_INIT(256 * KIB);
	enum command_exit result;
	struct all *all;
	bool whole;

	log_to_stderr(LOG_LEVEL_ERROR);
	d->given = line->n_operands ? line->operands[0] : NULL;
	mutex_init(&d->lock);
	configure(d, line, &report);
	all = start(d);
	whole = gather(all, clock_mono_ms() + DOCTOR_CHECK_MS + DOCTOR_GRACE_MS,
		       &report);
	if (d->is_configured && d->has_credential && whole)
		count(d, &report);
	doctor_compare_ways(d, &report);
	print(d, &report, line->json, &out);
	result = command_print(out.data, out.len);
	if (result == COMMAND_OK && report_worst(&report) == REPORT_ERROR)
		result = COMMAND_FAILED;
	/* What is left behind has its hands on all of this. */
	if (!whole) {
		fflush(NULL);
		_exit((int)result);
	}
	end(all);
	doctor_free(d);
	return result;
}
