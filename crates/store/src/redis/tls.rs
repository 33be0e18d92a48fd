//! TLS to the server, always verified: the platform's roots and Mozilla's merged, plus the user's own authority where
//! one is named. The provider is named too, so that another one in the program cannot make it ambiguous.

use std::path::Path;
use std::sync::Arc;

use preopen_core::error::Cause;
use preopen_core::{Error, ErrorKind, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// What opens TLS connections. It reads files. Errors: `InvalidInput` (`ca_file`), `Internal`.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // A certificate of the platform that cannot be read is left out; Mozilla's are there in any case.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let bad = |problem: &str| Error::invalid_input("ca_file", problem);
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| bad(&format!("cannot be read as PEM certificates: {error}")))?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(bad("holds no usable PEM certificate"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "TLS set-up failed").with_source(Cause::from_chain(&error))
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
