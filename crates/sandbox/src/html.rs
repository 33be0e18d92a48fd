//! What the sandbox's pages share: the frame, escaping, and headers that keep scripts and other sites out.

use http::{HeaderName, HeaderValue, header};

use crate::wire::Reply;

/// Text made safe between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A page that plays one of a broker's own; `body` is markup.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - Preopen sandbox</title><link rel=\"stylesheet\" href=\"/assets/sandbox.css\"></head><body>\
         <header><h1>{title}</h1><p>A page of the Preopen sandbox. It plays a broker; nothing here is real.</p>\
         </header><main><section class=\"card\">{body}</section></main></body></html>\n",
        title = escape(title)
    )
}

/// A reply with the headers of every page. Forms may be sent to `forms`, a source list of a policy.
pub(crate) fn secured(reply: Reply, forms: &str) -> Reply {
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    );
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` browsers would hide the Origin of forms, by which pages know their own.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let reply = fixed.into_iter().fold(reply, |reply, (name, value)| {
        reply.with_header(name, HeaderValue::from_static(value))
    });
    match HeaderValue::try_from(policy) {
        Ok(policy) => reply.with_header(header::CONTENT_SECURITY_POLICY, policy),
        Err(_) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::{document, escape};

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        assert!(document("<x>", "").contains("<title>&lt;x&gt; - "));
    }
}
