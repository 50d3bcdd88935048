"""The q=, sort= and fields= parameters, over JSON objects.

    or    := and ("OR" and)*        and  := term ("AND" term)*
    term  := "(" or ")" | field op value | field ["NOT"] "IN" "(" value, … ")"
    op    := = != ~ !~ > >= < <=
    value := "string" | number | true | false | null | date
"""

import datetime
import re

from .reply import ApiError

TOKEN = re.compile(r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<op>!=|!~|>=|<=|=|~|>|<|\(|\)|,)
  | (?P<date>\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)?)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][\w.]*)
  )""", re.X)


def bad_request(message):
    return ApiError(400, message)


def dig(value, path):
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def every(value, path):
    """The values at a path that goes through lists, such as reviewers.uuid."""
    found = [value]
    for key in path.split("."):
        found = [v.get(key) if isinstance(v, dict) else None for v in found]
        found = [v for one in found for v in (one if isinstance(one, list) else [one])]
    return found


def has(value, path):
    """Whether the path is a field of the object, null or not."""
    for key in path.split("."):
        if isinstance(value, list):
            value = value[0] if value else None
        if value is None:
            return True         # may be there in another object
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def as_date(text):
    text = text.replace("Z", "+00:00").replace(" ", "+")
    when = datetime.datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise bad_request(f"Invalid query: {text[at:at + 20]!r}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0
        self.fields = set()

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) \
            else (None, "")

    def next(self):
        token = self.peek()
        self.at += 1
        return token

    def word(self, word):
        kind, text = self.peek()
        if kind == "word" and text.upper() == word:
            self.at += 1
            return True
        return False

    def parse(self):
        test = self.either()
        if self.at < len(self.tokens):
            raise bad_request(f"Invalid query: {self.peek()[1]!r}")
        return test

    def either(self):
        tests = [self.both()]
        while self.word("OR"):
            tests.append(self.both())
        return lambda item: any(t(item) for t in tests)

    def both(self):
        tests = [self.term()]
        while self.word("AND"):
            tests.append(self.term())
        return lambda item: all(t(item) for t in tests)

    def term(self):
        kind, text = self.next()
        if text == "(" and kind == "op":
            test = self.either()
            self.expect(")")
            return test
        if kind != "word":
            raise bad_request(f"Invalid query: {text!r}")
        self.fields.add(text)
        negated = self.word("NOT")
        if self.word("IN"):
            self.expect("(")
            values = [self.value()]
            while self.peek()[1] == ",":
                self.next()
                values.append(self.value())
            self.expect(")")
            return lambda item: any(v in values for v in every(item, text)) != negated
        op = self.next()[1]
        if negated or op not in ("=", "!=", "~", "!~", ">", ">=", "<", "<="):
            raise bad_request(f"Invalid operator: {op!r}")
        value = self.value()
        return lambda item: any(compare(v, op, value) for v in every(item, text))

    def expect(self, text):
        if self.next()[1] != text:
            raise bad_request(f"Invalid query: {text!r} is missing")

    def value(self):
        kind, text = self.next()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "date":
            try:
                return as_date(text)
            except ValueError:
                raise bad_request(f"Invalid date: {text}") from None
        if kind == "word" and text.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text.lower()]
        raise bad_request(f"Invalid value: {text!r}")


def compare(have, op, want):
    if op in ("~", "!~"):
        inside = str(want).lower() in str(have or "").lower()
        return inside == (op == "~")
    if isinstance(want, str) and isinstance(have, str) \
            and op in (">", ">=", "<", "<=") \
            and re.match(r"\d{4}-\d\d-\d\dT", want):
        try:
            want = as_date(want)        # in quotes it is a date all the same
        except ValueError:
            pass
    if isinstance(want, datetime.datetime) and isinstance(have, str):
        have = as_date(have)
    if op == "=":
        return have == want
    if op == "!=":
        return have != want
    try:
        return {">": have > want, ">=": have >= want, "<": have < want,
                "<=": have <= want}[op]
    except TypeError:
        return False


def fields(q, sort):
    """The names that they ask for."""
    parser = Parser(q) if q else None
    if parser:
        parser.parse()
    return set(parser.fields if parser else ()) | ({sort.lstrip("-")} if sort else set())


def select(items, q):
    """Those of the JSON objects that q lets through; without q all."""
    if not q:
        return items
    parser = Parser(q)
    test = parser.parse()
    for field in sorted(parser.fields):
        if items and not any(has(item, field) for item in items):
            raise bad_request(f"Invalid field name: {field}")
    return [item for item in items if test(item)]


def order(items, sort):
    """The JSON objects in the order of sort=[-]field, if there is one."""
    if not sort:
        return items
    field = sort.lstrip("-")
    if items and not any(has(item, field) for item in items):
        raise bad_request(f"Invalid field name: {field}")

    def key(item):
        value = dig(item, field)
        return (value is not None, value if value is not None else 0)
    return sorted(items, key=key, reverse=sort.startswith("-"))


def restrict(value, text):
    """fields=a.b,c keeps only those; -a.b removes; +a.b adds nothing here,
    because every field is there already."""
    if not text:
        return value
    names = [n.strip() for n in text.split(",") if n.strip()]
    keep = [n for n in names if n[0] not in "+-"]
    if keep and "*" not in keep:
        # +x beside plain names: kept too.
        keep += [n[1:] for n in names if n[0] == "+"]
        value = _only(value, [n.split(".") for n in keep])
    for name in names:
        if name[0] == "-":
            value = _without(value, name[1:].split("."))
    return value


def _only(value, paths):
    if isinstance(value, list):
        return [_only(v, paths) for v in value]
    if not isinstance(value, dict):
        return value
    if any(p == ["*"] for p in paths):
        return value
    kept = {}
    for key, item in value.items():
        below = [p[1:] for p in paths if p[0] in (key, "*")]
        if below:
            kept[key] = item if [] in below else _only(item, below)
    return kept


def _without(value, path):
    if isinstance(value, list):
        return [_without(v, path) for v in value]
    if not isinstance(value, dict):
        return value
    if len(path) == 1:
        return {k: v for k, v in value.items() if k != path[0]}
    return {k: _without(v, path[1:]) if k == path[0] else v
            for k, v in value.items()}
