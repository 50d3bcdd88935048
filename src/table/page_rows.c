/*
 * table/page: the table.
 *
 * The forms are those of the answers' links.html (repositories, commits,
 * branches, tags, pull requests and their comments, projects, snippets) and of
 * the pages themselves. A branch whose name has a slash is no part of the path
 * of a page: the page of its files is the commit's, and ?at= names the branch.
 * src/HEAD is the main branch, whichever that is.
 */
#include "page_private.h"

#define R "$w/$r/"
#define W "$w/.workspace/"
#define PR R "pullrequests/$n"
#define PR_PAGE R "pull-requests/$n"

/* A pull request that is closed has two names. */
#define CLOSED(state, rest, page)                                 \
	{                                                         \
		R "pullrequests/" state "/$n" rest, PR_PAGE page, \
			PAGE_FROM_PLACE                           \
	}
#define PULLREQUEST(rest, page)                                \
	{PR rest, PR_PAGE page}, CLOSED("merged", rest, page), \
		CLOSED("declined", rest, page),                \
		CLOSED("superseded", rest, page)

const struct page_row page_rows[] = {
	{"", ""},
	{".bitbucketfs/account", "account/settings/", PAGE_FROM_PLACE},
	{".bitbucketfs/user.json", "account/settings/", PAGE_FROM_PLACE},

	/* Snippets are of a workspace, but their addresses begin otherwise. */
	{W "snippets/$k/files/$f", "snippets/$w/$k#file-$f"},
	{W "snippets/$k", "snippets/$w/$k"},
	{W "snippets/$k", "$w/workspace/snippets/$k/$f", PAGE_TO_PLACE},
	{W "snippets/$k", "$w/workspace/snippets/$k", PAGE_TO_PLACE},
	{W "snippets", "$w/workspace/snippets/"},

	{W "projects/$k", "$w/workspace/projects/$k"},
	{W "projects", "$w/workspace/projects/"},
	{W "repositories", "$w/workspace/repositories/"},
	{W "my-pullrequests", "$w/workspace/pull-requests/"},
	{W "review-requested", "$w/workspace/pull-requests/", PAGE_FROM_PLACE},
	{W "members", "$w/workspace/members/"},
	{W "permissions", "$w/workspace/settings/groups", PAGE_FROM_PLACE},
	{W "hooks", "$w/workspace/settings/webhooks"},
	{"$w/.workspace", "$w/workspace/overview"},
	{"$w/.workspace", "$w/workspace/$p", PAGE_TO_PLACE},
	{"$w", "$w/"},

	/* A comment has no file of its own: those of one list are one. */
	{PR "/comments", PR_PAGE "/$x/diff#comment-$i", PAGE_TO_PLACE},
	{PR "/comments", PR_PAGE "/$x#comment-$i", PAGE_TO_PLACE},
	{PR "/comments", PR_PAGE "#comment-$i", PAGE_TO_PLACE},
	PULLREQUEST("/comments/$i", "/_/diff#comment-$i"),
	PULLREQUEST("/changes", "/diff"),
	PULLREQUEST("/commits", "/commits"),
	PULLREQUEST("/activity", "/activity"),
	/* With its title, or what stands for it, in the address. */
	{PR "/changes", PR_PAGE "/$x/diff", PAGE_TO_PLACE},
	{PR "/commits", PR_PAGE "/$x/commits", PAGE_TO_PLACE},
	{PR "/activity", PR_PAGE "/$x/activity", PAGE_TO_PLACE},
	PULLREQUEST("", ""),
	{R "pullrequests/merged", R "pull-requests/?state=MERGED"},
	{R "pullrequests/declined", R "pull-requests/?state=DECLINED"},
	{R "pullrequests/superseded", R "pull-requests/?state=SUPERSEDED"},
	{R "pullrequests", R "pull-requests/"},

	{R "tree/$p", R "src/HEAD/$p"},
	{R "tree", R "src", PAGE_TO_PLACE},
	{R "tree/$p", R "raw/HEAD/$p", PAGE_TO_PLACE},
	{R "branches/$b", R "branch/$b"},
	{R "branches/$b", R "commits/branch/$b", PAGE_TO_PLACE},
	{R "branches/$b/$p", R "src/$c/$p?at=$b"},
	{R "commits/$c/tree/$p", R "src/$c/$p"},
	{R "branches/$b/$p", R "src/$b/$p"},
	{R "branches/$b/$p", R "branch/$b", PAGE_FROM_PLACE},
	{R "branches", R "branches/"},
	{R "tags/$b", R "commits/tag/$b"},
	{R "tags/$b/$p", R "src/$c/$p?at=$b", PAGE_FROM_PLACE},
	{R "tags/$b/$p", R "src/$b/$p", PAGE_FROM_PLACE},
	{R "tags/$b/$p", R "commits/tag/$b", PAGE_FROM_PLACE},
	{R "commits/$c/tree/$p", R "raw/$c/$p", PAGE_TO_PLACE},
	{R "branches/$b/$p", R "raw/$b/$p", PAGE_TO_PLACE},
	{R "commits/$c/tree/$p", R "annotate/$c/$p", PAGE_TO_PLACE},
	{R "commits/$c", R "commits/$c"},
	{R "commits/$c", R "commit/$c", PAGE_TO_PLACE},
	{R "commits", R "commits/"},

	{R "pipelines/$n/steps/$s", R "pipelines/results/$n/steps/$s"},
	{R "pipelines/$n", R "pipelines/results/$n"},
	{R "pipelines/$n", R "addon/pipelines/home/!/results/$n",
	 PAGE_TO_PLACE},
	{R "pipelines", R "addon/pipelines/home", PAGE_TO_PLACE},
	{R "pipelines", R "pipelines"},
	{R "deployments", R "deployments"},
	{R "environments", R "deployments", PAGE_FROM_PLACE},
	{R "downloads/$f", R "downloads/$f"},
	{R "downloads", R "downloads/"},
	{R "issues/$n", R "issues/$n"},
	{R "issues", R "issues"},

	{R "settings/hooks", R "admin/webhooks"},
	{R "settings/branch-restrictions", R "admin/branch-permissions"},
	{R "settings/default-reviewers", R "admin/default-reviewers"},
	{R "settings/branching-model", R "admin/branching-model"},
	{R "settings/permissions", R "admin/permissions"},
	{R "settings/deploy-keys", R "admin/access-keys"},
	{R "settings/pipelines", R "admin/pipelines/settings"},
	{R "settings", R "admin"},

	{"$w/$r", "$w/$r"},
	{NULL, NULL, PAGE_BOTH},
};
