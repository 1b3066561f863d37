"""The hour that the local stack plays (dev/stack/hours.py), at every half hour of four years."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stack"))

from hours import FRESH, STILL_GOOD, clock_offset, lawful, opens, working_day


def test_at_every_moment_there_is_an_hour_to_play_that_lasts() -> None:
    for half_hours in range(4 * 365 * 48):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * half_hours)
        offset = clock_offset(now, None)
        assert offset >= 0 and lawful(now + timedelta(seconds=offset), FRESH), now
        assert offset == 0 or not lawful(now, FRESH), now


def test_an_offset_is_kept_while_it_is_good_and_no_longer() -> None:
    night = datetime(2026, 11, 25, 3, tzinfo=UTC)
    offset = clock_offset(night, None)
    later = night + timedelta(hours=4)
    assert clock_offset(later, offset) == offset
    over = night + timedelta(hours=5) - STILL_GOOD
    assert clock_offset(over, offset) not in (offset, 0)


def test_holidays_and_clocks_that_change_are_known() -> None:
    assert (
        not working_day(date(2026, 11, 26)) and not working_day(date(2026, 11, 3)) and working_day(date(2026, 11, 24))
    )
    assert not working_day(date(2027, 2, 9)), "Mardi Gras"
    assert opens(date(2026, 3, 7)).hour == 17 and opens(date(2026, 3, 8)).hour == 16
    assert opens(date(2026, 10, 31)).hour == 16 and opens(date(2026, 11, 1)).hour == 17
