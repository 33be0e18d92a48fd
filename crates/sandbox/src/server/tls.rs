//! Certificates of one start: a CA of its own, whose public part is written to a private temporary file,
//! and a server certificate for 127.0.0.1 and localhost.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::error::StartError;

#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    /// Readable by its owner only, and removed when the sandbox stops.
    ca_file: NamedTempFile,
}

impl Tls {
    pub(crate) fn generate() -> Result<Self, StartError> {
        fn failed(error: impl std::fmt::Display) -> StartError {
            StartError::Tls {
                reason: error.to_string(),
            }
        }
        let ca_key = KeyPair::generate().map_err(failed)?;
        let mut ca = CertificateParams::new(Vec::new()).map_err(failed)?;
        ca.distinguished_name
            .push(DnType::CommonName, "Preopen sandbox CA (not for production)");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_certificate = ca.self_signed(&ca_key).map_err(failed)?;
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate().map_err(failed)?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut leaf = CertificateParams::new(names).map_err(failed)?;
        leaf.distinguished_name
            .push(DnType::CommonName, "Preopen sandbox");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &issuer).map_err(failed)?;

        let chain = vec![certificate.der().clone()];
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(failed)?
                .with_no_client_auth()
                .with_single_cert(chain, private)
                .map_err(failed)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];

        let mut ca_file = tempfile::Builder::new()
            .prefix("preopen-sandbox-ca-")
            .suffix(".pem")
            .tempfile()
            .map_err(failed)?;
        ca_file
            .write_all(ca_certificate.pem().as_bytes())
            .map_err(failed)?;
        ca_file.flush().map_err(failed)?;
        Ok(Self {
            config: Arc::new(config),
            ca_file,
        })
    }

    pub(crate) fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}
