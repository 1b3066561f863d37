//! transcription-webhook
