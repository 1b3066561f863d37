"""Sends what was archived through the same path again: `make replay FROM=2026-11-01 TO=2026-11-02`.

Each raw body of those days (UTC, both included; the day is that of the event) gets the message that the door gave it.
Harmless: every writer knows by a natural key what it has seen, so that what is stored already changes no row.
`--type recordings` does the same for the recordings that were stored on those days.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

import target
from layout import StackError, say
from target import Target

POINTERS = ("post_call_transcription", "post_call_transcription_otel", "api_conversation", "flat")
NOT_INITIATED = "call_initiation_failure"
RECORDINGS = "recordings"
RAW_KEY = re.compile(r"raw/([^/]+)/\d{4}/\d\d/\d\d/[^/]+-([0-9a-f]{64})\.json")
RECORDING_KEY = re.compile(r"recordings/([^/]+)/([0-9a-f]{64})\.mp3")
# As functions/elevenlabs-webhook names them.
FAILURES = {"busy": "busy", "no-answer": "no_answer", "no_answer": "no_answer"}


@dataclass(frozen=True)
class Archived:
    key: str
    kind: str
    stored_at: datetime
    bytes: int


class Unusable(Exception):
    """Why there is no message for an object."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="replay", description=__doc__)
    parser.add_argument("first", type=day, metavar="FROM", help="first day, 2026-11-01")
    parser.add_argument("last", type=day, metavar="TO", nargs="?", help="last day (default: FROM)")
    parser.add_argument("--type", dest="kind", help=f"{', '.join([*POINTERS, NOT_INITIATED, RECORDINGS])}")
    parser.add_argument("--rate", type=float, default=20, help="messages a second (default 20)")
    parser.add_argument("--after", metavar="KEY", default="", help="go on behind this key")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    target.add_argument(parser)
    arguments = parser.parse_args()
    last = arguments.last or arguments.first
    if last < arguments.first:
        parser.error("TO is before FROM")
    if arguments.rate <= 0:
        parser.error("--rate must be above 0")
    where = Target.open(arguments.aws_stack)
    replay = Replay(where, arguments.rate)
    days = f"{arguments.first} to {last}"
    say(f"{where.name}: looking through {replay.bucket}, {days} ...")
    found = [one for one in replay.archive(arguments.first, last, arguments.kind) if one.key > arguments.after]
    for kind, count in sorted(Counter(one.kind for one in found).items()):
        print(f"{count:8}  {kind}{'' if understood(kind) else '  (has no path, left out)'}")
    if arguments.dry_run:
        return 0
    return replay.send_all([one for one in found if understood(one.kind)])


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day like 2026-11-01") from error


def understood(kind: str) -> bool:
    return kind in (*POINTERS, NOT_INITIATED, RECORDINGS)


class Replay:
    def __init__(self, where: Target, rate: float) -> None:
        self.s3, self.sqs, self.where, self.rate = where.client("s3"), where.client("sqs"), where, rate
        self.bucket = where.outputs["BucketName"]
        self.left_out: Counter[str] = Counter()
        self.sent = 0
        self.done_key = ""

    def archive(self, first: date, last: date, kind: str | None) -> Iterator[Archived]:
        """In the order of their keys, which is what makes it possible to go on behind one."""
        if kind == RECORDINGS:
            stored = (one for one in self.listed("recordings/", RECORDINGS) if first <= one.stored_at.date() <= last)
            yield from stored
            return
        for name in [kind] if kind else self.kinds():
            for offset in range((last - first).days + 1):
                day = first + timedelta(days=offset)
                yield from self.listed(f"raw/{name}/{day:%Y/%m/%d}/", name)

    def kinds(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="raw/", Delimiter="/")
        return sorted(one["Prefix"].split("/")[1] for page in pages for one in page.get("CommonPrefixes", []))

    def listed(self, prefix: str, kind: str) -> Iterator[Archived]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for one in page.get("Contents", []):
                yield Archived(one["Key"], kind, one["LastModified"].astimezone(UTC), one["Size"])

    def send_all(self, found: list[Archived]) -> int:
        begun = time.monotonic()
        try:
            done = 0
            for start in range(0, len(found), 10):
                chunk = found[start : start + 10]
                self.send(chunk)
                done += len(chunk)
                target.show_progress(self.progress(done, len(found)))
                time.sleep(max(0.0, begun + done / self.rate - time.monotonic()))
        except BaseException:
            if self.done_key:
                say(f"\nended early, {self.sent} sent; go on with ARGS=--after={self.done_key}")
            raise
        target.show_progress(self.progress(len(found), len(found)), last=True)
        for reason, count in self.left_out.most_common():
            print(f"{count:8}  left out: {reason}")
        return 0

    def progress(self, done: int, total: int) -> str:
        bar = "#" * (30 * done // max(total, 1))
        return f"[{bar:.<30}] {done}/{total}, {self.sent} sent"

    def send(self, chunk: list[Archived]) -> None:
        messages = []
        for one in chunk:
            try:
                messages.append(self.message(one))
            except Unusable as error:
                self.left_out[str(error)] += 1
        # One kind follows the other, so that a chunk has one queue, or two where they meet.
        for queue, group in groupby(messages, key=lambda message: message[0]):
            bodies = [json.dumps(body) for _, body in group]
            entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]
            answer = self.sqs.send_message_batch(QueueUrl=self.where.queue_url(queue), Entries=entries)
            if answer.get("Failed"):
                raise StackError(f"the queue {queue} did not take all: {answer['Failed'][0].get('Code')}")
            self.sent += len(entries)
        self.done_key = chunk[-1].key

    def message(self, one: Archived) -> tuple[str, dict[str, Any]]:
        """The queue, and what the door would send."""
        if one.kind == RECORDINGS:
            return "recordings", recording(one)
        named = RAW_KEY.fullmatch(one.key)
        if not named:
            raise Unusable("the key is none of ours")
        if one.kind == NOT_INITIATED:
            return "call-events", not_initiated(self.body(one), received_at(one))
        if one.kind == "flat" and "conversation" not in read(self.body(one)):
            raise Unusable("it holds a recording alone (--type recordings)")
        pointer = {"raw_key": one.key, "digest": named[2], "event_type": one.kind, "received_at": received_at(one)}
        return "transcriptions", pointer

    def body(self, one: Archived) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=one.key)["Body"].read())


def received_at(one: Archived) -> str:
    """S3 cuts a time to whole seconds. Never before the door's own time: an earlier one would count as news."""
    return (one.stored_at.replace(microsecond=0) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def recording(one: Archived) -> dict[str, Any]:
    named = RECORDING_KEY.fullmatch(one.key)
    if not named:
        raise Unusable("the key is none of ours")
    return {
        "kind": "arrived",
        "conversation_id": named[1],
        "agent_id": None,
        "key": one.key,
        "sha256": named[2],
        "bytes": one.bytes,
        "content_type": "audio/mpeg",
        "received_at": received_at(one),
    }


def not_initiated(body: bytes, at: str) -> dict[str, Any]:
    data = read(body).get("data")
    conversation_id = text(data.get("conversation_id")) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not conversation_id:
        raise Unusable("it names no conversation")
    metadata = data.get("metadata")
    details = metadata.get("body") if isinstance(metadata, dict) else None
    details = details if isinstance(details, dict) else {}
    sip_code = text(details.get("sip_status_code")) or text(details.get("SipResponseCode")) or ""
    return {
        "kind": "not_initiated",
        "received_at": at,
        "conversation_id": conversation_id,
        "agent_id": text(data.get("agent_id")),
        "call_sid": text(details.get("call_sid")) or text(details.get("CallSid")),
        "failure": FAILURES.get(str(data.get("failure_reason")), "other"),
        "sip_code": int(sip_code) if re.fullmatch(r"\d{1,4}", sip_code) else None,
    }


def read(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body.decode(errors="replace"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Unusable("it is no JSON object")
    return content


def text(value: Any) -> str | None:
    """As the door reads a field: a text, unless it is empty; a number becomes a text."""
    if isinstance(value, str):
        return value if value.strip() else None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


if __name__ == "__main__":
    sys.exit(target.run(main))
