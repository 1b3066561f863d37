"""How long the doors take, cold and warm, and how much processor time: each through RIE, against the running stack.

Cold is the first event of a new process, its start included. For figures worth quoting build the programs first:
`cargo build --release --workspace --bins`, then `doors.py --programs $CARGO_TARGET_DIR/release`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import psutil

import deploy
import events
import rie
from build import target_folder
from layout import ROOT, Layout

DOORS = {
    "initiate-call": "call",
    "signalwire-webhook": "voice",
    "personalize-call": "our-call",
    "elevenlabs-webhook": "transcription",
    "api": "call",
    "health": "request",
}
COLD, WARM = 5, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=target_folder() / "debug", help="folder of the programs")
    arguments = parser.parse_args()
    env = deploy.read_env(Layout.from_env().env_file)
    print(f"{'door':20} {'event':34} {'cold ms':>8} {'cpu ms':>7} {'warm ms':>8} {'cpu ms':>7} {'MB':>6}")
    for name, case_name in DOORS.items():
        path = ROOT / "events" / name / f"{case_name}.json"
        case = events.load(path, env)
        events.prepare(case, env)
        event = json.dumps(case.event, ensure_ascii=False)
        deployed = rie.environment(Layout.from_env().env_vars_file, name)
        program = arguments.programs / name
        runs = [measure(program, deployed, name, event, WARM if last else 0) for last in [False] * (COLD - 1) + [True]]
        cold = statistics.median(run[0] for run in runs)
        cold_cpu = statistics.median(run[1] for run in runs)
        _, _, warm, warm_cpu = runs[-1]
        size = program.stat().st_size / 1e6
        print(f"{name:20} {path.stem:34} {cold:8.0f} {cold_cpu:7.0f} {warm:8.1f} {warm_cpu:7.2f} {size:6.1f}")


def measure(program: Path, env: dict[str, str], name: str, event: str, warm: int) -> tuple[float, float, float, float]:
    """Milliseconds and processor milliseconds of the first event, and of each of `warm` more."""
    with rie.Emulated(program, env, name) as function:
        cold = function.invoke(event).millis
        process = next(child for child in psutil.Process(function.child.pid).children(recursive=True))
        cold_cpu = processor(process)
        times = [function.invoke(event).millis for _ in range(warm)]
        warm_cpu = (processor(process) - cold_cpu) / max(warm, 1)
        return cold, cold_cpu, statistics.median(times or [0.0]), warm_cpu


def processor(process: psutil.Process) -> float:
    used = process.cpu_times()
    return (used.user + used.system) * 1000


if __name__ == "__main__":
    main()
