//! The common crate of 11Wire.
