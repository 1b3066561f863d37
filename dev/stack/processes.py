"""Starting and stopping the stack's programs.

A program is known by a mark in its environment that names the stack's folder, never by a number in a file: a number
may belong to somebody else by now, and a parent that was killed leaves children that no file lists.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from layout import StackError

MARK = "ELEVENWIRE_STACK"


def mark(base: Path, service: str) -> str:
    return f"{base}:{service}"


def find(base: Path, service: str) -> list[psutil.Process]:
    """All living processes of a service, children included, oldest first."""
    wanted, found = mark(base, service), []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == wanted and process.status() != psutil.STATUS_ZOMBIE:
                found.append((process.create_time(), process.pid, process))
        except (psutil.Error, OSError):
            continue
    return [process for _, _, process in sorted(found)]


def start(base: Path, service: str, command: Sequence[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Starts a program in its own session, with exactly this environment."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env={**env, MARK: mark(base, service)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=base,
            start_new_session=True,
        )


def stop(base: Path, service: str, grace: float = 10.0) -> bool:
    """Ends a service: the leader is asked, and what is left of it after `grace` seconds is killed."""
    running = find(base, service)
    if not running:
        return False
    ask_to_end(running[0], signal.SIGTERM, grace)
    kill(find(base, service))
    return True


def is_alive(process: psutil.Process) -> bool:
    """A zombie is dead: who collects it, and when, is not our business."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def ask_to_end(process: psutil.Process, how: signal.Signals, grace: float) -> bool:
    """True if it ended in time."""
    with contextlib.suppress(psutil.Error):
        process.send_signal(how)
    deadline = time.monotonic() + grace
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue
    deadline = time.monotonic() + 5
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)


def wait_until(
    ready: Callable[[], bool], what: str, log: Path, child: subprocess.Popen[bytes] | None = None, seconds: float = 30
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if child is not None and child.poll() is not None:
            raise StackError(f"{what} ended at once (code {child.returncode}), see {log}")
        if time.monotonic() > deadline:
            raise StackError(f"{what} was not ready after {seconds:.0f} s, see {log}")
        time.sleep(0.03)


def run(
    command: Sequence[str], what: str, log: Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> str:
    """Runs a program to its end; its output goes to the log and comes back."""
    child = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = child.communicate()
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    log.write_text(output)
    if child.returncode:
        last = [line for line in output.splitlines() if line.strip()][-1:] or ["no output"]
        raise StackError(f"{what} failed ({last[0].strip()[:160]}), see {log}")
    return output
