"""What a run of the tests needs, started once a run by nextest's setup scripts (.config/nextest.toml).

`services`: an empty PostgreSQL and an empty local AWS in a temporary folder. `bundle`: the whole stack in .local/test.
Both are ended by a watchdog as soon as the test runner is gone, however it went.

`run -- COMMAND` becomes a command that has the services, and ends them with it. `restart` stops the PostgreSQL of the
services and starts it again, for who has their environment.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import processes
from cloud import CREDENTIALS, Cloud
from layout import REGION, ROOT, StackError, free_port, say
from postgres import Postgres, in_folder, listens_on
from stack import Stack

AWS = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **CREDENTIALS}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="what", required=True)
    verbs.add_parser("services")
    verbs.add_parser("bundle")
    verbs.add_parser("watch").add_argument("notes", help="what to end, and when (JSON)")
    verbs.add_parser("run").add_argument("command", nargs="+")
    restart_verb = verbs.add_parser("restart")
    restart_verb.add_argument("--crash", action="store_true", help="kill it instead of asking it to end")
    restart_verb.add_argument("--away", type=float, default=0.5, help="seconds that it is away")
    arguments = parser.parse_args()
    try:
        if arguments.what == "services":
            export(services(os.getppid()))
        elif arguments.what == "bundle":
            export(bundle())
        elif arguments.what == "run":
            # The command takes over this process, so that the watchdog watches it.
            environment = {**os.environ, **services(os.getpid())}
            os.execvpe(arguments.command[0], arguments.command, environment)
        elif arguments.what == "restart":
            restart(arguments.crash, arguments.away)
        else:
            watch(json.loads(arguments.notes))
    except StackError as error:
        say(f"error: {error}")
        return 1
    return 0


def export(variables: dict[str, str]) -> None:
    """To the file that nextest reads, else (by hand) to the terminal."""
    text = "".join(f"{name}={value}\n" for name, value in variables.items())
    with contextlib.ExitStack() as files:
        target = os.environ.get("NEXTEST_ENV")
        output = files.enter_context(open(target, "a")) if target else sys.stdout
        output.write(text)


def services(runner: int) -> dict[str, str]:
    base = Path(tempfile.mkdtemp(prefix="elevenwire-test-")).resolve()
    database = Postgres(base / "pg", free_port(), secrets.token_hex(12), base / "postgres.log")
    cloud = Cloud(base, free_port(), base / "aws.log", keep=False)
    start_watchdog({"kind": "services", "base": str(base), "postgres": database.port, "aws": cloud.port}, runner)
    database.start()
    cloud.start()
    return {
        "TEST_DATABASE_URL": database.url(),
        "TEST_AWS_ENDPOINT_URL": cloud.endpoint,
        "TEST_SERVICES": str(base),
        **AWS,
    }


def restart(crash: bool, away: float) -> None:
    """What is committed survives both ends if `synchronous_commit` is on (see SETTINGS)."""
    base = Path(os.environ.get("TEST_SERVICES", ""))
    port = listens_on(base / "pg")
    if not base.is_absolute() or port is None:
        raise StackError("no services to restart: TEST_SERVICES names none")
    database = Postgres(base / "pg", port, "", base / "postgres.log")
    if crash:
        processes.kill(in_folder(base / "pg"))
    else:
        database.stop()
    time.sleep(away)
    # Its folder goes when its owner goes; then there is nothing to come back to.
    if (base / "pg" / "PG_VERSION").exists():
        database.start()


def bundle() -> dict[str, str]:
    """A fresh stack in a folder of its own, beside the user's; its logs stay after the run."""
    os.environ["LOCAL_DIR"] = ".local/test"
    os.environ.setdefault("SIMULATOR_CALLS_PER_SECOND", "20")
    base = ROOT / ".local" / "test"
    base.mkdir(parents=True, exist_ok=True)
    lock = (base / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another run of the tests uses .local/test, waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    stack = Stack.open()
    stack.reset()
    stack = Stack.open()
    # The watchdog inherits the lock and so holds it until it has stopped the stack.
    start_watchdog({"kind": "bundle", "base": str(base)}, os.getppid(), keep=lock.fileno())
    stack.up()
    return {"BUNDLE_ENV": str(stack.layout.env_file), "AWS_ENDPOINT_URL": stack.cloud.endpoint, **AWS}


def start_watchdog(notes: dict[str, object], pid: int, keep: int | None = None) -> None:
    """Before anything is started, so that nothing can be left behind."""
    runner = psutil.Process(pid)
    notes |= {"runner": runner.pid, "created": runner.create_time()}
    command = [sys.executable, str(Path(__file__).resolve()), "watch", json.dumps(notes)]
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=() if keep is None else (keep,),
        start_new_session=True,
    )


def watch(notes: dict[str, object]) -> None:
    while is_alive(int(str(notes["runner"])), float(str(notes["created"]))):
        time.sleep(0.25)
    base = Path(str(notes["base"]))
    if notes["kind"] == "bundle":
        os.environ["LOCAL_DIR"] = str(base)
        Stack.open().down()
        return
    processes.stop(base, "aws", grace=0)
    Postgres(base / "pg", int(str(notes["postgres"])), "", base / "postgres.log").stop()
    shutil.rmtree(base, ignore_errors=True)


def is_alive(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main())
