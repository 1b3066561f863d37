//! Whom the run calls: valid numbers of North America whose last two digits are their fate, each used once.

use rand::Rng;
use rand::rngs::StdRng;

const AREA_CODES: [u32; 12] = [202, 206, 212, 213, 303, 312, 404, 415, 503, 512, 617, 702];

/// Everything but a plain conversation, which is the other half.
const FATES: [u32; 13] = [50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62];

/// The number of the `nth` callee.
pub(crate) fn of(nth: u32, dice: &mut StdRng) -> String {
    let area = AREA_CODES[nth as usize % AREA_CODES.len()];
    let place = nth / 12;
    // 220 to 899: no exchange of it is a service code in all of these areas; 555 is left out.
    let exchange = 220 + (place / 100 * 7 + 1) % 330;
    let fate = if dice.random_bool(0.5) { dice.random_range(0..50) } else { FATES[dice.random_range(0..FATES.len())] };
    format!("+1{area}{exchange}{:02}{fate:02}", place % 100)
}
