//! The deployed bundle, driven over HTTP alone.
