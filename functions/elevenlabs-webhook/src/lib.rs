//! elevenlabs-webhook
