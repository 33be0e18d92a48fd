//! The commands, a file each.

pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod headers;
pub(crate) mod key;
pub(crate) mod legacy;
pub(crate) mod login;
pub(crate) mod login_code;
pub(crate) mod logout;
pub(crate) mod man;
pub(crate) mod preflight;
pub(crate) mod request;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod serve_metrics;
pub(crate) mod static_ip;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod totp;
pub(crate) mod whoami;
