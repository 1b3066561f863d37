"""Sends dead letters back to their queue: `make redrive QUEUE=transcriptions`.

A message is sent first and deleted then: ended in between, it is there twice, which is harmless. Messages that come
back while this runs stay where they are, so that it ends. `--dry-run` shows what is there and leaves it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from types import FrameType
from typing import Any

import target
from layout import say
from target import Target

# How long a message stays hidden after it was received.
HIDDEN_SECS = 300
NO_REASON = "received too often (the queue's own limit)"
# What may be shown of a message: ids and keys, never words or numbers of people.
SHOWN = ("kind", "call_id", "conversation_id", "event_type", "raw_key", "import_id")


def main() -> int:
    parser = argparse.ArgumentParser(prog="redrive", description=__doc__)
    parser.add_argument(
        "queue", nargs="?", help="calls, trunk-calls, call-events, transcriptions, recordings, imports, exports"
    )
    parser.add_argument("--queue-url", help="with --dead-letter-url: two addresses instead of a name")
    parser.add_argument("--dead-letter-url")
    parser.add_argument("--dry-run", action="store_true", help="only show them")
    target.add_argument(parser)
    arguments = parser.parse_args()
    if arguments.queue_url and arguments.dead_letter_url:
        import boto3

        sqs, queue, dead, place = boto3.client("sqs"), arguments.queue_url, arguments.dead_letter_url, "AWS"
    elif arguments.queue and not (arguments.queue_url or arguments.dead_letter_url):
        where = Target.open(arguments.aws_stack)
        sqs, place = where.client("sqs"), where.name
        queue, dead = where.queue_url(arguments.queue), where.queue_url(arguments.queue, "DeadLetterQueue")
    else:
        parser.error("name a queue, or give both addresses")
    say(f"{place}: {dead.rsplit('/', 1)[-1]} -> {queue.rsplit('/', 1)[-1]}{' (dry run)' if arguments.dry_run else ''}")
    return Redrive(sqs, dead, queue, arguments.dry_run).run()


class Redrive:
    def __init__(self, sqs: Any, dead: str, queue: str, dry_run: bool) -> None:
        self.sqs, self.dead, self.queue, self.dry_run = sqs, dead, queue, dry_run
        self.reasons: Counter[str] = Counter()
        self.came_back = self.sent = 0
        self.stopping = False
        # Received and still in the dead-letter queue, by message id.
        self.held: dict[str, str] = {}

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        try:
            for batch in self.batches():
                if not self.dry_run:
                    self.send_back(batch)
                self.show_progress()
        finally:
            self.let_go()
            self.show_summary()
        if self.stopping:
            say("interrupted")
        return 130 if self.stopping else 0

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """After the request that is under way: a receive that is given up goes on at the other end, and hides messages
        from everybody."""
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """What lay there when it began, each message once. What is younger than that came back, or came just now."""
        begun, in_vain = None, 0
        while in_vain < 2 and not self.stopping:
            answer = self.sqs.receive_message(
                QueueUrl=self.dead,
                MaxNumberOfMessages=10,
                VisibilityTimeout=HIDDEN_SECS,
                WaitTimeSeconds=1,
                MessageAttributeNames=["reason"],
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
            begun = begun or clock_of(answer)
            batch = []
            for message in answer.get("Messages", []):
                known = message["MessageId"] in self.held
                self.held[message["MessageId"]] = message["ReceiptHandle"]
                if sent_at(message) > begun:
                    self.came_back += not known
                elif not known:
                    self.show(message)
                    batch.append(message)
            in_vain = 0 if batch else in_vain + 1
            if batch:
                yield batch

    def send_back(self, batch: list[dict[str, Any]]) -> None:
        entries = [{"Id": str(index), "MessageBody": message["Body"]} for index, message in enumerate(batch)]
        answer = self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)
        for failed in answer.get("Failed", []):
            say(f"not taken: {batch[int(failed['Id'])]['MessageId']} ({failed.get('Code')})")
        gone = [batch[int(done["Id"])] for done in answer.get("Successful", [])]
        if not gone:
            return
        handles = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(gone)]
        deleted = self.sqs.delete_message_batch(QueueUrl=self.dead, Entries=handles)
        for failed in deleted.get("Failed", []):
            say(f"sent back, but still here as well: {gone[int(failed['Id'])]['MessageId']}")
        for message in gone:
            self.held.pop(message["MessageId"])
        self.sent += len(gone)

    def let_go(self) -> None:
        """Makes what stays visible again at once."""
        handles = list(self.held.values())
        for start in range(0, len(handles), 10):
            entries = [
                {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for index, handle in enumerate(handles[start : start + 10])
            ]
            self.sqs.change_message_visibility_batch(QueueUrl=self.dead, Entries=entries)

    def show(self, message: dict[str, Any]) -> None:
        reason = message.get("MessageAttributes", {}).get("reason", {}).get("StringValue") or NO_REASON
        self.reasons[reason] += 1
        age = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(sent_at(message)))
        received = message.get("Attributes", {}).get("ApproximateReceiveCount", "?")
        print(f"{message['MessageId']}  {age} UTC  received {received}x  {gist(message['Body'])}  {reason}")

    def show_progress(self) -> None:
        target.show_progress(f"{sum(self.reasons.values())} found, {self.sent} sent back")

    def show_summary(self) -> None:
        if self.reasons and sys.stderr.isatty():
            say("")
        for reason, count in self.reasons.most_common():
            print(f"{count:6}  {reason}")
        what = "found, left there" if self.dry_run else f"found, {self.sent} sent back"
        say(
            f"{sum(self.reasons.values())} {what}"
            + (f", {self.came_back} came back meanwhile" if self.came_back else "")
        )


def clock_of(answer: dict[str, Any]) -> float:
    """The queue's own clock, because that is what messages are stamped by. In whole seconds, cut."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).timestamp() if date else time.time()


def sent_at(message: dict[str, Any]) -> float:
    return int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000


def gist(body: str) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return "(not JSON)"
    if not isinstance(content, dict):
        return "(no object)"
    return " ".join(f"{name}={content[name]}" for name in SHOWN if isinstance(content.get(name), str)) or "(unknown)"


if __name__ == "__main__":
    sys.exit(target.run(main))
