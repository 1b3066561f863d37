"""`make demo`: twelve calls of mixed fate, placed and watched through the HTTP API alone."""

from __future__ import annotations

import random
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from layout import say
from simulator import ask
from stack import Stack

# The simulator reads a call's fate off the last two digits of the number. 555-01XX is kept free for such uses.
ANSWERED = (10, 23, 37, 42)
FATES = (50, 51, 52, 53, 54, 55, 56, 58)
AREA_CODES = """
    202 206 210 212 213 214 216 253 301 303 305 310 312 313 315 316 317 319 323 334 352 360 402 404 406 407 410 412
    414 415 419 423 425 432 503 504 505 510 512 515 520 530 541 559 573 602 605 607 612 615 617 619 702 704 713 718
    801 804 808 813 816 817 904 907 916 919 970 971 972
"""
PEOPLE = (
    ("Ada Okafor", "a dental check-up", "Tuesday at 10:30"),
    ("Ben Carter", "the boiler service", "Wednesday at 8:00"),
    ("Chloé Martin", "your new glasses", "Thursday at 16:15"),
    ("Diego Ruiz", "the car inspection", "Friday at 9:45"),
    ("Emma Novak", "a blood test", "Monday at 7:50"),
    ("Farid Haddad", "the lease renewal", "Tuesday at 14:00"),
    ("Grace Kim", "a piano lesson", "Saturday at 11:00"),
    ("Hugo Lind", "the roof estimate", "Wednesday at 13:30"),
    ("Iris Papadopoulos", "a passport photo", "Thursday at 12:00"),
    ("Jamal Wright", "a haircut", "Friday at 17:00"),
    ("Keiko Tanaka", "the vaccination", "Monday at 15:20"),
    ("Liam O'Brien", "a test drive", "Sunday at 10:00"),
)


@dataclass
class Placed:
    name: str
    number: str
    id: str
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        return bool(self.seen.get("settled_at"))


@dataclass(frozen=True)
class Api:
    base_url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        given = {"authorization": f"Bearer {self.token}", **(headers or {})}
        return ask(method, self.base_url + path, body, given)


def run_demo(stack: Stack, timeout: float) -> int:
    env = stack.up()
    api = Api(env["BASE_URL"], env["API_TOKEN"])
    begun = time.monotonic()
    try:
        calls = place(api)
        watch(api, calls, timeout)
    except BaseException:
        stack.undo()
        raise
    print_table(calls, time.monotonic() - begun)
    open_calls = [call for call in calls if not call.settled]
    if not open_calls:
        print_hints(env, calls)
        return 0
    for call in open_calls:
        say(f"not settled: {call.name} {call.number}, state {call.seen.get('state')}, call {call.id}")
    say(f"error: {len(open_calls)} of {len(calls)} calls not settled within {timeout:.0f} s (`make logs` shows why)")
    return 1


def place(api: Api) -> list[Placed]:
    fates = [*ANSWERED, *FATES]
    random.shuffle(fates)
    codes = random.sample(AREA_CODES.split(), len(fates))
    calls = []
    for (name, purpose, slot), fate, code in zip(PEOPLE, fates, codes, strict=True):
        number = f"+1{code}55501{fate:02}"
        variables = {"name": name, "first_name": name.split()[0], "purpose": purpose, "appointment": slot}
        intent = {"to": number, "agent": "demo", "variables": variables}
        made = api.ask("POST", "/api/calls", intent, {"idempotency-key": str(uuid.uuid4())})
        calls.append(Placed(name, number, made["id"]))
    say(f"{len(calls)} calls placed")
    return calls


def watch(api: Api, calls: list[Placed], timeout: float) -> None:
    """Until all are settled, or the time is over. A line that moves on a terminal, a line a change elsewhere."""
    deadline, shown = time.monotonic() + timeout, ""
    while any(not call.settled for call in calls) and time.monotonic() < deadline:
        for call in calls:
            if not call.settled:
                call.seen = api.ask("GET", f"/api/calls/{call.id}")
        line = progress(calls)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif line != shown:
            say(line)
        shown = line
        time.sleep(0.25)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def progress(calls: list[Placed]) -> str:
    settled = sum(call.settled for call in calls)
    states: dict[str, int] = {}
    for call in calls:
        if not call.settled:
            state = str(call.seen.get("state", "?"))
            states[state] = states.get(state, 0) + 1
    bar = "#" * settled + "." * (len(calls) - settled)
    rest = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"[{bar}] {settled}/{len(calls)} settled{f'  ({rest})' if rest else ''}"


def print_table(calls: list[Placed], seconds: float) -> None:
    rows = [("who", "number", "outcome", "seconds", "first words of the callee", "recording")]
    for call in sorted(calls, key=lambda call: (str(call.seen.get("outcome")), call.name)):
        duration, recording = call.seen.get("duration_secs"), call.seen.get("recording") or {}
        size = f"{recording['bytes'] / 1024:.0f} kB" if recording.get("bytes") else "-"
        words = first_words(call.seen.get("conversation"))
        outcome = call.seen.get("outcome") or f"({call.seen.get('state')})"
        rows.append((call.name, mask(call.number), outcome, "-" if duration is None else str(duration), words, size))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))
    settled = sum(call.settled for call in calls)
    print(f"\n{settled}/{len(calls)} calls settled in {seconds:.1f} s")


def mask(number: str) -> str:
    return f"{number[:5]}•••••{number[-2:]}"


def first_words(conversation: dict[str, Any] | None, width: int = 44) -> str:
    for turn in (conversation or {}).get("messages") or []:
        if turn.get("role") == "user" and turn.get("message"):
            words = " ".join(turn["message"].split())
            return words if len(words) <= width else words[: width - 1] + "…"
    return "-"


def print_hints(env: dict[str, str], calls: list[Placed]) -> None:
    talked = next((call for call in calls if call.seen.get("recording")), calls[0])
    local = env["LOCAL_DIR"]
    print(
        f"""
Look further (the stack keeps running; `make down` ends it, `make up` brings it back with its data):
  one call       curl -s -H "authorization: Bearer $(grep ^API_TOKEN= {local}/env | cut -d= -f2)" \\
                   {env["BASE_URL"]}/api/calls/{talked.id}
  the tables     make psql    then: select state, outcome, count(*) from calls group by 1, 2;
  a webhook      make send-webhook
  the logs       make logs    (or make logs FN=transcription-webhook)
  all addresses  {local}/env"""
    )
