//! How many decisions a second. With the guard as it is shipped, but without waiting for a release of everything:
//!
//! ```text
//! cargo run -p guard-proof --config 'profile.dev.package.elevenwire.opt-level=3'
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use elevenwire::guard::{
    Consent, ConsentKind, Contact, History, Purpose, Rules, StateCode, Window, Windows, decide, first_allowed,
};
use jiff::{Timestamp, ToSpan};

const ROUNDS: u32 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let consent = Some(Consent { kind: ConsentKind::Written, at: None, source: None });
    let contact = |number: &str| Contact { number: number.to_owned(), consent: consent.clone(), ..Contact::default() };
    let rules = Rules { purpose: Some(Purpose::Marketing), ..Rules::default() };
    let office = Window::new("09:00".to_owned().try_into()?, "17:00".to_owned().try_into()?)?;
    let owners = Rules { windows: Some(Windows::daily(&[office])), ..rules.clone() };
    let (noon, night): (Timestamp, Timestamp) = ("2026-07-15T16:00:00Z".parse()?, "2026-07-15T05:00:00Z".parse()?);
    let busy = History { attempts: (0..20).map(|hours| noon - hours.hours()).collect(), ..History::default() };
    let none = History::default();
    let moved = Contact { state: Some(StateCode::parse("AZ")?), ..contact("+18505550123") };

    let cases: [(&str, &Contact, &Rules, &History, Timestamp); 6] = [
        ("one zone, allowed", &contact("+12125550123"), &rules, &none, noon),
        ("one zone, deferred to the morning", &contact("+12125550123"), &rules, &none, night),
        ("two zones and a state's row, allowed", &contact("+18505550123"), &rules, &none, noon),
        ("another state, owner's windows", &moved, &owners, &none, noon),
        ("twenty attempts, deferred a day", &contact("+13055550123"), &rules, &busy, noon),
        ("blocked", &contact("+18005550123"), &rules, &none, noon),
    ];
    for (name, contact, rules, history, now) in cases {
        black_box(decide(contact, rules, history, now));
        let began = Instant::now();
        for _ in 0..ROUNDS {
            black_box(decide(black_box(contact), rules, history, now));
        }
        println!("{name:40} {:>9.0} decisions a second", f64::from(ROUNDS) / began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    let moved = contact("+18505550123");
    for _ in 0..ROUNDS {
        let _ = black_box(first_allowed(black_box(&moved), &owners, &none, night));
    }
    println!(
        "{:40} {:>9.0} a second",
        "first allowed moment, two zones",
        f64::from(ROUNDS) / began.elapsed().as_secs_f64()
    );
    Ok(())
}
