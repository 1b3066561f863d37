"""Measures every function through aws-lambda-rie, beside an empty one; writes docs/performance.md and docs/cost.md.

`make bench ONLY=functions` runs it. The local stack runs and serves what functions ask for. Each invocation has an
event of its own, so that a call is placed and not found placed already; making it is not counted.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cost
import deploy
import events
import rie
from build import functions, target_folder
from demo import Api, quick
from layout import ROOT, Layout, StackError, say

EMPTY = "empty"
# A queue that nothing reads.
ASIDE = "bench"
PAGE = ROOT / "docs" / "performance.md"
MEMORY = re.compile(r"CodeUri: functions/([a-z0-9-]+)\n\s+MemorySize: (\d+)")
TRANSCRIPT_BYTES = 20_000
# In base64 it makes an event of 4 MB.
AUDIO_BYTES = 3_000_000
# A function whose peak is above this share of its memory wants more.
HEADROOM = 0.6
# More calls at once than are placed here: nobody waits for a line.
LINES = 10_000
# How much faster than in earnest calls pass, so that they end while others are placed.
TIME_SCALE = 500


def transcript(raw: Any) -> Any:
    """The turns of the event again and again, until they are 20 kB."""
    if isinstance(raw, list):
        return [transcript(inner) for inner in raw]
    if not isinstance(raw, dict):
        return raw
    grown = {name: transcript(inner) for name, inner in raw.items()}
    if turns := raw.get("transcript"):
        grown["transcript"] = turns * max(1, TRANSCRIPT_BYTES // len(json.dumps(turns, separators=(",", ":"))))
    return grown


def audio(raw: Any) -> Any:
    """The recording of the event again and again, until it is 4 MB in base64."""
    text = json.dumps(raw)
    short = max(re.findall(r"[A-Za-z0-9+/=]{1000,}", text), key=len)
    sound = base64.b64decode(short)
    long = sound * (AUDIO_BYTES // len(sound))
    for old, new in (
        (short, base64.b64encode(long).decode()),
        (hashlib.sha256(sound).hexdigest(), hashlib.sha256(long).hexdigest()),
        (f'"bytes": {len(sound)}', f'"bytes": {len(long)}'),
    ):
        text = text.replace(old, new)
    return json.loads(text)


def as_it_is(raw: Any) -> Any:
    return raw


# The event of a function that is measured, and what is made of it.
CASES: dict[str, list[tuple[str, str, Callable[[Any], Any]]]] = {
    "api": [("call", "one call", as_it_is)],
    "audio-webhook": [("recording", "4 MB audio", audio)],
    "call-status": [("no-answer", "two events", as_it_is)],
    "campaign-trigger": [("schedule", "a tick", as_it_is)],
    "elevenlabs-webhook": [("transcription", "20 kB transcription", transcript), ("audio", "4 MB audio", audio)],
    "export-records": [("contacts", "a few contacts", as_it_is)],
    "health": [("request", "the last result", as_it_is)],
    "import-contacts": [("people", "a few people", as_it_is)],
    "initiate-call": [("call", "a call", as_it_is)],
    "migrate": [("after-deploy", "nothing to do", as_it_is)],
    "personalize-call": [("our-call", "a call", as_it_is)],
    "place-call": [("place", "a call", as_it_is)],
    "place-trunk-call": [("place", "a call", as_it_is)],
    "publish-events": [("schedule", "a sweep", as_it_is)],
    "reconcile": [("settle", "a sweep", as_it_is)],
    "signalwire-webhook": [("voice", "voice", as_it_is)],
    "transcription-webhook": [("transcription", "20 kB transcription", transcript)],
}


@dataclass(frozen=True)
class Figures:
    """Milliseconds, processor milliseconds and bytes."""

    name: str
    event: str
    cold: float
    cold_cpu: float
    warm: float
    warm_cpu: float
    peak: int
    size: int
    zipped: int


@dataclass(frozen=True)
class Bench:
    programs: Path
    env: dict[str, str]
    cold: int
    warm: int

    def measure(
        self, name: str, label: str, program: Path, settings: dict[str, str], make: Callable[[], Case]
    ) -> Figures:
        firsts, first_cpu = [], []
        for turn in range(self.cold):
            last = turn == self.cold - 1
            with rie.Emulated(program, settings, name, timeout=900) as function:
                firsts.append(invoked(function, make()))
                first_cpu.append(function.processor_millis())
                if not last:
                    continue
                times = [invoked(function, make()) for _ in range(self.warm)]
                warm_cpu = (function.processor_millis() - first_cpu[-1]) / self.warm
                peak = function.memory("VmHWM")
        size, zipped = program.stat().st_size, packed(program)
        cold, cold_cpu = statistics.median(firsts), statistics.median(first_cpu)
        return Figures(name, label, cold, cold_cpu, statistics.median(times), warm_cpu, peak, size, zipped)

    def function(self, name: str) -> list[Figures]:
        settings = self.settings(name)
        return [
            self.measure(
                name, label, self.programs / name, settings, lambda file=file, grow=grow: self.case(name, file, grow)
            )
            for file, label, grow in CASES[name]
        ]

    def settings(self, name: str) -> dict[str, str]:
        """As deployed, with lines enough. Nobody works off what it sends: that would share its processor."""
        deployed = rie.environment(Layout.from_env().env_vars_file, name)
        aside = events.cloud(self.env).client("sqs").create_queue(QueueName=ASIDE)["QueueUrl"]
        queues = {setting: aside for setting in deployed if setting.endswith("_QUEUE_URL")}
        return {**deployed, **queues, "ELEVENLABS_CONCURRENCY": str(LINES)}

    def case(self, name: str, file: str, grow: Callable[[Any], Any]) -> Case:
        case = events.load(ROOT / "events" / name / f"{file}.json", self.env, grow)
        events.prepare(case, self.env)
        return Case(json.dumps(case.event, ensure_ascii=False), case.expect.get("answer"))


@contextmanager
def lines_enough(env: dict[str, str]) -> Iterator[None]:
    """The demo agent has a line for every call that is placed meanwhile, and as many as before afterwards."""
    api = Api(env["BASE_URL"], env["API_TOKEN"])
    before = api.ask("GET", "/api/agents/demo")
    api.ask("PUT", "/api/agents/demo", {**before, "max_concurrent": LINES})
    try:
        yield
    finally:
        api.ask("PUT", "/api/agents/demo", before)


@dataclass(frozen=True)
class Case:
    event: str
    answer: Any = None


def invoked(function: rie.Emulated, case: Case) -> float:
    """Milliseconds. What answers otherwise than it should has done other work."""
    answer = function.invoke(case.event)
    wrong = [] if case.answer is None else events.differences(case.answer, answer.value, "answer")
    if wrong or (answer.failed and case.answer is None):
        raise StackError(f"{function.name}: {'; '.join(wrong) or answer.body[:300]}\n{answer.log[-3000:]}")
    return answer.millis


def packed(program: Path) -> int:
    """As small as zip makes it, which is what SAM uploads."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.write(program, "bootstrap")
        return file.tell()


def processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "processor unknown"


def memory_sizes() -> dict[str, int]:
    """`MemorySize` in MB by function."""
    return {name: int(size) for name, size in MEMORY.findall((ROOT / "template.yaml").read_text())}


def page(found: list[Figures], programs: Path, cold: int, warm: int) -> str:
    memory = memory_sizes()
    empty = found[0]
    rows = [row(one, empty, memory.get(one.name)) for one in found]
    tight = sorted({one.name for one in found if one.peak / 2**20 > HEADROOM * memory.get(one.name, 1 << 20)})
    verdict = (
        f"The peak of every function is below {HEADROOM:.0%} of its `MemorySize`."
        if not tight
        else f"Above {HEADROOM:.0%} of `MemorySize`: {', '.join(tight)}."
    )
    machine = f"{os.cpu_count()} cores ({processor()}), {platform.machine()}, profile `{programs.name}`"
    return TEXT.format(machine=machine, cold=cold, warm=warm, scale=TIME_SCALE, table="\n".join(rows), verdict=verdict)


def row(one: Figures, empty: Figures, memory: int | None) -> str:
    cells = [
        one.name,
        one.event,
        f"{one.cold:.0f} ({one.cold / empty.cold:.1f})",
        f"{one.cold_cpu:.0f}",
        f"{one.warm:.1f} ({one.warm / empty.warm:.1f})",
        f"{one.warm_cpu:.1f}",
        f"{one.peak / 2**20:.0f} ({one.peak / empty.peak:.1f})",
        f"{memory} ({one.peak / 2**20 / memory:.0%})" if memory else "-",
        f"{one.size / 1e6:.1f}",
        f"{one.zipped / 1e6:.1f} ({one.zipped / empty.zipped:.1f})",
    ]
    return f"| {' | '.join(cells)} |"


TEXT = """# Performance

`make bench ONLY=functions` writes this page. It is not edited by hand.

Machine: {machine}.

| function | event | cold ms | cold CPU ms | warm ms | warm CPU ms | peak MiB | `MemorySize` | program MB | zipped MB |
|---|---|---|---|---|---|---|---|---|---|
{table}

## Memory

{verdict} In Lambda `MemorySize` also buys processor time, one core at 1,769 MB: the doors have more than their peak
needs, so that a cold one answers soon. A recording of 150 MB is measured apart ([operations](operations.md)).

## How to read it

* `empty` is a function that does nothing (`functions/health/examples/empty.rs`), built with the same profile and
  measured in the same run. In brackets: how many times its figure. Compare these between machines, not milliseconds.
* Every function runs behind `aws-lambda-rie`; PostgreSQL, the local AWS and the simulator answer it on the same machine
  and share its cores. What waits for the local AWS waits longer than in AWS. Nobody works off what a function sends.
* *cold*: from the first event, which starts the process, to its answer; median of {cold} processes. *warm*: median
  of {warm} more events in the last of them. Each event is a new one. AWS adds the start of its sandbox to a cold start.
* publish-events: ten seconds of its time are the wait for more events; where it has brought some out, it stays so long.
  place-trunk-call: ElevenLabs answers it when the ringing is over, which passes {scale} times as fast as in earnest.
  Nobody waits for a line or for a slot of the carrier's: there are more than are needed.
* *CPU*: user and system time of the function's process. The kernel counts it in steps of 10 ms: one cold start is that
  coarse, the mean of {warm} warm events is not.
* *peak*: most resident memory of the process (`VmHWM`) over all these events; behind `MemorySize` its share.
* *program* is stripped, *zipped* is what is uploaded.
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--programs", type=Path, default=target_folder() / "release", help="folder of the programs")
    parser.add_argument(
        "--function", action="append", choices=functions(), help="only this one; may be repeated; writes no page"
    )
    parser.add_argument("--cold", type=int, default=5, help="processes a function (default 5)")
    parser.add_argument("--warm", type=int, default=30, help="further events of the last (default 30)")
    parser.add_argument("--output", type=Path, default=PAGE, help="default: docs/performance.md")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    names = given.function or functions()
    if missing := sorted(set(names) - set(CASES)):
        raise StackError(f"CASES has no event for {', '.join(missing)}")
    bench = Bench(given.programs, deploy.read_env(Layout.from_env().env_file), max(given.cold, 1), max(given.warm, 1))
    programs = [given.programs / name for name in names] + [given.programs / "examples" / EMPTY]
    if absent := [str(program) for program in programs if not program.exists()]:
        raise StackError(f"not built: {', '.join(absent)}; make bench builds them")
    found = [bench.measure(EMPTY, "an event", programs[-1], {}, lambda: Case('{"nothing": true}'))]
    with lines_enough(bench.env), quick(bench.env["SIMULATOR_URL"], TIME_SCALE):
        for at, name in enumerate(sorted(names), 1):
            say(f"bench: {name} ({at} of {len(names)}) ...")
            found += bench.function(name)
    text = page(found, given.programs, bench.cold, bench.warm)
    if given.function:
        print(text)
    else:
        given.output.write_text(text)
        say(f"bench: {given.output} written; what calls cost ...")
        warm: dict[str, list[float]] = defaultdict(list)
        for one in found:
            warm[one.name].append(one.warm)
        cost.write({name: statistics.mean(times) for name, times in warm.items()}, memory_sizes(), bench.env)
        say(f"bench: {cost.PAGE} written")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StackError, OSError) as error:
        say(f"error: {error}")
        sys.exit(1)
