"""The local Bitbucket's OAuth: consumers, codes, tokens that rotate, and who is refused."""
import base64
import http.client
import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from asking import ask, git


def authorize(bb, **query):
    """(status, Location)"""
    query = {"client_id": bb.oauth.consumer.key, "response_type": "code", "state": "s1", **query}
    status, headers, _ = ask(bb, "/site/oauth2/authorize?" + urlencode(query), account=None, port=bb.port)
    return status, headers["Location"]


def token(bb, key=None, secret=None, type="application/x-www-form-urlencoded", **form):
    """(status, answer)"""
    consumer = bb.oauth.consumer
    pair = base64.b64encode(f"{key or consumer.key}:{secret or consumer.secret}".encode()).decode()
    conn = http.client.HTTPConnection("127.0.0.1", bb.port, timeout=10)
    try:
        conn.request("POST", "/site/oauth2/access_token", urlencode(form),
                     {"Authorization": "Basic " + pair, "Content-Type": type})
        reply = conn.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        conn.close()


def code(bb, **query):
    return parse_qs(urlsplit(authorize(bb, **query)[1]).query)["code"][0]


def by_code(bb):
    status, given = token(bb, grant_type="authorization_code", code=code(bb))
    assert status == 200, given
    return given


def user(bb, access):
    return ask(bb, "/user", account=None, Authorization="Bearer " + access)


def test_a_code_is_good_once_and_its_token_everywhere(bb):
    bb.oauth.who = "ben"
    status, where = authorize(bb)
    back = parse_qs(urlsplit(where).query)
    assert status == 302 and where.startswith("http://localhost:34117/?") and back["state"] == ["s1"]
    status, given = token(bb, grant_type="authorization_code", code=back["code"][0])
    assert status == 200 and given["token_type"] == "bearer" and given["expires_in"] == 7200, given
    assert "repository" in given["scopes"].split()
    assert token(bb, grant_type="authorization_code", code=back["code"][0])[1]["error"] == "invalid_grant"
    status, _, body = user(bb, given["access_token"])
    assert status == 200 and json.loads(body)["nickname"] == "ben"
    bb.accounts["oauth"] = bb.oauth.live()[given["access_token"]]
    assert b"refs/heads/" in git(bb, "ls-remote", f"{bb.git_url}/acme/infra.git", user="x-token-auth", account="oauth").stdout
    assert git(bb, "ls-remote", f"{bb.git_url}/acme/infra.git", account="oauth", check=False).returncode != 0
    assert [e["account"] for e in bb.log.all("GET /2.0/user")] == ["oauth"]


@pytest.mark.parametrize("query", [{"client_id": "another"}, {"response_type": "token"},
                                   {"redirect_uri": "http://localhost:1/"}, {"redirect_uri": "http://evil.example/"}])
def test_who_is_not_led_back(bb, query):
    assert authorize(bb, **query) == (400, None)


def test_a_callback_begins_with_the_registered_one(bb):
    assert authorize(bb, redirect_uri="http://localhost:34117/x?y=z")[1].startswith("http://localhost:34117/x?y=z&")
    bb.oauth.consumer.callback = ""
    assert authorize(bb)[0] == 400


def test_a_person_may_say_no(bb):
    bb.oauth.denies = True
    assert parse_qs(urlsplit(authorize(bb)[1]).query)["error"] == ["access_denied"]


def test_refresh_tokens_rotate(bb):
    first = by_code(bb)
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    status, second = token(bb, **again)
    assert status == 200 and second["refresh_token"] != first["refresh_token"]
    assert token(bb, **again) == (400, {"error": "invalid_request", "error_description": "Invalid refresh_token"})
    assert user(bb, first["access_token"])[0] == user(bb, second["access_token"])[0] == 200
    bb.oauth.forgives = 60
    again["refresh_token"] = second["refresh_token"]
    assert token(bb, **again)[0] == token(bb, **again)[0] == 200
    bb.oauth.expire()
    assert user(bb, second["access_token"])[0] == 401
    bb.oauth.revoke()
    assert token(bb, **again)[0] == 400


def test_only_a_private_consumer_acts_by_itself(bb):
    status, given = token(bb, grant_type="client_credentials")
    assert status == 200 and user(bb, given["access_token"])[0] == 200
    bb.oauth.consumer.private = False
    assert token(bb, grant_type="client_credentials")[1]["error"] == "unauthorized_client"


def test_a_consumer_has_to_say_who_it_is(bb):
    for wrong in ({"secret": "x"}, {"key": "y"}):
        assert token(bb, grant_type="client_credentials", **wrong)[1]["error"] == "unauthorized_client"
    assert token(bb, grant_type="password")[1]["error"] == "unsupported_grant_type"
    assert token(bb, type="application/json", grant_type="client_credentials")[1]["error"] == "invalid_request"
    given = by_code(bb)
    said = json.dumps(bb.log.all())
    for secret in bb.oauth.issued + [bb.oauth.consumer.secret]:
        assert secret not in said, "no secret in the log"
    assert given["access_token"] in bb.oauth.issued
    assert [e["oauth"] for e in bb.log.all("POST /site/oauth2/access_token")][-1] == "authorization_code"
