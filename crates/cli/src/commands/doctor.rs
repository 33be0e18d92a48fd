//! `preopen doctor [BROKER]`: everything that `preflight` looks at, beside what this machine itself tells, each with what to
//! do about it.

use std::env::var;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::ExitCode;

use clap::Args;
use preopen::static_ip::{NotPublic, public_ipv4};
use preopen::{Check, CheckStatus, ErrorKind, Json, Preflight, Session, StateName};
use serde_json::json;

use crate::commands::preflight::{check_json, exit_of, for_a_terminal, tell, tell_check, to_json};
use crate::commands::status;
use crate::output::{BOLD, DIM, Failure, Output, exit_code, json_line, line};
use crate::progress;
use crate::session::{Broker, Prepared, SessionOptions};

/// The variables that a proxy is taken from, as most programs know them.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The broker; every one whose account the credentials name by default.
    broker: Option<Broker>,
    #[command(flatten)]
    options: SessionOptions,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    arguments.options.admit(arguments.broker)?;
    let prepared = arguments.options.prepare().await?;
    let brokers = match arguments.broker {
        Some(broker) => vec![broker],
        None => prepared.accounts(),
    };
    let own = Egress::look();
    let mut accounts = Vec::new();
    for broker in brokers {
        let session = prepared.session(broker)?;
        progress::now(&format!("looking at what orders at {} need", broker.as_str()));
        let mut found = for_a_terminal(session.preflight().await, broker);
        found.checks.push(stored(&session, broker).await);
        found.checks.extend(session.lock_check().await);
        found.checks.push(own.nat(&found));
        found.checks.push(proxy(&session));
        found.checks.iter_mut().for_each(complete);
        accounts.push((session, found));
    }
    let mut machine = machine(&prepared, &own, accounts.is_empty()).await;
    machine.iter_mut().for_each(complete);
    if output.is_json() {
        json_line(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "machine": machine.iter().map(check_json).collect::<Vec<_>>(),
            "accounts": accounts.iter().map(account_json).collect::<Vec<_>>(),
        }));
    } else {
        line(&format!("{BOLD}this machine{BOLD:#}"));
        machine.iter().for_each(tell_check);
        for (session, found) in &accounts {
            line("");
            let environment = session.environment().as_str();
            line(&format!(
                "{BOLD}{}{BOLD:#} {DIM}({environment}){DIM:#}",
                found.broker
            ));
            tell(found, false);
        }
    }
    if accounts.is_empty() {
        return Ok(ExitCode::from(exit_code(ErrorKind::InvalidInput)));
    }
    let worst = accounts
        .iter()
        .map(|(_, found)| exit_of(found))
        .find(|code| *code != 0);
    Ok(ExitCode::from(worst.unwrap_or_default()))
}

fn account_json((session, found): &(Session, Preflight)) -> Json {
    let mut told = to_json(found);
    told["environment"] = session.environment().as_str().into();
    told
}

/// Sees to it that whoever reads a finding is told what to do about it.
fn complete(check: &mut Check) {
    if check.status == CheckStatus::Pass || check.fix.is_some() {
        return;
    }
    check.fix = Some(
        match check.name {
            "static_ip" => {
                "see at the broker's dashboard that the registered address is the one this host leaves by; the first \
                 order tells for certain"
            }
            "broker" | "session_end" if check.error.is_none() => "see to the findings above first, then look again",
            "clock" => "see that `timedatectl` says the clock is synchronized; the next reply of the broker tells more",
            "network" => "name the address to leave by with --source-ip",
            "store" | "stored" | "store_place" | "lock" => {
                "see that the store's address is right and that this user may write there; `--store memory` does without"
            }
            "nat" => "see to this machine's IPv4 route (`ip route`) first",
            _ => "look again in a minute; if it stays, ask the broker with the message above",
        }
        .to_owned(),
    );
}

/// What is true of this machine, whatever the account.
async fn machine(prepared: &Prepared, own: &Egress, nobody: bool) -> Vec<Check> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let version = format!(
        "preopen {} for {system} on {processor}",
        env!("CARGO_PKG_VERSION")
    );
    let mut found = vec![
        Check::new("version", CheckStatus::Pass, version),
        own.by_ipv4(),
        own.by_ipv6(),
    ];
    let store = Check::new("store_place", CheckStatus::Pass, prepared.store());
    found.push(store);
    for warning in prepared.store_warnings().await {
        // A warning of the store says what to do behind its last mark.
        let (what, fix) = warning.rsplit_once([';', ':']).unwrap_or((&warning, ""));
        let check = Check::new("store_place", CheckStatus::Warn, what);
        found.push(if fix.is_empty() {
            check
        } else {
            check.with_fix(fix.trim())
        });
    }
    found.extend(env_file(prepared));
    if nobody {
        let message = "no account was looked at: no credentials name one";
        found.push(
            Check::new("account", CheckStatus::Unknown, message).with_fix(
                "set SAMCO_API_KEY, or ANGELONE_API_KEY and ANGELONE_CLIENT_CODE, or give --env-file",
            ),
        );
    }
    found
}

/// Whether others may read the file with the credentials.
#[cfg(unix)]
fn env_file(prepared: &Prepared) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = prepared.env_file()?;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let name = path.display();
    let of_others = mode & 0o077;
    Some(if of_others == 0 {
        let message = format!("{name} is for this user alone");
        Check::new("env_file", CheckStatus::Pass, message)
    } else {
        let message = format!(
            "other users of this machine may read {name} (mode {:03o})",
            mode & 0o777
        );
        Check::new("env_file", CheckStatus::Warn, message).with_fix(format!("chmod 600 {name}"))
    })
}

#[cfg(not(unix))]
fn env_file(_: &Prepared) -> Option<Check> {
    None
}

/// What the store holds for the account.
async fn stored(session: &Session, broker: Broker) -> Check {
    match session.stored_state().await {
        Ok(state) => {
            let message = format!("{}: {}", state.name.as_str(), state.reason);
            let fix = match (&state.blocked_by, state.name) {
                (Some(error), _) => status::fix(broker, error),
                (None, StateName::Blocked | StateName::Expired) => {
                    Some(format!("`preopen login {}`", broker.as_str()))
                }
                _ => return Check::new("stored", CheckStatus::Pass, message),
            };
            let found = Check::new("stored", CheckStatus::Warn, message);
            match fix {
                Some(fix) => found.with_fix(fix),
                None => found,
            }
        }
        Err(error) => Check::new("stored", CheckStatus::Warn, error.message()),
    }
}

/// The variables of a proxy, and whether they hold for this broker.
fn proxy(session: &Session) -> Check {
    let set = |name: &&&str| var(name).is_ok_and(|value| !value.is_empty());
    let set: Vec<&str> = PROXY_VARIABLES.iter().filter(set).copied().collect();
    let used = session.network_path().and_then(|path| path.proxy);
    let used = used.map_or_else(
        || "no proxy is used".to_owned(),
        |proxy| {
            format!(
                "the proxy {} is used, so that the broker sees its address",
                proxy.authority
            )
        },
    );
    let variables = if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(", ")
    };
    let message = format!("{used}; variables that are set: {variables}");
    Check::new("proxy", CheckStatus::Pass, message)
}

/// The addresses that this machine itself would send from.
struct Egress {
    four: Option<IpAddr>,
    six: Option<IpAddr>,
}

impl Egress {
    /// The source address of a way out, as the system's routes choose it. The addresses that are asked for are for
    /// documentation, and connecting a UDP socket sends nothing.
    fn look() -> Self {
        let towards = |from: &str, to: &str| {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().ok()?, to.parse().ok()?);
            let socket = UdpSocket::bind(from).ok()?;
            socket.connect(to).ok()?;
            let address = socket.local_addr().ok()?.ip();
            (!address.is_unspecified() && !address.is_loopback()).then_some(address)
        };
        Self {
            four: towards("0.0.0.0:0", "192.0.2.1:443"),
            six: towards("[::]:0", "[2001:db8::1]:443"),
        }
    }

    fn by_ipv4(&self) -> Check {
        match self.four {
            Some(address) => Check::new(
                "ipv4",
                CheckStatus::Pass,
                format!("this machine leaves from {address}"),
            ),
            None => Check::new("ipv4", CheckStatus::Warn, "this machine has no way out by IPv4").with_fix(
                "brokers register IPv4 addresses: give this host one, or a route to a gateway that has one",
            ),
        }
    }

    fn by_ipv6(&self) -> Check {
        let message = match self.six {
            Some(address) => format!(
                "this machine could leave by IPv6 from {address}; sessions are held to IPv4, other programs are not"
            ),
            None => "this machine has no way out by IPv6, and needs none".to_owned(),
        };
        Check::new("ipv6", CheckStatus::Pass, message)
    }

    /// What is between this machine's address and the one that the broker sees.
    fn nat(&self, found: &Preflight) -> Check {
        let seen = found
            .addresses
            .as_ref()
            .and_then(|addresses| addresses.source.clone());
        let Some(own) = self.four else {
            return Check::new(
                "nat",
                CheckStatus::Unknown,
                "this machine has no IPv4 address to compare",
            );
        };
        let told = match &seen {
            Some(seen) => format!("the broker sees {seen}, this machine's own address is {own}"),
            None => format!("this machine's own address is {own}; which one the broker sees is not told"),
        };
        if seen.as_deref() == Some(own.to_string().as_str()) {
            return Check::new("nat", CheckStatus::Pass, format!("{told}: nothing is in between"));
        }
        let pod = var("KUBERNETES_SERVICE_HOST").is_ok();
        let through = if pod {
            "a pod leaves by the address of its node or of the cluster's gateway: register that one"
        } else {
            "a router or gateway is in between, which is normal: the broker sees its address"
        };
        match public_ipv4(&own.to_string()) {
            Err(NotPublic::CarrierNat) => {
                let message =
                    format!("{told}: a carrier's NAT is in between, whose address many customers share");
                Check::new("nat", CheckStatus::Warn, message)
                    .with_fix("ask the provider for a static public address")
            }
            Err(_) => Check::new("nat", CheckStatus::Pass, format!("{told}: {through}")),
            Ok(_) if seen.is_none() => {
                Check::new("nat", CheckStatus::Pass, format!("{told}: it is a public one"))
            }
            Ok(_) => Check::new(
                "nat",
                CheckStatus::Pass,
                format!("{told}: something is in between, or another way out is used"),
            ),
        }
    }
}
