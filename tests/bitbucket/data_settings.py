"""How things are set up: acme/widgets, its project and its workspace as people would, edge/files in every hard way."""
import base64
import hashlib
from datetime import timedelta

from .data_review import RTL
from .model import START, day, stamp, uid

EVENTS = ["repo:push", "pullrequest:created", "pullrequest:updated", "pullrequest:fulfilled", "pullrequest:rejected"]
ODD = ("tab\there", "line\nbreak", "back\\slash", RTL, "日本語", "🚀", "", "x" * 300, "a/b", "..")


def public_key(seed):
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + hashlib.sha256(seed.encode()).digest()
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def fingerprint(seed):
    return base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode().rstrip("=")


def hook(name, n, url, **more):
    return {"uuid": uid("hook", name), "description": name, "url": url, "events": EVENTS[:n], "created_at": day(30 + n)[:-6] + "944Z", **more}


def known_host(name, kind="Ed25519"):
    return {"uuid": uid("host", name), "hostname": name, "key_type": kind, "key": public_key(name).split()[1],
            "md5": ":".join("%02x" % b for b in hashlib.md5(name.encode()).digest()), "sha256": "SHA256:" + fingerprint(name)}


def runner(name, status, labels, **more):
    return {"uuid": uid("runner", name), "name": name, "status": status, "labels": labels, "created_on": day(20)[:-6] + "Z",
            "updated_on": day(300)[:-6] + "Z", **more}


def environment(repo, name, kind, **more):
    return {"uuid": uid("environment", repo, name), "name": name, "kind": kind, "slug": name.lower().replace(" ", "-"), **more}


def deployed(repo, number, where, n, state="COMPLETED", status="SUCCESSFUL", seconds=40, **more):
    begin = START + timedelta(days=n, microseconds=number)
    return {"uuid": uid("deployment", repo, number), "number": number, "environment": uid("environment", repo, where), "state": state,
            "status": status, "pipeline": number, "created_on": stamp(begin), "at": "main", "who": "chen",
            "started_on": None if state == "UNDEPLOYED" else stamp(begin + timedelta(seconds=9))[:-6] + "Z",
            "completed_on": stamp(begin + timedelta(seconds=seconds))[:-6] + "Z" if state == "COMPLETED" else None, **more}


def widgets():
    repo = "acme/widgets"
    return {
        "hooks": [hook("Chat", 5, "https://chat.example.com/hooks/1", secret_set=True), hook("Baut, prüft", 1, "https://ci.example.com/hook?a=1&b=2"),
                  hook("Old", 2, "http://old.example.com/", active=False)],
        "restrictions": [
            {"id": 101, "kind": "push", "pattern": "main", "users": ["ada"], "groups": ["developers"]},
            {"id": 102, "kind": "require_approvals_to_merge", "pattern": "main", "value": 2},
            {"id": 103, "kind": "force", "pattern": "release/*"},
            {"id": 104, "kind": "delete", "branch_match_kind": "branching_model", "branch_type": "production"},
            {"id": 105, "kind": "require_passing_builds_to_merge", "pattern": "größe/**", "value": 1, "users": ["erik"]}],
        "reviewers": ["ben", "dana"], "model": {"production": "release/1.0", "types": {"hotfix": ("hotfix/", False), "bugfix": ("fix/", True)}},
        "groups": [("developers", "write"), ("managers", "read"), ("administrators", "admin")],
        "users": [("ada", "admin"), ("ben", "write"), ("erik", "read"), ("dana", "none")], "override": {"branching_model": True},
        "deploy_keys": [{"id": 7, "key": public_key("deploy"), "label": "production", "comment": "deploy@prod", "created_on": day(60),
                         "added_on": day(60), "last_used": day(300), "who": "ada"},
                        {"id": 8, "key": public_key("mirror"), "label": "Spiegel", "created_on": day(70), "added_on": day(70), "who": None}],
        "enabled": True, "variables": [("LEVEL", "9"), ("TOKEN", None), ("GRUSS", "Grüße"), ("EMPTY", "")],
        "schedules": [{"uuid": uid("schedule", 1), "target": "main", "cron_pattern": "0 0 2 * * ? *", "created_on": day(200), "updated_on": day(201),
                       "executions": [9, "No pipeline of that name", 3]},
                      {"uuid": uid("schedule", 2), "target": "feature/colours", "pattern": "nightly", "cron_pattern": "0 30 4 ? * MON *",
                       "created_on": day(220), "updated_on": day(230), "enabled": False}],
        "key_pair": public_key("pipelines"), "known_hosts": [known_host("deploy.example.com"), known_host("[git.example.com]:2222", "ECDSA")],
        "caches": [{"uuid": uid("cache", n), "name": n, "path": p, "key_hash": None, "file_size_bytes": size, "created_on": day(299), "pipeline": 3,
                    "step_uuid": None} for n, p, size in (("pip", "~/.cache/pip", 1_234_567), ("docker", "", 98_765))],
        "runners": [runner("builder-1", "ONLINE", ["self.hosted", "linux"], version="3.19.0"), runner("rechner-ü", "UNREGISTERED", [])],
        "environments": [environment(repo, "Test", "Test"), environment(repo, "Staging", "Staging", variables=[("URL", "https://staging.example.com"),
                                                                                                          ("KEY", None)]),
                         environment(repo, "Production", "Production"), environment(repo, "Köln / DC 2", "Production", hidden=True)],
        "deployments": [
            deployed(repo, 1, "Test", 40, status="FAILED"), deployed(repo, 2, "Staging", 120), deployed(repo, 3, "Production", 300, named="Production"),
            deployed(repo, 4, "Staging", 302, "IN_PROGRESS", who="ben"), deployed(repo, 5, "Production", 302.1, "UNDEPLOYED"),
            deployed(repo, 6, "Köln / DC 2", 302.2, status="STOPPED", who=None)],
    }


def files():
    """Hard values, and more than one page of everything."""
    repo = "edge/files"
    return {
        "hooks": [hook(f"{i} {ODD[i % 10]}", i % 5, f"https://hook.example.com/{i}") for i in range(130)] + [
            {"uuid": uid("hook", "bare"), "url": "https://hook.example.com/bare", "description": None, "events": None}],
        "restrictions": [{"id": i, "kind": "push", "pattern": ODD[i % 10], "users": [], "groups": []} for i in range(1, 121)],
        "reviewers": ["erik", "bot", None, "gone"], "names": {"odd": RTL}, "groups": [("odd", "none"), *((f"group-{i}", "read") for i in range(110))],
        "users": [("erik", "read"), (None, "write"), ("bot", "admin")],
        "deploy_keys": [{"id": i, "key": public_key(str(i)), "label": ODD[i % 10], "comment": ODD[-i % 10], "created_on": day(i)} for i in range(1, 105)] + [
            {"id": 999, "key": None, "label": None, "comment": None, "repository": None, "created_on": None}],
        "enabled": True, "variables": [(f"V{i}", ODD[i % 10] if i % 3 else None) for i in range(230)],
        "schedules": [{"uuid": uid("schedule", "odd", i), "target": ODD[i % 5], "cron_pattern": "* * * * * ? *", "created_on": day(i), "updated_on": day(i),
                       "executions": [ODD[k % 10] if k % 2 else k for k in range(i * 3)]} for i in range(45)],
        "known_hosts": [known_host(name) for name in ODD], "environments": [environment(repo, name, "Test") for name in ODD],
        "deployments": [deployed(repo, i, ODD[i % 10], i * 0.5, named=ODD[i % 10], status=("SUCCESSFUL", "FAILED", "STOPPED")[i % 3], gone=i % 50 == 0,
                                 at="main" if i % 7 else None, who=("erik", None, "bot", "gone")[i % 4]) for i in range(1, 251)],
    }


def ssh_key(label, n, **more):
    return {"uuid": uid("ssh", label), "key": public_key(label), "comment": "ada@laptop", "label": label, "created_on": day(n), "last_used": day(n + 90),
            "expires_on": None, "fingerprint": fingerprint(label), **more}


def gpg_key(name, n, **more):
    digest = hashlib.sha1(name.encode()).hexdigest()
    return {"name": name, "fingerprint": digest, "key_id": digest[-16:], "parent_fingerprint": None, "created_on": day(n), "added_on": day(n, 60),
            "last_used": None, "expires_on": None, **more}


def fill(state):
    """Gives the state what is set up."""
    acme, edge, home = (state.workspaces[slug] for slug in ("acme", "edge", "ada-lindqvist"))
    state.settings = {
        **{r.uuid: {"key_pair": public_key(r.slug)} for w in (acme, home, edge) for r in w.repositories.values() if r.slug != "files"},
        acme.repositories["widgets"].uuid: widgets(), edge.repositories["files"].uuid: files(),
        acme.repositories["infra"].uuid: {"users": [("ben", "admin")], "key_pair": public_key("infra")},
        acme.projects["PROD"].uuid: {
            "reviewers": ["ada", "chen"], "model": {"development": "develop", "production": "main"}, "users": [("ada", "admin"), ("erik", "create-repo")],
            "groups": [("developers", "write")],
            "deploy_keys": [{"id": 21, "key": public_key("project"), "label": "all products", "created_on": day(80), "added_on": day(80), "who": "ben"}]},
        edge.projects["EDGE"].uuid: {"reviewers": ["ada"]}, home.projects["HOME"].uuid: {"reviewers": ["ada"]},
        acme.uuid: {"hooks": [hook("Everything", 5, "https://audit.example.com/acme")], "variables": [("REGION", "eu"), ("SECRET", None)],
                    "runners": [runner("shared-1", "ONLINE", ["self.hosted", "linux.arm64"], version="3.20.0"), runner("shared-2", "UNHEALTHY", ["windows"])]},
        state.users["ada"].uuid: {
            "emails": [("ada@example.com", True, True), ("ada+bitbucket@example.org", False, True), ("ada@größe.example", False, False)],
            "ssh_keys": [ssh_key("laptop", 10), ssh_key("Büro", 20, last_used=None, expires_on=day(400)), ssh_key("", 30, comment=None)],
            "gpg_keys": [gpg_key("Ada's OpenPGP key", 50), gpg_key("Schlüssel", 60, expires_on=day(90))]},
    }
