"""How long each function may take: whoever waits hears soon, and what it begins has room to end."""

from __future__ import annotations

import re
from pathlib import Path

from conftest import Template

DOORS = ("initiate-call", "signalwire-webhook", "personalize-call", "elevenlabs-webhook", "api", "health")


def test_doors_answer_within_ten_seconds_and_have_the_processor_for_it(template: Template) -> None:
    for name in DOORS:
        assert template.functions[name].timeout <= 10, name
    assert template.functions["elevenlabs-webhook"].properties["MemorySize"] >= 512
    for name in ("signalwire-webhook", "personalize-call"):
        assert template.functions[name].timeout <= 5 and template.functions[name].properties["MemorySize"] >= 512, name


def test_place_call_outlives_its_own_http_timeout_of_15_seconds(template: Template) -> None:
    assert template.functions["place-call"].timeout >= 2 * 15


def test_publish_events_outlives_the_last_try_that_it_begins_and_a_lost_try_outlives_it(
    template: Template, root: Path
) -> None:
    code, timeout = "functions/publish-events/src/lib.rs", template.functions["publish-events"].timeout
    begins = number_in(root, code, r"BEGINS_FOR: Duration = Duration::from_secs\((\d+)\)")
    takes = number_in(root, "shared/src/events/endpoint.rs", r"TIMEOUT: Duration = Duration::from_secs\((\d+)\)")
    lives = number_in(
        root, "shared/src/store/outbox.rs", r"TRY_LIVES: SignedDuration = SignedDuration::from_secs\((\d+)\)"
    )
    assert begins + takes + 10 <= timeout <= lives


def number_in(root: Path, file: str, pattern: str) -> int:
    found = re.search(pattern, (root / file).read_text())
    assert found, f"{file} has no {pattern}"
    return int(found[1])


def test_place_trunk_call_outlives_the_longest_ringing_and_the_answer_that_comes_after_it(
    template: Template, root: Path
) -> None:
    rings = number_in(root, "functions/api/src/agents.rs", r'seconds\("ring_timeout_secs", \d+, (\d+)\)')
    assert rings == number_in(
        root, "functions/initiate-call/src/request.rs", r"RING_SECS: .* = \(?\d+(?:, |\.\.=)(\d+)"
    )
    answers = number_in(
        root, "shared/src/elevenlabs/outbound.rs", r"ANSWER_TAKES: Duration = Duration::from_secs\((\d+)\)"
    )
    to_connect_and_to_write_down = 30
    assert template.functions["place-trunk-call"].timeout >= rings + answers + to_connect_and_to_write_down


def test_a_claim_of_place_trunk_call_lives_until_its_answer_is_written_down(root: Path) -> None:
    answers = number_in(
        root, "shared/src/elevenlabs/outbound.rs", r"ANSWER_TAKES: Duration = Duration::from_secs\((\d+)\)"
    )
    lives = number_in(root, "shared/src/store/claims.rs", r"TRUNK_ASKER_LIVES_SECS: i64 = (\d+)")
    assert lives >= answers + 60


def test_reconcile_ends_before_it_is_started_again(template: Template) -> None:
    assert template.functions["reconcile"].timeout < 5 * 60
