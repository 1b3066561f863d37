"""Reads template.yaml once; intrinsic functions keep their long names (`!Ref X` becomes `{"Ref": "X"}`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    pass


def intrinsic(loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", intrinsic)


@dataclass(frozen=True)
class Function:
    logical_id: str
    name: str
    properties: dict[str, Any]

    @property
    def variables(self) -> dict[str, Any]:
        return self.properties.get("Environment", {}).get("Variables", {})

    @property
    def timeout(self) -> int:
        return self.properties["Timeout"]

    @property
    def statements(self) -> list[dict[str, Any]]:
        return [statement for policy in self.properties.get("Policies", []) for statement in policy["Statement"]]

    def grants(self) -> set[tuple[str, str]]:
        """Every (action, resource), the resource as text such as `CallsQueue` or `Bucket/raw/*`."""
        return {
            (action, resource_text(resource))
            for statement in self.statements
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }


@dataclass(frozen=True)
class Template:
    body: dict[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        return self.body["Resources"]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: one.get("Properties", {}) for name, one in self.resources.items() if one["Type"] == kind}

    @property
    def functions(self) -> dict[str, Function]:
        """By name, not by logical id."""
        made = {}
        for logical_id, properties in self.of_type("AWS::Serverless::Function").items():
            name = Path(properties["CodeUri"]).name
            made[name] = Function(logical_id, name, properties)
        return made

    @property
    def queues(self) -> dict[str, dict[str, Any]]:
        """The queues that work waits in, without the dead letter queues."""
        return {name: one for name, one in self.of_type("AWS::SQS::Queue").items() if "RedrivePolicy" in one}

    def function_of(self, logical_id: str) -> Function:
        return next(function for function in self.functions.values() if function.logical_id == logical_id)

    def mappings(self) -> list[tuple[Function, str, dict[str, Any]]]:
        """(function, queue, properties) of each event source mapping."""
        return [
            (self.function_of(one["FunctionName"]["Ref"]), one["EventSourceArn"]["Fn::GetAtt"][0], one)
            for one in self.of_type("AWS::Lambda::EventSourceMapping").values()
        ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def resource_text(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    if "Fn::GetAtt" in resource:
        return resource["Fn::GetAtt"][0]
    if isinstance(resource["Fn::Sub"], list):
        # A rule of EventBridge: in AWS its ARN does not name the default bus.
        text, values = resource["Fn::Sub"]
        assert values == {"Bus": {"Fn::If": ["IsAws", "", "default/"]}}
        return text.replace("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Bus}", "Rule/")
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"
    return resource["Fn::Sub"].replace("${Bucket.Arn}", "Bucket").replace(bus, "EventBus")


@pytest.fixture(scope="session")
def template() -> Template:
    return Template(yaml.load((ROOT / "template.yaml").read_text(), Loader))  # noqa: S506 - the loader is a safe one


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
