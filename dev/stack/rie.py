"""Runs one function through aws-lambda-rie, the emulator that `sam local` runs in Docker, without Docker.

The function is the program that cargo built for this machine; its environment is what the local stack deployed
(`.local/env-vars.json`), so `make up` comes first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import deploy
from build import functions, target_folder
from layout import VENV_BIN, Layout, StackError, free_port, port_is_free, say

INVOCATIONS = "2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class Answer:
    body: str
    log: str
    millis: float

    @property
    def failed(self) -> bool:
        """RIE answers 200 for an error of the function too; the error is in the body."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return True
        return isinstance(value, dict) and "errorMessage" in value


def emulator() -> Path:
    machine = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    if platform.system() != "Linux":
        raise StackError("aws-lambda-rie runs on Linux only; use Docker and `sam local invoke` here")
    found = list(VENV_BIN.parent.glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
    if not found:
        raise StackError("aws-sam-cli, which carries aws-lambda-rie, is not installed in .venv")
    found[0].chmod(found[0].stat().st_mode | 0o111)
    return found[0]


def invoke(program: Path, event: str, env: dict[str, str], name: str, timeout: float = 60) -> Answer:
    port, runtime_port = free_port(), free_port()
    own = {
        "PATH": "/usr/bin:/bin",
        "TZ": "UTC",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(int(timeout)),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    }
    command = [
        str(emulator()),
        "--log-level=error",
        f"--runtime-interface-emulator-address=127.0.0.1:{port}",
        f"--runtime-api-address=127.0.0.1:{runtime_port}",
        str(program),
    ]
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen(
            command, env={**own, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            body, millis = post(f"http://127.0.0.1:{port}/{INVOCATIONS}", port, event, child, timeout)
            time.sleep(0.02)  # for the last lines, and before the function complains that its runtime went away
            log.seek(0)
            return Answer(body, log.read(), millis)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def post(url: str, port: int, event: str, child: subprocess.Popen[bytes], timeout: float) -> tuple[str, float]:
    deadline = time.monotonic() + 10
    while port_is_free(port):
        if child.poll() is not None or time.monotonic() > deadline:
            raise StackError("aws-lambda-rie did not start")
        time.sleep(0.01)
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, event.encode()), timeout=timeout + 5) as answer:
            body = answer.read().decode()
    except urllib.error.HTTPError as error:
        body = json.dumps({"errorMessage": f"RIE answered {error.code}: {error.read()[:500].decode(errors='replace')}"})
    except OSError as error:
        raise StackError(f"aws-lambda-rie gave no answer: {error}") from error
    return body, (time.monotonic() - begun) * 1000


def function_of(event: Path) -> str:
    """The function whose name the file or its folder begins with."""
    known = sorted(functions(), key=len, reverse=True)
    for part in (event.parent.name, event.stem):
        for name in known:
            if part == name or part.startswith((f"{name}-", f"{name}.", f"{name}_")):
                return name
    raise StackError(f"{event} does not begin with the name of a function; name one with --function")


def environment(path: Path, name: str) -> dict[str, str]:
    if not path.exists():
        raise StackError(f"no {path}: run `make up` first")
    known: dict[str, dict[str, str]] = json.loads(path.read_text())
    return known.get(deploy.logical_id(name)) or known.get("Parameters", {})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENT.json")
    parser.add_argument("--function", help="default: the name that the file or its folder begins with")
    parser.add_argument("--program", type=Path, help="default: what `cargo build` made")
    parser.add_argument("--env-vars", type=Path, help="default: .local/env-vars.json")
    parser.add_argument("--timeout", type=float, default=60, help="seconds (default 60)")
    parser.add_argument("--quiet", action="store_true", help="print the response only")
    arguments = parser.parse_args()
    failures = 0
    try:
        for event in arguments.events:
            failures += run_one(arguments, event)
    except (StackError, OSError) as error:
        say(f"error: {error}")
        return 2
    return 1 if failures else 0


def run_one(arguments: argparse.Namespace, event: Path) -> bool:
    name = arguments.function or function_of(event)
    program = arguments.program or target_folder() / "debug" / name
    if not program.exists():
        raise StackError(f"no program {program}: run `make up` or `cargo build` first")
    env = environment(arguments.env_vars or Layout.from_env().env_vars_file, name)
    answer = invoke(program, event.read_text(), env, name, arguments.timeout)
    if not arguments.quiet:
        say(answer.log.rstrip())
        say(f"{name} {event}: {'error' if answer.failed else 'ok'} in {answer.millis:.0f} ms")
    print(answer.body)
    return answer.failed


if __name__ == "__main__":
    sys.exit(main())
