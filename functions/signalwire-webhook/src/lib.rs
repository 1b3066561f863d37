//! signalwire-webhook
