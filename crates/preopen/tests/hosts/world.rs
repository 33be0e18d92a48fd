//! What the hosts of a test share: one embedded broker, one Redis, and the way to it.

use std::time::Duration;

use preopen::{Clock as _, SealKey, Timestamp};
use preopen_sandbox::{Account as Known, Broker, Options, Sandbox};

use crate::host::{Account, Answer, Config, Do, Host};
use crate::proxy::Proxy;
use crate::server::Server;

pub(crate) const SAMCO_LOGIN: &str = "/session/token";
pub(crate) const ANGEL_LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";

/// The places of the two accounts.
pub(crate) const SAMCO: usize = 0;
pub(crate) const ANGEL: usize = 1;

/// Short, and long enough for a login: two seconds of it are kept for publishing, and the login gets the rest.
pub(crate) const LEASE: Duration = Duration::from_millis(4_500);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: Server,
    pub(crate) config: Config,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(1.0).await
    }

    /// A world whose clocks run this many times as fast: one-time codes are new every 30 seconds.
    pub(crate) async fn with(rate: f64) -> Self {
        // A Monday in India, 10:00.
        let start = Timestamp::parse_rfc3339("2026-11-23T10:00:00+05:30").unwrap();
        let sandbox = Sandbox::start(Options::default().start_at(start).clock_rate(rate))
            .await
            .unwrap();
        sandbox.switch("totp_clock", "virtual").unwrap();
        sandbox.switch("totp_reuse_refused", true).unwrap();
        sandbox
            .switch("angelone_second_login_revokes_first", true)
            .unwrap();
        // Everything that is acknowledged is on the disk.
        let server =
            tokio::task::spawn_blocking(|| Server::with(&["--appendonly", "yes", "--appendfsync", "always"]));
        let server = server.await.unwrap();
        let accounts = vec![samco(&sandbox), angel(&sandbox)];
        let config = Config {
            redis: server.url(),
            key: SealKey::generate().unwrap().to_text().expose().to_owned(),
            lease_ms: 30_000,
            timeout_ms: 10_000,
            accounts,
            copies: 3,
            logs_in_without_store: false,
            wall: 0,
            rate,
            records: false,
            mutant: None,
        };
        Self {
            sandbox,
            server,
            config,
        }
    }

    pub(crate) fn short_lease(mut self) -> Self {
        self.config.lease_ms = u64::try_from(LEASE.as_millis()).unwrap();
        self
    }

    /// What the broker's clock says, in milliseconds.
    pub(crate) fn wall(&self) -> i64 {
        self.sandbox.clock().now().wall.as_millis()
    }

    pub(crate) fn host(&self) -> Host {
        self.skewed_host(0)
    }

    /// A host whose clock is so many seconds ahead of the broker's.
    pub(crate) fn skewed_host(&self, ahead: i64) -> Host {
        self.host_with(ahead, |_| {})
    }

    pub(crate) fn host_with(&self, ahead: i64, change: impl FnOnce(&mut Config)) -> Host {
        let mut config = self.config.clone();
        config.wall = self.wall() + ahead * 1_000;
        change(&mut config);
        Host::start(&config)
    }

    /// A host that reaches the server on a way of its own.
    pub(crate) async fn host_behind(&self, change: impl FnOnce(&mut Config)) -> (Host, Proxy) {
        let proxy = Proxy::before(self.server.port()).await;
        let url = proxy.url();
        let host = self.host_with(0, |config| {
            config.redis = url;
            change(config);
        });
        (host, proxy)
    }

    /// The logins that reached the broker.
    pub(crate) fn logins(&self, account: usize) -> u64 {
        let (broker, path) = match account {
            SAMCO => (Broker::Samco, SAMCO_LOGIN),
            _ => (Broker::AngelOne, ANGEL_LOGIN),
        };
        self.sandbox.requests(Some(broker), Some(path)).count
    }

    /// Waits until that many logins have arrived at the broker.
    pub(crate) async fn until_logins(&self, account: usize, count: u64) {
        crate::server::until(Duration::from_secs(30), "the login arrives", async || {
            self.logins(account) >= count
        })
        .await;
    }

    /// All hosts call the broker until one token works for all of them, which is told.
    pub(crate) async fn converge(&self, hosts: &[Host], account: usize, within: Duration) -> u64 {
        let began = std::time::Instant::now();
        loop {
            let mut answers = Vec::new();
            for host in hosts {
                answers.push(host.give(account, 0, Do::Call));
            }
            let mut all = Vec::new();
            for answer in answers {
                all.push(answer.await.expect("the host lives"));
            }
            let tokens: Option<Vec<u64>> = all
                .iter()
                .map(|answer| Some(answer.result.as_ref().ok()?.as_ref()?.token))
                .collect();
            if let Some(tokens) = tokens
                && tokens.iter().all(|token| *token == tokens[0])
            {
                return tokens[0];
            }
            assert!(began.elapsed() < within, "no convergence in {within:?}: {all:#?}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// Asks several sessions of several hosts at the same time.
pub(crate) async fn all(hosts: &[Host], copies: usize, account: usize, what: Do) -> Vec<Answer> {
    let mut asked = Vec::new();
    for host in hosts {
        asked.extend((0..copies).map(|copy| host.give(account, copy, what)));
    }
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.expect("the host lives"));
    }
    answers
}

fn samco(sandbox: &Sandbox) -> Account {
    let account = sandbox.accounts().iter().find_map(Known::as_samco).unwrap();
    Account::Samco {
        url: sandbox.samco_url().to_owned(),
        key: account.api_key.clone(),
        secret: account.api_secret.clone(),
    }
}

fn angel(sandbox: &Sandbox) -> Account {
    let account = sandbox.accounts().iter().find_map(Known::as_angelone).unwrap();
    Account::AngelOne {
        url: sandbox.angelone_url().to_owned(),
        key: account.api_key.clone(),
        client: account.client_code.clone(),
        pin: account.pin.clone(),
        totp: account.totp_secret.clone(),
    }
}
