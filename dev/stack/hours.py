"""When it is lawful to call everybody, and by how much the guard's clock is set ahead when it is not.

The demo calls people in the four zones of the contiguous states at any hour of any day, so the local stack plays a
working day's hours: all functions that ask the guard are told the same offset. What counts as lawful here is narrower
than any state's rules (shared/src/guard/states.rs): nine in California (ten in Kentucky) to five in Maine.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

# A new offset is good for so long; one that is deployed is kept while it is good for this much shorter time.
FRESH, STILL_GOOD = timedelta(hours=3), timedelta(minutes=30)
MIDWEEK = (1, 2, 3)
# Holidays, of the Union and of states, with a date of their own. One that falls on a weekend moves to Monday or Friday.
FIXED = {
    (1, 1), (1, 8), (1, 19), (2, 12), (5, 4), (6, 3), (6, 14), (6, 19), (7, 4), (7, 24), (8, 30), (11, 1), (11, 11),
    (12, 1), (12, 24), (12, 25),
}  # fmt: skip


def working_day(day: date) -> bool:
    """Tuesday to Thursday, because holidays move to Mondays and Fridays; and none of those that do not."""
    mardi_gras = day.weekday() == 1 and (2, 3) <= (day.month, day.day) <= (3, 9)
    election = day.weekday() == 1 and day.month == 11 and 2 <= day.day <= 8
    thanksgiving = day.weekday() == 3 and day.month == 11 and 22 <= day.day <= 28
    holiday = (day.month, day.day) in FIXED or mardi_gras or election or thanksgiving
    return day.weekday() in MIDWEEK and not holiday


def opens(day: date) -> datetime:
    """Noon in New York, nine in Los Angeles. It stays open for five hours."""
    summer = nth_sunday(day.year, 3, 2) <= day < nth_sunday(day.year, 11, 1)
    return datetime(day.year, day.month, day.day, 16 if summer else 17, tzinfo=UTC)


def nth_sunday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))


def lawful(moment: datetime, lasting: timedelta) -> bool:
    begins = opens(moment.date())
    return working_day(moment.date()) and begins <= moment and moment + lasting <= begins + timedelta(hours=5)


def clock_offset(now: datetime, deployed: int | None) -> int:
    """Seconds to add to `now`: the deployed ones while they do, none if it is lawful now, else to the next opening."""
    if deployed is not None and lawful(now + timedelta(seconds=deployed), STILL_GOOD):
        return deployed
    if lawful(now, FRESH):
        return 0
    day = now.date()
    while not (working_day(day) and opens(day) > now):
        day += timedelta(days=1)
    # A minute in, so that clocks need not agree to the second.
    return int((opens(day) + timedelta(minutes=1) - now).total_seconds())
