"""Steering from another process: POST /_control/ACTION with a JSON object of arguments, a JSON reply.

    info     {}                                     what the ready file says
    log      {since, match}                         {"mark": n, "entries": […]}
    mark     {}                                     {"mark": n}
    clear    {}                                     forgets the log
    fault    {match, kind, times, after_bytes, …}   {"fault": number}
    unfault  {fault}  (without: all)                {"hits": n}
    hits     {fault}                                {"hits": n}
    set      {latency, bandwidth, filter, v2, …}    latency in seconds
    limits   {quota, burst, retry_after, …}
    offline  {seconds}                              comes back by itself after that
    call     {method, args, kwargs}                 push, set_ref, rename_repo, update_repo … of class Bitbucket;
                                                    contents of files may be {"base64": "…"}
    when     {match, count, method, args, kwargs}   such a call after the count-th matching request, see Reviewing.when
"""
import base64
import json
import threading

CALLS = ("push", "set_ref", "set_mainbranch", "create_repo", "delete_repo", "rename_repo", "update_repo", "create_workspace",
         "rename_workspace", "delete_workspace", "repo_path",
         "create_pull", "update_pull", "close_pull", "merge_pull", "comment_pull", "task_pull", "set_status", "comment_commit",
         "set_commit_links", "create_pipeline", "update_pipeline", "append_log", "set_log", "start_step", "finish_step",
         "add_download", "replace_download", "delete_download", "expire_links", "set_settings", "get_settings", "set_scopes",
         "create_snippet", "change_snippet", "delete_snippet", "comment_snippet", "add_lfs")
SWITCHES = ("latency", "bandwidth", "filter", "v2", "any_sha1", "reachable_sha1", "tip_sha1", "next_base", "logs", "line_end",
            "refused", "tree_depth", "object_info", "lie", "least_size")


def content(value):
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    if isinstance(value, dict):
        return {k: content(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(content(v) for v in value)
    return value


def act(bb, what, body):
    try:
        args = json.loads(body or b"{}")
        return 200, run(bb, what.partition("?")[0], args)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as e:
        return 400, {"error": f"{type(e).__name__}: {e}"}


def run(bb, what, args):
    if what == "info":
        return bb.describe()
    if what == "log":
        mark = bb.log.mark()
        return {"mark": mark, "entries": bb.log.since(args.get("since", 0), args.get("match"))}
    if what == "mark":
        return {"mark": bb.log.mark()}
    if what == "clear":
        bb.log.clear()
        return {}
    if what == "fault":
        return {"fault": bb.fault(**args).number}
    if what == "hits":
        return {"hits": bb.faults.get(args["fault"]).hits}
    if what == "unfault":
        if "fault" not in args:
            bb.faults.clear()
            return {}
        fault = bb.faults.get(args["fault"])
        fault.remove()
        return {"hits": fault.hits}
    if what == "set":
        for key, value in args.items():
            if key not in SWITCHES:
                raise KeyError(key)
            setattr(bb, key, value)
        return {}
    if what == "limits":
        if isinstance(args.get("burst"), list):
            args["burst"] = tuple(args["burst"])
        bb.set_limits(**args)
        return {}
    if what == "offline":
        def away():
            bb.offline()
            if not bb.stopping.wait(args.get("seconds", 1)):
                bb.online()
        threading.Timer(0.05, away).start()
        return {}
    if what in ("call", "when") and args["method"] not in CALLS:
        raise KeyError(args["method"])
    if what == "when":
        bb.when(args["match"], args.get("count", 1), args["method"], *content(args.get("args", [])), **content(args.get("kwargs", {})))
        return {}
    if what == "call":
        done = getattr(bb, args["method"])(*content(args.get("args", [])), **content(args.get("kwargs", {})))
        return {"result": done if isinstance(done, (str, int, type(None))) else None}
    raise KeyError(what)
