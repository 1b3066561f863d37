"""Whom the demo calls: forty people in four zones, and what becomes of a call to each of them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

# The simulator reads a call's fate off the last two digits of the number, see docs/simulator.md.
SUPPRESSED, OPTS_OUT = "40", "59"
FATES = {
    "talks": [*("10", "23", "37", "42") * 5],
    "suppressed before": [SUPPRESSED],
    "asks for no more calls": [OPTS_OUT],
    "busy, answers the second time": ["62"] * 4,
    "voicemail": ["50"] * 4,
    "no answer": ["52"] * 2,
    "always busy": ["51"],
    "declines": ["53"] * 2,
    "no such number": ["54"] * 2,
    "the agent's leg fails": ["55"],
    "call screening": ["61"],
    "hangs up before a word": ["58"],
}
# Area codes that lie in one zone, and in states whose hours the played hour is within.
ZONES = {
    "Eastern": (202, 212, 216, 305, 401, 404, 412, 617, 704, 804),
    "Central": (205, 210, 214, 312, 314, 405, 504, 512, 601, 612),
    "Mountain": (303, 307, 406, 505, 602, 719, 720, 801),
    "Pacific": (206, 213, 253, 310, 415, 503, 702, 775, 916, 971),
}
FIRST = """
    Ada Ben Chloé Diego Emma Farid Grace Hugo Iris Jamal Keiko Liam Maya Noah Olga Pablo Quinn Rosa Sami Tara Umar Vera
    Wes Ximena Yara Zoe Anton Bea Carl Dana Eli Fay Gus Hana Ivan Jo Kofi Lena Milo Nia
"""
LAST = """
    Okafor Carter Martin Ruiz Novak Haddad Kim Lind Papadopoulos Wright Tanaka O'Brien Silva Weber Petrova Costa Reed
    Alvarez Khan Boyd
"""
ERRANDS = (
    ("a dental check-up", "Tuesday at 10:30"),
    ("the boiler service", "Wednesday at 8:00"),
    ("your new glasses", "Thursday at 16:15"),
    ("the car inspection", "Friday at 9:45"),
    ("a blood test", "Monday at 7:50"),
    ("the lease renewal", "Tuesday at 14:00"),
    ("a piano lesson", "Saturday at 11:00"),
    ("the roof estimate", "Wednesday at 13:30"),
)


@dataclass(frozen=True)
class Person:
    name: str
    number: str
    errand: tuple[str, str]

    @property
    def fate(self) -> str:
        return self.number[-2:]


def people() -> list[Person]:
    """Each zone gets ten; who has which fate, and the number before its last two digits, is chance."""
    fates = [fate for every in FATES.values() for fate in every]
    random.shuffle(fates)
    numbers = distinct()
    last = LAST.split()
    names = [f"{first} {last[index % len(last)]}" for index, first in enumerate(FIRST.split())]
    zones = [zone for zone in ZONES for _ in range(len(fates) // len(ZONES))]
    return [
        Person(name, next(numbers).format(area=random.choice(ZONES[zone]), fate=fate), random.choice(ERRANDS))
        for name, fate, zone in zip(names, fates, zones, strict=True)
    ]


def distinct() -> Iterator[str]:
    """555 and two digits of chance, no two of a run alike: whoever opted out in an earlier run is seldom met again."""
    for middle in random.sample(range(100), 100):
        yield f"+1{{area}}555{middle:02}{{fate}}"


def as_csv(everybody: list[Person]) -> bytes:
    """As an owner's list has it: with the consent that a call of this purpose needs."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("phone_number", "name", "first_name", "purpose", "appointment", "consent_type", "consent_at"))
    for person in everybody:
        first = person.name.split()[0]
        rows.writerow((person.number, person.name, first, *person.errand, "express", "2026-01-05"))
    return text.getvalue().encode()
