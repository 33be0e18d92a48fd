//! The commands, a file each.

pub(crate) mod demo;
pub(crate) mod headers;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod request;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod totp;
pub(crate) mod whoami;
