//! The carrier's callbacks: any bytes are read or refused; what was read is what PostgreSQL can hold, and reading what was
//! kept gives the same callback again.
#![no_main]

use elevenwire::signalwire::callback::Callback;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for content_type in [None, Some("application/x-www-form-urlencoded"), Some("application/json; charset=utf-8")] {
        let Ok(callback) = Callback::parse(content_type, body) else { continue };
        assert!(!callback.call_sid().is_empty() && callback.call_sid().len() <= 128);
        let fields = callback.fields();
        assert!(fields.iter().all(|(name, value)| !name.contains('\0') && !value.contains('\0')));
        let again = Callback::from_fields(fields.clone()).unwrap();
        assert_eq!((again.fields(), again.call_sid()), (fields, callback.call_sid()));
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let posted = Callback::parse(Some("application/x-www-form-urlencoded"), form.as_bytes()).unwrap();
        assert_eq!(posted.fields(), fields);
        let _ = (callback.call_status(), callback.answered_by(), callback.timestamp(), callback.sequence_number());
        let _ = (callback.sip_result_code(), callback.call_duration(), callback.dial_call_status());
        let _ = (callback.dial_sip_response_code(), callback.dial_call_duration(), format!("{callback:?}"));
    }
});
