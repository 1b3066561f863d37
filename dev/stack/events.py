"""The files of `events/`: what is filled into one before it is sent, and what is expected of it afterwards.

A file holds the event itself, and beside it `_given` (what must be there first) and `_expect`, which are never sent.
docs/testing.md describes all three.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import random
import re
import subprocess
import time
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud import Cloud
from layout import StackError
from postgres import BIN
from simulator import AGENT_ID, AGENT_NUMBER, OWN_NUMBER

PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
# Stands for any text within an expected text, and alone for any value that is not null.
ANY = "…"
# What happens behind a queue takes its time.
SOON = 15.0
# In the contiguous states: the hour that a local stack plays is night in Hawaii.
AREAS = (212, 312, 415, 503, 602, 617, 702, 801)
# One number after the other: drawn by chance, two events of a run could meet at one. Only the first is chance.
TURNS = itertools.count(random.randrange(720))


@dataclass(frozen=True)
class Case:
    """An event that is ready to be sent."""

    path: Path
    event: Any
    given: dict[str, Any]
    expect: dict[str, Any]


def load(path: Path, env: dict[str, str], change: Callable[[Any], Any] = lambda raw: raw) -> Case:
    """`change` makes another event of what the file holds, before anything is filled in and signed."""
    raw = change(json.loads(path.read_text()))
    own = {name: raw.pop(name, {}) for name in ("_given", "_expect")}
    filler = Filler(env)
    given, expect = filler.fill(own["_given"]), filler.fill(own["_expect"])
    event = encoded(filler.fill(raw))
    filler.event = event
    return Case(path, filler.fill(event), given, expect)


@dataclass
class Filler:
    """Fills in `{{…}}`. Signatures come last, because they are over the body as it is sent."""

    env: dict[str, str]
    event: Any = None
    names: dict[str, str] = field(default_factory=dict)

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.fill(name): self.fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda found: self.word(found[1], found[0]), value)
        return value

    def word(self, name: str, whole: str) -> str:
        kind, _, detail = name.partition(":")
        if kind == "sign":
            return whole if self.event is None else signature(detail, self.event, self.env)
        makers: dict[str, Callable[[], str]] = {
            "now": lambda: moment(detail).isoformat().replace("+00:00", "Z"),
            "unix": lambda: str(int(moment(detail).timestamp())),
            "ticket": lambda: ticket(detail),
            "uuid": lambda: self.same(name, lambda: str(uuid.uuid4())),
            "number": lambda: self.same(name, lambda: number(detail)),
        }
        if kind in makers:
            return makers[kind]()
        if name not in self.env:
            raise StackError(f"{whole} is neither a known word nor a setting of the stack")
        return self.env[name]

    def same(self, name: str, make: Callable[[], str]) -> str:
        """The same name is the same value all through a file."""
        return self.names.setdefault(name, make())


def moment(offset: str) -> datetime:
    return datetime.fromtimestamp(time.time() + float(offset or 0), UTC)


def number(fate: str) -> str:
    """One that nobody is talking to. Its last two digits choose what the simulator does when it is called."""
    turn = next(TURNS)
    return f"+1{AREAS[turn % len(AREAS)]}555{turn // len(AREAS) % 90 + 10}{fate or '00'}"


def ticket(offset: str) -> str:
    """What place-call puts into the query of the voice URL; worth something for an hour, or as long as is said."""
    until = int(time.time() + float(offset or 3600))
    values = json.dumps({"a": AGENT_NUMBER, "t": 600, "u": until}, separators=(",", ":"))
    return base64.urlsafe_b64encode(values.encode()).decode().rstrip("=")


def encoded(value: Any) -> Any:
    """Bodies are written readably: `{"json": …}` and `{"form": …}` become what is sent."""
    if isinstance(value, list):
        return [encoded(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {name: body(inner) if name == "body" else encoded(inner) for name, inner in value.items()}


def body(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "form" in value:
        return base64.b64encode(urllib.parse.urlencode(value["form"]).encode()).decode()
    return json.dumps(value["json"], ensure_ascii=False, separators=(",", ":"))


def bytes_of(event: dict[str, Any]) -> bytes:
    text = str(event.get("body") or "")
    return base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()


def signature(kind: str, event: dict[str, Any], env: dict[str, str]) -> str:
    vendor, _, offset = kind.partition(":")
    content = bytes_of(event)
    if vendor == "elevenlabs":
        at = str(int(moment(offset).timestamp()))
        secret = env["ELEVENLABS_WEBHOOK_SECRET"].encode()
        return f"t={at},v0={hmac.new(secret, f'{at}.'.encode() + content, hashlib.sha256).hexdigest()}"
    query = event.get("rawQueryString")
    url = env["PUBLIC_BASE_URL"] + event["rawPath"] + (f"?{query}" if query else "")
    secret = env["SIGNALWIRE_SIGNING_SECRET"].encode()
    match vendor:
        case "signalwire":
            fields = sorted(urllib.parse.parse_qsl(content.decode(), keep_blank_values=True), key=lambda pair: pair[0])
            signed = url + "".join(name + value for name, value in fields)
            return base64.b64encode(hmac.new(secret, signed.encode(), hashlib.sha1).digest()).decode()
        case "signalwire-raw":
            return hmac.new(secret, url.encode() + content, hashlib.sha1).hexdigest()
        case "signalwire-sha256":
            return hmac.new(secret, url.encode() + content, hashlib.sha256).hexdigest()
    raise StackError(f"{{{{sign:{kind}}}}} names no signature")


def cloud(env: dict[str, str]) -> Cloud:
    base = Path(env["LOCAL_DIR"])
    return Cloud(base, int(env["AWS_ENDPOINT_URL"].rsplit(":", 1)[1]), base / "logs" / "aws.log")


def psql(sql: str, env: dict[str, str]) -> str:
    command = [str(BIN / "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, env["DATABASE_URL"]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"psql: {done.stderr.strip()}")
    return done.stdout.strip()


def prepare(case: Case, env: dict[str, str]) -> None:
    """Puts there what the event speaks of."""
    for key, content in case.given.get("objects", {}).items():
        if isinstance(content, dict):
            content = base64.b64decode(content["base64"]) if "base64" in content else json.dumps(content["json"])
        cloud(env).client("s3").put_object(Bucket=env["S3_BUCKET"], Key=key, Body=content)
    for call in case.given.get("calls", []):
        psql(attempt(call), env)
    for campaign in case.given.get("campaigns", []):
        psql(row_of("campaigns", {**CAMPAIGN, **times("created_at", "updated_at"), **campaign}), env)
    for one in case.given.get("imports", []):
        psql(row_of("imports", {**IMPORT, **times("created_at", "updated_at"), **one}), env)
    for one in case.given.get("exports", []):
        psql(row_of("exports", {**EXPORT, **times("created_at", "updated_at"), **one}), env)


# What has no default in its table.
CAMPAIGN = {
    "name": "event",
    "agent": "demo",
    "purpose": "informational",
    "state": "draft",
    "settings": {},
    "max_concurrent": 5,
    "rate": 1,
    "max_attempts": 3,
}
IMPORT = {
    "state": "queued",
    "dry_run": False,
    "bytes_read": 0,
    "rows_read": 0,
    "taken": 0,
    "bad": 0,
    "duplicates_in_file": 0,
    "duplicates_in_campaign": 0,
    "runs": 0,
    "requested_by": "events",
}

EXPORT = {"bom": False, "state": "queued", "requested_by": "events", "rows": 0, "bytes": 0, "runs": 0, "stalled": 0}


def times(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, moment("").isoformat())


def row_of(table: str, row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    return f"insert into {table} select * from jsonb_populate_record(null::{table}, $row${text}$row$)"


def attempt(call: dict[str, Any]) -> str:
    """An attempt that was written down and waits; the file says what is special about it."""
    now, tomorrow = moment("").isoformat(), moment("86400").isoformat()
    row = {
        "from_number": OWN_NUMBER,
        "agent": "demo",
        "connect": "sip",
        "elevenlabs_agent_id": AGENT_ID,
        "variables": {},
        "metadata": {},
        "callee": {},
        "requested_by": "events",
        "ring_timeout_secs": 45,
        "max_duration_secs": 600,
        "state": "intent",
        "outcome_final": False,
        "asks": 0,
        "looks": 0,
        "price_looks": 0,
        "double_dial": False,
        "transcript": "expected",
        "recording": "expected",
        "due_at": tomorrow,
        "expires_at": tomorrow,
        "created_at": now,
        "updated_at": now,
        **call,
    }
    known = f"insert into numbers (number) values ('{row['to_number']}') on conflict do nothing; "
    return known + row_of("calls", row)


def problems(case: Case, answer: Any, log: str, env: dict[str, str]) -> list[str]:
    """What is not as the file expects it."""
    found = []
    if "answer" in case.expect:
        found += differences(case.expect["answer"], answer, "answer")
    if "body" in case.expect:
        found += differences(case.expect["body"], parsed(answer), "body")
    found += [f"log: no line with {text!r}" for text in case.expect.get("log", []) if text not in log]
    for sql, value in case.expect.get("database", {}).items():
        found += soon(lambda sql=sql, value=value: differences(value, psql(sql, env), f"database: {sql}"))
    for pattern in case.expect.get("objects", []):
        found += soon(lambda pattern=pattern: missing(pattern, env))
    return found


def parsed(answer: Any) -> Any:
    try:
        return json.loads(answer["body"])
    except (TypeError, KeyError, ValueError):
        return None


def soon(check: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + SOON
    while (found := check()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def missing(pattern: str, env: dict[str, str]) -> list[str]:
    client = cloud(env).client("s3")
    listed = client.list_objects_v2(Bucket=env["S3_BUCKET"], Prefix=pattern.split(ANY)[0])
    keys = [item["Key"] for item in listed.get("Contents", [])]
    return [] if any(matches(pattern, key) for key in keys) else [f"bucket: no object {pattern}, only {keys}"]


def differences(expected: Any, found: Any, where: str) -> list[str]:
    """An expected object may leave fields out; everything else must be the same."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [d for name in expected for d in differences(expected[name], found.get(name), f"{where}.{name}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for at, (one, other) in pairs for d in differences(one, other, f"{where}[{at}]")]
    if expected == ANY and found is not None:
        return []
    same = expected == found and type(expected) is type(found)
    if same or (isinstance(expected, str) and isinstance(found, str) and matches(expected, found)):
        return []
    return [f"{where}: expected {expected!r}, got {found!r}"]


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split(ANY))), text, re.DOTALL) is not None
