"""Runs functions through aws-lambda-rie, the emulator that `sam local` runs in Docker, without Docker.

A function is the program that cargo built for this machine; its environment is what the local stack deployed
(`.local/env-vars.json`), so `make up` comes first. One emulator serves all events of a function.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import psutil

import deploy
import events
from build import functions, target_folder
from layout import VENV_BIN, Layout, StackError, free_port, port_is_free, say

INVOCATIONS = "2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class Answer:
    body: str
    log: str
    millis: float

    @property
    def value(self) -> object:
        """RIE answers 200 for an error of the function too; the error is in the body."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {"errorMessage": f"no JSON: {self.body[:500]}"}

    @property
    def failed(self) -> bool:
        return isinstance(self.value, dict) and "errorMessage" in self.value


@dataclass(frozen=True)
class Report:
    """What became of one event."""

    event: str
    function: str
    millis: float
    problems: list[str]
    answer: str
    log: str


def emulator() -> Path:
    machine = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    if platform.system() != "Linux":
        raise StackError("aws-lambda-rie runs on Linux only; use Docker and `sam local invoke` here")
    found = list(VENV_BIN.parent.glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
    if not found:
        raise StackError("aws-sam-cli, which carries aws-lambda-rie, is not installed in .venv")
    found[0].chmod(found[0].stat().st_mode | 0o111)
    return found[0]


class Emulated:
    """One function behind one emulator: `with Emulated(…) as function: function.invoke(event)`."""

    def __init__(self, program: Path, env: dict[str, str], name: str, timeout: float = 60) -> None:
        self.name, self.program, self.timeout = name, program, timeout
        self.port, runtime_port = free_port(), free_port()
        own = {
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(int(timeout)),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        }
        self.env = {**own, **env}
        self.command = [
            str(emulator()),
            "--log-level=error",
            f"--runtime-interface-emulator-address=127.0.0.1:{self.port}",
            f"--runtime-api-address=127.0.0.1:{runtime_port}",
            str(program),
        ]

    def __enter__(self) -> Emulated:
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        self.child = subprocess.Popen(
            self.command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.killpg(self.child.pid, 9)
        self.child.wait()
        self.log.close()

    def invoke(self, event: str) -> Answer:
        begun = self.read_log()
        body, millis = post(f"http://127.0.0.1:{self.port}/{INVOCATIONS}", self.port, event, self.child, self.timeout)
        return Answer(body, self.read_log()[len(begun) :], millis)

    def process(self) -> psutil.Process:
        """The function's own process: from its first event on."""
        for child in psutil.Process(self.child.pid).children(recursive=True):
            if Path(child.exe()) == self.program.resolve():
                return child
        raise StackError(f"{self.program} does not run")

    def processor_millis(self) -> float:
        used = self.process().cpu_times()
        return (used.user + used.system) * 1000

    def memory(self, name: str) -> int:
        """Bytes: `VmRSS` now, `VmHWM` at most so far."""
        lines = Path(f"/proc/{self.process().pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process().pid}/clear_refs").write_text("5")

    def read_log(self) -> str:
        # The function writes at the end of the same file, not where we read.
        return os.pread(self.log.fileno(), 64 << 20, 0).decode(errors="replace")


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
    for part in (event.resolve().parent.name, event.stem):
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
    parser.add_argument("--timeout", type=float, default=300, help="seconds that a function has (default 300)")
    parser.add_argument("--quiet", action="store_true", help="print the response only")
    parser.add_argument("--report", action="store_true", help="print one JSON object an event instead")
    parser.add_argument("--fill", action="store_true", help="print the event as it would be sent, and do not send it")
    arguments = parser.parse_args()
    try:
        env = deploy.read_env(Layout.from_env().env_file)
        if arguments.fill:
            return fill(arguments.events, env)
        groups: dict[str, list[Path]] = {}
        for event in arguments.events:
            groups.setdefault(arguments.function or function_of(event), []).append(event)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = [pool.submit(run, arguments, name, paths, env) for name, paths in groups.items()]
            reports = [report for done in runs for report in done.result()]
    except (StackError, OSError) as error:
        say(f"error: {error}")
        return 2
    for report in reports:
        show(report, arguments)
    return 1 if any(report.problems for report in reports) else 0


def fill(paths: list[Path], env: dict[str, str]) -> int:
    """For `sam local invoke`, which sends a file as it is."""
    for path in paths:
        case = events.load(path, env)
        events.prepare(case, env)
        print(json.dumps(case.event, ensure_ascii=False))
    return 0


def run(arguments: argparse.Namespace, name: str, paths: list[Path], env: dict[str, str]) -> list[Report]:
    program = arguments.program or target_folder() / "debug" / name
    if not program.exists():
        raise StackError(f"no program {program}: run `make up` or `cargo build` first")
    deployed = environment(arguments.env_vars or Layout.from_env().env_vars_file, name)
    reports = []
    with Emulated(program, deployed, name, arguments.timeout) as function:
        for path in paths:
            case = events.load(path, env)
            if own := case.given.get("environment"):
                with Emulated(program, {**deployed, **own}, name, arguments.timeout) as other:
                    reports.append(report(other, case, env))
            else:
                reports.append(report(function, case, env))
    return reports


def report(function: Emulated, case: events.Case, env: dict[str, str]) -> Report:
    events.prepare(case, env)
    answer = function.invoke(json.dumps(case.event, ensure_ascii=False))
    found = events.problems(case, answer.value, answer.log, env)
    if answer.failed and "answer" not in case.expect:
        found.insert(0, "the function failed")
    return Report(str(case.path), function.name, round(answer.millis, 1), found, answer.body, answer.log)


def show(report: Report, arguments: argparse.Namespace) -> None:
    if arguments.report:
        print(json.dumps(asdict(report), ensure_ascii=False))
        return
    if not arguments.quiet:
        say(report.log.rstrip())
        verdict = "not as expected" if report.problems else "ok"
        say(f"{report.function} {report.event}: {verdict}, {report.millis:.0f} ms")
        for problem in report.problems:
            say(f"  {problem}")
    print(report.answer)


if __name__ == "__main__":
    sys.exit(main())
