/*
 * table/resource: pipelines, their steps, and what tests said.
 *
 * Pages of pipelines and steps never say where the next one is
 * (src/api/README.md, 9). What has ended is final. The service calls a pipeline
 * by its uuid; its name here is its build number.
 */
#include "table/rows.h"

#define PIPELINE REPOSITORY "/pipelines/{1}"
#define STEP PIPELINE "/steps/{2}"
#define CASES STEP "/test_reports/test_cases"

bool pipelines_has_ended(const struct json *item)
{
	const char *state = json_str(item, "state.name");

	return state && !strcmp(state, "COMPLETED");
}

bool pipelines_has_failed(const struct json *run)
{
	const char *result = json_str(run, "state.result.name");

	return pipelines_has_ended(run) && result &&
	       strcmp(result, "SUCCESSFUL") != 0 &&
	       strcmp(result, "STOPPED") != 0;
}

const char *pipelines_branch(const struct json *run)
{
	const char *kind = json_str(run, "target.ref_type");

	return kind && strstr(kind, "tag")
		       ? NULL
		       : resource_str(run, "target.ref_name|target.source");
}

/* The branch or tag; of a pull request the branch it comes from. */
#define TARGET "target.ref_name|target.source|target.branch_name"
/* The result; of a run that has not ended, its stage. */
#define RESULT "state.result.name|state.stage.name"

const struct resource_column pipelines_columns[] = {
	{"number", "build_number", NULL},
	{"state", "state.name", NULL},
	{"result", RESULT, NULL},
	{"duration", "duration_in_seconds|build_seconds_used", NULL},
	{"trigger", "trigger.name|trigger.type", NULL},
	{"target", TARGET, NULL},
	{"commit", "target.commit.hash", NULL},
	{"creator", PERSON("creator"), NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"completed", "completed_on", NULL, RESOURCE_TIME},
	{"url", "links.html.href", NULL},
	{NULL, NULL, NULL},
};

const struct resource_column pipelines_red_columns[] = {
	{"repository", "repository", NULL},
	{"branch", "run.target.ref_name", NULL},
	{"number", "run.build_number", NULL},
	{"result", "run.state.result.name", NULL},
	{"pushed_by", PERSON("run.creator"), NULL},
	{"completed", "run.completed_on|run.created_on", NULL, RESOURCE_TIME},
	{"commit", "run.target.commit.hash", NULL},
	{"green", "green.build_number", NULL},
	{"green_completed", "green.completed_on|green.created_on", NULL,
	 RESOURCE_TIME},
	{"fetched", "fetched", NULL},
	{"url", "run.links.html.href", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column pipeline_info[] = {
	{"number", "build_number", NULL},
	{"state", "state.name", NULL},
	{"result", RESULT, NULL},
	{"duration", "duration_in_seconds|build_seconds_used", NULL},
	{"trigger", "trigger.name|trigger.type", NULL},
	{"target", TARGET, NULL},
	{"destination", "target.destination", NULL},
	{"pullrequest", "target.pullrequest.id", NULL},
	{"selector", "target.selector.pattern|target.selector.type", NULL},
	{"commit", "target.commit.hash", NULL},
	{"creator", PERSON("creator"), NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"completed", "completed_on", NULL, RESOURCE_TIME},
	{"uuid", "uuid", NULL},
	{"url", "links.html.href", NULL},
	{NULL, NULL, NULL},
};

/* ---- tests ---- */

static const struct resource_column reason_columns[] = {
	{"type", "type|message_type", NULL},
	{"message", "message|reason|output", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column case_columns[] = {
	{"status", "status|result", NULL},
	{"name", "fully_qualified_name|name", NULL},
	{"package", "package_name", NULL},
	{"duration", "duration|duration_in_milliseconds", NULL},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_items case_items = {
	.name_path = "fully_qualified_name|name|uuid",
	.id_path = "uuid",
	.files = JSON_AND_INFO("case.json", case_columns),
	.rows = ROWS(NUMBERED_LIST("reasons", CASES "/{3}/test_case_reasons",
				   NULL, 1 * HOUR_S, reason_columns,
				   .may_lack = true)),
};

static const struct resource_column report_info[] = {
	{"passed", "number_of_successful_test_cases|successful", NULL},
	{"failed", "number_of_failed_test_cases|failed", NULL},
	{"errors", "number_of_error_test_cases|errors", NULL},
	{"skipped", "number_of_skipped_test_cases|skipped", NULL},
	{"total", "number_of_test_cases|total", NULL},
	{NULL, NULL, NULL},
};

/* ---- steps ---- */

static const struct resource_column step_columns[] = {
	{"name", "name", NULL},
	{"state", "state.name", NULL},
	{"result", RESULT, NULL},
	{"duration", "duration_in_seconds|build_seconds_used", NULL},
	{"started", "started_on", NULL, RESOURCE_TIME},
	{"completed", "completed_on", NULL, RESOURCE_TIME},
	{"image", "image.name", NULL},
	{"run", "run_number", NULL},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

/* "Build and test" → "build-and-test": what a shell takes without quotes. */
static void step_name(const struct json *item, struct buf *out)
{
	const char *name = json_str(item, "name");
	size_t start = out->len;

	for (; name && *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c - 'A' + 'a');
		if (c >= 0x80 || (c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9') || strchr("._+=@", c))
			buf_putc(out, (char)c);
		else if (out->len > start && out->data[out->len - 1] != '-')
			buf_putc(out, '-');
	}
	while (out->len > start && out->data[out->len - 1] == '-')
		out->data[--out->len] = '\0';
	if (out->len == start)
		buf_puts(out, "step");
}

static const struct resource_items step_items = {
	.name = step_name,
	.is_numbered = true,
	.id_path = "uuid",
	.time_path = "completed_on|started_on",
	.is_final = pipelines_has_ended,
	.files = INFO_AND_JSON("step.json", step_columns),
	.rows =
		(const struct resource[]){
			{
				.name = "log",
				.kind = RESOURCE_TEXT,
				.endpoint = STEP "/log",
				.special = RESOURCE_LOG,
				.needs = "started_on",
			},
			{
				.name = "services",
				.kind = RESOURCE_GROUP,
				.endpoint = STEP "/logs/{3}",
				.special = RESOURCE_SERVICE_LOGS,
				.needs = "services",
			},
			{
				.name = "tests",
				.kind = RESOURCE_OBJECT,
				.endpoint = STEP "/test_reports",
				.ttl_s = 10 * MINUTE_S,
				.may_lack = true,
				/* Most steps have no test report, which is
				 * known only by asking: a walk must not ask
				 * every step. */
				.is_unlisted = true,
				.files = INFO_AND_JSON("report.json",
						       report_info),
				.rows = ROWS(NUMBERED_LIST(
					"cases", CASES, NULL, 10 * MINUTE_S,
					case_columns, .may_lack = true,
					.items = &case_items)),
			},
			{0},
		},
};

/* Of one that runs only its end is news. */
static void event(const struct json *item, enum resource_event how,
		  struct buf *what)
{
	const struct resource_column result = {"", RESULT, NULL};
	const struct resource_column target = {"", TARGET, NULL};

	if (how == RESOURCE_ITEM_GONE || !pipelines_has_ended(item))
		return;
	buf_puts(what, "pipeline finished: ");
	resource_value(&result, item, what);
	buf_puts(what, " ");
	resource_value(&target, item, what);
}

const struct resource_items pipelines_items = {
	.name_path = "build_number",
	.id_path = "uuid",
	.time_path = "completed_on|created_on",
	.endpoint = PIPELINE,
	.is_name = resource_is_number,
	.has_numbers = true,
	.event = event,
	.is_final = pipelines_has_ended,
	.files = INFO_AND_JSON("pipeline.json", pipeline_info),
	.rows = ROWS(NUMBERED_LIST(
		"steps", PIPELINE "/steps", NULL, 15, step_columns,
		.is_final_below = pipelines_has_ended, .items = &step_items)),
};
