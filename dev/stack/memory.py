"""Measures the memory that audio-webhook needs for one long recording: `.venv/bin/python dev/stack/memory.py`.

The local stack runs; the simulator makes a recording of two hours and more (150 MB) whose push is lost; audio-webhook,
the program that cargo built, runs behind aws-lambda-rie and fetches it. What counts is the peak of its own process
above what it holds when it idles; bytes and digest must be those of the simulator's book. The local AWS keeps objects
in its own memory, which is not ours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import deploy
import rie
from build import target_folder
from events import cloud, psql
from layout import Layout, StackError, say
from simulator import ask

MB = 1_000_000
LIMIT_MB = 32
FUNCTION = "audio-webhook"


def main() -> int:
    parser = argparse.ArgumentParser(prog="memory", description=__doc__)
    parser.add_argument("--seconds", type=int, default=7500, help="length of the recording (default 7500)")
    parser.add_argument("--kbps", type=int, default=160, help="its bit rate (default 160: 150 MB)")
    parser.add_argument("--program", type=Path, help="default: what `make up` built")
    arguments = parser.parse_args()
    env = deploy.read_env(Layout.from_env().env_file)
    conversation_id = converse(env, arguments.seconds, arguments.kbps)
    program = arguments.program or target_folder() / "debug" / FUNCTION
    settings = rie.environment(Layout.from_env().env_vars_file, FUNCTION)
    with rie.Emulated(program, settings, FUNCTION, timeout=300) as function:
        # It then has its connections.
        deliver(function, {"kind": "wanted", "conversation_id": "conv_none", "agent_id": None})
        idle = function.memory("VmRSS")
        function.forget_peak()
        begun = time.monotonic()
        deliver(function, {"kind": "wanted", "conversation_id": conversation_id, "agent_id": None})
        seconds = time.monotonic() - begun
        fetched = function.memory("VmHWM")
        row = stored(env, conversation_id)
        # The same recording, announced as a replay does: it is read back.
        function.forget_peak()
        deliver(function, arrived(row))
        read_back = function.memory("VmHWM")
    size = row["bytes"] / MB
    print(f"recording       {size:.1f} MB, fetched in {seconds:.1f} s, byte for byte as in the simulator's book")
    print(f"idle            {idle / MB:.1f} MB")
    print(f"peak, fetching  {fetched / MB:.1f} MB: {(fetched - idle) / MB:.1f} MB above idle")
    print(f"peak, reading   {read_back / MB:.1f} MB: {(read_back - idle) / MB:.1f} MB above idle")
    too_much = max(fetched, read_back) - idle > LIMIT_MB * MB
    if too_much:
        say(f"error: more than {LIMIT_MB} MB above idle")
    return 1 if too_much else 0


def converse(env: dict[str, str], seconds: int, kbps: int) -> str:
    """An inbound call, because that needs nothing but the agent; its recording is not pushed."""
    simulator = env["SIMULATOR_URL"]
    before = ask("GET", f"{simulator}/control/config")
    changed = {"recording_secs": seconds, "recording_kbps": kbps, "time_scale": 100}
    faults = [{"where": "post_call_audio", "kind": "drop"}]
    ask("PATCH", f"{simulator}/control/config", {**changed, "faults": faults})
    try:
        made = ask("POST", f"{simulator}/control/inbound", {"from": "+14155550177"})
        conversation_id = str(made["conversation_id"])
        waiting = f"select count(*) from conversations where conversation_id = '{conversation_id}' and final"
        for _ in range(600):
            if psql(waiting, env).strip() == "1":
                return conversation_id
            time.sleep(0.1)
        raise StackError("the conversation never arrived (`make logs` shows why)")
    finally:
        # The recording is made from its description whenever it is asked for.
        ask("PATCH", f"{simulator}/control/config", {**{name: before[name] for name in changed}, "faults": []})


def deliver(function: rie.Emulated, task: dict[str, Any]) -> None:
    record = {"messageId": str(uuid.uuid4()), "receiptHandle": "none", "eventSource": "aws:sqs"}
    answer = function.invoke(json.dumps({"Records": [{**record, "body": json.dumps(task)}]}))
    if answer.failed or answer.value != {"batchItemFailures": []}:
        raise StackError(f"{FUNCTION} answered {answer.body[:300]}\n{answer.log[-1000:]}")


def stored(env: dict[str, str], conversation_id: str) -> dict[str, Any]:
    """What the row says; row, object and the simulator's book must agree."""
    sql = f"select to_jsonb(r) from call_recordings r where conversation_id = '{conversation_id}'"
    row: dict[str, Any] = json.loads(psql(sql, env) or "{}")
    book = ask("GET", f"{env['SIMULATOR_URL']}/control/book/conversations/{conversation_id}")["recording"]
    if (row.get("sha256"), row.get("bytes")) != (book["sha256"], book["bytes"]):
        raise StackError(f"the row says {row}, the simulator's book {book}")
    digest, size = hashlib.sha256(), 0
    body = cloud(env).client("s3").get_object(Bucket=env["S3_BUCKET"], Key=row["storage_path"])["Body"]
    for chunk in body.iter_chunks(MB):
        digest.update(chunk)
        size += len(chunk)
    if (digest.hexdigest(), size) != (book["sha256"], book["bytes"]):
        raise StackError(f"the object {row['storage_path']} is not the recording")
    return row


def arrived(row: dict[str, Any]) -> dict[str, Any]:
    same = ("conversation_id", "sha256", "bytes", "content_type")
    fields = {name: row[name] for name in same}
    return {"kind": "arrived", "agent_id": None, "key": row["storage_path"], "received_at": row["created_at"], **fields}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as error:
        say(f"error: {error}")
        sys.exit(1)
