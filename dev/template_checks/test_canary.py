"""The canary: there when a number is given, absent without one, and a call like any other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Template

HAS_NUMBER = {"Fn::Not": [{"Fn::Equals": [{"Ref": "CanaryNumber"}, ""]}]}


def parameter(template: Template, name: str) -> dict[str, Any]:
    return template.body["Parameters"][name]


def test_there_is_none_unless_a_number_is_given(template: Template) -> None:
    assert parameter(template, "CanaryNumber")["Default"] == parameter(template, "CanaryAgent")["Default"] == ""
    assert template.body["Conditions"]["HasCanary"] == HAS_NUMBER
    only_then = {name for name, one in template.resources.items() if one.get("Condition") == "HasCanary"}
    assert only_then == {"Canary", "CanaryRole", "CanaryAlarm", "CanarySilenceAlarm"}


def test_a_number_needs_an_agent_at_the_deploy(template: Template) -> None:
    (rule,) = template.body["Rules"].values()
    assert rule["RuleCondition"] == HAS_NUMBER
    has_agent = {"Fn::Not": [{"Fn::Equals": [{"Ref": "CanaryAgent"}, ""]}]}
    assert [one["Assert"] for one in rule["Assertions"]] == [has_agent]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("CanaryNumber", ["", "+14155550123"], ["4155550123", "+1 415 555 0123", "+1415555012,+14155550123"]),
        ("CanaryAgent", ["", "reminder"], ["two words", "a" * 65]),
        ("CanarySchedule", ["cron(0 17 * * ? *)", "cron(0 17 ? * MON-FRI *)", "rate(1 day)"], ["", "at(now)"]),
    ],
)
def test_what_is_malformed_is_refused_at_the_deploy(
    template: Template, name: str, good: list[str], bad: list[str]
) -> None:
    pattern = parameter(template, name)["AllowedPattern"]
    assert all(re.fullmatch(pattern, value) for value in good)
    assert not any(re.fullmatch(pattern, value) for value in bad)
    assert parameter(template, name).get("Default", "") in good


def test_its_schedule_asks_the_function_that_writes_calls_down_and_says_when_it_was_due(template: Template) -> None:
    schedule = template.of_type("AWS::Scheduler::Schedule")["Canary"]
    target, function = schedule["Target"], template.functions["initiate-call"].logical_id
    assert schedule["ScheduleExpression"] == {"Ref": "CanarySchedule"}
    assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert json.loads(target["Input"]) == {"task": "canary", "at": "<aws.scheduler.scheduled-time>"}
    role = template.of_type("AWS::IAM::Role")["CanaryRole"]
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", target["Arn"])


def test_it_comes_too_late_when_its_schedule_gives_it_up(template: Template, root: Path) -> None:
    code = (root / "functions/initiate-call/src/canary.rs").read_text()
    hours = re.search(r"LATEST: SignedDuration = SignedDuration::from_hours\((\d+)\)", code)
    policy = template.of_type("AWS::Scheduler::Schedule")["Canary"]["Target"]["RetryPolicy"]
    assert hours and policy["MaximumEventAgeInSeconds"] == int(hours[1]) * 3600


def test_its_number_is_one_of_the_owners_wherever_the_guard_is_asked(template: Template) -> None:
    own = {"Fn::If": ["HasCanary", {"Fn::Sub": "${OwnNumbers},${CanaryNumber}"}, {"Ref": "OwnNumbers"}]}
    told = [one.variables["OWN_NUMBERS"] for one in template.functions.values() if "OWN_NUMBERS" in one.variables]
    assert len(told) >= 6 and all(one == own for one in told)


def test_only_the_function_that_rings_it_knows_its_number(template: Template) -> None:
    knows = {name for name, one in template.functions.items() if "CANARY_NUMBER" in one.variables}
    assert knows == {"initiate-call"}
    told = template.functions["health"].variables["CANARY_AGENT"]
    assert told == {"Fn::If": ["HasCanary", {"Ref": "CanaryAgent"}, {"Ref": "AWS::NoValue"}]}


def test_health_and_the_alarm_wait_for_the_next_canary_equally_long(template: Template, root: Path) -> None:
    code = (root / "shared/src/store/canary.rs").read_text()
    days = re.search(r"SILENT_AFTER: SignedDuration = SignedDuration::from_hours\((\d+) \* 24\)", code)
    alarm = template.of_type("AWS::CloudWatch::Alarm")["CanarySilenceAlarm"]
    assert days and alarm["EvaluationPeriods"] * alarm["Period"] == int(days[1]) * 86400
    # CloudWatch's own limit.
    assert alarm["EvaluationPeriods"] * alarm["Period"] <= 604_800


def test_its_alarm_outlasts_the_pause_between_two_checks(template: Template) -> None:
    """health tells every five minutes that the last canary failed; the alarm is not to come and go meanwhile."""
    alarm = template.of_type("AWS::CloudWatch::Alarm")["CanaryAlarm"]
    assert alarm["MetricName"] == "CanaryFailed" and alarm["Period"] >= 2 * 300
