//! initiate-call
