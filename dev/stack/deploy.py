"""Deploys the staged template to the local AWS with `sam deploy`, only when something in it changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import processes
from build import functions
from cloud import CREDENTIALS, Cloud
from hours import clock_offset
from layout import API_ID, REGION, STACK_NAME, VENV_BIN, Layout, Memory, StackError, say, write_private
from simulator import AGENT_CONCURRENCY, calls_per_second

ARTIFACTS = "deploy-artifacts"
DIGEST_TAG = "elevenwire-digest"
OFFSET = "GuardClockOffsetSecs"
DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")


@dataclass(frozen=True)
class Deployment:
    outputs: dict[str, str]
    changed: bool


def base_url(cloud: Cloud) -> str:
    return f"{cloud.endpoint}/_aws/execute-api/{API_ID}"


def parameters(memory: Memory, cloud: Cloud, database_url: str, simulator_url: str) -> dict[str, str]:
    secret = memory.secrets
    token_digest = hashlib.sha256(secret["api_token"].encode()).hexdigest()
    given = {
        "Platform": "local",
        "SignalWireProjectId": secret["signalwire_project"],
        "SignalWireSpaceUrl": simulator_url,
        "SignalWireApiToken": secret["signalwire_token"],
        "SignalWireSigningSecret": secret["signalwire_signing"],
        "ElevenLabsApiKey": secret["elevenlabs_key"],
        "ElevenLabsWebhookSecret": secret["elevenlabs_webhook"],
        "ElevenLabsInitiationSecret": secret["elevenlabs_initiation"],
        "ElevenLabsApiUrl": simulator_url,
        "DatabaseUrl": database_url,
        "ApiTokens": f"local:admin:{token_digest}",
        "PublicBaseUrl": base_url(cloud),
        "CallRetryDelayMs": "500",
        "EventBusName": "default",
        "SignalWireCallsPerSecond": f"{calls_per_second():g}",
        "ElevenLabsConcurrency": str(AGENT_CONCURRENCY),
    }
    revision = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:12]
    # Not in the revision: functions that never ask the guard stay as they are.
    return {**given, "SecretsRevision": revision, OFFSET: str(clock_offset(datetime.now(UTC), deployed_offset(cloud)))}


def deployed_offset(cloud: Cloud) -> int | None:
    stack = describe(cloud)
    if not stack or stack["StackStatus"] not in DEPLOYED:
        return None
    return next(
        (int(one["ParameterValue"]) for one in stack.get("Parameters", []) if one["ParameterKey"] == OFFSET), None
    )


def played_hour(given: dict[str, str]) -> str:
    """For the person who runs `make up`: nothing, or which hour the guard is told."""
    seconds = int(given[OFFSET])
    if not seconds:
        return ""
    hour = datetime.now(UTC) + timedelta(seconds=seconds)
    return f", the guard is told that it is {hour:%A %Y-%m-%d %H:%M} UTC, a lawful hour"


def deploy(layout: Layout, cloud: Cloud, digest: str, given: dict[str, str]) -> Deployment:
    wanted = hashlib.sha256((digest + json.dumps(given, sort_keys=True)).encode()).hexdigest()
    stack = describe(cloud)
    if stack and stack["StackStatus"] in DEPLOYED and tags(stack).get(DIGEST_TAG) == wanted:
        return Deployment(outputs(stack), changed=False)
    remove_broken(cloud, stack)
    ensure_bucket(cloud)
    say("deploying template.yaml to the local AWS ...")
    config = layout.folder("build") / "samconfig.toml"
    write_private(config, sam_config(given, wanted))
    command = [str(VENV_BIN / "sam"), "deploy", "--config-file", str(config), "--template-file", "template.yaml"]
    env = cloud.command_line_environment()
    processes.run(command, "sam deploy", layout.log("deploy"), env=env, cwd=layout.folder("build"))
    stack = describe(cloud)
    if not stack or tags(stack).get(DIGEST_TAG) != wanted:
        raise StackError(f"sam deploy left no stack of this version, see {layout.log('deploy')}")
    return Deployment(outputs(stack), changed=True)


def sam_config(given: dict[str, str], digest: str) -> str:
    """In a file of the owner's, because a command line can be read by everybody on the machine."""
    pairs = " ".join(f"{name}={value}" for name, value in given.items())
    lines = [
        "version = 0.1",
        "[default.deploy.parameters]",
        f'stack_name = "{STACK_NAME}"',
        f's3_bucket = "{ARTIFACTS}"',
        f'region = "{REGION}"',
        'capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"',
        "confirm_changeset = false",
        "fail_on_empty_changeset = false",
        f"parameter_overrides = {json.dumps(pairs)}",
        f'tags = "{DIGEST_TAG}={digest}"',
    ]
    return "\n".join(lines) + "\n"


def describe(cloud: Cloud) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = cloud.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    except Exception as error:  # noqa: BLE001 - botocore makes its error classes at run time
        if "does not exist" in str(error):
            return None
        raise
    return found[0] if found else None


def tags(stack: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}


def remove_broken(cloud: Cloud, stack: dict[str, Any] | None) -> None:
    """A first deploy that failed cannot be updated; it holds nothing yet."""
    if stack and stack["StackStatus"] in BROKEN:
        cloud.client("cloudformation").delete_stack(StackName=STACK_NAME)
        processes.wait_until(lambda: describe(cloud) is None, "removing a broken stack", cloud.log)


def ensure_bucket(cloud: Cloud) -> None:
    """Where `sam deploy` puts the programs. Emptied now and then: every build leaves some, all kept in memory."""
    client = cloud.client("s3")
    if ARTIFACTS not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=ARTIFACTS)
    kept = client.list_objects_v2(Bucket=ARTIFACTS).get("Contents", [])
    if len(kept) > 3 * len(functions()):
        client.delete_objects(Bucket=ARTIFACTS, Delete={"Objects": [{"Key": item["Key"]} for item in kept]})


def function_environments(cloud: Cloud) -> dict[str, dict[str, str]]:
    """What each deployed function sees, for running one outside of the stack."""
    client = cloud.client("lambda")
    base = {"AWS_ENDPOINT_URL": cloud.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **CREDENTIALS}
    found = {}
    for name in functions():
        config = client.get_function_configuration(FunctionName=f"{STACK_NAME}-{name}")
        found[name] = {**base, **config.get("Environment", {}).get("Variables", {})}
    return found


def invoke(cloud: Cloud, name: str, event: dict[str, Any]) -> Any:
    answer = cloud.client("lambda").invoke(FunctionName=f"{STACK_NAME}-{name}", Payload=json.dumps(event).encode())
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        message = payload.get("errorMessage", payload) if isinstance(payload, dict) else payload
        raise StackError(f"{name} failed: {str(message)[:300]} (`make logs FN={name}` shows more)")
    return payload


def logical_id(name: str) -> str:
    words = "".join(part.capitalize() for part in name.split("-"))
    return words.replace("Elevenlabs", "ElevenLabs").replace("Signalwire", "SignalWire") + "Function"


def write_files(layout: Layout, memory: Memory, cloud: Cloud, urls: dict[str, str], made: Deployment) -> None:
    """`.local/env` for people and tools, `.local/env-vars.json` for running a function outside of the stack."""
    secret = memory.secrets
    values = {
        **urls,
        "API_TOKEN": secret["api_token"],
        "S3_BUCKET": made.outputs["BucketName"],
        "SIGNALWIRE_PROJECT_ID": secret["signalwire_project"],
        "SIGNALWIRE_API_TOKEN": secret["signalwire_token"],
        "SIGNALWIRE_SIGNING_SECRET": secret["signalwire_signing"],
        "ELEVENLABS_API_KEY": secret["elevenlabs_key"],
        "ELEVENLABS_WEBHOOK_SECRET": secret["elevenlabs_webhook"],
        "ELEVENLABS_INITIATION_SECRET": secret["elevenlabs_initiation"],
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
        "STACK_NAME": STACK_NAME,
        "FUNCTION_PREFIX": f"{STACK_NAME}-",
        "LOCAL_DIR": str(layout.base),
    }
    for queue in ("Calls", "TrunkCalls", "CallEvents", "Transcriptions", "Recordings", "Imports", "Exports"):
        key = {"TrunkCalls": "TRUNK_CALLS", "CallEvents": "CALL_EVENTS"}.get(queue, queue.upper())
        values[f"{key}_QUEUE_URL"] = made.outputs[f"{queue}QueueUrl"]
        values[f"{key}_DLQ_URL"] = made.outputs[f"{queue}DeadLetterQueueUrl"]
    write_private(layout.env_file, "".join(f"{key}={value}\n" for key, value in values.items()))
    per_function = {logical_id(name): env for name, env in function_environments(cloud).items()}
    write_private(layout.env_vars_file, json.dumps(per_function, indent=2) + "\n")


def read_env(path: Path) -> dict[str, str]:
    if not path.exists():
        raise StackError(f"no {path}: run `make up` first")
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
