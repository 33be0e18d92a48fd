//! The commands, a file each.

pub(crate) mod demo;
pub(crate) mod key;
pub(crate) mod request;
pub(crate) mod sandbox;
pub(crate) mod totp;
pub(crate) mod whoami;
