"""The simulator of both vendors: its process, and what it is told about this stack."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import processes
from layout import StackError

SERVICE = "simulator"
AGENT_NUMBER = "+14155550100"
AGENT_ID = "agent_demo0000000000000000000000"
OWN_NUMBER = "+14155550199"
# Calls that the agents' vendor holds at once; the stack is deployed with the same.
AGENT_CONCURRENCY = 30


def calls_per_second() -> float:
    """What the carrier dials; the stack is deployed with the same."""
    asked = os.environ.get("SIMULATOR_CALLS_PER_SECOND") or "4"
    try:
        return float(asked)
    except ValueError:
        raise StackError(f"SIMULATOR_CALLS_PER_SECOND={asked} is not a number") from None


class Simulator:
    def __init__(self, base: Path, port: int, log: Path) -> None:
        self.base, self.port, self.log = base, port, log
        self.url = f"http://127.0.0.1:{port}"

    def start(self, built: Path) -> bool:
        """True if it had to be started; a newer build replaces one that runs."""
        mine = self.base / "simulator" / "simulator"
        mine.parent.mkdir(parents=True, exist_ok=True)
        same = mine.exists() and mine.read_bytes() == built.read_bytes()
        if same and processes.find(self.base, SERVICE) and self.answers():
            return False
        processes.stop(self.base, SERVICE)
        if not same:
            shutil.copy2(built, mine)
        self.log.write_text("")
        env = {"PATH": "/usr/bin:/bin", "RUST_LOG": os.environ.get("SIMULATOR_LOG", "info"), "TZ": "UTC"}
        command = [str(mine), "--listen", f"127.0.0.1:{self.port}"]
        child = processes.start(self.base, SERVICE, command, env, self.log)
        processes.wait_until(self.answers, "the simulator", self.log, child)
        return True

    def stop(self) -> bool:
        return processes.stop(self.base, SERVICE, grace=3)

    def answers(self) -> bool:
        try:
            self.ask("GET", "/control/health")
        except (StackError, OSError):
            return False
        return True

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return ask(method, self.url + path, body)

    def configure(self, secrets: dict[str, str], base_url: str) -> None:
        """Who calls whom, with which secrets; calls run ten times as fast as real ones unless told otherwise."""
        hooks = f"{base_url}/api/webhooks/elevenlabs"
        ours = {"X-Elevenwire-Secret": secrets["elevenlabs_initiation"]}
        settings = {
            "project_id": secrets["signalwire_project"],
            "api_token": secrets["signalwire_token"],
            "signing_key": secrets["signalwire_signing"],
            "owned_numbers": [OWN_NUMBER],
            "elevenlabs_api_key": secrets["elevenlabs_key"],
            "webhook_secret": secrets["elevenlabs_webhook"],
            "webhook_url": hooks,
            "retry_enabled": True,
            "initiation_url": f"{hooks}/initiation",
            "initiation_headers": ours,
            "opt_out_tool_url": f"{base_url}/api/tools/opt-out",
            "opt_out_tool_headers": ours,
            "numbers": [{"number": AGENT_NUMBER, "agent_id": AGENT_ID, "name": "Demo agent"}],
            "time_scale": float(os.environ.get("SIMULATOR_TIME_SCALE") or 10),
            "calls_per_second": calls_per_second(),
            "agent_concurrency": AGENT_CONCURRENCY,
        }
        self.ask("PATCH", "/control/config", settings)


def ask(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """One request, in JSON unless the body is bytes; an answer of 400 and above is an error that quotes the answer."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise StackError(f"{method} {url}: {error.code} {error.read()[:300].decode(errors='replace')}") from error
    return json.loads(text) if text.strip() else None
