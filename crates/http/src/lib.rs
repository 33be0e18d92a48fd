//! The HTTP transport: the only crate that knows reqwest and rustls. What a reply means is the core's business.

mod body;
mod client;
mod fresh;
mod names;
mod options;
mod path;
mod tls;
mod transport;

pub use options::{HttpOptions, IpVersion};
pub use transport::HttpTransport;
