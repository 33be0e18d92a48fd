//! The HTTP transport: the only crate that knows reqwest and rustls. What a reply means is the core's business.

mod body;
mod client;
mod tls;
mod transport;

pub use client::{HttpOptions, IpVersion};
pub use transport::HttpTransport;
