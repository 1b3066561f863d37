"""What is assumed of costs is the same wherever it stands, and AWS' share is what docs/cost.md works out."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from conftest import Template

ASSUMED = {
    "carrier_minute": "CarrierUsdPerMinute",
    "agent_minute": "AgentUsdPerMinute",
    "aws_call": "AwsUsdPerCall",
}


def default(template: Template, parameter: str) -> float:
    return float(template.body["Parameters"][parameter]["Default"])


@pytest.mark.parametrize("field", ASSUMED)
def test_a_price_has_one_default(template: Template, root: Path, field: str) -> None:
    parameter = ASSUMED[field]
    price = default(template, parameter)
    code = (root / "shared/src/cost.rs").read_text()
    assert re.findall(rf"Self {{[^}}]*\b{field}: ([0-9.]+)", code) == [f"{price:g}"]
    for page in ("README.md", "docs/configuration.md"):
        rows = [line for line in (root / page).read_text().splitlines() if f"`{parameter}` |" in line]
        assert [f"| {value} |" in row for row in rows for value in (f"{price:g}", f"{price:.2f}")].count(True) >= 1, (
            page
        )


def test_the_share_of_aws_is_the_one_that_was_worked_out_rounded_up(template: Template, root: Path) -> None:
    page = (root / "docs/cost.md").read_text()
    [share] = re.findall(r"US dollars\*\*, or ([0-9.]+) a call", page)
    share = float(share)
    assert share > 0
    assert default(template, "AwsUsdPerCall") == math.ceil(share * 1e4) / 1e4


def test_the_arithmetic_adds_up(root: Path) -> None:
    page = (root / "docs/cost.md").read_text()
    [(calls, hours, an_hour, whole)] = re.findall(
        r"1,000 calls: ([0-9.]+) \+ ([0-9.]+) × ([0-9.]+) = ([0-9.]+) US", page
    )
    assert abs(float(calls) + float(hours) * float(an_hour) - float(whole)) < 0.001
    tables = re.findall(r"\| US\$ per [^|]+\|\n\|---\|---\|---\|\n((?:\|.*\n)+)", page)
    assert len(tables) == 3
    for table in tables:
        *lines, together = [float(row.split("|")[-2].strip(" *")) for row in table.splitlines()]
        assert abs(sum(lines) - together) < 0.0001 * (len(lines) + 1)
