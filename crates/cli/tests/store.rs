//! The commands over a store: what they print, what they send, and how they end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::process::{Command, Stdio};

use common::{Broker, PREOPEN, SAMCO_LOGIN, code, damage, error, json, stderr, stdout};

#[test]
fn p1_commands_one_after_another_and_at_once_share_one_login() {
    let broker = Broker::start();
    let many: Vec<_> = (0..12)
        .map(|_| {
            broker
                .command(&["token", "samco"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let tokens: Vec<String> = many
        .into_iter()
        .map(|child| stdout(&child.wait_with_output().unwrap()))
        .collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!(stdout(&broker.run(&["token", "samco"])), tokens[0]);
    assert_eq!(code(&broker.run(&["whoami", "samco"])), 0);
    assert_eq!(broker.count(SAMCO_LOGIN), 1);
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let broker = Broker::start();
    for name in ["samco", "angelone"] {
        let output = broker.run(&["token", name]);
        let text = stdout(&output);
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
        assert!(text.ends_with('\n') && text.trim_end().len() > 20, "{text}");
        assert!(!text.trim_end().contains(char::is_whitespace), "{text}");
        let more = json(&broker.run(&["token", name, "--json"]));
        assert_eq!(more["token"], text.trim_end());
        assert_eq!(more["generation"], 1);
        assert!(more["expires_at"].as_str().unwrap().ends_with('Z'));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_token_that_could_not_be_written_is_a_failure() {
    let broker = Broker::start();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = broker.command(&["token", "samco"]).stdout(full).output().unwrap();
    assert_eq!(code(&output), 5, "{output:?}");
}

#[cfg(unix)]
#[test]
fn headers_are_what_curl_reads_from_standard_input() {
    let broker = Broker::start();
    for (name, path) in [
        ("samco", "/ip/whoami"),
        ("angelone", "/rest/secure/angelbroking/user/v1/getRMS"),
    ] {
        let output = broker.run(&["headers", name]);
        let token = stdout(&broker.run(&["token", name]));
        let (text, token) = (stdout(&output), token.trim_end());
        assert!(text.lines().all(|line| line.contains(": ")), "{text}");
        assert!(text.contains(token));
        let all = json(&broker.run(&["headers", name, "--json"]));
        assert_eq!(all.as_object().unwrap().len(), text.lines().count());
        let line = format!(
            "'{PREOPEN}' headers {name} --base-url {url} | curl -sS -f -H @- {url}{path}",
            url = broker.url()
        );
        let piped = Command::new("sh")
            .args(["-c", &line])
            .env_clear()
            .envs(broker.environment())
            .output()
            .unwrap();
        assert_eq!(code(&piped), 0, "{piped:?}");
        assert!(stdout(&piped).to_lowercase().contains("success"), "{piped:?}");
    }
}

#[test]
fn a_warm_store_needs_only_what_names_the_account() {
    let broker = Broker::start();
    for name in ["samco", "angelone"] {
        let secrets = ["SAMCO_API_SECRET", "ANGELONE_PIN", "ANGELONE_TOTP_SECRET"];
        let mut cold = broker.command(&["token", name, "--json"]);
        let cold = secrets
            .iter()
            .fold(&mut cold, |command, secret| command.env_remove(secret));
        let cold = cold.output().unwrap();
        assert_eq!(code(&cold), 2);
        let missing = error(&cold)["field"].as_str().unwrap().to_owned();
        assert!(secrets.contains(&missing.as_str()), "{missing}");

        assert_eq!(code(&broker.run(&["login", name])), 0);
        let seen = broker.all();
        for command in ["token", "headers", "status"] {
            let mut warm = broker.command(&[command, name]);
            let warm = secrets
                .iter()
                .fold(&mut warm, |command, secret| command.env_remove(secret));
            assert_eq!(code(&warm.output().unwrap()), 0, "{command}");
        }
        assert_eq!(broker.all(), seen, "the broker is not asked");
    }
    let mut unnamed = broker.command(&["token", "angelone", "--json"]);
    let unnamed = unnamed.env_remove("ANGELONE_CLIENT_CODE").output().unwrap();
    assert_eq!(
        (code(&unnamed), &error(&unnamed)["field"]),
        (2, &"ANGELONE_CLIENT_CODE".into())
    );
}

#[test]
fn login_tells_whose_session_it_is_until_when_and_where() {
    let broker = Broker::start();
    let first = broker.run(&["login", "samco", "--json"]);
    let (output, found) = (code(&first), json(&first));
    assert_eq!(output, 0);
    assert_eq!(found["logged_in"], true);
    assert_eq!(found["account"], broker.account("samco")["account"]);
    assert_eq!(found["environment"], "sandbox");
    assert!(found["expires_at"].as_str().unwrap().ends_with("T02:30:00Z"));
    assert!(found["store"].as_str().unwrap().starts_with("file "));
    let token = stdout(&broker.run(&["token", "samco"]));

    let again = json(&broker.run(&["login", "samco", "--json"]));
    assert_eq!(
        (&again["logged_in"], &again["generation"]),
        (&false.into(), &1.into())
    );
    assert_eq!(broker.count(SAMCO_LOGIN), 1);

    let forced = json(&broker.run(&["login", "samco", "--json", "--force"]));
    assert_eq!(
        (&forced["logged_in"], &forced["generation"]),
        (&true.into(), &2.into())
    );
    assert_eq!(broker.count(SAMCO_LOGIN), 2);
    assert_ne!(stdout(&broker.run(&["token", "samco"])), token);

    let text = stdout(&broker.run(&["login", "samco"]));
    assert!(
        text.contains("08:00:00 IST") && text.contains("stored in  file "),
        "{text}"
    );
    for secret in broker.secrets() {
        assert!(!text.contains(&secret), "{text}");
    }
    let forced = json(&broker.run(&["login", "angelone", "--json", "--force"]));
    assert_eq!(
        (&forced["logged_in"], &forced["generation"]),
        (&true.into(), &1.into())
    );
}

#[test]
fn a_forced_login_that_is_refused_costs_nobody_the_session() {
    let broker = Broker::start();
    assert_eq!(code(&broker.run(&["login", "samco"])), 0);
    let token = stdout(&broker.run(&["token", "samco"]));
    // Each try is one login, which a person asked for.
    for tries in 2..4 {
        let mut forced = broker.command(&["login", "samco", "--force", "--json"]);
        let refused = forced.env("SAMCO_API_SECRET", "wrong").output().unwrap();
        assert_eq!(
            (code(&refused), broker.count(SAMCO_LOGIN)),
            (3, tries),
            "{refused:?}"
        );
    }
    let reader = broker
        .command(&["token", "samco"])
        .env_remove("SAMCO_API_SECRET")
        .output();
    let reader = reader.unwrap();
    assert_eq!(
        stdout(&reader),
        token,
        "the session is there as before: {reader:?}"
    );
    assert_eq!(code(&broker.run(&["login", "samco", "--force"])), 0);
    assert_ne!(stdout(&broker.run(&["token", "samco"])), token);
    assert_eq!(broker.count(SAMCO_LOGIN), 4);
}

#[test]
fn status_tells_what_the_store_holds_and_sends_nothing() {
    let broker = Broker::start();
    let cold = broker.run(&["status", "samco", "--json"]);
    assert_eq!(code(&cold), 6);
    assert_eq!(json(&cold)["accounts"][0]["state"], "signed_out");
    assert!(!broker.folder.path().join("store").exists(), "nothing is made");
    assert_eq!(broker.all(), 0);

    broker.run(&["login", "samco"]);
    let seen = broker.all();
    let warm = broker.run(&["status", "samco", "--json"]);
    let all = json(&warm);
    assert_eq!(code(&warm), 0, "{warm:?}");
    assert!(all["store"]["description"].as_str().unwrap().starts_with("file "));
    assert!(all["store"]["warnings"].is_array());
    let found = &all["accounts"][0];
    let fields: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = [
        "broker",
        "environment",
        "state",
        "live",
        "reason",
        "fix",
        "generation",
        "issued_at",
        "expires_at",
        "expiry_evidence",
        "evidence",
        "blocked_by",
    ];
    assert!(
        documented.iter().all(|field| fields.contains(field)),
        "{fields:?}"
    );
    assert_eq!((&found["live"], &found["generation"]), (&true.into(), &1.into()));
    assert_eq!(found["expiry_evidence"], "daily_boundary");
    assert_eq!(found["evidence"][0]["at"], found["expires_at"]);

    let both = broker.run(&["status", "--json"]);
    let names: Vec<_> = json(&both)["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["broker"].clone())
        .collect();
    assert_eq!((code(&both), names), (6, vec!["samco".into(), "angelone".into()]));
    let text = stdout(&broker.run(&["status"]));
    assert!(
        text.contains("live  ") && text.contains("(login 1 of this store)"),
        "{text}"
    );
    assert_eq!(broker.all(), seen, "the broker is not asked");
    for secret in broker.secrets() {
        assert!(!text.contains(&secret), "{text}");
    }
    let nobody = Command::new(PREOPEN)
        .arg("status")
        .env_clear()
        .env("PREOPEN_STORE", broker.store())
        .output()
        .unwrap();
    assert_eq!(code(&nobody), 2, "no account is named");
}

#[test]
fn f4_what_blocks_an_account_is_told_with_the_way_out_and_login_tries_again() {
    let broker = Broker::start();
    let wrong = |arguments: &[&str]| {
        let mut command = broker.command(arguments);
        command.env("SAMCO_API_SECRET", "CANARY-secret").output().unwrap()
    };
    assert_eq!(code(&wrong(&["token", "samco"])), 3);
    assert_eq!(code(&wrong(&["token", "samco"])), 3);
    assert_eq!(broker.count(SAMCO_LOGIN), 1, "it is not sent again");

    let blocked = wrong(&["status", "samco", "--json"]);
    let found = json(&blocked)["accounts"][0].clone();
    assert_eq!((code(&blocked), &found["state"]), (3, &"blocked".into()));
    assert_eq!(found["blocked_by"]["which"], "api_secret");
    assert!(found["fix"].as_str().unwrap().contains("SAMCO_API_SECRET"));
    assert!(!format!("{blocked:?}").contains("CANARY"));
    let text = stdout(&wrong(&["status", "samco"]));
    assert!(
        text.contains("blocked") && text.contains("preopen login samco"),
        "{text}"
    );
    // Whoever does not say which secret he has is told as well.
    let mut unknown = broker.command(&["status", "samco", "--json"]);
    let unknown = unknown.env_remove("SAMCO_API_SECRET").output().unwrap();
    assert_eq!(json(&unknown)["accounts"][0]["state"], "blocked");

    assert_eq!(code(&wrong(&["login", "samco"])), 3);
    assert_eq!(broker.count(SAMCO_LOGIN), 2, "login is one attempt");
    // The corrected secret needs nobody's leave.
    assert_eq!(code(&broker.run(&["token", "samco"])), 0);
    assert_eq!(code(&broker.run(&["status", "samco"])), 0);
}

#[test]
fn what_cannot_be_read_is_told_and_login_replaces_it() {
    let broker = Broker::start();
    broker.run(&["login", "samco"]);
    damage(&broker.folder.path().join("store"), "guard");
    let token = broker.run(&["token", "samco", "--json"]);
    assert_eq!(
        (code(&token), &error(&token)["reason"]),
        (6, &"store_unreadable".into())
    );
    let status = broker.run(&["status", "samco", "--json"]);
    let found = json(&status)["accounts"][0].clone();
    assert_eq!((code(&status), &found["state"]), (6, &"unknown".into()));
    assert!(found["fix"].as_str().unwrap().contains("preopen login samco"));
    assert_eq!(code(&broker.run(&["logout", "samco"])), 6, "it may well be live");
    assert_eq!(code(&broker.run(&["login", "samco"])), 0);
    assert_eq!(code(&broker.run(&["token", "samco"])), 0);
    assert_eq!(broker.count(SAMCO_LOGIN), 2);
}

#[test]
fn logout_ends_the_session_for_everybody() {
    let broker = Broker::start();
    let token = stdout(&broker.run(&["token", "samco"]));
    let out = broker.run(&["logout", "samco", "--json"]);
    let done = json(&out);
    assert_eq!((code(&out), &done["acknowledged"]), (0, &true.into()));
    assert_eq!(done["was_live"], true);
    assert_eq!(
        json(&broker.run(&["status", "samco", "--json"]))["accounts"][0]["state"],
        "signed_out"
    );
    let again = json(&broker.run(&["logout", "samco", "--json"]));
    assert_eq!(
        (&again["was_live"], &again["acknowledged"]),
        (&false.into(), &false.into())
    );
    assert_ne!(stdout(&broker.run(&["token", "samco"])), token);

    broker.control(
        "POST",
        "/faults",
        r#"{"broker": "samco", "path": "/logout", "status": 503, "times": 9}"#,
    );
    let refused = broker.run(&["logout", "samco", "--json"]);
    let done = json(&refused);
    assert_eq!((code(&refused), &done["acknowledged"]), (5, &false.into()));
    assert_eq!(done["error"]["code"], "broker_unavailable");
    assert_eq!(
        code(&broker.run(&["status", "samco"])),
        6,
        "it is forgotten all the same"
    );
}

#[test]
fn a_store_is_named_by_its_address_and_a_password_is_not_an_argument() {
    let broker = Broker::start();
    let memory = broker.run(&["login", "samco", "--store", "memory", "--json"]);
    assert_eq!((code(&memory), json(&memory)["store"].is_null()), (0, true));
    assert_eq!(
        code(&broker.run(&["status", "samco"])),
        6,
        "each command is on its own"
    );
    let other = format!("file:{}", broker.folder.path().join("other").display());
    assert_eq!(code(&broker.run(&["login", "samco", "--store", &other])), 0);
    assert_eq!(code(&broker.run(&["status", "samco", "--store", &other])), 0);

    for bad in ["file:relative", "disk"] {
        let output = broker.run(&["token", "samco", "--json", "--store", bad]);
        assert_eq!(
            (code(&output), &error(&output)["field"]),
            (2, &"store".into()),
            "{bad}"
        );
    }
    let url = "redis://:CANARY@127.0.0.1:1/0";
    let output = broker.run(&["token", "samco", "--json", "--store", url]);
    assert_eq!((code(&output), &error(&output)["field"]), (2, &"store".into()));
    assert!(
        error(&output)["message"]
            .as_str()
            .unwrap()
            .contains("PREOPEN_STORE")
    );
    assert!(!stderr(&output).contains("CANARY"), "{output:?}");
    let key = broker.run(&["token", "samco", "--store-key", "CANARY"]);
    assert_eq!(code(&key), 2, "a key is not an argument");
}

#[test]
fn a_key_of_the_environment_seals_the_store_and_is_needed_again() {
    let broker = Broker::start();
    let key = stdout(&Command::new(PREOPEN).arg("key").output().unwrap());
    let with = |arguments: &[&str]| {
        broker
            .command(arguments)
            .env("PREOPEN_KEY", key.trim())
            .output()
            .unwrap()
    };
    assert_eq!(code(&with(&["login", "samco"])), 0);
    assert!(!broker.folder.path().join("store/key").exists());
    let without = broker.run(&["token", "samco", "--json"]);
    assert_eq!((code(&without), &error(&without)["field"]), (2, &"key".into()));
    assert_eq!(code(&with(&["token", "samco"])), 0);
}

#[test]
fn a_store_that_cannot_be_used_refuses_a_login_unless_told_otherwise() {
    let broker = Broker::start();
    let file = broker.folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let store = format!("file:{}", file.display());
    let refused = broker.run(&["token", "samco", "--json", "--store", &store]);
    assert_eq!(
        (code(&refused), &error(&refused)["code"]),
        (5, &"store_unavailable".into())
    );
    assert_eq!(broker.all(), 0);
    let anyway = broker.run(&["token", "samco", "--store", &store, "--on-store-loss", "login"]);
    assert_eq!(code(&anyway), 0, "{anyway:?}");
}

#[test]
fn a_login_tells_of_a_broker_whose_clock_is_not_this_machine_s() {
    let broker = Broker::start();
    broker.advance_seconds(7 * 86_400);
    let login = |token: &str| {
        let mut command = broker.command(&["login", "samco", "--force"]);
        stdout(&command.env("PREOPEN_SANDBOX_TOKEN", token).output().unwrap())
    };
    let told = login("");
    let warning = "this machine's clock is at least 900 s behind the broker's: PREOPEN_SANDBOX_TOKEN lets commands follow";
    assert!(told.contains(warning), "{told}");
    let told = login(broker.control_token());
    assert!(told.contains("logged in") && !told.contains("warning"), "{told}");
}

#[test]
fn a_session_on_the_sandbox_follows_its_clock_when_it_is_told_how() {
    let broker = Broker::start();
    broker.run(&["login", "samco"]);
    broker.advance("08:00 IST");
    let on_the_clock = |token: &str| {
        let mut command = broker.command(&["status", "samco", "--json"]);
        command.env("PREOPEN_SANDBOX_TOKEN", token).output().unwrap()
    };
    assert_eq!(
        json(&broker.run(&["status", "samco", "--json"]))["accounts"][0]["state"],
        "active"
    );
    let found = on_the_clock(broker.control_token());
    assert_eq!(json(&found)["accounts"][0]["state"], "expired", "{found:?}");
    let wrong = on_the_clock("CANARY");
    assert_eq!(
        (code(&wrong), &error(&wrong)["field"]),
        (2, &"PREOPEN_SANDBOX_TOKEN".into())
    );
    assert!(!stderr(&wrong).contains("CANARY"));
}
