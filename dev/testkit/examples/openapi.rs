//! Writes the description of the API to the file that is named (`make openapi`).

#![expect(clippy::unwrap_used, reason = "a program for developers")]

fn main() {
    std::fs::write(std::env::args().nth(1).unwrap(), testkit::contract::text()).unwrap();
}
