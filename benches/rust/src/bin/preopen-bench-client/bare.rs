//! reqwest on its own, with Preopen's settings: HTTP/1.1, rustls, the same authority, and the reply as a `serde_json::Value`.

use std::sync::Arc;

use anyhow::Result;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::settings::{PATH, QUERY, Settings, check};
use crate::watch::measure;

/// TLS with the authority of the settings and no other.
pub(crate) fn tls(settings: &Settings) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.ca_file {
        for certificate in CertificateDer::pem_file_iter(path)? {
            roots.add(certificate?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

pub(crate) async fn get(settings: &Settings) -> Result<Value> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(settings)?)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    for (name, value) in &settings.headers {
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    let query = QUERY.map(|(name, value)| format!("{name}={value}")).join("&");
    let url = format!("{}{PATH}?{query}", settings.url);
    let mut workers = vec![(); settings.workers];
    measure(settings, &mut workers, async |()| {
        let sent = client.get(&url).headers(headers.clone()).send();
        let body = sent.await?.error_for_status()?.bytes().await?;
        check(&serde_json::from_slice(&body)?)
    })
    .await
}
