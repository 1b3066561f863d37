"""What the library does not say about area codes, and why."""

# One name for zones whose clocks have agreed for more than a decade: fewer zones to hold a moment against.
SAME_CLOCK = {
    "America/Boise": "America/Denver",
    "America/North_Dakota/Center": "America/Chicago",
    "America/Juneau": "America/Anchorage",
}

# Zones of each state, whole. Where a `state` or a postal code replaces the area code, these are its zones.
# 49 CFR part 71 draws the lines; the Navajo Nation keeps daylight saving time inside Arizona.
EASTERN, CENTRAL, MOUNTAIN, PACIFIC = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
STATES_IN = {
    "CT DC DE GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV": (EASTERN,),
    "AL AR IA IL LA MN MO MS OK WI": (CENTRAL,),
    "CO MT NM UT WY": (MOUNTAIN,),
    "CA WA": (PACIFIC,),
    "FL IN KY MI TN": (EASTERN, CENTRAL),
    "KS ND NE SD TX": (CENTRAL, MOUNTAIN),
    "ID NV OR": (MOUNTAIN, PACIFIC),
}
STATE_ZONES = {
    **{state: zones for states, zones in STATES_IN.items() for state in states.split()},
    "AZ": (MOUNTAIN, "America/Phoenix"),
    "AK": ("America/Adak", "America/Anchorage"),
    "HI": ("Pacific/Honolulu",),
    "PR": ("America/Puerto_Rico",),
    "VI": ("America/St_Thomas",),
    "GU": ("Pacific/Guam",),
    "MP": ("Pacific/Saipan",),
    "AS": ("Pacific/Pago_Pago",),
}

# Overlays of areas that lie in two zones: both codes serve one area, so both have the zones of both. The library knows
# the younger code by one zone only, or by its assigned prefixes alone. (NANPA planning letters.)
OVERLAYS = [
    (208, 986),  # Idaho
    (270, 364),  # western Kentucky
    (423, 729),  # eastern Tennessee
    (541, 458),  # Oregon without Portland and Salem
    (812, 930),  # southern Indiana
    (850, 448),  # Florida panhandle
]

# States of codes whose name the library gives by city only, or wrongly.
STATES = {
    201: ("NJ",),
    203: ("CT",),
    310: ("CA",),
    713: ("TX",),
    718: ("NY",),
}

# Codes that belong to no place. 5XX: 47 CFR 52.103 and NANPA's list of personal communications services.
NO_PLACE = {
    **dict.fromkeys((800, 833, 844, 855, 866, 877, 888), "toll_free"),
    # Set aside for toll-free use: a call there would be one.
    **dict.fromkeys((822, 880, 881, 882, 883, 884, 885, 886, 887, 889), "toll_free"),
    900: "premium",
    # In use and set aside alike.
    **dict.fromkeys((500, *range(521, 530), 532, 533, 535, 538, 542, 543, 544, 545, 546, 547), "personal"),
    **dict.fromkeys((549, 550, 552, 553, 554, 556, 558, 566, 569, 577, 578, 588, 589), "personal"),
    700: "carrier",
    710: "government",
    **dict.fromkeys((211, 311, 411, 511, 611, 711, 811, 911), "service"),
    # Canada's codes without a place.
    **dict.fromkeys((600, 622, 633, 644, 655, 677, 688), "CA"),
}
