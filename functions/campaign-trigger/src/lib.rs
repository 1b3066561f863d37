//! campaign-trigger
