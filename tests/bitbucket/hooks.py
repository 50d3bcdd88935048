"""What a webhook of the service posts: payloads of the form that was recorded, their headers, and what signs them."""
import hashlib
import hmac
import json

from .model import uid


def sign(secret, body):
    """The value of X-Hub-Signature."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


class Hooking:
    """The payloads: the part of class Bitbucket that tests post themselves. Needs _repository, _pulls and _tip."""

    def _payload(self, ws, slug, **more):
        r = self._repository(ws, slug)
        actor = {"display_name": "Ada Lindqvist", "nickname": "ada", "type": "user", "uuid": uid("user", "ada")}
        return json.dumps({"actor": actor, "repository": {
            "type": "repository", "full_name": r.full_name, "name": r.slug, "uuid": r.uuid, "scm": "git", "is_private": True,
            "workspace": {"type": "workspace", "slug": ws}}, **more}).encode()

    def hook_push(self, ws, slug, *refs):
        """refs: (name, kind "branch" or "tag", whether it "came", "went" or "moved")."""
        def ref(name, kind):
            return {"name": name, "type": kind, "target": {"type": "commit", "hash": "1" * 40}}
        return self._payload(ws, slug, push={"changes": [
            {"old": None if how == "came" else ref(name, kind), "new": None if how == "went" else ref(name, kind),
             "truncated": False, "created": how == "came", "forced": False, "closed": how == "went", "commits": []}
            for name, kind, how in refs]})

    def hook_pull(self, ws, slug, number, **more):
        p = self._pulls(ws, slug)[1].get(number)
        return self._payload(ws, slug, pullrequest={
            "type": "pullrequest", "id": number, "title": p.title, "state": p.state, "comment_count": 0, "reviewers": []}, **more)

    def hook_comment(self, ws, slug, number, text="text"):
        return self.hook_pull(ws, slug, number, comment={"type": "pullrequest_comment", "id": 1, "content": {"raw": text}})

    def hook_status(self, ws, slug, oid, state, run=None):
        url = f"https://bitbucket.org/{ws}/{slug}/addon/pipelines/home#!/results/{run}" if run else "https://ci.example.com/1"
        return self._payload(ws, slug, commit_status={"key": "build", "type": "build", "state": state, "url": url,
                                                      "commit": {"type": "commit", "hash": oid}})

    def hook_repository(self, ws, slug, **changes):
        return self._payload(ws, slug, changes=changes)
