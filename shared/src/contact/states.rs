//! States by their names, for columns that spell them out.

/// Names in lower case, with their two letters.
const NAMES: [(&str, &str); 56] = [
    ("alabama", "AL"),
    ("alaska", "AK"),
    ("american samoa", "AS"),
    ("arizona", "AZ"),
    ("arkansas", "AR"),
    ("california", "CA"),
    ("colorado", "CO"),
    ("connecticut", "CT"),
    ("delaware", "DE"),
    ("district of columbia", "DC"),
    ("florida", "FL"),
    ("georgia", "GA"),
    ("guam", "GU"),
    ("hawaii", "HI"),
    ("idaho", "ID"),
    ("illinois", "IL"),
    ("indiana", "IN"),
    ("iowa", "IA"),
    ("kansas", "KS"),
    ("kentucky", "KY"),
    ("louisiana", "LA"),
    ("maine", "ME"),
    ("maryland", "MD"),
    ("massachusetts", "MA"),
    ("michigan", "MI"),
    ("minnesota", "MN"),
    ("mississippi", "MS"),
    ("missouri", "MO"),
    ("montana", "MT"),
    ("nebraska", "NE"),
    ("nevada", "NV"),
    ("new hampshire", "NH"),
    ("new jersey", "NJ"),
    ("new mexico", "NM"),
    ("new york", "NY"),
    ("north carolina", "NC"),
    ("north dakota", "ND"),
    ("northern mariana islands", "MP"),
    ("ohio", "OH"),
    ("oklahoma", "OK"),
    ("oregon", "OR"),
    ("pennsylvania", "PA"),
    ("puerto rico", "PR"),
    ("rhode island", "RI"),
    ("south carolina", "SC"),
    ("south dakota", "SD"),
    ("tennessee", "TN"),
    ("texas", "TX"),
    ("us virgin islands", "VI"),
    ("utah", "UT"),
    ("vermont", "VT"),
    ("virginia", "VA"),
    ("washington", "WA"),
    ("west virginia", "WV"),
    ("wisconsin", "WI"),
    ("wyoming", "WY"),
];

/// The two letters of a state that is spelt out; anything else as it is.
pub(super) fn letters(text: &str) -> &str {
    let name = text.to_lowercase();
    NAMES.binary_search_by(|(known, _)| (*known).cmp(&name)).map_or(text, |at| NAMES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_spelt_out_is_found_and_all_are_in_order() {
        assert!(NAMES.is_sorted());
        assert_eq!(
            (letters("New York"), letters("WYOMING"), letters("tx"), letters("Bavaria")),
            ("NY", "WY", "tx", "Bavaria")
        );
    }
}
