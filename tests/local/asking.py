"""Asking the local Bitbucket, as its tests do: GETs, pages, git."""
import base64
import http.client
import json
import os
import subprocess

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def credential(account, user=None):
    if account is None:
        return {}
    if account.kind == "access-token":
        return {"Authorization": "Bearer " + account.token}
    pair = f"{user or account.email or account.username}:{account.token}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def ask(bb, path, account="ada", user=None, timeout=10, port=None, **headers):
    """(status, headers, body) of a GET below the API, or of a whole target."""
    conn = http.client.HTTPConnection("127.0.0.1", port or bb.port, timeout=timeout)
    try:
        a = bb.accounts[account] if account else None
        conn.request("GET", path if port else "/2.0" + path, headers={**credential(a, user), **headers})
        reply = conn.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        conn.close()


def look(bb, path, **more):
    status, _, body = ask(bb, path, **more)
    return status, json.loads(body)


def walk(bb, path):
    items, pages = [], 0
    while path:
        status, body = look(bb, path)
        assert status == 200, body
        items += body["values"]
        pages += 1
        following = body.get("next", "")
        assert not following or following.startswith(bb.api_url + "/")
        path = following[len(bb.api_url):]
    return items, pages


def git(bb, *args, user="x-bitbucket-api-token-auth", account="ada", check=True, **more):
    """git with the credential of an account, which is in no argument and no file."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}
    env.update(**more, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull, GIT_TERMINAL_PROMPT="0", GIT_CONFIG_COUNT="1",
               GIT_CONFIG_KEY_0="http.extraHeader", GIT_CONFIG_VALUE_0="X-Test: 1")
    if account:
        pair = base64.b64encode(f"{user}:{bb.accounts[account].token}".encode()).decode()
        env["GIT_CONFIG_VALUE_0"] = "Authorization: Basic " + pair
    return subprocess.run(["git", *args], env=env, check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
