//! No program has crash points.

use std::process::Command;

/// Features with which a plain `cargo build --workspace`, or with the tests' own dependencies too, makes the common crate.
fn features(edges: &str) -> String {
    let asked = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--workspace", "--depth", "0", "--invert", "elevenwire", "--format", "{f}"])
        .args(["--edges", edges])
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).unwrap()
}

#[test]
fn only_tests_have_crash_points() {
    assert!(!features("normal,build").contains("crash-points"));
    assert!(features("normal,build,dev").contains("crash-points"), "else the check above sees nothing");
}
