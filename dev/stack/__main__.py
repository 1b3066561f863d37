"""`python dev/stack VERB`: the local stack of 11Wire. `make help` lists the usual ways in."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from types import FrameType

import deploy
from layout import STACK_NAME, StackError, say
from postgres import BIN
from stack import Stack


def main() -> int:
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="start (or mend) everything, build, deploy when something changed")
    verbs.add_parser("down", help="stop everything; data stays")
    verbs.add_parser("reset", help="stop everything and forget all data")
    verbs.add_parser("status", help="what runs, and where")
    verbs.add_parser("migrate", help="run the migrations")
    invoke = verbs.add_parser("invoke", help="invoke a deployed function with the event of a file")
    invoke.add_argument("function")
    invoke.add_argument("event", help="a JSON file, or - for none")
    logs = verbs.add_parser("logs", help="print a function's log lines")
    logs.add_argument("function", nargs="?", help="without it: every function")
    logs.add_argument("-f", "--follow", action="store_true")
    database = verbs.add_parser("postgres", help="stop or start PostgreSQL alone, to see what the rest does without it")
    database.add_argument("what", choices=("stop", "start"))
    verbs.add_parser("psql", help="psql on the stack's database; takes psql's own options")
    demo = verbs.add_parser("demo", help="up, then a campaign of forty people")
    demo.add_argument("--timeout", type=float, default=120, help="seconds until all must be settled (default 120)")
    arguments, arguments.rest = parser.parse_known_args()
    if arguments.rest and arguments.verb != "psql":
        parser.error(f"unknown: {' '.join(arguments.rest)}")
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        return run(arguments)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except StackError as error:
        say(f"error: {error}")
        return 1


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(arguments: argparse.Namespace) -> int:
    stack = Stack.open()
    match arguments.verb:
        case "up":
            stack.up()
        case "down":
            stopped = stack.down()
            say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
        case "reset":
            stack.reset()
            say(f"forgot everything below {stack.layout.base}")
        case "status":
            for service, state in stack.status().items():
                print(f"{service:10} {state}")
        case "migrate":
            print(json.dumps(deploy.invoke(stack.cloud, "migrate", {})))
        case "invoke":
            event = {} if arguments.event == "-" else json.loads(open(arguments.event).read())
            print(json.dumps(deploy.invoke(stack.cloud, arguments.function, event), indent=2))
        case "logs":
            logs_of(stack, arguments.function, arguments.follow)
        case "postgres":
            (stack.postgres.stop if arguments.what == "stop" else stack.postgres.start)()
        case "psql":
            os.execv(BIN / "psql", ["psql", stack.urls["DATABASE_URL"], *arguments.rest])
        case "demo":
            from demo import run_demo

            return run_demo(stack, arguments.timeout)
    return 0


def logs_of(stack: Stack, function: str | None, follow: bool) -> None:
    """Lines of the last hour, oldest first."""
    client = stack.cloud.client("logs")
    names = [function] if function else deploy.functions()
    since, seen = int((time.time() - 3600) * 1000), set()
    while True:
        events = []
        for name in names:
            group = f"/aws/lambda/{STACK_NAME}-{name}"
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
            lines = [event for page in pages for event in page["events"]]
            events += [(e["timestamp"], name, e.get("logStreamName", ""), e["message"]) for e in lines]
        # Stable, so that lines of one millisecond stay as they were written. ministack gives them no id.
        for event in sorted(events, key=lambda event: event[0]):
            if event not in seen:
                seen.add(event)
                timestamp, name, _, message = event
                clock = time.strftime("%H:%M:%S", time.localtime(timestamp / 1000))
                print(f"{clock} {name:22} {message.rstrip()}", flush=True)
        if not follow:
            return
        since = max([since, *(event[0] - 5000 for event in events)])
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
