"""What AWS charges for a call: a campaign on the local stack is counted, and docs/cost.md written with the arithmetic.

`make bench ONLY=functions` does it after the functions were measured: how often each runs for a call, what is queued,
stored and logged is counted here; for how many milliseconds it runs was measured through aws-lambda-rie.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import deploy
from demo import TIME_SCALE, Api, conduct, prepare, quick, settled_calls
from layout import ROOT, STACK_NAME, StackError
from people import people
from stack import Stack

PAGE = ROOT / "docs" / "cost.md"

# US dollars, list prices of us-east-1 on arm64, without the free tier.
GB_SECOND = 0.0000133334
MILLION_INVOCATIONS = 0.20
MILLION_HTTP_REQUESTS = 1.00
MILLION_SQS_REQUESTS = 0.40
THOUSAND_PUTS = 0.005
GB_MONTH_STORED = 0.023
GB_LOGGED = 0.50
METRIC_MONTH = 0.30
ALARM_MONTH = 0.10
DASHBOARD_MONTH = 3.00
SECRET_MONTH = 0.40
HOURS_A_MONTH = 730

# What a call makes run; a list that is imported or a page that is looked at is not the call's.
BY_CALL = (
    *("initiate-call", "place-call", "place-trunk-call", "signalwire-webhook", "personalize-call", "call-status"),
    *("elevenlabs-webhook", "transcription-webhook", "audio-webhook"),
)
BY_MONTH = (
    ("CloudWatch alarms", "CloudWatch::Alarm", ALARM_MONTH),
    ("CloudWatch dashboards", "CloudWatch::Dashboard", DASHBOARD_MONTH),
    ("Secrets Manager", "SecretsManager::Secret", SECRET_MONTH),
)

# Whoever calls them comes through the gateway.
DOORS = ("initiate-call", "personalize-call", "signalwire-webhook", "elevenlabs-webhook")
# They run by the clock while there is work, not by the call: runs an hour, and seconds a run where it is not measured,
# because the function stays for its minute.
BY_CLOCK = {"campaign-trigger": (60, 60.0), "publish-events": (60, 10.0), "reconcile": (12, None), "health": (12, None)}
# Of an empty queue: so many long polls at once, each of so many seconds.
POLLERS, POLL_SECS = 5, 20
# A message is sent, received and deleted.
REQUESTS_A_MESSAGE = 3


@dataclass
class Counted:
    """Of a campaign."""

    calls: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    logged: int = 0
    metrics: set[str] = field(default_factory=set)
    objects: int = 0
    stored: int = 0


def count(stack: Stack, env: dict[str, str]) -> Counted:
    """Plays the demo's campaign, and counts what its calls made AWS do."""
    s3 = stack.cloud.client("s3")
    before = objects(s3, env["S3_BUCKET"])
    begun = int(time.time() * 1000)
    deadline = time.monotonic() + 300
    campaign = prepare(Api(env["BASE_URL"], env["API_TOKEN"]), people(), deadline)
    with quick(env["SIMULATOR_URL"], TIME_SCALE):
        conduct(stack, campaign, deadline)
        settled_calls(campaign, deadline)
    counted = Counted(calls=sum(contact["attempts"] for contact in campaign.contacts()))
    if not counted.calls:
        raise StackError("the campaign called nobody: nothing to count")
    client = stack.cloud.client("logs")
    for name in deploy.functions():
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{STACK_NAME}-{name}", startTime=begun
        )
        for event in (event for page in pages for event in page["events"]):
            learn(counted, name, event["message"])
    after = objects(s3, env["S3_BUCKET"])
    made = {key: size for key, size in after.items() if key not in before and key.startswith(("raw/", "recordings/"))}
    counted.objects, counted.stored = len(made), sum(made.values())
    return counted


def learn(counted: Counted, name: str, line: str) -> None:
    """A line of the log: each invocation ends with one of metrics."""
    is_the_calls = name in BY_CALL
    if is_the_calls:
        counted.logged += len(line)
    if "CloudWatchMetrics" not in line:
        return
    told = json.loads(line[line.index("{") :])
    if is_the_calls:
        counted.runs[name] += 1
        counted.messages += int(told.get("Messages", 0))
    for directive in told["_aws"]["CloudWatchMetrics"]:
        own = "Function" in directive["Dimensions"][0]
        counted.metrics |= {f"{name if own else ''} {metric['Name']}" for metric in directive["Metrics"]}


def objects(s3: Any, bucket: str) -> dict[str, int]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}


@dataclass(frozen=True)
class Line:
    """A line of the arithmetic."""

    what: str
    how: str
    usd: float

    def row(self, times: float) -> str:
        return f"| {self.what} | {self.how} | {self.usd * times:.4f} |"


def per_call(counted: Counted, millis: dict[str, float], memory: dict[str, int]) -> list[Line]:
    """Of one call."""
    lines, calls = [], counted.calls
    for name, runs in sorted(counted.runs.items()):
        each, billed = runs / calls, math.ceil(millis[name])
        usd = each * (billed / 1000 * memory[name] / 1024 * GB_SECOND + MILLION_INVOCATIONS / 1e6)
        lines.append(Line(name, f"{each:.2f} runs of {billed} ms at {memory[name]} MB", usd))
    requests = sum(counted.runs[name] for name in DOORS) / calls
    lines.append(Line("API Gateway", f"{requests:.2f} requests", requests * MILLION_HTTP_REQUESTS / 1e6))
    queued = counted.messages * REQUESTS_A_MESSAGE / calls
    lines.append(Line("SQS", f"{queued:.2f} requests", queued * MILLION_SQS_REQUESTS / 1e6))
    put, kept = counted.objects / calls, counted.stored / calls
    lines.append(Line("S3, to put", f"{put:.2f} objects", put * THOUSAND_PUTS / 1e3))
    lines.append(Line("S3, a month of it", f"{kept / 1e3:.0f} kB", kept / 1e9 * GB_MONTH_STORED))
    logged = counted.logged / calls
    lines.append(Line("CloudWatch Logs", f"{logged / 1e3:.1f} kB", logged / 1e9 * GB_LOGGED))
    return lines


def per_hour(metrics: int, millis: dict[str, float], memory: dict[str, int]) -> list[Line]:
    """Of one hour in which there is work."""
    lines = []
    for name, (runs, stays) in BY_CLOCK.items():
        secs = stays or math.ceil(millis[name]) / 1000
        usd = runs * (secs * memory[name] / 1024 * GB_SECOND + MILLION_INVOCATIONS / 1e6)
        lines.append(Line(name, f"{runs} runs of {secs:g} s at {memory[name]} MB", usd))
    lines.append(Line("CloudWatch metrics", f"{metrics} of them", metrics * METRIC_MONTH / HOURS_A_MONTH))
    return lines


def per_month(template: str) -> list[Line]:
    """Of one month, also when nobody calls anybody."""
    count = {kind: template.count(f"Type: AWS::{kind}\n") for _, kind, _ in BY_MONTH}
    polled = template.count("Type: AWS::Lambda::EventSourceMapping\n")
    polls = polled * POLLERS * 60 // POLL_SECS * 60 * HOURS_A_MONTH
    return [
        Line("SQS", f"{polled} queues, {POLLERS} long polls of {POLL_SECS} s each", polls * MILLION_SQS_REQUESTS / 1e6),
        *(Line(what, f"{count[kind]}", count[kind] * price) for what, kind, price in BY_MONTH),
    ]


def table(lines: list[Line], head: str, times: float = 1) -> str:
    whole = sum(line.usd for line in lines) * times
    rows = "\n".join(line.row(times) for line in lines)
    return f"| | | {head} |\n|---|---|---|\n{rows}\n| **together** | | **{whole:.4f}** |"


def page(counted: Counted, millis: dict[str, float], memory: dict[str, int], template: str) -> str:
    calls, hours, months = (
        per_call(counted, millis, memory),
        per_hour(len(counted.metrics), millis, memory),
        per_month(template),
    )
    a_call, an_hour, a_month = (sum(line.usd for line in lines) for lines in (calls, hours, months))
    # At one call a second, and then until the last one is settled and its price looked up.
    busy = 1000 / 3600 + 0.25
    thousand = 1000 * a_call + busy * an_hour
    return TEXT.format(
        counted=counted.calls,
        calls=table(calls, "US$ per 1,000 calls", 1000),
        hours=table(hours, "US$ per hour"),
        months=table(months, "US$ per month"),
        a_thousand=f"{1000 * a_call:.4f}",
        busy=f"{busy:.2f}",
        an_hour=f"{an_hour:.4f}",
        thousand=f"{thousand:.4f}",
        share=f"{math.ceil(thousand / 1000 * 1e5) / 1e5:.5f}",
        a_month=f"{a_month:.2f}",
    )


def write(millis: dict[str, float], memory: dict[str, int], env: dict[str, str]) -> None:
    """Writes the page; `millis` are those of a warm run, by function."""
    counted = count(Stack.open(), env)
    PAGE.write_text(page(counted, millis, memory, (ROOT / "template.yaml").read_text()))


TEXT = """# Cost

`make bench ONLY=functions` writes this page. It is not edited by hand.

## What a call costs

`GET /api/calls/{{id}}` has `cost`, in US dollars: `usd` and its parts `carrier_usd`, `agent_usd` and `aws_usd`, and
how much of it is an estimate (`estimated_usd`). So has `GET /api/campaigns/{{id}}`, with `forecast_usd` once 20
people are done; the console shows both.

* **The carrier's part** is what SignalWire charged: `price` of its call and of every call that this one made, such as
  the leg to the agent, the sign left out. It tells no price before the end of a call, and no webhook has one. So
  reconcile asks, 5 minutes after the end, one list for all calls of an hour; then each time after twice as long,
  eight times, almost a day. From the fourth time on a leg without a price is free if its call has one. A price in
  another currency than US dollars is not taken. What is never told stays an estimate, and so do calls that ElevenLabs
  dials: SignalWire lists these under ids that we do not learn. A price that is awaited keeps no schedule on: what is
  not told ten minutes after the last work is looked up with the next.
* **The agent's part** is `cost_fiat` of the conversation, as ElevenLabs tells it with the transcript.
* **AWS' part** is `AwsUsdPerCall`, the share that is worked out below. AWS bills nobody by the call.
* **Estimates**: `CarrierUsdPerMinute` for a begun minute, `AgentUsdPerMinute` for a minute, by how long the call has
  held the line. Set them to your contracts; they are meant to be rather too high than too low. What a budget holds a
  call for that is not over is never less than a minute of both.

A budget (`max_spend` of a campaign, `spend_a_day` of a token) is held against all of this: see
[campaigns](campaigns.md#breakers).

## What AWS charges for 1,000 calls

At one call a second these take {busy} hours, with a quarter of an hour until the last of them is settled:

**1,000 calls: {a_thousand} + {busy} × {an_hour} = {thousand} US dollars**, or {share} a call. The default of
`AwsUsdPerCall` is that, rounded up.

### By the call

Counted on the local stack over the demo's campaign ({counted} calls of all fates, an answered one with its transcript
and its recording). Milliseconds are those of [performance](performance.md), warm. A message is sent, received and
deleted.

{calls}

### By the hour, while there is work

campaign-trigger stays for its minute, so that calls start at their second. When nothing waits, all but health are off
([asleep when idle](architecture.md#asleep-when-idle)).

{hours}

### By the month, also when nobody calls

{months}

Not in these: the database, whose price is its kind's (a serverless one that sleeps costs its storage); a NAT gateway,
where the functions are in a network of yours (about 33 dollars a month); transfer out of AWS, 0.09 dollars a GB,
which is the recordings that you listen to. With {a_month} dollars this table is most of a small bill: `AlarmEmail`
may be empty, but the alarms stay.

### Prices

List prices of us-east-1 on arm64 without the free tier, US dollars, as of November 2026: Lambda 0.0000133334 a
GB-second and 0.20 a million invocations; HTTP API 1.00 a million requests; SQS 0.40 a million; S3 0.005 a thousand
PUTs and 0.023 a GB and month; CloudWatch 0.50 a GB of logs, 0.30 a metric and month (by the hour in which it is
told), 0.10 an alarm, 3.00 a dashboard; Secrets Manager 0.40 a secret. `dev/stack/cost.py` has them."""
