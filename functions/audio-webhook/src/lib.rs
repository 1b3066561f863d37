//! audio-webhook
