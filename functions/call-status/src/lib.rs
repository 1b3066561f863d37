//! call-status
