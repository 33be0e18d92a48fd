//! Making text fit to leave the core: one printable line, known secrets removed by value, then cut.

use zeroize::Zeroize as _;

use crate::secret::{Secret, Text};

/// The longest message, validation error or body excerpt that an error carries when it leaves, in characters.
pub const MESSAGE_LIMIT: usize = 512;

/// The longest text before redaction, in characters. A secret that the shorter limit cuts in two could not be recognised any
/// more, so the shorter limit is applied by [`Redactor::fit`].
pub(crate) const UNREDACTED_LIMIT: usize = 2048;

/// Knows the secrets of one session and removes their values from text that came from elsewhere: as they are,
/// JSON-escaped and percent-encoded.
///
/// A secret of fewer than [`Redactor::WORD`] characters (a PIN) is removed only where it stands as a word of
/// its own, since it would otherwise tear holes into order numbers and ordinary words.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Box<[Secret]>);

impl Redactor {
    /// What stands where a secret stood.
    pub const PLACEHOLDER: &'static str = "**redacted**";

    /// Secrets shorter than this are only removed as whole words.
    pub const WORD: usize = 7;

    /// A redactor for `secrets`; empty ones are ignored.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut known: Vec<Secret> = Vec::new();
        for secret in secrets {
            let secret = secret.trimmed();
            let text = secret.expose();
            let (mut quoted, mut encoded) = (Text::default(), Text::default());
            quoted.push_json(text);
            url::form_urlencoded::byte_serialize(text.as_bytes()).for_each(|part| encoded.push(part));
            let others = [quoted.trim_matches('"'), &*encoded];
            known.extend(others.into_iter().filter(|other| *other != text).map(Secret::new));
            known.push(secret);
        }
        known.retain(|secret| !secret.is_empty());
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self(known.into())
    }

    /// Whether `text` holds a known secret of at least so many bytes, in any of these forms.
    pub fn finds_in(&self, text: &str, shortest: usize) -> bool {
        let long = self
            .0
            .iter()
            .map(Secret::expose)
            .take_while(|secret| secret.len() >= shortest);
        long.into_iter().any(|secret| text.contains(secret))
    }

    /// Makes a text of an error fit to leave: without known secrets, and not longer than [`MESSAGE_LIMIT`].
    pub(crate) fn fit(&self, text: &mut String) {
        let was_cut = text.chars().count() >= UNREDACTED_LIMIT;
        self.clean(text);
        if was_cut {
            self.clean_cut(text);
        }
        cap(text, MESSAGE_LIMIT);
    }

    /// Takes the beginning of a secret off the end of a text that was cut there: it is not recognised any more.
    fn clean_cut(&self, text: &mut String) {
        let Some(told) = text.strip_suffix('…') else {
            return;
        };
        let beginning = |secret: &Secret| {
            let secret = secret.expose();
            let ends = (1..secret.len()).rev();
            let mut beginnings = ends.filter_map(|end| secret.get(..end));
            beginnings
                .find(|beginning| told.ends_with(beginning))
                .map(str::len)
        };
        if let Some(longest) = self.0.iter().filter_map(beginning).max() {
            let end = told.len() - longest;
            cut(text, end);
        }
    }

    /// Replaces every known secret in `text`, and wipes what `text` was.
    pub fn clean(&self, text: &mut String) {
        for secret in &self.0 {
            let secret = secret.expose();
            if text.contains(secret) {
                let cleaned = replace(text, secret, secret.chars().count() < Self::WORD);
                text.zeroize();
                *text = cleaned.into_string();
            }
        }
    }
}

/// `text` without `secret`; with `words`, only where it stands as a word.
fn replace(text: &str, secret: &str, words: bool) -> Text {
    let mut cleaned = Text::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(secret) {
        let (before, found) = rest.split_at(at);
        let (found, after) = found.split_at(secret.len());
        cleaned.push(before);
        let joins = |c: char| c.is_alphanumeric();
        let inside =
            cleaned.chars().next_back().is_some_and(joins) || after.chars().next().is_some_and(joins);
        cleaned.push(if words && inside {
            found
        } else {
            Redactor::PLACEHOLDER
        });
        rest = after;
    }
    cleaned.push(rest);
    cleaned
}

/// Whether a character shows nothing itself: it joins, hides or turns around what stands beside it.
fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// One line of printable text, not yet at its final length: brokers are known to send stack traces. Characters that would
/// only change how others look are left out.
pub fn safe_text(text: &str) -> String {
    if is_plain_line(text) {
        // Each of its bytes is a character.
        return if text.len() <= UNREDACTED_LIMIT {
            text.to_owned()
        } else {
            format!("{}…", &text[..UNREDACTED_LIMIT - 1])
        };
    }
    let mut line = Text::default();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.chars().all(is_format))
    {
        if !line.is_empty() {
            line.push(" ");
        }
        word.split(is_format).for_each(|part| line.push(part));
        if line.len() > UNREDACTED_LIMIT * 4 {
            break;
        }
    }
    let mut line = line.into_string();
    cap(&mut line, UNREDACTED_LIMIT);
    line
}

/// Whether a text is one printable line as it is, as nearly all are: visible ASCII, with single spaces between.
fn is_plain_line(text: &str) -> bool {
    let mut before = b' ';
    for byte in text.bytes() {
        if !(byte.is_ascii_graphic() || byte == b' ' && before != b' ') {
            return false;
        }
        before = byte;
    }
    before != b' ' || text.is_empty()
}

/// Cuts `text` to so many characters.
pub(crate) fn cap(text: &mut String, limit: usize) {
    // No text has more characters than bytes.
    if text.len() <= limit {
        return;
    }
    let mut ends = text.char_indices().map(|(at, _)| at).skip(limit - 1);
    if let (Some(end), Some(_)) = (ends.next(), ends.next()) {
        cut(text, end);
    }
}

/// Leaves so many bytes of `text` and a sign that there was more, and wipes what `text` was.
fn cut(text: &mut String, end: usize) {
    let cut = Text::format(format_args!("{}…", &text[..end]));
    text.zeroize();
    *text = cut.into_string();
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_LIMIT, Redactor, UNREDACTED_LIMIT, is_plain_line, safe_text};
    use crate::error::{Cause, Error, ErrorKind};
    use crate::secret::Secret;

    #[test]
    fn long_text_is_capped_by_characters() {
        let error = Error::new(ErrorKind::BrokerRejected, "é".repeat(2000)).redacted(&Redactor::default());
        assert_eq!(error.message().chars().count(), MESSAGE_LIMIT);
        assert_eq!(safe_text("short"), "short");
        for (text, longest) in [("a b", "a b "), ("é", "é")] {
            let long = longest.repeat(2 * UNREDACTED_LIMIT);
            let line = safe_text(&long);
            assert_eq!(line.chars().count(), UNREDACTED_LIMIT, "{text}");
            assert!(line.starts_with(text) && line.ends_with('…'));
        }
    }

    #[test]
    fn a_plain_line_stays_as_it_is_and_no_other_does() {
        for plain in ["", "a", "a b", "{\"a\": [1, 2]}"] {
            assert!(is_plain_line(plain), "{plain:?}");
            assert_eq!(safe_text(plain), plain);
        }
        for (other, safe) in [
            (" ", ""),
            ("a ", "a"),
            (" a", "a"),
            ("a  b", "a b"),
            ("a\tb\n", "a b"),
            ("a\u{7f}b", "a b"),
        ] {
            assert!(!is_plain_line(other), "{other:?}");
            assert_eq!(safe_text(other), safe);
        }
    }

    #[test]
    fn what_changes_how_other_text_looks_is_left_out() {
        let text = "\u{feff}x \u{202e}y\u{202c} \u{2066} z\u{200b}\u{ad}z\n\u{1b}[31m \u{e0041}";
        assert_eq!(safe_text(text), "x y zz [31m");
        assert_eq!(safe_text("\u{202e}"), "");
        assert_eq!(safe_text("लॉगिन विफल — café 株"), "लॉगिन विफल — café 株");
    }

    #[test]
    fn redaction_reaches_every_text() {
        let error = Error::new(ErrorKind::MalformedResponse, "saw CANARY here")
            .with(|c| {
                c.body = Some("{CANARY}".into());
                c.validation_errors = vec!["CANARY".into()];
            })
            .with_source(Cause::new("CANARY below"))
            .redacted(&Redactor::new([Secret::new("CANARY")]));
        assert!(!format!("{error} {error:?} {:?}", error.causes()).contains("CANARY"));
    }

    #[test]
    fn a_secret_at_the_cap_is_not_cut_in_two() {
        let secret = "CANARY".repeat(16);
        let text = format!(
            "{}{secret} and more {}",
            "x".repeat(MESSAGE_LIMIT - 30),
            "y".repeat(600)
        );
        let error =
            Error::new(ErrorKind::BrokerRejected, text).redacted(&Redactor::new([Secret::new(secret)]));
        assert!(!error.message().contains("CANARY"), "{error}");
    }

    #[test]
    fn a_secret_that_was_cut_before_it_could_be_known_does_not_show_either() {
        // The first secrets shrink so much that what the longer limit left of the last one would come within the shorter one.
        let secret = "CANARY".repeat(UNREDACTED_LIMIT / 6 - 100);
        let other = "x".repeat(secret.len() + 1);
        let redactor = Redactor::new([Secret::new(&*secret), Secret::new(&*other), Secret::new("é!")]);
        let redacted = |text: &str| Error::new(ErrorKind::BrokerRejected, text).redacted(&redactor);
        for (text, told) in [
            (format!("a {other} b {secret}"), "a **redacted** b …"),
            (format!("a {secret} b {secret}"), "a **redacted** b …"),
            (format!("é {secret} {secret} b"), "é **redacted** …"),
            (format!("a{}", "x".repeat(UNREDACTED_LIMIT * 2)), "a**redacted**…"),
        ] {
            assert_eq!(redacted(&text).message(), told);
        }
        // Nothing else is lost.
        let harmless = "a ".repeat(UNREDACTED_LIMIT);
        assert_eq!(redacted(&harmless).message().chars().count(), MESSAGE_LIMIT);
        let whole = format!("{}é", "a".repeat(MESSAGE_LIMIT - 1));
        assert_eq!(redacted(&whole).message(), whole);
    }

    #[test]
    fn escaped_and_encoded_forms_are_removed_too() {
        let redactor = Redactor::new([Secret::new("CAN\"ARY &x")]);
        let mut text = r#"{"k":"CAN\"ARY &x"} ?k=CAN%22ARY+%26x"#.to_owned();
        redactor.clean(&mut text);
        assert!(!text.contains("CAN"), "{text}");
    }

    #[test]
    fn a_short_secret_is_removed_as_a_word_only() {
        let mut text = "pin 4821, order 148210; '4821'".to_owned();
        Redactor::new([Secret::new("4821")]).clean(&mut text);
        assert_eq!(text, "pin **redacted**, order 148210; '**redacted**'");
    }
}
