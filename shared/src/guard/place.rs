//! Where a number may ring: its states and time zones by area code, state and ZIP code.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::contact::Contact;
use super::zone::TimeZoneName;
use super::{Reason, zip};

/// A state of the United States, the District of Columbia, or a territory, by its two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateCode([u8; 2]);

/// The text is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no two-letter code of a US state or territory")]
pub struct NotAState;

/// Where a number may ring, as answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Place {
    /// Two letters; `None` if the number belongs to no country.
    pub country: Option<String>,
    /// States whose rules apply.
    #[schema(value_type = Vec<String>)]
    pub states: Vec<StateCode>,
    /// Zones in all of which the call must be lawful.
    pub zones: Vec<String>,
}

/// Where the guard looks at the clock and into the tables.
#[derive(Debug, Default)]
pub(super) struct Located<'a> {
    pub states: Vec<StateCode>,
    pub zones: Vec<&'a TimeZoneName>,
}

/// What an area code is.
#[derive(Debug)]
enum Area {
    Us { states: Vec<StateCode>, zones: Vec<TimeZoneName> },
    Foreign(&'static str),
    Nowhere(&'static str),
}

/// Every area code from 200 on, by its number less 200.
static AREAS: LazyLock<Vec<Area>> =
    LazyLock::new(|| rows(include_str!("area_codes.txt")).map(|row| Area::parse(&row)).collect());

static STATES: LazyLock<Vec<(StateCode, Vec<TimeZoneName>)>> = LazyLock::new(|| {
    rows(include_str!("state_zones.txt")).filter_map(|row| Some((StateCode::known(row[0])?, zones(row[1])))).collect()
});

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

fn zones(list: &str) -> Vec<TimeZoneName> {
    list.split(',').filter_map(|name| TimeZoneName::parse(name).ok()).collect()
}

impl Area {
    fn parse(row: &[&'static str]) -> Self {
        match row {
            [_, "us", states, list] => {
                Self::Us { states: states.split(',').filter_map(StateCode::known).collect(), zones: zones(list) }
            }
            [_, "foreign", country] => Self::Foreign(country),
            [_, kind] => Self::Nowhere(kind),
            _ => Self::Nowhere("unassigned"),
        }
    }
}

impl StateCode {
    /// Parses two letters, in any case.
    ///
    /// # Errors
    /// When they name no state or territory.
    pub fn parse(text: &str) -> Result<Self, NotAState> {
        let code = Self::known(text.trim()).ok_or(NotAState)?;
        if STATES.iter().any(|(state, _)| *state == code) { Ok(code) } else { Err(NotAState) }
    }

    /// Two letters of which the tables say that they are a state.
    pub(super) fn known(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn zones(self) -> &'static [TimeZoneName] {
        STATES.iter().find(|(state, _)| *state == self).map_or(&[], |(_, zones)| zones)
    }
}

/// Whether the guard knows where a number is: no for toll-free, premium and personal numbers, unassigned codes, and other
/// countries. To be asked wherever a number comes in.
///
/// # Errors
/// Why not.
pub fn check_number(number: &str) -> Result<(), Reason> {
    area(number).map(|_| ())
}

fn area(number: &str) -> Result<(&'static [StateCode], &'static [TimeZoneName]), Reason> {
    let Some(digits) = number.strip_prefix("+1") else {
        return Err(match country_of(number) {
            Some(_) => Reason::new("no_rules_for_country", "no table of that country's rules"),
            None => Reason::new("not_a_number", "E.164"),
        });
    };
    if digits.len() != 10 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Reason::new("not_a_number", "E.164"));
    }
    let code: usize = digits[..3].parse().unwrap_or_default();
    match code.checked_sub(200).and_then(|index| AREAS.get(index)) {
        Some(Area::Us { states, zones }) => local(&digits[3..6]).map(|()| (states.as_slice(), zones.as_slice())),
        Some(Area::Foreign(_)) => Err(Reason::new("no_rules_for_country", "no table of that country's rules")),
        Some(Area::Nowhere(kind)) => Err(nowhere(kind)),
        None => Err(nowhere("unassigned")),
    }
}

/// The three digits behind the area code: they begin with 2 to 9, are not 211 to 911, and 976 costs the callee's caller.
fn local(prefix: &str) -> Result<(), Reason> {
    if prefix == "976" {
        return Err(nowhere("premium"));
    }
    if prefix.starts_with(['0', '1']) || prefix.ends_with("11") { Err(nowhere("unassigned")) } else { Ok(()) }
}

fn nowhere(kind: &str) -> Reason {
    match kind {
        "toll_free" => Reason::new("toll_free", "a toll-free number has no place, and its owner pays for the call"),
        "premium" => Reason::new("premium_rate", "a call to 900 or 976 costs by the minute"),
        "personal" => Reason::new("personal_number", "a 5XX number has no place"),
        "carrier" | "government" | "service" => Reason::new("no_zone", "the code has no place"),
        _ => Reason::new("unassigned", "North American Numbering Plan"),
    }
}

fn country_of(number: &str) -> Option<String> {
    if let Some(digits) = number.strip_prefix("+1") {
        let code: usize = digits.get(..3)?.parse().ok()?;
        return match AREAS.get(code.checked_sub(200)?)? {
            Area::Us { .. } => Some("US".to_owned()),
            Area::Foreign(country) => Some((*country).to_owned()),
            Area::Nowhere(_) => None,
        };
    }
    let number = phonenumber::parse(None, number).ok()?;
    Some(number.country().id().map_or_else(|| format!("+{}", number.country().code()), |id| id.as_ref().to_owned()))
}

/// Where the guard has to look, or why it cannot.
pub(super) fn locate(contact: &Contact) -> Result<Located<'_>, Reason> {
    let (area_states, area_zones) = area(&contact.number)?;
    let mut located = Located { states: area_states.to_vec(), zones: Vec::with_capacity(2) };
    let mut replaced: Vec<StateCode> = contact.state.into_iter().collect();
    if let Some(code) = &contact.postal_code {
        let states = zip::states(code);
        if states.is_empty() {
            return Err(Reason::new("no_zone", "the postal code is no ZIP code of a known place"));
        }
        replaced.extend(states);
    }
    if replaced.is_empty() {
        located.zones.extend(area_zones);
    }
    for state in replaced {
        for zone in state.zones() {
            add(&mut located.zones, zone);
        }
        if !located.states.contains(&state) {
            located.states.push(state);
        }
    }
    if let Some(zone) = &contact.timezone {
        add(&mut located.zones, zone);
    }
    if located.zones.is_empty() { Err(Reason::new("no_zone", "no time zone is known")) } else { Ok(located) }
}

fn add<'a>(zones: &mut Vec<&'a TimeZoneName>, zone: &'a TimeZoneName) {
    if !zones.iter().any(|known| known.as_str() == zone.as_str()) {
        zones.push(zone);
    }
}

/// Where a number may ring.
#[must_use]
pub fn place(contact: &Contact) -> Place {
    let located = locate(contact).unwrap_or_default();
    Place {
        country: country_of(&contact.number),
        states: located.states,
        zones: located.zones.iter().map(|zone| zone.as_str().to_owned()).collect(),
    }
}

impl fmt::Display for StateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for StateCode {
    type Error = NotAState;

    fn try_from(text: String) -> Result<Self, NotAState> {
        Self::parse(&text)
    }
}

impl From<StateCode> for String {
    fn from(state: StateCode) -> Self {
        state.as_str().to_owned()
    }
}
