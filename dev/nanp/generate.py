"""Writes shared/src/guard/area_codes.txt and state_zones.txt: every area code of the North American plan.

    python3 -m venv /tmp/nanp && /tmp/nanp/bin/pip install -r dev/nanp/requirements.txt
    /tmp/nanp/bin/python dev/nanp/generate.py

A code's zones are the union over all its prefixes in the library's data, cut to the zones of its states; overrides.py
holds, with reasons, what the library lacks.
"""

import re
import sys
from pathlib import Path

import phonenumbers
from overrides import NO_PLACE, OVERLAYS, SAME_CLOCK, STATE_ZONES, STATES
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA

GUARD = Path(__file__).resolve().parents[2] / "shared/src/guard"
TERRITORIES = {"PR", "VI", "GU", "MP", "AS"}
NAMES = dict(
    line.rsplit(" ", 1)
    for line in """Alabama AL|Alaska AK|Arizona AZ|Arkansas AR|California CA|Colorado CO|Connecticut CT|Delaware DE
Washington D.C. DC|Florida FL|Georgia GA|Hawaii HI|Idaho ID|Illinois IL|Indiana IN|Iowa IA|Kansas KS|Kentucky KY
Louisiana LA|Maine ME|Maryland MD|Massachusetts MA|Michigan MI|Minnesota MN|Mississippi MS|Missouri MO|Montana MT
Nebraska NE|Nevada NV|New Hampshire NH|New Jersey NJ|New Mexico NM|New York NY|North Carolina NC|North Dakota ND
Ohio OH|Oklahoma OK|Oregon OR|Pennsylvania PA|Rhode Island RI|South Carolina SC|South Dakota SD|Tennessee TN
Texas TX|Utah UT|Vermont VT|Virginia VA|Washington WA|Washington State WA|West Virginia WV|Wisconsin WI
Wyoming WY""".replace("|", "\n").splitlines()
)


def region(code: int) -> str | None:
    """The country whose numbers may begin with this code, by the library's patterns."""
    for name in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(name)
        patterns = [
            re.compile(kind.national_number_pattern)
            for kind in (metadata.fixed_line, metadata.mobile)
            if kind is not None and kind.national_number_pattern
        ]
        if any(p.fullmatch(f"{code}{prefix}0123") for p in patterns for prefix in range(200, 1000)):
            return name
    return None


def states(code: int, country: str) -> tuple[str, ...]:
    if country in TERRITORIES:
        return (country,)
    if code in STATES:
        return STATES[code]
    # "Florida", or for a code of one city "San Antonio, TX".
    name = GEOCODE_DATA[f"1{code}"]["en"]
    return (NAMES.get(name.replace(",", "")) or name.rsplit(", ", 1)[1],)


def known_zones(code: int) -> set[str]:
    found = {zone for prefix, zones in TIMEZONE_DATA.items() if prefix.startswith(f"1{code}") for zone in zones}
    return {SAME_CLOCK.get(zone, zone) for zone in found}


def zones(code: int, country: str) -> tuple[str, ...]:
    family = next((codes for codes in OVERLAYS if code in codes), (code,))
    found = set().union(*(known_zones(member) for member in family))
    lawful = {zone for state in states(code, country) for zone in STATE_ZONES[state]}
    if found - lawful:
        print(f"{code}: {sorted(found - lawful)} is no zone of {states(code, country)}", file=sys.stderr)
    # Nothing known of a code in a state of two zones: both.
    return tuple(sorted(found & lawful or lawful))


def row(code: int) -> str:
    if code in NO_PLACE:
        kind = NO_PLACE[code]
        return f"{code} foreign {kind}" if kind.isupper() else f"{code} {kind}"
    country = region(code)
    if country is None:
        return f"{code} unassigned"
    if country != "US" and country not in TERRITORIES:
        return f"{code} foreign {country}"
    return f"{code} us {','.join(states(code, country))} {','.join(zones(code, country))}"


def write(name: str, about: str, lines: list[str]) -> None:
    head = f"# {about}\n# Written by dev/nanp/generate.py with phonenumbers {phonenumbers.__version__}; do not edit.\n"
    (GUARD / name).write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    write("area_codes.txt", "code kind states zones", [row(code) for code in range(200, 1000)])
    lines = [f"{state} {','.join(sorted(STATE_ZONES[state]))}" for state in sorted(STATE_ZONES)]
    write("state_zones.txt", "state zones", lines)
