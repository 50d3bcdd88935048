"""Holds a server to contract.json: every operation that reads, its status, the types in its answer, the pages of its list.

What is asked for is learnt from the server's own answers: an item of a list gives the parameter of the operations below it.
"""
import json
import os
import re
from datetime import datetime
from urllib.parse import quote

from asking import ask

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = "/repositories/{workspace}/{repo_slug}"
PULL, RUN = REPO + "/pullrequests/{pull_request_id}", REPO + "/pipelines/{pipeline_uuid}"
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "any": object}
# After the answer of an operation: the parameter that its first item gives, and where in the item it is.
LEARN = {
    "/user": ("selected_user", "uuid"),
    "/workspaces/{workspace}/members": ("member", "user.uuid"),
    "/workspaces/{workspace}/projects": ("project_key", "key"),
    "/snippets/{workspace}": ("encoded_id", "id"),
    REPO + "/branch-restrictions": ("id", "id"),
    REPO + "/commits": ("commit", "hash"),
    REPO + "/commit/{commit}/statuses": ("key", "key"),
    REPO + "/deployments": ("deployment_uuid", "uuid"),
    REPO + "/downloads": ("filename", "name"),
    REPO + "/environments": ("environment_uuid", "uuid"),
    REPO + "/hooks": ("uid", "uuid"),
    REPO + "/pipelines": ("pipeline_uuid", "uuid"),
    RUN + "/steps": ("step_uuid", "uuid"),
    REPO + "/pullrequests": ("pull_request_id", "id"),
    PULL + "/comments": ("comment_id", "id"),
    PULL + "/tasks": ("task_id", "id"),
    REPO + "/refs/branches": ("name", "name"),
    REPO + "/refs/tags": ("name", "name"),
}
# Lists that take 50 at most.
FEW = re.compile(r"/pullrequests$|/activity$|/user/workspaces$")
# Lists that do not say where the next page is (src/api/README.md, 9).
NUMBERED = re.compile(r"/pipelines|/deployments|/environments|/test_cases")


def dig(value, path):
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


class Contract:
    def __init__(self, bb, ws, repo):
        with open(os.path.join(HERE, "contract.json"), encoding="utf-8") as f:
            made = json.load(f)
        self.operations, self.shapes = made["operations"], made["shapes"]
        self.bb, self.known, self.lists = bb, {"workspace": ws, "repo_slug": repo}, {}
        self.asked, self.wrong = set(), []

    def json(self, path):
        status, headers, raw = ask(self.bb, path, timeout=60)
        return status, headers, json.loads(raw) if headers.get_content_type() == "application/json" else None

    # -- values

    def misfits(self, value, shape, where="body"):
        """What is wrong with a value. Any member may be missing or null (src/api/README.md, 18), and there may be more."""
        if value is None:
            return
        if isinstance(shape, str) and shape in self.shapes:
            kind = value.get("type") if isinstance(value, dict) else None
            # The shape that is named may be the base of what comes.
            yield from self.misfits(value, self.shapes[kind if isinstance(kind, str) and kind in self.shapes else shape], where)
        elif isinstance(shape, dict) and set(shape) == {"all"}:
            for part in shape["all"]:
                # A base again, without a look at "type": it would lead back here.
                yield from self.misfits(value, self.shapes.get(part, part) if isinstance(part, str) else part, where)
        elif isinstance(shape, dict):
            if not isinstance(value, dict):
                yield f"{where} is {value!r:.40}, no object"
                return
            for name in set(shape) & set(value):
                yield from self.misfits(value[name], shape[name], f"{where}.{name}")
        elif isinstance(shape, list):
            if not isinstance(value, list):
                yield f"{where} is {value!r:.40}, no array"
                return
            for i, item in enumerate(value):
                yield from self.misfits(item, shape[0], f"{where}[{i}]")
        elif shape == "date-time":
            try:
                assert datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo
            except (ValueError, AssertionError, AttributeError):
                yield f"{where} is {value!r:.40}, no time"
        elif not isinstance(value, TYPES[shape]) or isinstance(value, bool) and shape in ("integer", "number"):
            # As the service sends them and its document does not have them: a list of attributes, a snippet's id.
            if not (where.endswith(".attributes") and isinstance(value, list) or where.endswith((".id", ".detail"))):
                yield f"{where} is {value!r:.40}, no {shape}"

    # -- operations

    def fill(self, operation):
        if not set(re.findall(r"{(\w+)}", operation)) <= set(self.known):
            return None
        return re.sub(r"{(\w+)}", lambda m: quote(str(self.known[m[1]]), safe="/" if m[1] in ("path", "name", "spec") else ""),
                      operation)

    def learn(self, operation, body):
        parameter, key = LEARN.get(operation, (None, None))
        first = body.get("values", [body]) if isinstance(body, dict) else []
        if parameter and first and dig(first[0], key) is not None:
            self.known[parameter] = dig(first[0], key)
        if operation == REPO + "/commits" and first:
            self.known["spec"] = self.known["revspec"] = f"{first[0]['hash']}..{first[:2][-1]['hash']}"
            self.known["revision"] = first[0]["hash"]
            files = self.json(f"{self.fill(REPO)}/src/{first[0]['hash']}/?pagelen=100")[2]["values"]
            plain = [e["path"] for e in files if e["type"] == "commit_file" and "\ufffd" not in e["path"]]
            self.known.update({"path": plain[0]} if plain else {})

    def operation(self, operation):
        path = self.fill(operation)
        if not path:
            return
        status, headers, body = self.json(path)
        message = dig(body, "error.message")
        # It has no such thing, or not in this repository, or not for this account.
        if status in (401, 403, 404, 406):
            if not isinstance(message, str) or body.get("type") != "error":
                self.wrong.append(f"{operation}: {status} with {body!r:.80}")
            return
        self.asked.add(operation)
        if status in (301, 302, 307):
            if "://" not in headers.get("Location", ""):
                self.wrong.append(f"{operation}: {status} to {headers.get('Location')}")
            return
        if not {str(status), "default"} & set(self.operations[operation]["statuses"]):
            self.wrong.append(f"{operation}: {status} is not documented: {message}")
            return
        shape = self.operations[operation]["shape"]
        # A file of that name may be JSON.
        if body is not None and shape and not operation.endswith("/{path}"):
            self.wrong += [f"{operation}: {what}" for what in self.misfits(body, shape)][:4]
        if isinstance(body, dict) and isinstance(body.get("values"), list):
            self.lists[operation] = path
        if body is not None:
            self.learn(operation, body)

    # -- lists

    def walk(self, operation, path, pagelen, most):
        items, seen, page = [], set(), 1
        url = f"{path}?pagelen={pagelen}"
        while url and len(items) < most:
            status, _, body = self.json(url)
            if status != 200 or len(body["values"]) > pagelen:
                self.wrong.append(f"{url}: {status}, {len(dig(body, 'values') or [])} items")
                return items
            items += body["values"]
            following = body.get("next")
            if following and (following in seen or not following.startswith(self.bb.api_url + "/")):
                self.wrong.append(f"{url}: next is {following}")
                return items
            seen.add(following)
            page += 1
            url = following and following[len(self.bb.api_url):]
            if not url and NUMBERED.search(operation) and len(items) < body.get("size", 0) and body["values"]:
                url = f"{path}?pagelen={pagelen}&page={page}"
        return items

    def pages(self, operation, path):
        """Pages of two and whole ones say the same, and nothing twice."""
        few = self.walk(operation, path, 2, 10)
        many = self.walk(operation, path, 50 if FEW.search(operation) else 100, 200)
        if few != many[:len(few)] or len(few) < min(10, len(many)):
            self.wrong.append(f"{operation}: {len(few)} items by twos, {len(many)} otherwise")
        if len({json.dumps(item, sort_keys=True) for item in many}) != len(many):
            self.wrong.append(f"{operation}: an item comes twice")

    def run(self, of=""):
        """What is wrong with the operations that begin so, as lines."""
        self.operation(REPO + "/commits")
        for operation in sorted(self.operations):
            if operation.startswith(of):
                self.operation(operation)
        for operation, path in self.lists.items():
            self.pages(operation, path)
        return self.wrong
