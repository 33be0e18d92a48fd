//! Tests of the URLs.

use preopen_core::{ErrorKind, Secret};

use super::{Arrangement, Target};

fn read(url: &str) -> Target {
    Target::parse(&Secret::new(url)).unwrap()
}

fn shown(url: &str) -> String {
    let target = read(url);
    assert_eq!(format!("{target:?}"), target.to_string());
    target.to_string()
}

#[test]
fn each_form_is_read_and_shown_without_its_login() {
    assert_eq!(shown("redis://127.0.0.1"), "redis://127.0.0.1:6379/0");
    assert_eq!(shown(" redis://CACHE.example:1/7\n"), "redis://cache.example:1/7");
    assert_eq!(shown("rediss://u:pw@h:2/3"), "rediss://h:2/3");
    assert_eq!(shown("redis://[::1]"), "redis://[::1]:6379/0");
    assert_eq!(shown("rediss://:pw@[::1]:7/"), "rediss://[::1]:7/0");
    assert_eq!(
        shown("rediss+sentinel://u:pw@h1,h2:7/mymaster/2?sentinel_password=other"),
        "rediss+sentinel://h1:26379,h2:7/mymaster/2"
    );
    assert_eq!(
        shown("redis+cluster://:pw@h1,h2,h3,h4,h5"),
        "redis+cluster://h1:6379,h2:6379,h3:6379,+2"
    );
    let long = shown(&format!("redis://{0}.{0}.{0}.{0}", "h".repeat(60)));
    assert!(long.chars().count() < 200, "{long}");
}

#[test]
fn logins_are_decoded_and_kept_apart() {
    let target = read("rediss://us%40er:p%2Fw%3A@h");
    assert_eq!(target.login.user, Some(Secret::new("us@er")));
    assert_eq!(target.login.password, Some(Secret::new("p/w:")));
    assert!(target.tls);
    // The last @ ends the login; a colon belongs to the password.
    assert_eq!(
        read("redis://u:a@b:c@h").login.password,
        Some(Secret::new("a@b:c"))
    );
    assert_eq!(read("redis://:pw@h").login.user, None);
    let target = read("redis+sentinel://u:pw@h/m?sentinel_username=su&sentinel_password=s%26p");
    let Arrangement::Sentinel { master, login } = &target.arrangement else {
        panic!("{target:?}");
    };
    assert_eq!(master, "m");
    assert_eq!(login.user, Some(Secret::new("su")));
    assert_eq!(login.password, Some(Secret::new("s&p")));
    assert_eq!(target.secrets().count(), 4);
}

#[test]
fn a_bad_url_is_refused_without_a_word_of_it() {
    for (url, says) in [
        ("", "redis://host:6379/0"),
        ("localhost:6379", "redis://host:6379/0"),
        ("http://CANARY@h", "redis://host:6379/0"),
        ("redis://", "no usable host"),
        ("redis://u:CANARY@", "no usable host"),
        ("redis://u:CANARY@h:port", "no usable host"),
        ("redis://u:CANARY@h:0", "no usable host"),
        ("redis://u:CANARY@h:70000", "no usable host"),
        ("redis://u:CANARY", "no usable host"),
        ("redis://u:CANARY@h h", "no usable host"),
        ("redis://CANARY@h", "without a password"),
        ("redis://u:CANARY/x@h:1", "percent-encode"),
        ("redis://u:CANARY?x@h:1", "percent-encode"),
        ("redis://u:CANARY#x@h:1", "percent-encode"),
        ("redis://u:CANARY%FF@h", "UTF-8"),
        ("rediss://u:CANARY@h#insecure", "always verified"),
        ("redis://u:CANARY@h/CANARY", "not a number"),
        ("redis://u:CANARY@h?CANARY=1", "only redis+sentinel"),
        ("redis://u:CANARY@h1,h2", "redis+cluster://"),
        ("redis+cluster://u:CANARY@h/1", "only 0"),
        ("redis+sentinel://u:CANARY@h", "names no master"),
        ("redis+sentinel://u:CANARY@h/m/CANARY", "not a number"),
        ("redis+sentinel://u:CANARY@h/m?CANARY=1", "sentinel_username"),
    ] {
        let error = Target::parse(&Secret::new(url)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        assert_eq!(error.field(), Some("store"), "{url}");
        let told = format!("{error} {error:?}");
        assert!(told.contains(says), "{url}: {told}");
        assert!(!told.contains("CANARY"), "{url}: {told}");
    }
}
