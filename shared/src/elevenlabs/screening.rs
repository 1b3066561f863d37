//! Whether an assistant that screens calls answered. The vendor has no result of its own for it, so it is read from what
//! was said. In doubt it was a person: a call is screened only when the assistant spoke first and nobody came after it.

/// How screening assistants of telephones introduce themselves (Apple's Call Screening, Google's Call Screen, Samsung's
/// Bixby Text Call), in lower case.
const INTRODUCTIONS: [&str; 6] = [
    "record your name and reason",
    "screening service",
    "screening assistant",
    "using call screening",
    "is screening calls",
    "say your name and why you're calling",
];

/// How they say that nobody comes.
const REFUSALS: [&str; 6] = [
    "can't take the call",
    "can't take your call",
    "cannot take",
    "not available",
    "unavailable",
    "can't come to the phone",
];

/// Reads what the callee's side said, turn by turn.
pub(super) fn screened<'t>(said: impl Iterator<Item = &'t str>) -> bool {
    let said: Vec<String> = said.map(|text| text.to_lowercase().replace('\u{2019}', "'")).collect();
    let speaks = |text: Option<&String>, phrases: &[&str]| {
        text.is_some_and(|text| phrases.iter().any(|phrase| text.contains(phrase)))
    };
    speaks(said.first(), &INTRODUCTIONS) && (said.len() == 1 || speaks(said.last(), &REFUSALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assistant_that_refuses_has_screened_the_call() {
        let hello = "Hi, if you record your name and reason for calling, I\u{2019}ll see if this person is available.";
        assert!(screened([hello].into_iter()));
        assert!(screened(
            [hello, "Thank you. Please stay on the line.", "They can't take the call right now. Goodbye."].into_iter()
        ));
    }

    #[test]
    fn a_person_who_comes_after_the_assistant_has_answered() {
        let hello = "The person you're calling is using a screening service from Google.";
        assert!(!screened([hello, "Hello, this is Maria, go ahead."].into_iter()));
    }

    #[test]
    fn people_are_not_taken_for_assistants() {
        assert!(!screened(["Hello?", "He is not available."].into_iter()));
        assert!(!screened([].into_iter()));
    }
}
