//! An account as the broker knows it: its standing, its apps, and which sessions and grants still count.

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::app::{APPS, App, Pair};
use super::{legacy, portal};
use crate::account::{SamcoAccount, secrets_made_up_for};

/// An account and its standing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) password: String,
    /// The key of the deprecated login; empty when none has been made.
    pub(crate) secret_api_key: String,
    pub(crate) standing: Standing,
    /// In the order they were made; at least one.
    pub(super) apps: Vec<App>,
    /// What the account's (made-up) owner has noted of the first app's secret, so that scripts can read it. The broker
    /// itself knows digests alone, and this note is in memory only; empty once the portal has made another secret.
    #[serde(skip)]
    pub(crate) noted_secret: String,
    /// When the registered addresses of any app were last changed in a way that counts.
    pub(super) last_counted_change: Option<Timestamp>,
    /// What the owner has under way at the portal.
    pub(super) desk: portal::Desk,
    pub(super) legacy: legacy::Legacy,
    /// Sessions of an earlier era have been ended; ending all of them costs one addition.
    pub(super) era: u64,
    /// The same for codes and refresh tokens, which outlive sessions.
    pub(super) grants_era: u64,
}

/// What a login may be refused for although key and secret are right.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) subscribed: bool,
    pub(crate) blocked: bool,
    pub(crate) needs_app_login: bool,
}

/// What ends sessions or grants when it goes on: the account's count and the app's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Era {
    account: u64,
    app: u64,
}

impl Member {
    pub(super) fn new(account: &SamcoAccount, now: Timestamp) -> Self {
        let mut first = App::new(
            1,
            &format!("Sandbox app of {}", account.account),
            &account.redirect_url,
            &account.api_key,
            &account.api_secret,
            now,
        );
        first.give_addresses(Pair::new(&*account.primary_ip, &*account.secondary_ip));
        Self {
            id: account.account.clone(),
            password: account.password.clone(),
            secret_api_key: account.secret_api_key.clone(),
            standing: Standing {
                subscribed: true,
                blocked: false,
                needs_app_login: false,
            },
            apps: vec![first],
            noted_secret: account.api_secret.clone(),
            last_counted_change: None,
            desk: portal::Desk::default(),
            legacy: legacy::Legacy::default(),
            era: 0,
            grants_era: 0,
        }
    }

    /// After a restart: the owner knows a secret by heart that was made up for the account.
    pub(super) fn remember_secret(&mut self) {
        let is_right = |secret: &String| self.first().secret.is_of(secret);
        let known = secrets_made_up_for(&self.id).into_iter().find(is_right);
        self.noted_secret = known.unwrap_or_default();
    }

    /// The account as its owner knows it, with the first app.
    pub(crate) fn to_account(&self) -> SamcoAccount {
        let app = self.first();
        SamcoAccount {
            account: self.id.clone(),
            password: self.password.clone(),
            api_key: app.api_key.clone(),
            api_secret: self.noted_secret.clone(),
            primary_ip: app.addresses.primary.clone(),
            secondary_ip: app.addresses.secondary.clone(),
            redirect_url: app.redirect_url.clone(),
            secret_api_key: self.secret_api_key.clone(),
        }
    }

    pub(crate) fn apps(&self) -> &[App] {
        &self.apps
    }

    /// The app that the public account speaks of.
    pub(crate) fn first(&self) -> &App {
        &self.apps[0]
    }

    pub(crate) fn first_mut(&mut self) -> &mut App {
        &mut self.apps[0]
    }

    /// How many apps more it may have.
    pub(super) fn room(&self) -> usize {
        APPS.saturating_sub(self.apps.len())
    }

    /// The addresses that count for a session of this app. For one without an app (the deprecated login, the web login
    /// code) those of the first active app: inferred from "or default mapping", the documents' word for them.
    pub(super) fn addresses_of(&self, app: Option<usize>) -> Pair {
        let app = match app {
            Some(at) => self.apps.get(at),
            None => self.apps.iter().find(|app| app.is_active()),
        };
        app.map(|app| app.addresses.clone()).unwrap_or_default()
    }

    /// The apps that have addresses. The portal takes them from those that it deactivates; `PATCH` leaves them theirs.
    pub(super) fn registered(&self) -> impl Iterator<Item = &App> {
        self.apps.iter().filter(|app| !app.addresses.is_empty())
    }

    /// What a session of this app has to have to count.
    pub(super) fn session_era(&self, app: Option<usize>) -> Era {
        Era {
            account: self.era,
            app: app.and_then(|at| self.apps.get(at)).map_or(0, |app| app.era),
        }
    }

    /// What a code or refresh token of this app has to have to count.
    pub(super) fn grants_era(&self, app: usize) -> Era {
        Era {
            account: self.grants_era,
            app: self.apps.get(app).map_or(0, |app| app.grants_era),
        }
    }

    /// Ends the sessions of all apps.
    pub(super) fn end_sessions(&mut self) {
        self.era = self.era.saturating_add(1);
    }

    /// Ends sessions, codes and refresh tokens of all apps.
    pub(super) fn revoke_all(&mut self) {
        self.era = self.era.saturating_add(1);
        self.grants_era = self.grants_era.saturating_add(1);
    }
}
