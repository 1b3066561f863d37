//! place-call
