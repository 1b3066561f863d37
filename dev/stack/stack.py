"""Brings the whole local stack up and down.

What `up` finds running and right is left alone, what is half there is mended, and what `up` itself started is
stopped again when it fails or is interrupted.
"""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass, field

import build
import deploy
import postgres
import processes
from cloud import Cloud
from layout import Layout, Memory, say
from postgres import Postgres
from simulator import AGENT_CONCURRENCY, AGENT_ID, AGENT_NUMBER, OWN_NUMBER, Simulator, ask


@dataclass
class Stack:
    layout: Layout
    memory: Memory
    started: list[str] = field(default_factory=list)
    # What is to be said of the hour that is played, once it is up.
    hour: str = ""

    @classmethod
    def open(cls) -> Stack:
        layout = Layout.from_env()
        layout.base.mkdir(parents=True, exist_ok=True)
        layout.base.chmod(0o755)
        return cls(layout, Memory.load(layout))

    @property
    def postgres(self) -> Postgres:
        port, password = self.memory.ports.get("postgres", 0), self.memory.secrets["postgres_superuser"]
        return Postgres(self.layout.base / "pg", port, password, self.layout.log("postgres"))

    @property
    def cloud(self) -> Cloud:
        return Cloud(self.layout.base, self.memory.ports.get("aws", 0), self.layout.log("aws"))

    @property
    def simulator(self) -> Simulator:
        return Simulator(self.layout.base, self.memory.ports.get("simulator", 0), self.layout.log("simulator"))

    @property
    def urls(self) -> dict[str, str]:
        base_url = deploy.base_url(self.cloud)
        role = postgres.ROLE
        return {
            "BASE_URL": base_url,
            "PUBLIC_BASE_URL": base_url,
            "SIMULATOR_URL": self.simulator.url,
            "DATABASE_URL": self.postgres.url(role, self.memory.secrets["postgres_elevenwire"], role),
            "DATABASE_ADMIN_URL": self.postgres.url(),
        }

    def up(self) -> dict[str, str]:
        """Returns the environment that `.local/env` holds."""
        begun = time.monotonic()
        try:
            self._up()
        except BaseException:
            self.undo()
            raise
        env = deploy.read_env(self.layout.env_file)
        settings = f"(settings in {self.layout.env_file}{self.hour})"
        say(f"up after {time.monotonic() - begun:.1f} s: {env['BASE_URL']}  {settings}")
        return env

    def undo(self) -> None:
        """Stops what this run started, and nothing that ran before."""
        # A second Ctrl-C must not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.started:
            say(f"stopping {', '.join(self.started)}")
        for service in reversed(self.started):
            self._service(service).stop()
        self.started.clear()

    def down(self) -> list[str]:
        """Stops everything of this folder; data stays."""
        processes.kill(processes.find(self.layout.base, "tools"))
        return [service for service in ("simulator", "aws", "postgres") if self._service(service).stop()]

    def reset(self) -> None:
        self.down()
        for name in ("pg", "aws", "simulator", "logs", "tmp", "build"):
            shutil.rmtree(self.layout.base / name, ignore_errors=True)
        for file in (self.layout.env_file, self.layout.env_vars_file, self.layout.memory_file):
            file.unlink(missing_ok=True)

    def status(self) -> dict[str, str]:
        server = postgres.postmaster(self.layout.base / "pg")
        found = {"postgres": f"pid {server.pid}, port {self.memory.ports.get('postgres')}" if server else "stopped"}
        for service in ("aws", "simulator"):
            running = processes.find(self.layout.base, service)
            what = f"pid {running[0].pid}, port {self.memory.ports.get(service)}" if running else "stopped"
            workers = f", {len(running) - 1} functions warm" if len(running) > 1 else ""
            found[service] = what + workers
        return found

    def _up(self) -> None:
        self._choose_ports()
        self._begin("postgres", self.postgres.start)
        self.postgres.create_role_and_database(self.memory.secrets["postgres_elevenwire"])
        self._begin("aws", self.cloud.start)
        programs = build.compile_workspace()
        digest = build.stage(programs, self.layout.folder("build"))
        built = build.program(programs, "simulator")
        self._begin("simulator", lambda: self.simulator.start(built))
        given = deploy.parameters(self.memory, self.cloud, self.urls["DATABASE_URL"], self.simulator.url)
        made = deploy.deploy(self.layout, self.cloud, digest, given)
        self.hour = deploy.played_hour(given)
        deploy.write_files(self.layout, self.memory, self.cloud, self.urls, made)
        deploy.invoke(self.cloud, "migrate", {})
        self.simulator.configure(self.memory.secrets, self.urls["BASE_URL"])
        deploy.invoke(self.cloud, "health", {"trigger": "schedule"})
        self._register_agent()

    def _choose_ports(self) -> None:
        for service in ("postgres", "aws", "simulator"):
            self.memory.choose_port(service, lambda port, name=service: self._listens(name, port))
        self.memory.save(self.layout)

    def _listens(self, service: str, port: int) -> bool:
        if service == "postgres":
            data = self.layout.base / "pg"
            return bool(postgres.postmaster(data)) and postgres.listens_on(data) == port
        return any(
            connection.laddr.port == port and connection.status == "LISTEN"
            for process in processes.find(self.layout.base, service)
            for connection in process.net_connections("tcp")
        )

    def _begin(self, service: str, start: object) -> None:
        """Notes a service as ours before it starts, so that an interrupt in between leaves nothing behind."""
        was_running = self._runs(service)
        if not was_running:
            self.started.append(service)
        assert callable(start)
        if start() and not was_running:
            say(f"started {service}")

    def _runs(self, service: str) -> bool:
        if service == "postgres":
            return postgres.postmaster(self.layout.base / "pg") is not None
        return bool(processes.find(self.layout.base, service))

    def _service(self, service: str) -> Postgres | Cloud | Simulator:
        return {"postgres": self.postgres, "aws": self.cloud, "simulator": self.simulator}[service]

    def _register_agent(self) -> None:
        agent = {
            "name": "demo",
            "elevenlabs_agent_id": AGENT_ID,
            "number": AGENT_NUMBER,
            "caller_ids": [OWN_NUMBER],
            "connect": "sip",
            "amd": "off",
            "max_duration_secs": 600,
            "ring_timeout_secs": 45,
            "max_concurrent": AGENT_CONCURRENCY,
        }
        headers = {"authorization": f"Bearer {self.memory.secrets['api_token']}"}
        ask("PUT", f"{self.urls['BASE_URL']}/api/agents/demo", agent, headers)
