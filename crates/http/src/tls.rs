//! One TLS configuration for the process: the platform's roots and Mozilla's merged, so that a host without a
//! certificate store works too, plus the user's own authority where one is named.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use preopen_core::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Configurations by authority file. Without a lock, since a process may be forked while another of its
/// threads is in here.
static BUILT: LazyLock<ArcSwap<HashMap<Option<PathBuf>, Arc<ClientConfig>>>> =
    LazyLock::new(ArcSwap::default);

/// The configuration for `ca_file`, built once per file. Errors: `InvalidInput` (`ca_file`), `Internal`.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    let key = ca_file.map(Path::to_path_buf);
    if let Some(config) = BUILT.load().get(&key) {
        return Ok(ClientConfig::clone(config));
    }
    let config = build(ca_file)?;
    BUILT.rcu(|built| {
        let mut built = HashMap::clone(built);
        built.insert(key.clone(), Arc::new(config.clone()));
        built
    });
    Ok(config)
}

fn build(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::new(
                preopen_core::ErrorKind::Internal,
                format!("TLS set-up failed: {error}"),
            )
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
