"""OAuth 2.0 with a consumer: /site/oauth2/authorize and /site/oauth2/access_token, and the tokens that they give."""
import base64
import binascii
import secrets
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from .auth import Account
from .reply import Reply, redirect

SCOPES = ("account", "project", "repository", "pullrequest", "pipeline", "snippet", "webhook")


@dataclass
class Consumer:
    key: str
    secret: str
    callback: str = "http://localhost:34117/"
    private: bool = True                # "This is a private consumer": client_credentials are for these alone
    user: str = "ada"                   # who made it: client_credentials act as they do
    scopes: tuple = SCOPES


@dataclass
class Grant:
    """What one person has allowed one consumer."""
    consumer: Consumer
    user: str


@dataclass
class Old:
    grant: Grant
    until: float                        # an old refresh token is forgiven until then


class OAuth:
    """Consumers, codes and tokens. A refresh token is good once; the one before is taken for `forgives` seconds more."""

    def __init__(self, bb):
        self.bb = bb
        self.consumers = {}
        self.add(Consumer("localConsumerKey0001", "localConsumerSecret0000000000001"))
        self.expires_in, self.forgives, self.denies = 7200, 0, False
        self.code_seconds = 600
        self.who = "ada"                # who sits at the browser, signed in
        self._lock = threading.Lock()
        self._codes, self._refresh, self._old, self._access = {}, {}, {}, {}
        self.issued = []                # every secret that was ever given, for tests that look for them

    def add(self, consumer):
        self.consumers[consumer.key] = consumer
        return consumer

    @property
    def consumer(self):
        return self.consumers["localConsumerKey0001"]

    # -- what a test does to it

    def expire(self):
        """Every access token is too old from now on."""
        with self._lock:
            self._access.clear()

    def revoke(self):
        """The person takes it back: no token is good any more."""
        with self._lock:
            for tokens in (self._codes, self._refresh, self._old, self._access):
                tokens.clear()

    def live(self):
        """The accounts of the access tokens of now, by the token's name in the log."""
        now = time.time()
        with self._lock:
            return {a.token: a for a, until in self._access.values() if until > now}

    # -- the two pages

    def answer(self, method, path, query, headers, body, entry):
        if path == "/site/oauth2/authorize" and method == "GET":
            return self.authorize(dict(query))
        if path == "/site/oauth2/access_token" and method == "POST":
            return self.access_token(dict(parse_qsl(body.decode("utf-8", "replace"))), headers, entry)
        return page(404, "There is no such page")

    def authorize(self, query):
        """A person who is signed in has allowed it at once."""
        consumer = self.consumers.get(query.get("client_id"))
        if not consumer:
            return page(400, "Invalid client_id")
        if query.get("response_type") != "code":
            return page(400, "Invalid response_type")
        where = query.get("redirect_uri", consumer.callback)
        if not consumer.callback or not where.startswith(consumer.callback):
            return page(400, "Invalid redirect_uri\n\nThis integration is misconfigured. Contact the vendor for assistance.")
        back = {"state": query["state"]} if "state" in query else {}
        if self.denies:
            back.update(error="access_denied", error_description="The user denied access")
        else:
            back["code"] = self._secret("code")
            with self._lock:
                self._codes[back["code"]] = Old(Grant(consumer, self.who), time.time() + self.code_seconds)
        return redirect(302, where + ("&" if "?" in where else "?") + urlencode(back))

    def access_token(self, form, headers, entry):
        consumer = self._client(headers.get("Authorization"))
        kind = form.get("grant_type")
        self.bb.log.update(entry, oauth=kind, account=consumer.key if consumer else "refused")
        if not consumer:
            return refuse("unauthorized_client", "Requests must be authenticated using OAuth client credentials")
        if headers.get("Content-Type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return refuse("invalid_request", "Missing grant_type")
        grants = {"authorization_code": self._of_code, "refresh_token": self._of_refresh,
                  "client_credentials": self._of_client}
        if kind not in grants:
            return refuse("unsupported_grant_type", f"Unsupported grant type: {kind}")
        grant, why = grants[kind](consumer, form)
        return self._give(grant, kind) if grant else refuse(*why)

    def _client(self, header):
        scheme, _, rest = (header or "").partition(" ")
        try:
            key, _, secret = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        consumer = self.consumers.get(key)
        return consumer if scheme.lower() == "basic" and consumer and consumer.secret == secret else None

    def _of_code(self, consumer, form):
        with self._lock:
            given = self._codes.pop(form.get("code"), None)
        if not given or given.grant.consumer is not consumer or given.until < time.time():
            return None, ("invalid_grant", "The specified code is not valid.")
        if not form.get("redirect_uri", consumer.callback).startswith(consumer.callback):
            return None, ("invalid_grant", "Redirect URI mismatch.")
        return given.grant, None

    def _of_refresh(self, consumer, form):
        token = form.get("refresh_token")
        with self._lock:
            grant, old = self._refresh.pop(token, None), self._old.get(token)
            if grant:
                self._old[token] = Old(grant, time.time() + self.forgives)
            elif old and old.until > time.time():
                grant = old.grant
        if not grant or grant.consumer is not consumer:
            return None, ("invalid_request", "Invalid refresh_token")
        return grant, None

    def _of_client(self, consumer, form):
        if not consumer.private:
            return None, ("unauthorized_client", "The client_credentials grant is not allowed for this consumer.")
        return Grant(consumer, consumer.user), None

    def _secret(self, word, end=""):
        made = f"local{word}" + secrets.token_urlsafe(24) + end
        self.issued.append(made)
        return made

    def _give(self, grant, kind):
        access, refresh = self._secret("access", "="), self._secret("refresh")
        account = Account("oauth", "oauth", access, grant.user, username=self.bb.username_of(grant.user),
                          scopes=grant.consumer.scopes)
        with self._lock:
            self._access[access] = account, time.time() + self.expires_in
            self._refresh[refresh] = grant
        return Reply(200, json={"scopes": " ".join(grant.consumer.scopes), "access_token": access,
                                "expires_in": self.expires_in, "token_type": "bearer", "state": kind,
                                "refresh_token": refresh})


def refuse(error, words):
    return Reply(400, json={"error_description": words, "error": error})


def page(status, words):
    return Reply(status, body=f"<!DOCTYPE html><title>Bitbucket</title><p>{words}</p>".encode(),
                 type="text/html; charset=utf-8")
