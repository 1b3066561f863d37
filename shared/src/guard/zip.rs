//! ZIP codes by their first three digits (USPS Labeling List L002): which state.

use super::place::StateCode;

/// First and last three digits, and the states. What is not listed is unassigned, or military: mail for it goes anywhere.
/// Prefixes that are known to cross a border name both states.
const PREFIXES: &[(u16, u16, &[&str])] = &[
    (5, 5, &["NY"]),
    (6, 7, &["PR"]),
    (8, 8, &["VI"]),
    (9, 9, &["PR"]),
    (10, 27, &["MA"]),
    (28, 29, &["RI"]),
    (30, 38, &["NH"]),
    (39, 49, &["ME"]),
    (50, 54, &["VT"]),
    (55, 55, &["MA"]),
    (56, 59, &["VT"]),
    (60, 62, &["CT"]),
    // 06390 is Fishers Island.
    (63, 63, &["CT", "NY"]),
    (64, 69, &["CT"]),
    (70, 89, &["NJ"]),
    (100, 149, &["NY"]),
    (150, 196, &["PA"]),
    (197, 199, &["DE"]),
    (200, 200, &["DC"]),
    (201, 201, &["VA"]),
    (202, 205, &["DC"]),
    (206, 212, &["MD"]),
    (214, 219, &["MD"]),
    (220, 246, &["VA"]),
    (247, 268, &["WV"]),
    (270, 289, &["NC"]),
    (290, 299, &["SC"]),
    (300, 319, &["GA"]),
    (320, 339, &["FL"]),
    (341, 342, &["FL"]),
    (344, 344, &["FL"]),
    (346, 347, &["FL"]),
    (349, 349, &["FL"]),
    (350, 352, &["AL"]),
    (354, 369, &["AL"]),
    (370, 385, &["TN"]),
    (386, 397, &["MS"]),
    (398, 399, &["GA"]),
    (400, 418, &["KY"]),
    (420, 421, &["KY"]),
    // 42223 is Fort Campbell, which lies in both.
    (422, 422, &["KY", "TN"]),
    (423, 427, &["KY"]),
    (430, 459, &["OH"]),
    (460, 479, &["IN"]),
    (480, 499, &["MI"]),
    (500, 516, &["IA"]),
    (520, 528, &["IA"]),
    (530, 532, &["WI"]),
    (534, 535, &["WI"]),
    (537, 549, &["WI"]),
    (550, 551, &["MN"]),
    (553, 567, &["MN"]),
    (569, 569, &["DC"]),
    (570, 576, &["SD"]),
    // 57717 reaches into Montana and Wyoming.
    (577, 577, &["SD", "MT", "WY"]),
    (580, 588, &["ND"]),
    (590, 599, &["MT"]),
    (600, 620, &["IL"]),
    (622, 629, &["IL"]),
    (630, 631, &["MO"]),
    (633, 641, &["MO"]),
    (644, 658, &["MO"]),
    (660, 662, &["KS"]),
    (664, 679, &["KS"]),
    (680, 681, &["NE"]),
    (683, 693, &["NE"]),
    (700, 701, &["LA"]),
    (703, 708, &["LA"]),
    (710, 714, &["LA"]),
    (716, 729, &["AR"]),
    (730, 731, &["OK"]),
    (733, 733, &["TX"]),
    (734, 741, &["OK"]),
    (743, 749, &["OK"]),
    (750, 799, &["TX"]),
    (800, 816, &["CO"]),
    (820, 820, &["WY"]),
    // Yellowstone.
    (821, 821, &["WY", "MT"]),
    (822, 831, &["WY"]),
    (832, 833, &["ID"]),
    // 83414 is Alta.
    (834, 834, &["ID", "WY"]),
    (835, 838, &["ID"]),
    (840, 844, &["UT"]),
    // Monument Valley.
    (845, 845, &["UT", "AZ"]),
    (846, 847, &["UT"]),
    (850, 853, &["AZ"]),
    (855, 857, &["AZ"]),
    (859, 860, &["AZ"]),
    (863, 864, &["AZ"]),
    // The Navajo Nation.
    (865, 865, &["AZ", "NM"]),
    (870, 871, &["NM"]),
    (873, 875, &["NM"]),
    (877, 884, &["NM"]),
    (885, 885, &["TX"]),
    (889, 891, &["NV"]),
    (893, 895, &["NV"]),
    (897, 898, &["NV"]),
    (900, 908, &["CA"]),
    (910, 928, &["CA"]),
    (930, 961, &["CA"]),
    // 96799 is American Samoa.
    (967, 967, &["HI", "AS"]),
    (968, 968, &["HI"]),
    (969, 969, &["GU", "MP"]),
    (970, 979, &["OR"]),
    (980, 986, &["WA"]),
    (988, 994, &["WA"]),
    (995, 999, &["AK"]),
];

/// States of a ZIP code of five or nine digits; none if it is none, or unassigned, or military.
pub(super) fn states(code: &str) -> Vec<StateCode> {
    let (five, four) = code.trim().split_once('-').map_or((code.trim(), None), |(five, four)| (five, Some(four)));
    let written = matches!((five.len(), four.map(str::len)), (5, None | Some(4)) | (9, None));
    if !written || !five.bytes().chain(four.unwrap_or_default().bytes()).all(|digit| digit.is_ascii_digit()) {
        return Vec::new();
    }
    let prefix: u16 = five[..3].parse().unwrap_or_default();
    let row = PREFIXES.iter().find(|(first, last, _)| (*first..=*last).contains(&prefix));
    row.map_or_else(Vec::new, |(_, _, states)| states.iter().filter_map(|state| StateCode::known(state)).collect())
}

/// Whether the guard knows a ZIP code. To be asked wherever one comes in; Excel eats the zero in front.
#[must_use]
pub fn known_postal_code(code: &str) -> bool {
    !states(code).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> String {
        states(code).iter().map(StateCode::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_zip_code_names_its_state() {
        let cases = [
            ("94105", "CA"),
            ("10001-1234", "NY"),
            ("100011234", "NY"),
            (" 00901 ", "PR"),
            ("83414", "ID WY"),
            ("96910", "GU MP"),
            ("20500", "DC"),
            ("99950", "AK"),
        ];
        for (code, state) in cases {
            assert_eq!(of(code), state, "{code}");
        }
    }

    #[test]
    fn what_is_no_zip_code_or_has_no_place_names_none() {
        for code in
            ["", "9410", "K1A 0B1", "09012", "34012", "96201", "00000", "ABCDE", "1000-11234", "10001-12-4", "٣٤٥٦٧"]
        {
            assert_eq!(of(code), "", "{code}");
        }
    }

    #[test]
    fn the_prefixes_are_in_order_and_apart_and_name_states_that_have_zones() {
        for pair in PREFIXES.windows(2) {
            assert!(pair[0].1 < pair[1].0, "{pair:?}");
        }
        for (_, _, names) in PREFIXES {
            for name in *names {
                StateCode::parse(name).unwrap();
            }
        }
    }
}
