//! The states' rows. Each says where it was read and what it rests on; docs/compliance.md shows the same table.

use jiff::civil::{Weekday, date};

use super::holidays::Holiday;
use super::law::{Binds, Evidence, Hours, READ, Rule};

const SECONDARY: &str = "tables of dropcowboy.com and blog.clickpointsoftware.com";

const fn row(state: &'static str, statute: &'static str, hours: (u8, u8)) -> Rule {
    Rule {
        state,
        weekday: Some(hours),
        saturday: Some(hours),
        sunday: Some(hours),
        holiday: None,
        holidays: &[],
        attempts: None,
        binds: Binds::Solicitations,
        statute,
        from: None,
        until: None,
        read: READ,
        read_at: SECONDARY,
        evidence: Evidence::Secondary,
    }
}

const fn read_in_full(row: Rule, read_at: &'static str) -> Rule {
    Rule { read_at, evidence: Evidence::Statute, ..row }
}

const fn weekend(row: Rule, saturday: Hours, sunday: Hours) -> Rule {
    Rule { saturday, sunday, ..row }
}

const fn closed_on(row: Rule, holidays: &'static [Holiday]) -> Rule {
    Rule { holiday: Some(None), holidays, ..row }
}

/// The states' rules that are narrower than the federal one, or were worth reading.
pub const STATES: &[Rule] = &[
    closed_on(
        weekend(
            read_in_full(
                row("AL", "Ala. Admin. Code r. 770-X-5-.17(1)(b)", (8, 20)),
                "copy of the code, November 2024; automated solicitation calls",
            ),
            Some((8, 20)),
            None,
        ),
        ALABAMA,
    ),
    Rule {
        binds: Binds::Calls,
        ..read_in_full(
            row("CA", "Cal. Pub. Util. Code 2872(c)", (9, 21)),
            "codes.findlaw.com; announcing devices, any call",
        )
    },
    Rule {
        from: Some(date(2023, 10, 1)),
        read_at: "tcpaworld.com, June 2023",
        ..row("CT", "Conn. Gen. Stat. 42-288a", (9, 20))
    },
    Rule {
        attempts: Some((3, 24)),
        from: Some(date(2021, 7, 1)),
        ..read_in_full(row("FL", "Fla. Stat. 501.616(6)", (8, 20)), "flsenate.gov, SB 1120 (2021); lawserver.com")
    },
    Rule {
        read_at: "ilga.gov, Public Act 91-0182, beginning of the section; announcing devices",
        ..row("IL", "815 ILCS 305/15", (9, 21))
    },
    row("KY", "KRS 367.46955", (10, 21)),
    closed_on(weekend(row("LA", "La. PSC General Order R-29617 (V)(A)", (8, 20)), Some((8, 20)), None), LOUISIANA),
    read_in_full(row("MA", "201 CMR 12.02(2); M.G.L. c. 159C s. 3", (8, 20)), "regulations.justia.com, September 2024"),
    Rule {
        attempts: Some((3, 24)),
        from: Some(date(2024, 1, 1)),
        read_at: "wmar2news.com; lexace.ai, beginning of the section",
        ..row("MD", "Md. Code, Com. Law 14-4502", (8, 20))
    },
    Rule {
        attempts: Some((1, 8)),
        ..weekend(
            read_in_full(
                row("ME", "Me. Rev. Stat. tit. 10 s. 1498(3)", (9, 17)),
                "legislature.maine.gov, LD 392 (2003), which shows the section; announcing devices",
            ),
            None,
            None,
        )
    },
    row("MI", "Mich. Comp. Laws 445.111a", (9, 21)),
    row("MN", "Minn. Stat. 325E.30", (9, 21)),
    weekend(
        read_in_full(
            row("MS", "Miss. Code 77-3-723(1)", (8, 20)),
            "getpocketlaw.com; holidays were lifted in 2023 (dnc.com, June 2024)",
        ),
        Some((8, 20)),
        None,
    ),
    // Nebraska's holidays beside the federal ones are kept too.
    Rule {
        sunday: Some((13, 21)),
        holiday: Some(Some((13, 21))),
        holidays: NEBRASKA,
        read_at: "leadmanagerhelp.clickpointsoftware.com; prerecorded messages",
        ..row("NE", "Neb. Admin. Code 291 ch. 11 s. 3", (8, 21))
    },
    read_in_full(row("NM", "N.M. Stat. 57-12-22(B)(5)", (9, 21)), "law.justia.com, code of 2006"),
    row("NV", "Nev. Rev. Stat. 599B; NRS 597.814(2)(a)", (9, 20)),
    Rule {
        binds: Binds::Calls,
        ..read_in_full(
            row("OK", "Okla. Stat. tit. 15 s. 755.1(C)(2)", (9, 21)),
            "self-law.org; announcing devices, any call",
        )
    },
    Rule {
        attempts: Some((3, 24)),
        from: Some(date(2022, 11, 1)),
        read_at: "blog.clickpointsoftware.com; lewisrice.com; ropesdataphiles.com",
        ..row("OK", "Okla. Stat. tit. 15 s. 775C.4", (8, 20))
    },
    read_in_full(row("PA", "73 P.S. 2245(a)(1)", (8, 21)), "govt.westlaw.com"),
    // Of its legal holidays "every Saturday after noon" is one (44 P.S. 11, as blr.com lists it).
    closed_on(
        Rule {
            saturday: Some((8, 12)),
            from: Some(date(2019, 12, 3)),
            read_at: "jenkinslaw.org; mslawgroup.com; blr.com; dropcowboy.com",
            ..row("PA", "73 P.S. 2245(a)(10); 44 P.S. 11", (8, 21))
        },
        PENNSYLVANIA,
    ),
    closed_on(
        weekend(
            read_in_full(
                row("RI", "R.I. Gen. Laws 5-61-3.6, 5-61-2", (9, 18)),
                "webserver.rilin.state.ri.us; instalawyer.io",
            ),
            Some((10, 17)),
            None,
        ),
        RHODE_ISLAND,
    ),
    // "Weekdays": read as Monday to Friday.
    weekend(
        read_in_full(row("SD", "S.D. Codified Laws 37-30-28", (9, 21)), "legis.state.sd.us; automated dialing systems"),
        None,
        None,
    ),
    weekend(
        Rule { read_at: "colemanbusinesslaw.com; aloware.com", ..row("TX", "Tex. Bus. & Com. Code 301.051", (9, 21)) },
        Some((9, 21)),
        Some((12, 21)),
    ),
    closed_on(
        weekend(
            read_in_full(row("UT", "Utah Code 13-25a-103(3)", (8, 21)), "codes.findlaw.com, January 2025"),
            Some((8, 21)),
            None,
        ),
        UTAH,
    ),
    Rule {
        from: Some(date(2022, 6, 9)),
        read_at: "dinsmore.com; cliclaw.com, beginning of the section",
        ..row("WA", "RCW 80.36.390", (8, 20))
    },
    row("WY", "Wyo. Stat. 40-12-302", (8, 20)),
];

const MARDI_GRAS: Holiday = Holiday::Easter(-47);
const GOOD_FRIDAY: Holiday = Holiday::Easter(-2);

/// Ala. Code 1-3-8. Mardi Gras is kept in two counties only; the number does not say in which county it rings.
const ALABAMA: &[Holiday] = &[
    MARDI_GRAS,
    Holiday::Nth(4, 4, Weekday::Monday),
    Holiday::Nth(6, 1, Weekday::Monday),
    // Mrs. Rosa L. Parks Day.
    Holiday::Fixed(12, 1),
];

/// La. R.S. 1:55 and the commission's list, together.
const LOUISIANA: &[Holiday] = &[
    Holiday::Fixed(1, 8),
    Holiday::Fixed(1, 19),
    MARDI_GRAS,
    GOOD_FRIDAY,
    Holiday::Fixed(6, 3),
    Holiday::Fixed(8, 30),
    Holiday::Fixed(11, 1),
    Holiday::GeneralElection,
    Holiday::DayAfterThanksgiving,
];

/// Arbor Day and the day after Thanksgiving.
const NEBRASKA: &[Holiday] = &[Holiday::Nth(4, -1, Weekday::Friday), Holiday::DayAfterThanksgiving];

/// 44 P.S. 11.
const PENNSYLVANIA: &[Holiday] =
    &[Holiday::Fixed(2, 12), GOOD_FRIDAY, Holiday::Fixed(6, 14), Holiday::Election, Holiday::DayAfterThanksgiving];

/// R.I. Gen. Laws 25-1-1: Independence Day of Rhode Island, Victory Day, Election Day.
const RHODE_ISLAND: &[Holiday] = &[Holiday::Fixed(5, 4), Holiday::Nth(8, 2, Weekday::Monday), Holiday::GeneralElection];

/// Utah Code 63G-1-301. Juneteenth may be kept on the Monday before.
const UTAH: &[Holiday] = &[Holiday::Fixed(7, 24), Holiday::Nth(6, 3, Weekday::Monday)];
