//! All 800 area codes, and those that a ten-digit look-up gets wrong.

use elevenwire::guard::{Contact, StateCode, TimeZoneName, check_number, place};

fn number(code: u16) -> Contact {
    Contact { number: format!("+1{code}5550123"), ..Contact::default() }
}

fn zones(code: u16) -> String {
    place(&number(code)).zones.iter().map(|zone| zone.rsplit('/').next().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_of_the_800_area_codes_has_states_and_zones_or_a_word_why_not() {
    let (mut located, mut words) = (0, std::collections::BTreeMap::<&str, u32>::new());
    for code in 200..1000 {
        let contact = number(code);
        let place = place(&contact);
        match check_number(&contact.number) {
            Ok(()) => {
                located += 1;
                assert_eq!(place.country.as_deref(), Some("US"), "{code}");
                assert!(!place.states.is_empty() && !place.zones.is_empty(), "{code}: {place:?}");
                assert!(place.states.iter().all(|state| StateCode::parse(state.as_str()).is_ok()), "{code}: {place:?}");
                assert!(place.zones.iter().all(|zone| TimeZoneName::parse(zone).is_ok()), "{code}: {place:?}");
            }
            Err(reason) => {
                assert!(place.zones.is_empty(), "{code}: {place:?}");
                *words.entry(reason.rule).or_default() += 1;
            }
        }
    }
    assert_eq!(located + words.values().sum::<u32>(), 800);
    assert!(located >= 365, "{located}");
    let known = ["no_rules_for_country", "no_zone", "personal_number", "premium_rate", "toll_free", "unassigned"];
    assert_eq!(words.keys().copied().collect::<Vec<_>>(), known);
}

#[test]
fn an_area_code_that_lies_in_two_zones_has_both_and_its_overlay_too() {
    let eastern_and_central = [850, 448, 270, 364, 606, 423, 812, 930, 219, 574, 906];
    let central_and_mountain = [605, 701, 308, 620, 785];
    let mountain_and_pacific = [208, 986, 541, 458, 775];
    for (codes, want) in [
        (&eastern_and_central[..], "Chicago New_York"),
        (&central_and_mountain, "Chicago Denver"),
        (&mountain_and_pacific, "Denver Los_Angeles"),
        // The Navajo Nation changes its clocks, the rest of Arizona does not.
        (&[928], "Denver Phoenix"),
        (&[907], "Adak Anchorage"),
    ] {
        for code in codes {
            assert_eq!(zones(*code), want, "{code}");
        }
    }
}

#[test]
fn an_area_code_in_one_zone_has_one() {
    for (code, want) in [
        (212, "New_York"),
        (317, "New_York"),
        (941, "New_York"),
        (502, "New_York"),
        (312, "Chicago"),
        (615, "Chicago"),
        (913, "Chicago"),
        (402, "Chicago"),
        (915, "Denver"),
        (303, "Denver"),
        (505, "Denver"),
        (602, "Phoenix"),
        (480, "Phoenix"),
        (415, "Los_Angeles"),
        (702, "Los_Angeles"),
        (503, "Los_Angeles"),
        (808, "Honolulu"),
        (787, "Puerto_Rico"),
        (939, "Puerto_Rico"),
        (340, "St_Thomas"),
        (671, "Guam"),
        (670, "Saipan"),
        (684, "Pago_Pago"),
    ] {
        assert_eq!(zones(code), want, "{code}");
    }
}

#[test]
fn numbers_without_a_place_are_refused_by_a_word() {
    for (number, word) in [
        ("+18005550123", "toll_free"),
        ("+18335550123", "toll_free"),
        ("+18225550123", "toll_free"),
        ("+19005550123", "premium_rate"),
        ("+14159760123", "premium_rate"),
        ("+15005550123", "personal_number"),
        ("+15335550123", "personal_number"),
        ("+17005550123", "no_zone"),
        ("+17105550123", "no_zone"),
        ("+19115550123", "no_zone"),
        ("+12005550123", "unassigned"),
        ("+19995550123", "unassigned"),
        ("+11235550123", "unassigned"),
        ("+14151550123", "unassigned"),
        ("+14154110123", "unassigned"),
        ("+14165550123", "no_rules_for_country"),
        ("+16045550123", "no_rules_for_country"),
        ("+16005550123", "no_rules_for_country"),
        ("+18765550123", "no_rules_for_country"),
        ("+18095550123", "no_rules_for_country"),
        ("+12425550123", "no_rules_for_country"),
        ("+442079460018", "no_rules_for_country"),
        ("+1415555012", "not_a_number"),
        ("4155550123", "not_a_number"),
        ("", "not_a_number"),
        ("+1415555012é", "not_a_number"),
        ("+999", "not_a_number"),
    ] {
        assert_eq!(check_number(number).unwrap_err().rule, word, "{number}");
    }
    assert_eq!(check_number("+14155550123"), Ok(()));
}

#[test]
fn other_countries_are_named() {
    for (number, country) in [("+14165550123", "CA"), ("+18765550123", "JM"), ("+442079460018", "GB")] {
        let contact = Contact { number: number.to_owned(), ..Contact::default() };
        assert_eq!(place(&contact).country.as_deref(), Some(country), "{number}");
    }
}

#[test]
fn a_state_or_a_zip_code_replaces_the_zones_and_adds_its_rules() {
    let shown = |contact: &Contact| {
        let place = place(contact);
        format!(
            "{} {}",
            place.states.iter().map(StateCode::as_str).collect::<Vec<_>>().join("+"),
            place.zones.join(" ")
        )
    };
    let state = |code| Some(StateCode::parse(code).unwrap());
    let moved = Contact { state: state("wa"), ..number(850) };
    assert_eq!(shown(&moved), "FL+WA America/Los_Angeles");
    let by_zip = Contact { postal_code: Some("98101".to_owned()), ..number(850) };
    assert_eq!(shown(&by_zip), "FL+WA America/Los_Angeles");
    let both = Contact { state: state("HI"), postal_code: Some("98101".to_owned()), ..number(850) };
    assert_eq!(shown(&both), "FL+HI+WA Pacific/Honolulu America/Los_Angeles");
    let narrowed = Contact { timezone: Some(TimeZoneName::parse("America/Chicago").unwrap()), ..number(212) };
    assert_eq!(shown(&narrowed), "NY America/New_York America/Chicago");
    let military = Contact { postal_code: Some("09012".to_owned()), ..number(850) };
    assert!(place(&military).zones.is_empty());
}
