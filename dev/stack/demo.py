"""`make demo`: a campaign of forty people in four zones, started, paused and resumed through the HTTP API alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from layout import STACK_NAME, StackError, say
from people import OPTS_OUT, SUPPRESSED, Person, as_csv, people
from simulator import ask
from stack import Stack

# Seconds instead of the minutes and hours that are the default, and only where trying again shows something.
RETRIES: dict[str, Any] = {
    "busy": {"delay_secs": 3, "most": 1},
    "no_answer": None,
    "abandoned": None,
    "screened": None,
    "failed": {"delay_secs": 3, "most": 1},
}
# When some are on the line and some still wait.
PAUSE_AFTER_SECS, PAUSE_SECS = 4.0, 2.0
# How much faster than in earnest calls pass, so that whoever watches has seen it all in half a minute.
TIME_SCALE = 25


@dataclass(frozen=True)
class Api:
    base_url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        given = {"authorization": f"Bearer {self.token}", **(headers or {})}
        return ask(method, self.base_url + path, body, given)


@dataclass
class Campaign:
    api: Api
    id: str
    people: list[Person]

    @property
    def path(self) -> str:
        return f"/api/campaigns/{self.id}"

    def read(self) -> dict[str, Any]:
        return self.api.ask("GET", self.path)

    def move(self, verb: str) -> None:
        self.api.ask("POST", f"{self.path}/{verb}", {})

    def contacts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.api.ask("GET", f"{self.path}/contacts?limit=100{cursor}")
            found += page["contacts"]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"


def run_demo(stack: Stack, timeout: float) -> int:
    env = stack.up()
    api = Api(env["BASE_URL"], env["API_TOKEN"])
    begun = time.monotonic()
    try:
        campaign = prepare(api, people(), begun + timeout)
        with quick(env["SIMULATOR_URL"], TIME_SCALE):
            conduct(stack, campaign, begun + timeout)
            calls = settled_calls(campaign, begun + timeout)
    except BaseException:
        stack.undo()
        raise
    contacts = campaign.contacts()
    print_table(contacts, calls)
    problems = unaccounted(campaign, contacts, calls)
    print(
        f"\n{len(contacts) - len(problems)}/{len(campaign.people)} contacts accounted for,"
        f" {len(calls)} calls, in {time.monotonic() - begun:.1f} s"
    )
    for problem in problems:
        say(f"error: {problem}")
    if problems:
        say("`make logs` shows why")
        return 1
    print_hints(env, campaign, calls)
    return 0


@contextmanager
def quick(simulator: str, scale: float) -> Iterator[None]:
    """Calls pass so many times as fast as in earnest, where they do not pass faster already."""
    before = ask("GET", f"{simulator}/control/config")["time_scale"]
    ask("PATCH", f"{simulator}/control/config", {"time_scale": max(before, scale)})
    try:
        yield
    finally:
        ask("PATCH", f"{simulator}/control/config", {"time_scale": before})


def prepare(api: Api, everybody: list[Person], deadline: float) -> Campaign:
    """A campaign with its people, one of whom said no before."""
    for person in everybody:
        if person.fate == SUPPRESSED:
            api.ask("POST", "/api/suppressions", {"number": person.number, "reason": "asked by letter"})
    wish = {
        "name": "demo",
        "agent": "demo",
        "purpose": "informational",
        "max_concurrent": 24,
        "rate": 20,
        "max_attempts": 2,
        "retries": RETRIES,
        "ring_timeout_secs": 20,
    }
    campaign = Campaign(api, api.ask("POST", "/api/campaigns", wish)["id"], everybody)
    path = f"{campaign.path}/imports"
    made = api.ask("POST", f"{path}?filename=people.csv", as_csv(everybody), {"content-type": "text/csv"})
    while (found := api.ask("GET", f"{path}/{made['id']}"))["state"] not in ("done", "failed"):
        if time.monotonic() > deadline:
            raise StackError(f"the import of the people never ended: it is {found['state']}")
        time.sleep(0.1)
    if found["state"] == "failed" or found["taken"] != len(everybody):
        raise StackError(f"the people were not imported: {found}")
    say(f"campaign {campaign.id}: {found['taken']} people imported, {found['forecast']['sentence']}")
    return campaign


def trigger(stack: Stack) -> None:
    """campaign-trigger comes every minute by schedule; this is for whoever does not want to wait for it."""
    lambdas = stack.cloud.client("lambda")
    event = json.dumps({"trigger": "schedule"}).encode()
    lambdas.invoke(FunctionName=f"{STACK_NAME}-campaign-trigger", InvocationType="Event", Payload=event)


def conduct(stack: Stack, campaign: Campaign, deadline: float) -> None:
    """Start, a pause in the middle, resume, until nobody waits or the time is over."""
    show = Shown()
    campaign.move("start")
    show.line("started")
    trigger(stack)
    paused_at, resumed, held = 0.0, False, 0
    while time.monotonic() < deadline:
        seen = campaign.read()
        progress = seen["progress"]
        show.progress(seen)
        if progress["done"] == len(campaign.people):
            break
        if not paused_at and time.monotonic() - show.begun > PAUSE_AFTER_SECS:
            campaign.move("pause")
            paused_at, held = time.monotonic(), progress["waiting"]
            show.line(f"paused: {held} wait, whoever is on the line may finish")
        elif paused_at and not resumed and time.monotonic() - paused_at > PAUSE_SECS:
            show.line(
                f"resumed after {PAUSE_SECS:.0f} s: {progress['waiting']} wait, as many as before"
                if progress["waiting"] == held
                else f"resumed after {PAUSE_SECS:.0f} s"
            )
            campaign.move("resume")
            trigger(stack)
            resumed = True
        time.sleep(0.2)
    show.close()


class Shown:
    """A line that moves on a terminal, a line a change elsewhere."""

    def __init__(self) -> None:
        self.moves, self.last, self.begun = sys.stderr.isatty(), "", time.monotonic()

    def line(self, text: str) -> None:
        self.close()
        say(f"{time.monotonic() - self.begun:5.1f} s  {text}")

    def progress(self, seen: dict[str, Any]) -> None:
        progress = seen["progress"]
        done, calling, waiting = progress["done"], progress["calling"], progress["waiting"]
        outcomes = ", ".join(f"{count} {word}" for word, count in sorted(progress["outcomes"].items()))
        text = f"[{'#' * done}{'>' * calling}{'.' * waiting}] {done} done, {calling} calling, {waiting} waiting"
        text += f"  ({outcomes})" if outcomes else ""
        if self.moves:
            sys.stderr.write(f"\r\x1b[K{text[:150]}")
            sys.stderr.flush()
        elif text != self.last:
            say(f"{time.monotonic() - self.begun:5.1f} s  {text}")
        self.last = text

    def close(self) -> None:
        if self.moves:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def settled_calls(campaign: Campaign, deadline: float) -> dict[str, dict[str, Any]]:
    """The last call of each contact, once transcript and recording are there; as it is when the time is over."""
    calls: dict[str, dict[str, Any]] = {}
    wanted = [contact["last_call"] for contact in campaign.contacts() if contact["last_call"]]
    while True:
        for call in wanted:
            if not calls.get(call, {}).get("settled_at"):
                calls[call] = campaign.api.ask("GET", f"/api/calls/{call}")
        if all(calls[call].get("settled_at") for call in wanted) or time.monotonic() > deadline:
            return calls
        time.sleep(0.2)


def unaccounted(campaign: Campaign, contacts: list[dict[str, Any]], calls: dict[str, dict[str, Any]]) -> list[str]:
    """What is not as it must be, a line for each contact."""
    found = {contact["number"]: contact for contact in contacts}
    problems = []
    for person in campaign.people:
        contact = found.get(person.number)
        call = calls.get(contact["last_call"] or "") if contact else None
        who = f"{person.name} {mask(person.number)}"
        if not contact or contact["status"] != "done":
            problems.append(f"{who}: {contact['status'] if contact else 'not a contact'}")
        elif call and not call.get("settled_at"):
            problems.append(f"{who}: not settled, state {call['state']}, call {call['id']}")
        elif person.fate == SUPPRESSED and (call or contact["outcome"] != "blocked"):
            problems.append(f"{who}: suppressed, and {contact['outcome']}")
        elif person.fate == "62" and (contact["outcome"], contact["attempts"]) != ("answered", 2):
            problems.append(f"{who}: busy once, and {contact['outcome']} after {contact['attempts']} attempts")
        elif person.fate == OPTS_OUT and not suppressed(campaign.api, person.number):
            problems.append(f"{who}: asked for no more calls, and was not heard")
    return problems


def suppressed(api: Api, number: str) -> bool:
    return bool(api.ask("GET", f"/api/suppressions?number=%2B{number[1:]}")["suppressions"])


def print_table(contacts: list[dict[str, Any]], calls: dict[str, dict[str, Any]]) -> None:
    rows = [("who", "number", "outcome", "attempts", "seconds", "first words of the callee", "recording")]
    for contact in sorted(contacts, key=lambda one: (str(one["outcome"]), one["variables"]["name"])):
        call = calls.get(contact["last_call"] or "", {})
        duration, recording = call.get("duration_secs"), call.get("recording") or {}
        rows.append(
            (
                contact["variables"]["name"],
                mask(contact["number"]),
                outcome(contact),
                str(contact["attempts"]),
                "-" if duration is None else str(duration),
                first_words(call.get("conversation")),
                f"{recording['bytes'] / 1024:.0f} kB" if recording.get("bytes") else "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))


def outcome(contact: dict[str, Any]) -> str:
    """With the reason where the guard had one."""
    word = contact["outcome"] or f"({contact['status']})"
    return f"{word}: {contact['because']}" if word == "blocked" and contact["because"] else str(word)


def mask(number: str) -> str:
    return f"{number[:5]}•••••{number[-2:]}"


def first_words(conversation: dict[str, Any] | None, width: int = 44) -> str:
    for turn in (conversation or {}).get("messages") or []:
        if turn.get("role") == "user" and turn.get("message"):
            words = " ".join(turn["message"].split())
            return words if len(words) <= width else words[: width - 1] + "…"
    return "-"


def print_hints(env: dict[str, str], campaign: Campaign, calls: dict[str, dict[str, Any]]) -> None:
    talked = next((call for call in calls.values() if call.get("recording")), {"id": "…"})
    local, base = env["LOCAL_DIR"], env["BASE_URL"]
    console = f"{base}/console"
    print(
        f"""
Look further (the stack keeps running; `make down` ends it, `make up` brings it back with its data):
  a token        AUTH="authorization: Bearer $(grep ^API_TOKEN= {local}/env | cut -d= -f2)"
  the campaign   curl -s -H "$AUTH" {base}{campaign.path}
  its people     curl -s -H "$AUTH" '{base}{campaign.path}/contacts?status=done'
  one call       curl -s -H "$AUTH" {base}/api/calls/{talked["id"]}
  the guard      curl -s -H "$AUTH" '{base}/api/guard?phone_number=%2B14015550123'
  the tables     make psql    then: select outcome, because, count(*) from contacts group by 1, 2;
  a webhook      make send-webhook
  the logs       make logs    (or make logs FN=campaign-trigger)
  all addresses  {local}/env

The console, to look at all of it in a browser:
  address        {console}
  token          {env["API_TOKEN"]}"""
    )
