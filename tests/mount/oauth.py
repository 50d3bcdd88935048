"""Sign-ins by OAuth as login keeps them, for tests that begin after it."""
import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def code_of(bb, consumer):
    """What the callback is given."""
    url = f"{bb.git_url}/site/oauth2/authorize?response_type=code&client_id={consumer.key}"
    try:
        urllib.request.build_opener(Stay).open(url)
    except urllib.error.HTTPError as e:
        assert e.code == 302
        return urllib.parse.parse_qs(urllib.parse.urlsplit(e.headers["Location"]).query)["code"][0]


def tokens(bb, consumer, **form):
    """The answer of the token endpoint."""
    request = urllib.request.Request(f"{bb.git_url}/site/oauth2/access_token", urllib.parse.urlencode(form).encode())
    pair = base64.b64encode(f"{consumer.key}:{consumer.secret}".encode()).decode()
    request.add_header("Authorization", "Basic " + pair)
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read())


def place(mounts, what, profile=""):
    return mounts.place / "xdg-state" / "bitbucketfs" / what / (f"127.0.0.1_{mounts.bb.port}" + ("@" + profile if profile else ""))


def write(path, text):
    for folder in (path.parent.parent.parent, path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def kept(mounts, profile=""):
    """What is kept of the tokens: name -> value."""
    lines = place(mounts, "oauth", profile).read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))


def keep(mounts, profile="", **values):
    write(place(mounts, "oauth", profile), "".join(f"{k} {v}\n" for k, v in values.items()))


def sign_in(mounts, by_itself=False, profile="", lifetime=None):
    """Signs in as `login --oauth` does; what is kept."""
    bb = mounts.bb
    consumer = bb.oauth.consumer
    write(place(mounts, "sign-in", profile),
          f"kind oauth-{'client' if by_itself else 'code'}\nusername {consumer.key}\ntoken {consumer.secret}\n")
    if by_itself:
        return None
    given = tokens(bb, consumer, grant_type="authorization_code", code=code_of(bb, consumer))
    lifetime = given["expires_in"] if lifetime is None else lifetime
    keep(mounts, profile, consumer=consumer.key, account="user:{ada}", name="ada", access=given["access_token"],
         until=int(time.time()) + lifetime, lifetime=given["expires_in"], refresh=given["refresh_token"])
    return kept(mounts, profile)


def grants(bb, mark=0):
    """What was asked of the token endpoint since a mark, and how it ended."""
    return [(e["oauth"], e["status"]) for e in bb.log.since(mark, "POST /site/oauth2/access_token")]


def age(mounts, profile=""):
    """What is kept is over."""
    values = kept(mounts, profile)
    values["until"] = str(int(time.time()) - 1)
    keep(mounts, profile, **values)
