"""Metrics, alarms, dashboard and runbook: what one names, the others have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Template

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (stack|function) \|", re.M)
CODE = re.compile(r'^pub const \w+: Metric = (stack|function)\("(\w+)", Unit::(\w+)\);', re.M)


@pytest.fixture(scope="session")
def documented(root: Path) -> dict[str, tuple[str, str]]:
    """Name: (unit, whose it is)."""
    return {name: (unit, of) for name, unit, of in ROW.findall((root / "docs/metrics.md").read_text())}


@pytest.fixture(scope="session")
def runbook(root: Path) -> str:
    return (root / "docs/runbook.md").read_text()


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    return template.of_type("AWS::CloudWatch::Alarm")


def watched(alarm: dict[str, Any]) -> list[tuple[Any, Any, list[dict[str, Any]]]]:
    """(namespace, metric, dimensions) of each metric of an alarm."""
    if "MetricName" in alarm:
        return [(alarm["Namespace"], alarm["MetricName"], alarm.get("Dimensions", []))]
    metrics = [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]
    return [(one["Namespace"], one["MetricName"], one["Dimensions"]) for one in metrics]


def widgets(template: Template) -> list[dict[str, Any]]:
    body = template.of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
    return json.loads(body)["widgets"]


def test_the_page_and_the_code_name_the_same_metrics(root: Path, documented: dict[str, tuple[str, str]]) -> None:
    code = (root / "shared/src/telemetry/metrics.rs").read_text()
    assert {name: (unit, of) for of, name, unit in CODE.findall(code)} == documented
    for constant in re.findall(r"^pub const (\w+): Metric", code, re.M):
        sources = [*root.glob("shared/src/**/*.rs"), *root.glob("functions/*/src/**/*.rs")]
        used = sum(len(re.findall(rf"\b{constant}\b", source.read_text())) for source in sources)
        assert used >= 2, f"nobody adds to {constant}"


def test_every_function_measures_its_invocations(template: Template, root: Path) -> None:
    for name in template.functions:
        main = (root / "functions" / name / "src/main.rs").read_text()
        assert 'Watch::of_process(env!("CARGO_PKG_NAME"),' in main, name
        assert "watch.invocation(" in main or "http::serve(&watch," in main, name


def test_alarms_watch_metrics_that_exist(template: Template, documented: dict[str, tuple[str, str]]) -> None:
    for name, alarm in alarms(template).items():
        for namespace, metric, dimensions in watched(alarm):
            if namespace == "ElevenWire" and isinstance(metric, str):
                assert documented[metric][1] == "stack", name
                assert dimensions == [{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}], name
        # CloudWatch's own limit.
        assert len(watched(alarm)) <= 9, name


def test_the_dashboard_shows_metrics_that_exist(template: Template, documented: dict[str, tuple[str, str]]) -> None:
    shown = set()
    for widget in widgets(template):
        assert len(widget["properties"]["metrics"]) >= 1
        for line in widget["properties"]["metrics"]:
            namespace, metric, *dimensions = [part for part in line if isinstance(part, str)]
            if namespace == "ElevenWire":
                shown.add(metric)
                function = documented[metric][1] == "function"
                assert dimensions[:2] == ["Stack", "${AWS::StackName}"], metric
                assert dimensions[2:3] == (["Function"] if function else []), metric
                assert not function or dimensions[3] in template.functions, metric
            else:
                resource = re.fullmatch(r"\$\{(\w+)(\.QueueName)?\}", dimensions[1])
                assert resource and resource[1] in template.resources, line
    assert shown == set(documented) - {"Messages"}


def anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def test_every_alarm_names_its_section_and_every_section_has_an_alarm(template: Template, runbook: str) -> None:
    sections = {anchor(heading) for heading in re.findall(r"^## (.+)$", runbook, re.M)} - {"what-watches-what"}
    named = set()
    for name, alarm in alarms(template).items():
        found = re.search(r"\. See docs/runbook\.md#([\w-]+)\s*$", alarm["AlarmDescription"])
        assert found and found[1] in sections, name
        named.add(found[1])
    assert named == sections
    for section in re.split(r"^## ", runbook, flags=re.M)[2:]:
        for part in ("**Means:**", "**Look:**", "**Do:**"):
            assert part in section, section.splitlines()[0]


def test_every_promise_has_its_alarms(template: Template, root: Path, runbook: str) -> None:
    promises = re.findall(r"^(\d\. )\*\*(.+?)\.\*\*", (root / "docs/reliability.md").read_text(), re.M)
    rows = dict(re.findall(r"^\| (\d\. .+?) \| (.+?) \|$", runbook, re.M))
    assert [number + words for number, words in promises] == list(rows)
    for promise, names in rows.items():
        assert set(names.split(", ")) <= set(alarms(template)), promise


def test_every_schedule_that_never_rests_has_an_alarm_for_its_silence(template: Template) -> None:
    silent = {
        alarm["Dimensions"][0]["Value"]["Ref"]: alarm
        for alarm in alarms(template).values()
        if alarm.get("MetricName") == "Invocations"
    }
    # The trigger's is the hour's net.
    assert set(silent) == {template.functions[name].logical_id for name in ("campaign-trigger", "health")}
    for alarm in silent.values():
        assert alarm["TreatMissingData"] == "breaching"
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "LessThanThreshold")


def test_every_schedule_that_rests_is_silent_only_where_it_started_something_that_did_not_run(
    template: Template,
) -> None:
    resting = {
        name: event["Properties"]["Name"]
        for name, function in template.functions.items()
        for event in function.properties.get("Events", {}).values()
        if event["Type"] == "Schedule"
    }
    assert len(resting) == 3
    for name, rule in resting.items():
        of_it = [
            alarm
            for alarm in alarms(template).values()
            if ("AWS/Events", "Invocations", [{"Name": "RuleName", "Value": rule}]) in watched(alarm)
        ]
        assert len(of_it) == 1, name
        function = [{"Name": "FunctionName", "Value": {"Ref": template.functions[name].logical_id}}]
        assert watched(of_it[0])[1:] == [("AWS/Lambda", "Invocations", function)]
        assert [one.get("ReturnData", True) for one in of_it[0]["Metrics"]] == [True, False, False]
        expression = of_it[0]["Metrics"][0]["Expression"]
        assert [fires(expression, *numbers) for numbers in ((None, None), (5, 5), (None, 1), (5, None), (5, 0))] == [
            False,  # asleep
            False,  # as it should be
            False,  # by hand
            True,
            True,
        ]
        assert of_it[0]["TreatMissingData"] == "notBreaching"
    asleep = template.of_type("AWS::CloudWatch::Alarm")["WorkWhileAsleepAlarm"]
    assert (asleep["MetricName"], asleep["Threshold"]) == ("WorkWhileAsleep", 1)


def fires(expression: str, started: int | None, ran: int | None) -> bool:
    """What CloudWatch makes of the expression; the alarm's threshold is 1."""
    condition = re.fullmatch(r"IF\(FILL\(started, 0\) > 0 AND FILL\(ran, 0\) < 1, 1, 0\)", expression)
    assert condition, expression
    return (started or 0) > 0 and (ran or 0) < 1


def test_every_word_of_an_alarm_line_has_a_line_in_the_runbook(root: Path, runbook: str) -> None:
    words = set()
    for source in root.glob("functions/*/src/**/*.rs"):
        words |= set(re.findall(r'\balarm = "(\w+)"', source.read_text()))
    assert words and all(f"`{word}`" in runbook for word in words), words
