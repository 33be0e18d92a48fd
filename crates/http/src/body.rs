//! Reading a reply's body: capped while it arrives and again while it is decompressed.

use std::io::{self, Read as _};

use flate2::read::MultiGzDecoder;
use preopen_core::wire::{Body, FailureCause};
use reqwest::Response;
use zeroize::Zeroize as _;

use crate::transport::Broken;

/// The whole body, decompressed, or why not. A `sensitive` one is wiped when it is dropped.
pub(crate) async fn read(mut response: Response, cap: usize, sensitive: bool) -> Result<Body, Broken> {
    let encoding = response
        .headers()
        .get(reqwest::header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase())
        .unwrap_or_default();
    let length = response.content_length().unwrap_or_default();
    if length > cap as u64 {
        return Err(too_large(cap));
    }
    // The peer says the length: a small lie costs little, a large one waits for the bytes.
    let room = usize::try_from(length).map_or(0, |length| length.min(64 << 10));
    let mut bytes = Body::with_capacity(room, sensitive);
    if sensitive {
        // They are slices of the client's buffer, as chunks are. Without them a chunk is alone there and can be wiped.
        response.headers_mut().clear();
    }
    while let Some(chunk) = response.chunk().await.map_err(Broken::from_reqwest)? {
        if bytes.len() + chunk.len() > cap {
            return Err(too_large(cap));
        }
        bytes.push(&chunk);
        if sensitive && let Ok(mut chunk) = chunk.try_into_mut() {
            chunk.zeroize();
        }
    }
    match encoding.as_str() {
        "" | "identity" => Ok(bytes),
        "gzip" | "x-gzip" => unzip(&bytes, cap, sensitive),
        _ => Err(Broken::new(
            FailureCause::Encoding,
            "the reply is compressed in a way that was not asked for",
        )),
    }
}

fn unzip(bytes: &[u8], cap: usize, sensitive: bool) -> Result<Body, Broken> {
    let mut plain = Body::with_capacity(bytes.len(), sensitive);
    io::copy(&mut MultiGzDecoder::new(bytes).take(cap as u64 + 1), &mut plain)
        .map_err(|_| Broken::new(FailureCause::Encoding, "the reply's gzip data is broken"))?;
    if plain.len() > cap {
        Err(too_large(cap))
    } else {
        Ok(plain)
    }
}

fn too_large(cap: usize) -> Broken {
    Broken::new(
        FailureCause::TooLarge,
        format!("the reply is larger than the cap of {cap} bytes and was not read"),
    )
}

#[cfg(test)]
mod tests {
    use super::unzip;
    use std::io::Write as _;

    #[test]
    fn a_gzip_bomb_stops_at_the_cap() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; 4 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 64 << 10);
        assert!(unzip(&bomb, 1 << 20, false).is_err());
        assert_eq!(
            unzip(&bomb, 4 << 20, true)
                .map(|plain| plain.len())
                .unwrap_or_default(),
            4 << 20
        );
        assert!(unzip(&bomb[..bomb.len() / 2], 4 << 20, false).is_err());
        assert!(unzip(b"not gzip", 1 << 20, false).is_err());
    }
}
