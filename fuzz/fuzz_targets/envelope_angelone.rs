//! The reply to any call of SmartAPI, from any bytes.
#![no_main]

#[path = "../invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|data: &[u8]| invariants::envelope(invariants::ANGEL_ONE, data));
