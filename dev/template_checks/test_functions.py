"""Each function: what it is told, what it may do, how it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Template

# Where the settings of every function that asks the guard or claims are read, by `Dialling::from_env`.
DIALLING_FILE = "shared/src/dialling.rs"
# Played only on the local stack, which is proved by the addresses of both vendors.
PLAYED = "GUARD_CLOCK_OFFSET_SECS SIGNALWIRE_SPACE_URL ELEVENLABS_API_URL"
DIALLING = f" SIGNALWIRE_CALLS_PER_SECOND SINGLE_CALLS_EVERY ELEVENLABS_CONCURRENCY OWN_NUMBERS {PLAYED}"
# Where the prices of whoever adds up costs are read, by `Tariff::from_env`.
TARIFF_FILE = "shared/src/cost.rs"
TARIFF = " CARRIER_USD_PER_MINUTE AGENT_USD_PER_MINUTE AWS_USD_PER_CALL"

# What a function reads from its environment, and nothing besides. The crates have the same list in their `from_env`.
ENVIRONMENT = {
    "initiate-call": (
        "DATABASE_URL API_TOKENS CALLS_QUEUE_URL TRUNK_CALLS_QUEUE_URL CALL_TIMEOUT_SECS PUBLIC_BASE_URL "
        "SCHEDULE_RULES CANARY_NUMBER CANARY_AGENT" + DIALLING + TARIFF
    ),
    "place-call": (
        "DATABASE_URL SIGNALWIRE_PROJECT_ID SIGNALWIRE_SPACE_URL SIGNALWIRE_API_TOKEN PUBLIC_BASE_URL CALLS_QUEUE_URL "
        "CALL_MAX_RETRIES CALL_RETRY_DELAY_MS DEAD_LETTER_QUEUE_URL" + DIALLING
    ),
    "place-trunk-call": (
        "DATABASE_URL ELEVENLABS_API_KEY ELEVENLABS_API_URL TRUNK_CALLS_QUEUE_URL CALL_MAX_RETRIES CALL_RETRY_DELAY_MS "
        "DEAD_LETTER_QUEUE_URL" + DIALLING
    ),
    "signalwire-webhook": "SIGNALWIRE_SIGNING_SECRET PUBLIC_BASE_URL CALL_EVENTS_QUEUE_URL ELEVENLABS_SIP_HOST",
    "personalize-call": "DATABASE_URL ELEVENLABS_INITIATION_SECRET",
    "call-status": "DATABASE_URL CALL_EVENTS_QUEUE_URL CALLS_QUEUE_URL DEAD_LETTER_QUEUE_URL SCHEDULE_RULES",
    "elevenlabs-webhook": (
        "ELEVENLABS_WEBHOOK_SECRET ELEVENLABS_WEBHOOK_ALLOWED_IPS S3_BUCKET TRANSCRIPTIONS_QUEUE_URL "
        "RECORDINGS_QUEUE_URL CALL_EVENTS_QUEUE_URL"
    ),
    "transcription-webhook": (
        "DATABASE_URL S3_BUCKET ELEVENLABS_API_KEY ELEVENLABS_API_URL OPT_OUT_FIELD OPT_OUT_CRITERION OPT_OUT_PHRASES "
        "TRANSCRIPTIONS_QUEUE_URL DEAD_LETTER_QUEUE_URL SCHEDULE_RULES"
    ),
    "audio-webhook": (
        "DATABASE_URL S3_BUCKET ELEVENLABS_API_KEY ELEVENLABS_API_URL RECORDINGS_QUEUE_URL DEAD_LETTER_QUEUE_URL"
    ),
    "import-contacts": "DATABASE_URL S3_BUCKET IMPORTS_QUEUE_URL DEAD_LETTER_QUEUE_URL" + DIALLING + TARIFF,
    "export-records": "DATABASE_URL S3_BUCKET EXPORTS_QUEUE_URL DEAD_LETTER_QUEUE_URL",
    "campaign-trigger": (
        "DATABASE_URL CALLS_QUEUE_URL TRUNK_CALLS_QUEUE_URL CALL_TIMEOUT_SECS SCHEDULE_RULES" + DIALLING + TARIFF
    ),
    "publish-events": "DATABASE_URL EVENT_BUS_NAME SIGNALWIRE_SPACE_URL ELEVENLABS_API_URL",
    "reconcile": (
        "DATABASE_URL S3_BUCKET SIGNALWIRE_PROJECT_ID SIGNALWIRE_SPACE_URL SIGNALWIRE_API_TOKEN ELEVENLABS_API_KEY "
        "ELEVENLABS_API_URL ELEVENLABS_WEBHOOK_MEND PUBLIC_BASE_URL CALLS_QUEUE_URL TRANSCRIPTIONS_QUEUE_URL "
        "RECORDINGS_QUEUE_URL IMPORTS_QUEUE_URL EXPORTS_QUEUE_URL"
    ),
    "api": (
        "DATABASE_URL API_TOKENS S3_BUCKET CALLS_QUEUE_URL TRUNK_CALLS_QUEUE_URL CALL_EVENTS_QUEUE_URL "
        "TRANSCRIPTIONS_QUEUE_URL RECORDINGS_QUEUE_URL IMPORTS_QUEUE_URL EXPORTS_QUEUE_URL CALL_TIMEOUT_SECS "
        "SCHEDULE_RULES" + DIALLING + TARIFF
    ),
    "health": (
        "DATABASE_URL API_TOKENS S3_BUCKET SIGNALWIRE_PROJECT_ID SIGNALWIRE_SPACE_URL SIGNALWIRE_API_TOKEN "
        "ELEVENLABS_API_KEY ELEVENLABS_API_URL ELEVENLABS_WEBHOOK_ALLOWED_IPS CALLS_QUEUE_URL TRUNK_CALLS_QUEUE_URL "
        "CALL_EVENTS_QUEUE_URL TRANSCRIPTIONS_QUEUE_URL RECORDINGS_QUEUE_URL IMPORTS_QUEUE_URL EXPORTS_QUEUE_URL "
        "SCHEDULE_RULES CANARY_AGENT"
    ),
    "migrate": "DATABASE_URL",
}

QUEUE_URLS = {
    "CALLS_QUEUE_URL": "CallsQueue",
    "TRUNK_CALLS_QUEUE_URL": "TrunkCallsQueue",
    "CALL_EVENTS_QUEUE_URL": "CallEventsQueue",
    "TRANSCRIPTIONS_QUEUE_URL": "TranscriptionsQueue",
    "RECORDINGS_QUEUE_URL": "RecordingsQueue",
    "IMPORTS_QUEUE_URL": "ImportsQueue",
    "EXPORTS_QUEUE_URL": "ExportsQueue",
}


def own(queue: str) -> set[tuple[str, str]]:
    """What the poller of a queue does with the function's role; putting a message off, giving it up."""
    actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
    return {(f"sqs:{action}", queue) for action in actions} | send(dead(queue))


def dead(queue: str) -> str:
    return queue.replace("Queue", "DeadLetterQueue")


def send(*queues: str) -> set[tuple[str, str]]:
    return {("sqs:SendMessage", queue) for queue in queues}


def s3(prefix: str, *actions: str) -> set[tuple[str, str]]:
    return {(f"s3:{action}", f"Bucket/{prefix}/*") for action in actions}


# Whoever looks at dead letters and sends them back.
REDRIVEN = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
# The schedules that are off while there is no work, by the functions that they start; the trigger's first.
SWITCHED = {"campaign-trigger": "Schedule", "publish-events": "Schedule", "reconcile": "Settle"}
# Who makes work out of none: whatever the others do is part of work that is there.
WAKERS = ("initiate-call", "api", "call-status", "transcription-webhook", "campaign-trigger")


def rules(*actions: str, of: tuple[str, ...] = tuple(SWITCHED)) -> set[tuple[str, str]]:
    return {(f"events:{action}", f"Rule/${{AWS::StackName}}-{name}") for action in actions for name in of}


GRANTS: dict[str, set[tuple[str, str]]] = {
    "initiate-call": send("CallsQueue", "TrunkCallsQueue") | rules("EnableRule"),
    "place-call": own("CallsQueue"),
    "place-trunk-call": own("TrunkCallsQueue"),
    "signalwire-webhook": send("CallEventsQueue"),
    "personalize-call": set(),
    "call-status": own("CallEventsQueue") | send("CallsQueue") | rules("EnableRule"),
    "elevenlabs-webhook": (
        s3("raw", "PutObject")
        | s3("recordings", "PutObject")
        | send("TranscriptionsQueue", "RecordingsQueue", "CallEventsQueue")
    ),
    "transcription-webhook": own("TranscriptionsQueue") | s3("raw", "GetObject") | rules("EnableRule"),
    "audio-webhook": (
        own("RecordingsQueue")
        | s3("recordings", "GetObject", "PutObject")
        | s3("incoming", "GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload")
    ),
    "reconcile": (
        s3("raw", "PutObject")
        | s3("reports", "PutObject")
        | send("CallsQueue", "TranscriptionsQueue", "RecordingsQueue", "ImportsQueue", "ExportsQueue")
    ),
    "import-contacts": own("ImportsQueue") | s3("imports", "GetObject", "PutObject"),
    "export-records": own("ExportsQueue") | s3("exports", "PutObject"),
    "campaign-trigger": (send("CallsQueue", "TrunkCallsQueue") | rules("DescribeRule", "DisableRule", "EnableRule")),
    "publish-events": {("events:PutEvents", "EventBus")},
    "api": (
        s3("imports", "GetObject", "PutObject")
        | s3("recordings", "GetObject")
        | s3("exports", "GetObject")
        | s3("raw", "GetObject")
        | s3("health", "GetObject")
        | send(*QUEUE_URLS.values())
        | {("sqs:GetQueueAttributes", queue) for queue in QUEUE_URLS.values()}
        | {(f"sqs:{action}", dead(queue)) for queue in QUEUE_URLS.values() for action in REDRIVEN}
        | rules("EnableRule")
    ),
    "health": (
        s3("health", "GetObject", "PutObject")
        | {("s3:ListBucket", "Bucket")}
        | {("sqs:GetQueueAttributes", queue) for queue in QUEUE_URLS.values()}
        | {("sqs:GetQueueAttributes", dead(queue)) for queue in QUEUE_URLS.values()}
        | rules("DescribeRule", of=("campaign-trigger",))
    ),
    "migrate": set(),
}


def test_every_crate_is_deployed_and_every_deployed_function_is_a_crate(template: Template, root: Path) -> None:
    crates = {path.parent.name for path in (root / "functions").glob("*/Cargo.toml")}
    assert set(template.functions) == crates == set(ENVIRONMENT)


def test_a_functions_code_program_and_name_agree(template: Template) -> None:
    for name, function in template.functions.items():
        metadata = template.resources[function.logical_id]["Metadata"]
        assert function.properties["CodeUri"] == f"functions/{name}"
        assert metadata == {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": name}}
        assert function.properties["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_function_gets_exactly_the_settings_that_it_reads(template: Template, name: str) -> None:
    assert set(template.functions[name].variables) == set(ENVIRONMENT[name].split())


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_the_code_reads_is_given(template: Template, root: Path, name: str) -> None:
    assert names_in(code_of(root, name)) <= set(template.functions[name].variables)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_the_dialling_settings_go_to_whoever_reads_them(template: Template, root: Path, name: str) -> None:
    settings = names_in((root / DIALLING_FILE).read_text())
    assert settings == set(DIALLING.split())
    given = set(template.functions[name].variables)
    if "Dialling::from_env" in code_of(root, name):
        assert settings <= given
    else:
        assert not given & settings - set(PLAYED.split())
        assert "GUARD_CLOCK_OFFSET_SECS" not in given


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_the_prices_go_to_whoever_adds_up_costs(template: Template, root: Path, name: str) -> None:
    prices = names_in((root / TARIFF_FILE).read_text())
    assert prices == set(TARIFF.split())
    given = set(template.functions[name].variables)
    assert given & prices == (prices if "Tariff::from_env" in code_of(root, name) else set())


def code_of(root: Path, name: str) -> str:
    return "".join(path.read_text() for path in (root / "functions" / name / "src").rglob("*.rs"))


def names_in(code: str) -> set[str]:
    every = {variable for names in ENVIRONMENT.values() for variable in names.split()}
    return set(re.findall(r'"([A-Z][A-Z0-9_]+)"', code)) & every


def test_another_hour_is_played_on_the_local_stack_alone(template: Template, root: Path) -> None:
    """So is what proves it, where the function itself has nothing to say to that vendor."""
    for name, function in template.functions.items():
        own = names_in(code_of(root, name))
        for variable, value in function.variables.items():
            played = variable == "GUARD_CLOCK_OFFSET_SECS" or (variable in PLAYED.split() and variable not in own)
            assert (value != everywhere(value)) == played, f"{name}: {variable}"


def everywhere(value: Any) -> Any:
    """What a variable is, apart from being left out in AWS."""
    match value:
        case {"Fn::If": ["IsAws", {"Ref": "AWS::NoValue"}, local]}:
            return local
    return value


@pytest.mark.parametrize("name", GRANTS)
def test_a_function_may_do_exactly_what_it_does(template: Template, name: str) -> None:
    assert template.functions[name].grants() == GRANTS[name]


def test_no_statement_names_every_resource_or_every_action(template: Template) -> None:
    for function in template.functions.values():
        for action, resource in function.grants():
            assert resource != "*" and "*" not in action, f"{function.name}: {action} on {resource}"


def test_no_managed_policy_widens_a_role(template: Template) -> None:
    for function in template.functions.values():
        assert all(isinstance(policy, dict) for policy in function.properties.get("Policies", []))
        assert "Role" not in function.properties
        # SAM would add a policy over every queue of the account to a function with such an event.
        events = function.properties.get("Events", {}).values()
        assert all(event["Type"] in ("Schedule", "ScheduleV2") for event in events)


def test_who_may_use_a_queue_knows_its_address(template: Template) -> None:
    for function in template.functions.values():
        works_on = next((queue for worker, queue, _ in template.mappings() if worker == function), None)
        addresses = {**QUEUE_URLS, "DEAD_LETTER_QUEUE_URL": dead(works_on) if works_on else None}
        known = {name: value["Ref"] for name, value in function.variables.items() if name.endswith("_QUEUE_URL")}
        assert known == {name: addresses[name] for name in known}, function.name
        used = {resource for action, resource in function.grants() if action.startswith("sqs:")}
        # These learn a dead-letter queue from the queue's own redrive policy.
        told = {dead(queue) for queue in known.values()} if function.name in ("api", "health") else set()
        assert used == set(known.values()) | told, function.name


def test_who_may_use_the_bucket_knows_its_name(template: Template) -> None:
    for function in template.functions.values():
        uses = any(action.startswith("s3:") for action, _ in function.grants())
        assert uses == ("S3_BUCKET" in function.variables), function.name


def test_secrets_come_from_the_one_secret_under_their_own_name(template: Template) -> None:
    kept = set(re.findall(r'"([A-Z_]+)":', template.resources["Secrets"]["Properties"]["SecretString"]["Fn::Sub"]))
    used = set()
    for function in template.functions.values():
        for variable, value in function.variables.items():
            value = everywhere(value)
            text = value.get("Fn::Sub", "") if isinstance(value, dict) else ""
            if "resolve:" in text:
                assert text == f"{{{{resolve:secretsmanager:${{Secrets}}:SecretString:{variable}}}}}"
                used.add(variable)
            else:
                assert variable not in kept, f"{function.name}: {variable} must come from the secret"
    assert used == kept


def test_what_is_secret_is_never_echoed(template: Template) -> None:
    words = ("Secret", "Token", "ApiKey", "DatabaseUrl")
    for name, parameter in template.body["Parameters"].items():
        if any(word in name for word in words) and name != "SecretsRevision":
            assert parameter.get("NoEcho") is True, name
            assert "Default" not in parameter, name


def test_the_runtime_is_amazon_linux_2023_and_the_trust_store_is_a_file_in_aws_only(template: Template) -> None:
    shared: dict[str, Any] = template.body["Globals"]["Function"]
    assert (shared["Runtime"], shared["Handler"]) == ("provided.al2023", "bootstrap")
    assert shared["Architectures"] == [{"Ref": "Architecture"}]
    assert template.body["Parameters"]["Architecture"]["Default"] == "arm64"
    bundle, nothing = "/etc/pki/tls/certs/ca-bundle.crt", {"Ref": "AWS::NoValue"}
    assert shared["Environment"]["Variables"]["SSL_CERT_FILE"] == {"Fn::If": ["IsAws", bundle, nothing]}
    for function in template.functions.values():
        assert not {"Runtime", "Handler", "Architectures"} & set(function.properties), function.name


def test_functions_with_a_database_can_be_put_beside_it(template: Template) -> None:
    for function in template.functions.values():
        assert ("VpcConfig" in function.properties) == ("DATABASE_URL" in function.variables), function.name


def test_doors_that_answer_while_someone_waits_open_no_database(template: Template) -> None:
    for name in ("signalwire-webhook", "elevenlabs-webhook"):
        assert "DATABASE_URL" not in template.functions[name].variables


def test_schedules_exist_and_what_comes_again_soon_is_not_tried_again(template: Template) -> None:
    rates = set()
    for name, function in template.functions.items():
        for event in function.properties.get("Events", {}).values():
            properties = event["Properties"]
            rate = properties.get("Schedule") or properties["ScheduleExpression"]
            rates.add((name, rate))
            assert (properties["RetryPolicy"]["MaximumRetryAttempts"] == 0) == rate.startswith("rate("), name
            assert "Input" in properties
    assert rates == {
        ("campaign-trigger", "rate(1 minute)"),
        ("campaign-trigger", "rate(1 hour)"),
        ("publish-events", "rate(1 minute)"),
        ("health", "rate(5 minutes)"),
        ("reconcile", "rate(5 minutes)"),
        ("reconcile", "cron(15 0 * * ? *)"),
    }


def test_the_schedules_that_rest_are_rules_and_the_functions_that_switch_them_know_their_names(
    template: Template, root: Path
) -> None:
    for name, event in SWITCHED.items():
        schedule = template.functions[name].properties["Events"][event]
        assert schedule["Type"] == "Schedule"
        # Disabled at a deploy it would stay so, with whatever work there is.
        assert not {"Enabled", "State"} & set(schedule["Properties"])
        assert schedule["Properties"]["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}
    others = {
        (name, event)
        for name, function in template.functions.items()
        for event, schedule in function.properties.get("Events", {}).items()
        if schedule["Type"] == "ScheduleV2"
    }
    assert others == {("campaign-trigger", "Net"), ("reconcile", "Report"), ("health", "Schedule")}
    names = ",".join(f"${{AWS::StackName}}-{name}" for name in SWITCHED)
    for name in WAKERS:
        assert template.functions[name].variables["SCHEDULE_RULES"] == {"Fn::Sub": names}
        assert "chedules.wake" in (root / "functions" / name / "src/main.rs").read_text()
    trigger = {"Fn::Sub": "${AWS::StackName}-campaign-trigger"}
    assert template.functions["health"].variables["SCHEDULE_RULES"] == trigger


def test_every_function_logs_json_into_a_group_whose_retention_is_a_parameter(template: Template) -> None:
    groups = template.of_type("AWS::Logs::LogGroup")
    for name, function in template.functions.items():
        logging = function.properties["LoggingConfig"]
        group = groups[logging["LogGroup"]["Ref"]]
        assert logging["LogFormat"] == "JSON"
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{name}"}
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
