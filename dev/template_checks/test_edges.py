"""The API, the bucket, the alarms, and the template as a whole."""

from __future__ import annotations

import json
import re
from typing import Any

from conftest import Template

ROUTES = {
    "POST /api/calls": "initiate-call",
    "POST /api/webhooks/signalwire/voice/{call_id}": "signalwire-webhook",
    "POST /api/webhooks/signalwire/fallback/{call_id}": "signalwire-webhook",
    "POST /api/webhooks/signalwire/action/{call_id}": "signalwire-webhook",
    "POST /api/webhooks/signalwire/status/{call_id}": "signalwire-webhook",
    "POST /api/webhooks/elevenlabs/initiation": "personalize-call",
    "POST /api/tools/opt-out": "personalize-call",
    "POST /api/webhooks/elevenlabs": "elevenlabs-webhook",
    "GET /api/health": "health",
    "ANY /api/{proxy+}": "api",
    "ANY /console": "api",
    "ANY /console/{proxy+}": "api",
}


def integration_function(template: Template, integration: str) -> str:
    properties = template.of_type("AWS::ApiGatewayV2::Integration")[integration]
    return template.function_of(properties["IntegrationUri"]["Fn::GetAtt"][0]).name


def test_every_route_leads_to_its_one_function(template: Template) -> None:
    found = {}
    for name, route in template.of_type("AWS::ApiGatewayV2::Route").items():
        integration = re.fullmatch(r"integrations/\$\{(\w+)\}", route["Target"]["Fn::Sub"])
        assert integration and route["RouteKey"] not in found, name
        found[route["RouteKey"]] = integration_function(template, integration[1])
    assert found == ROUTES


def test_the_api_may_invoke_exactly_the_functions_that_it_leads_to(template: Template) -> None:
    permitted: dict[str, list[str]] = {}
    for permission in template.of_type("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        function = template.function_of(permission["FunctionName"]["Ref"])
        source = permission["SourceArn"]["Fn::Sub"].split("${HttpApi}/*/", 1)[1]
        permitted.setdefault(function.name, []).append(source)
    assert set(permitted) == set(ROUTES.values())
    for route, function in ROUTES.items():
        method, path = route.split(" ", 1)
        allowed = [source.split("/", 1) for source in permitted[function]]
        fitting = [
            one
            for one in allowed
            if one[0] in ("*", method) and re.fullmatch(re.escape(one[1]).replace(r"\*", ".*"), path.lstrip("/"))
        ]
        assert len(fitting) == 1, route
    assert sum(map(len, permitted.values())) <= len(ROUTES)


def test_a_function_ends_before_the_gateway_gives_up(template: Template) -> None:
    for name, integration in template.of_type("AWS::ApiGatewayV2::Integration").items():
        function = template.functions[integration_function(template, name)]
        assert integration["PayloadFormatVersion"] == "2.0"
        assert function.timeout * 1000 <= integration["TimeoutInMillis"] <= 30_000, name


def test_the_stage_is_throttled_and_its_log_says_nothing_about_people(template: Template) -> None:
    stage = template.of_type("AWS::ApiGatewayV2::Stage")["HttpApiStage"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    line = stage["AccessLogSettings"]["Format"]
    assert set(json.loads(line)) >= {"route", "status", "latency_ms", "request.id"}
    for leak in ("path", "sourceIp", "userAgent", "querystring", "header", "rawQuery", "protocol", "authorizer"):
        assert leak not in line


def test_the_bucket_is_private_encrypted_tls_only_and_outlives_the_stack(template: Template) -> None:
    bucket = template.resources["Bucket"]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in properties
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    statement = template.resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_nothing_expires_unless_the_owner_says_so(template: Template) -> None:
    rules = template.resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    always = [rule for rule in rules if "Fn::If" not in rule]
    assert all("ExpirationInDays" not in rule for rule in always)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in always)
    assert [rule["Fn::If"][0] for rule in rules if "Fn::If" in rule] == ["HasRetention"]
    assert template.body["Parameters"]["RetentionDays"]["Default"] == 0


def alarms(template: Template, metric: str) -> dict[str, dict[str, Any]]:
    """By what they watch."""
    found = {}
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        if alarm.get("MetricName") == metric:
            value = alarm["Dimensions"][0]["Value"]
            found[value.get("Ref") or value["Fn::GetAtt"][0]] = alarm
    return found


def test_every_dead_letter_queue_every_queue_and_every_function_has_an_alarm(template: Template) -> None:
    waiting = set(template.queues)
    dead = set(template.of_type("AWS::SQS::Queue")) - waiting
    given_up = alarms(template, "ApproximateNumberOfMessagesVisible")
    assert set(given_up) == dead
    assert all(alarm["Threshold"] == 1 for alarm in given_up.values())
    assert set(alarms(template, "ApproximateAgeOfOldestMessage")) == waiting
    assert set(alarms(template, "Errors")) == {function.logical_id for function in template.functions.values()}


def test_every_alarm_reaches_the_owner_when_there_is_an_address(template: Template) -> None:
    action = {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == action, name
        # Only where something always runs is silence a failure.
        always = alarm.get("MetricName") in ("Invocations", "CanaryEndToEnd")
        silence = "breaching" if always else "notBreaching"
        assert alarm["TreatMissingData"] == silence, name


def test_no_resource_waits_for_itself(template: Template) -> None:
    graph = {name: references(one) & set(template.resources) for name, one in template.resources.items()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle: {' -> '.join((*above, name))}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def references(value: Any) -> set[str]:
    """Logical ids that a value mentions."""
    if isinstance(value, list):
        return set().union(*(references(item) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set().union(*(references(item) for item in value.values())) if value else set()
    if isinstance(value.get("Ref"), str):
        found.add(value["Ref"])
    if "Fn::GetAtt" in value:
        found.add(value["Fn::GetAtt"][0])
    if isinstance(value.get("Fn::Sub"), str):
        found |= {name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", value["Fn::Sub"])}
    return found


def test_every_parameter_is_used_and_explained_to_the_person_who_deploys(template: Template) -> None:
    body = {key: value for key, value in template.body.items() if key not in ("Parameters", "Metadata")}
    used = references(body)
    groups = template.body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template.body["Parameters"])
    assert set(template.body["Parameters"]) <= used


def test_what_a_person_needs_is_an_output(template: Template) -> None:
    outputs = set(template.body["Outputs"])
    functions = {f"{function.logical_id}Name" for function in template.functions.values()}
    queues = {f"{name}Url" for name in template.of_type("AWS::SQS::Queue")}
    assert outputs == functions | queues | {"ApiUrl", "PublicBaseUrl", "BucketName"}
