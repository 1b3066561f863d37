"""The deployment that a command works on: the local stack, or one in AWS with the user's own credentials."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import deploy
from layout import Layout, StackError, say


@dataclass(frozen=True)
class Target:
    name: str
    session: Any
    endpoint: str | None
    outputs: dict[str, str]

    @classmethod
    def open(cls, aws_stack: str | None) -> Target:
        """By the outputs of its CloudFormation stack, which both have."""
        import boto3

        if aws_stack:
            return cls._of(f"AWS stack {aws_stack}", boto3.Session(), None, aws_stack)
        env = deploy.read_env(Layout.from_env().env_file)
        session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
        return cls._of("local stack", session, env["AWS_ENDPOINT_URL"], env["STACK_NAME"])

    @classmethod
    def _of(cls, name: str, session: Any, endpoint: str | None, stack: str) -> Target:
        found = session.client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName=stack)["Stacks"][0]
        return cls(name, session, endpoint, deploy.outputs(found))

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)

    def queue_url(self, queue: str, kind: str = "Queue") -> str:
        """`call-events` is `CallEventsQueueUrl`; its dead letters are `CallEventsDeadLetterQueueUrl`."""
        words = "".join(part.capitalize() for part in queue.split("-"))
        found = self.outputs.get(f"{words}{kind}Url")
        if not found:
            raise StackError(f"the {self.name} has no queue {queue}; it has {', '.join(self.queues())}")
        return found

    def queues(self) -> list[str]:
        ending = "DeadLetterQueueUrl"
        names = [name.removesuffix(ending) for name in self.outputs if name.endswith(ending)]
        return ["".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-") for name in names]


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--aws-stack", metavar="NAME", help="a stack in AWS, with your credentials (default: local)")


def run(main: Callable[[], int]) -> int:
    """Runs a command; what goes wrong is one line, and SIGTERM is as good as Ctrl-C."""
    from botocore.exceptions import BotoCoreError, ClientError

    signal.signal(signal.SIGTERM, interrupted)
    try:
        return main()
    except KeyboardInterrupt:
        return 130
    except (StackError, BotoCoreError, ClientError) as error:
        say(f"error: {error}")
        return 1


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def show_progress(line: str, last: bool = False) -> None:
    """One line that moves on a terminal; elsewhere only the last one."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}{chr(10) if last else ''}")
        sys.stderr.flush()
    elif last:
        say(line)
