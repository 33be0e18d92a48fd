//! What the broker sees: a TCP proxy in front of the sandbox that notes the step of every one-time code.

use std::sync::{Arc, Mutex};

use preopen::totp::{TotpSecret, step_at, step_start};
use preopen::{Clock, VirtualClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where the code stands in SmartAPI's login.
const FIELD: &[u8] = b"\"totp\":\"";
/// How many steps before and after now a code may belong to: further than the sandbox takes one from.
const WINDOW: i64 = 100;

pub(crate) struct Front {
    pub(crate) url: String,
    pub(crate) seen: Arc<Seen>,
}

/// The steps of the codes that arrived, in their order.
pub(crate) struct Seen {
    secret: TotpSecret,
    clock: Arc<VirtualClock>,
    steps: Mutex<Vec<i64>>,
}

impl Front {
    /// Must be called in a runtime, which it lives as long as.
    pub(crate) async fn start(behind: &str, secret: &str, clock: Arc<VirtualClock>) -> Self {
        let behind = behind.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen {
            secret: TotpSecret::new(secret),
            clock,
            steps: Mutex::default(),
        });
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, behind.clone(), Arc::clone(&notes)));
            }
        });
        Self { url, seen }
    }
}

impl Seen {
    pub(crate) fn steps(&self) -> Vec<i64> {
        self.steps.lock().unwrap().clone()
    }

    fn note(&self, code: &[u8]) {
        let now = step_at(self.clock.now().wall);
        let is_of = |step: &i64| {
            let made = self.secret.code_at(step_start(*step)).unwrap();
            made.spend().expose().as_bytes() == code
        };
        // The nearest first: two steps may have the same code, but hardly two that are near.
        let near = (0..=WINDOW).flat_map(|far| [now - far, now + far]);
        let step = near.into_iter().find(is_of);
        self.steps.lock().unwrap().push(step.expect("a code of now"));
    }

    /// Takes the codes out of what was not looked at yet, and leaves what may be half a code.
    fn look(&self, unread: &mut Vec<u8>) {
        while let Some(at) = unread.windows(FIELD.len()).position(|part| part == FIELD) {
            let code = at + FIELD.len()..at + FIELD.len() + 6;
            if unread.len() < code.end {
                return;
            }
            self.note(&unread[code.clone()]);
            unread.drain(..code.end);
        }
        let rest = unread.len().saturating_sub(FIELD.len());
        unread.drain(..rest);
    }
}

async fn pass(client: TcpStream, behind: String, seen: Arc<Seen>) {
    let Ok(broker) = TcpStream::connect(behind).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let up = async move {
        let (mut buffer, mut unread) = (vec![0; 16 * 1024], Vec::new());
        loop {
            let read = from_client.read(&mut buffer).await.unwrap_or(0);
            unread.extend_from_slice(&buffer[..read]);
            seen.look(&mut unread);
            if read == 0 || to_broker.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let down = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from_broker.read(&mut buffer).await.unwrap_or(0);
            if read == 0 || to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(up, down);
}
