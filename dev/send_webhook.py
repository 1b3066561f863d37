#!/usr/bin/env python3
"""Sends one signed webhook of each type, as ElevenLabs and SignalWire would, and prints what came back.

Secrets come from the options, else from the environment, else from .local/env (written by `make up`). The address is
what the receiver calls PUBLIC_BASE_URL: SignalWire signs it. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parents[1] / ".local" / "env"
TYPES = ("transcription", "audio", "initiation-failure", "initiation", "voice", "status", "action")
CALLER, CALLEE = "+14155550199", "+14155550142"
# One MPEG-1 layer III frame of 32 kbit/s at 44.1 kHz with no sound in it: 26 ms each.
SILENT_FRAME = bytes([0xFF, 0xFB, 0x10, 0xC4]) + bytes(100)


@dataclass(frozen=True)
class Webhook:
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Sender:
    url: str
    elevenlabs_secret: str
    initiation_secret: str
    signalwire_secret: str
    call: str
    conversation: str
    number: str

    def webhook(self, kind: str) -> Webhook:
        match kind:
            case "transcription":
                return self.elevenlabs("post_call_transcription", self.transcription())
            case "audio":
                sound = base64.b64encode(SILENT_FRAME * 40).decode()
                return self.elevenlabs("post_call_audio", {"full_audio": sound})
            case "initiation-failure":
                return self.elevenlabs("call_initiation_failure", self.failure())
            case "initiation":
                return self.initiation()
            case "voice":
                return self.signalwire("voice", {"CallStatus": "in-progress"})
            case "status":
                done = {"CallStatus": "completed", "CallDuration": "12", "SequenceNumber": "3", "SipResultCode": "200"}
                return self.signalwire("status", {"CallbackSource": "call-progress-events", **done})
            case _:
                dial = {"DialCallStatus": "completed", "DialCallDuration": "10", "DialSipResponseCode": "200"}
                return self.signalwire(
                    "action", {"CallStatus": "in-progress", "DialCallSid": str(uuid.uuid4()), **dial}
                )

    def elevenlabs(self, event: str, data: dict[str, object]) -> Webhook:
        now = int(time.time())
        data = {"agent_id": "agent_send_webhook", "conversation_id": self.conversation, **data}
        body = json.dumps({"type": event, "event_timestamp": now, "data": data}, ensure_ascii=False).encode()
        digest = hmac.new(self.elevenlabs_secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "elevenlabs-signature": f"t={now},v0={digest}"}
        return Webhook("/api/webhooks/elevenlabs", body, headers)

    def transcription(self) -> dict[str, object]:
        lines = [("agent", "Hello, this is a test of the webhook."), ("user", "Good, I can hear you – thanks!")]
        turns = [{"role": who, "message": said, "time_in_call_secs": 3 * at} for at, (who, said) in enumerate(lines)]
        phone = {
            "type": "sip_trunking",
            "direction": "outbound",
            "external_number": self.number,
            "agent_number": CALLER,
        }
        now = int(time.time())
        return {
            "status": "done",
            "has_audio": True,
            "transcript": turns,
            "metadata": {"start_time_unix_secs": now - 12, "call_duration_secs": 12, "phone_call": phone},
            "analysis": {"call_successful": "success", "transcript_summary": "A test of the webhook."},
            "conversation_initiation_client_data": {"dynamic_variables": {"call_id": self.call}},
        }

    def failure(self) -> dict[str, object]:
        body = {"from_number": CALLER, "to_number": self.number, "sip_status_code": 486, "error_reason": "Busy Here"}
        return {"failure_reason": "busy", "metadata": {"type": "sip", "body": {**body, "call_sid": self.call}}}

    def initiation(self) -> Webhook:
        body = {"caller_id": CALLER, "called_number": self.number, "agent_id": "agent_send_webhook"}
        more = {"conversation_id": self.conversation, "sip_headers": {"X-Elevenwire-Call": self.call}}
        headers = {"content-type": "application/json", "x-elevenwire-secret": self.initiation_secret}
        return Webhook("/api/webhooks/elevenlabs/initiation", json.dumps({**body, **more}).encode(), headers)

    def signalwire(self, kind: str, fields: dict[str, str]) -> Webhook:
        path = f"/api/webhooks/signalwire/{kind}/{self.call}"
        common = {"AccountSid": str(uuid.uuid4()), "ApiVersion": "2010-04-01", "CallSid": str(uuid.uuid4())}
        form = {**common, "Direction": "outbound-api", "From": CALLER, "To": self.number, **fields}
        signed = self.url + path + "".join(name + form[name] for name in sorted(form))
        digest = hmac.new(self.signalwire_secret.encode(), signed.encode(), hashlib.sha1).digest()
        signature = base64.b64encode(digest).decode()
        headers = {"content-type": "application/x-www-form-urlencoded", "x-signalwire-signature": signature}
        return Webhook(path, urllib.parse.urlencode(form).encode(), headers)


def send(url: str, webhook: Webhook) -> tuple[int, float, str]:
    request = urllib.request.Request(url + webhook.path, webhook.body, webhook.headers, method="POST")
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=35) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return status, (time.monotonic() - begun) * 1000, body.decode(errors="replace").strip()


def settings() -> dict[str, str]:
    kept = {}
    if ENV_FILE.exists():
        kept = dict(line.split("=", 1) for line in ENV_FILE.read_text().splitlines() if "=" in line)
    return {**kept, **os.environ}


def arguments() -> argparse.Namespace:
    known = settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=known.get("PUBLIC_BASE_URL"), help="default: PUBLIC_BASE_URL of .local/env")
    parser.add_argument("--type", action="append", choices=TYPES, dest="types", help="only this type; may be repeated")
    parser.add_argument("--call-id", default=str(uuid.uuid4()), help="default: one that nobody knows")
    parser.add_argument("--conversation-id", default=f"conv_{uuid.uuid4().hex}")
    parser.add_argument("--number", default=CALLEE, help=f"who was called (default {CALLEE})")
    parser.add_argument("--forge", action="store_true", help="sign with a wrong secret: everything must be refused")
    for name in ("ELEVENLABS_WEBHOOK_SECRET", "ELEVENLABS_INITIATION_SECRET", "SIGNALWIRE_SIGNING_SECRET"):
        option = "--" + name.lower().replace("_", "-")
        parser.add_argument(option, default=known.get(name, ""), help=f"default: {name}")
    found = parser.parse_args()
    if not found.url:
        parser.error("no --url, and no .local/env (make up writes it)")
    return found


def main() -> int:
    given = arguments()
    # The first secret of a comma list is the current one.
    secrets = [
        "forged" if given.forge else value.split(",")[0].strip()
        for value in (
            given.elevenlabs_webhook_secret,
            given.elevenlabs_initiation_secret,
            given.signalwire_signing_secret,
        )
    ]
    url = given.url.rstrip("/")
    sender = Sender(url, *secrets, given.call_id, given.conversation_id, given.number)
    print(f"{url}\ncall {given.call_id}, conversation {given.conversation_id}\n")
    refused = 0
    for kind in given.types or TYPES:
        try:
            status, millis, body = send(url, sender.webhook(kind))
        except OSError as error:
            print(f"{kind:20} no answer: {error}")
            refused += 1
            continue
        refused += not 200 <= status < 300
        print(f"{kind:20} {status}  {millis:6.0f} ms  {body[:300]}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
