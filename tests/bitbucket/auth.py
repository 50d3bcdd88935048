"""Accounts, credentials and scopes."""
import base64
import binascii
from dataclasses import dataclass, field

# What a route asks for, as API tokens call it -> what OAuth and access tokens call it.
SCOPES = {
    "read:user:bitbucket": "account", "read:workspace:bitbucket": "account", "read:project:bitbucket": "project",
    "read:repository:bitbucket": "repository", "read:pullrequest:bitbucket": "pullrequest",
    "read:pipeline:bitbucket": "pipeline", "read:snippet:bitbucket": "snippet", "read:webhook:bitbucket": "webhook",
    "admin:repository:bitbucket": "repository:admin", "admin:project:bitbucket": "project:admin",
    "admin:workspace:bitbucket": "account:write", "read:runner:bitbucket": "runner",
    "read:ssh-key:bitbucket": "account", "read:gpg-key:bitbucket": "account",
}
BEARERS = ("access-token", "oauth")     # Bearer at REST, x-token-auth at git
BAD_TOKEN = "Token is invalid, expired, or not supported for this endpoint."


@dataclass
class Account:
    name: str
    kind: str                       # "api-token", "pair", "access-token", "oauth", "dead"
    token: str
    user: str = ""                  # key of the user, "" for access tokens
    email: str = ""
    username: str = ""
    scopes: tuple = ()
    workspace: str = ""             # access tokens: what they reach
    project: str = ""
    repository: str = ""
    extra: dict = field(default_factory=dict)

    def __getitem__(self, key):
        return getattr(self, key)

    def public(self):
        return {k: getattr(self, k) for k in
                ("kind", "email", "username", "token", "workspace", "project", "repository", "scopes") if getattr(self, k)}

    def lacks(self, scope):
        """What a route's scope asks of this account and it has not, in the account's own words; or None.

        "a|b": where access tokens are asked for another one than SCOPES says.
        """
        if self.kind == "pair" or not scope:
            return None
        new, _, old = scope.partition("|")
        word = (old or SCOPES[new]) if self.kind in BEARERS else new
        return None if word in self.scopes else word


ALL = tuple(SCOPES)
FEW = ("read:user:bitbucket", "read:workspace:bitbucket", "read:repository:bitbucket")
OLD = ("account", "project", "repository", "pullrequest", "pipeline", "webhook")


def default_accounts():
    made = (
        Account("ada", "api-token", "ATATT3xLocalAdaEverything0001", "ada", "ada@example.com", "ada-lindqvist", ALL),
        Account("reader", "api-token", "ATATT3xLocalReaderFewScopes02", "ben", "ben@example.com", "ben-okafor", FEW),
        Account("pair", "pair", "local-plain-password-03", "ada", username="ada-lindqvist"),
        Account("workspace-token", "access-token", "ATCTT3xLocalWorkspaceToken04", scopes=OLD, workspace="acme"),
        Account("project-token", "access-token", "ATCTT3xLocalProjectToken0005", scopes=OLD, workspace="acme",
                project="PROD"),
        Account("repository-token", "access-token", "ATCTT3xLocalRepositoryToken6", scopes=OLD, workspace="acme",
                repository="widgets"),
        Account("dead-app-password", "dead", "ATBBLocalDeadAppPassword0007", username="ada-lindqvist"),
    )
    return {a.name: a for a in made}


class Refused(Exception):
    """The credential is no good here."""


def kind_of(header):
    word = (header or "").split(" ", 1)[0].lower()
    return word if word in ("basic", "bearer") else "other" if word else None


def find(accounts, header, git=False):
    """The account of an Authorization header; None when there is none; Refused when it is no good."""
    if not header:
        return None
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        for a in accounts.values():
            if a.kind in BEARERS and a.token == rest.strip():
                return a
        raise Refused()
    if scheme.lower() != "basic":
        raise Refused()
    try:
        user, _, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused() from None
    for a in accounts.values():
        if a.token != secret:
            continue
        if a.kind == "pair" and user == a.username:
            return a
        if a.kind == "api-token" and (user in ("x-bitbucket-api-token-auth", a.username) if git else user == a.email):
            return a
        if a.kind in BEARERS and git and user == "x-token-auth":
            return a
    raise Refused()
