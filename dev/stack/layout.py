"""Where the local stack keeps its things, and what it remembers from one start to the next: ports and secrets."""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV_BIN = Path(sys.executable).parent
STACK_NAME = "elevenwire"
API_ID = "elevenwire"
REGION = "us-east-1"
SERVICES = ("postgres", "aws", "simulator")


class StackError(Exception):
    """What went wrong, in one line for a person."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Layout:
    """The folder of one local stack. LOCAL_DIR gives a second, independent one."""

    base: Path

    @classmethod
    def from_env(cls) -> Layout:
        base = Path(os.environ.get("LOCAL_DIR") or ".local")
        return cls(base if base.is_absolute() else ROOT / base)

    def folder(self, name: str) -> Path:
        path = self.base / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        return self.folder("logs") / f"{name}.log"

    @property
    def memory_file(self) -> Path:
        return self.base / "state.json"

    @property
    def env_file(self) -> Path:
        return self.base / "env"

    @property
    def env_vars_file(self) -> Path:
        return self.base / "env-vars.json"


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)


@dataclass
class Memory:
    """Ports and secrets of this machine's stack; random once, then kept."""

    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, layout: Layout) -> Memory:
        try:
            kept = json.loads(layout.memory_file.read_text())
            memory = cls({k: int(v) for k, v in kept["ports"].items()}, dict(kept["secrets"]))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            memory = cls()
        for name in SECRET_NAMES:
            memory.secrets.setdefault(name, secrets.token_hex(24))
        return memory

    def save(self, layout: Layout) -> None:
        text = json.dumps({"ports": self.ports, "secrets": self.secrets}, indent=2)
        if not layout.memory_file.exists() or layout.memory_file.read_text() != text:
            write_private(layout.memory_file, text)

    def choose_port(self, service: str, ours: Callable[[int], bool]) -> int:
        """The port asked for, else the one used last time, else a free one."""
        asked = os.environ.get(f"{service.upper()}_PORT")
        last = self.ports.get(service)
        if asked:
            if not asked.isdigit() or not 0 < int(asked) < 65536:
                raise StackError(f"{service.upper()}_PORT={asked} is not a port")
            port = int(asked)
            if not (port_is_free(port) or ours(port)):
                raise StackError(f"port {port} ({service.upper()}_PORT) is taken by another program")
        elif last and (port_is_free(last) or ours(last)):
            port = last
        else:
            port = free_port()
        self.ports[service] = port
        return port


SECRET_NAMES = (
    "postgres_superuser",
    "postgres_elevenwire",
    "api_token",
    "signalwire_project",
    "signalwire_token",
    "signalwire_signing",
    "elevenlabs_key",
    "elevenlabs_webhook",
    "elevenlabs_initiation",
)


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Below the range from which the system takes ports for outgoing connections, so that it stays free."""
    for _ in range(200):
        port = random.randint(20000, 32000)
        if port_is_free(port):
            return port
    raise StackError("no free port between 20000 and 32000")
