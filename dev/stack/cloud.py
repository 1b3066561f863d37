"""The local AWS: ministack in a clean environment, with its state and its temporary files below the stack's folder."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path
from typing import Any

import processes
from layout import REGION, VENV_BIN

SERVICE = "aws"
# ministack takes `test` for the root of its one account; functions get a session of their own role.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Cloud:
    def __init__(self, base: Path, port: int, log: Path, keep: bool = True) -> None:
        self.base, self.port, self.log, self.keep = base, port, log, keep
        self.endpoint = f"http://127.0.0.1:{port}"

    def start(self) -> bool:
        """True if it had to be started."""
        running = processes.find(self.base, SERVICE)
        if running and self.answers() and self._is_ours(running):
            return False
        processes.stop(self.base, SERVICE)
        self.log.write_text("")
        command = [str(VENV_BIN / "python"), str(Path(__file__).with_name("ministack_launcher.py"))]
        child = processes.start(self.base, SERVICE, command, self._environment(), self.log)
        processes.wait_until(self.answers, "the local AWS", self.log, child)
        return True

    def stop(self) -> bool:
        """A clean stop writes the state (stacks, queues) to disk; objects are there already."""
        return processes.stop(self.base, SERVICE, grace=20)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def client(self, service: str) -> Any:
        """A boto3 client, blind to the user's own AWS configuration."""
        import boto3
        from botocore.config import Config

        return boto3.Session().client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 2}, read_timeout=320),
        )

    def command_line_environment(self) -> dict[str, str]:
        """For `sam` and `aws`: this endpoint, these credentials, nothing of the user's."""
        home = self.base / "tmp" / "home"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": f"{VENV_BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(home),
            "TMPDIR": str(home.parent),
            "LC_ALL": "C.UTF-8",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            processes.MARK: processes.mark(self.base, "tools"),
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "1",
            **CREDENTIALS,
        }

    def _is_ours(self, running: list[Any]) -> bool:
        return any(process.environ().get("GATEWAY_PORT") == str(self.port) for process in running)

    def _environment(self) -> dict[str, str]:
        scratch = self.base / "tmp" / "aws"
        scratch.mkdir(parents=True, exist_ok=True)
        state = self.base / "aws"
        kept = {"PERSIST_STATE": "1", "S3_PERSIST": "1"} if self.keep else {}
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "GATEWAY_PORT": str(self.port),
            # Without it a function would find no endpoint and call the real AWS.
            "AWS_ENDPOINT_URL": self.endpoint,
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "STATE_DIR": str(state / "state"),
            "S3_DATA_DIR": str(state / "s3"),
            **kept,
        }
