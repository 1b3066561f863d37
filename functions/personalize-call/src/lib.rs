//! personalize-call
