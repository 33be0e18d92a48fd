//! The listener on this machine that receives the answer of the broker's page: 127.0.0.1 alone, on the registered port and
//! path, for one login. Requests that are not its answer (stray, slow, huge, of another login) do not end the wait.

use std::convert::Infallible;
use std::fmt;
use std::io::ErrorKind as IoErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use preopen_core::consent::{LONGEST_URL, Redirect};
use preopen_core::error::{Cause, Phase};
use preopen_core::{Error, ErrorKind, Result, Secret};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use url::{Host, Url};

use super::{LoginStart, begin, consent_of, is_begun};
use crate::flight::lost;
use crate::runtime::anywhere;
use crate::session::Session;

/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
/// How often to look whether somebody else has completed the login.
const LOOK: Duration = Duration::from_secs(1);
/// How many requests may be under way.
const AT_ONCE: usize = 64;

type Show = Arc<dyn Fn(&LoginStart) + Send + Sync>;

/// How [`Session::login`] shows the page and for how long it waits.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// use std::time::Duration;
/// use preopen::LoginOptions;
///
/// // A terminal without a browser: the page is shown, and the listener waits.
/// if session.receives_logins() {
///     let options = LoginOptions::new()
///         .open_browser(false)
///         .timeout(Duration::from_secs(120))
///         .show(|start| println!("open {}", start.url()));
///     session.login(options).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct LoginOptions {
    open_browser: bool,
    timeout: Duration,
    show: Option<Show>,
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl LoginOptions {
    /// Opens the browser of this machine, and waits five minutes.
    pub fn new() -> Self {
        Self {
            open_browser: true,
            timeout: Duration::from_mins(5),
            show: None,
        }
    }

    /// Whether the browser of this machine is opened. The page's URL is then an argument of the browser's process, which
    /// other users of this machine may see while it starts.
    pub fn open_browser(mut self, open: bool) -> Self {
        self.open_browser = open;
        self
    }

    /// How long to wait for the person, in real time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Called with the page once the listener is ready.
    pub fn show(mut self, show: impl Fn(&LoginStart) + Send + Sync + 'static) -> Self {
        self.show = Some(Arc::new(show));
        self
    }
}

impl fmt::Debug for LoginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "LoginOptions(open_browser: {}, timeout: {:?})",
            self.open_browser, self.timeout
        )
    }
}

impl Session {
    /// Whether [`Session::login`] can receive the answer of the broker's page: the redirect URL is on this machine.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// if !session.receives_logins() {
    ///     println!("open {}", session.begin_login().await?.url());   // the redirect URL is not on this machine
    /// }
    /// # Ok(()) }
    /// ```
    pub fn receives_logins(&self) -> bool {
        let consent = self.inner.adapter.consent();
        consent.is_some_and(|consent| Place::of(consent.redirect_url()).is_ok())
    }

    /// Logs in. Credentials that need no person log in as [`Session::token`] does. For `SamcoOAuth` with a redirect URL on
    /// this machine, the broker's page is opened in a browser, and a listener on 127.0.0.1 receives its answer: on the
    /// registered port and path alone, and only for as long as this call lasts.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// session.login(preopen::LoginOptions::new()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Errors: `InvalidInput` (`redirect_url`) when it is not on this machine or its port is taken: use
    /// [`Session::begin_login`]; (`open_browser`) when none can be opened and nobody is shown the page; `Timeout` (`login`)
    /// when nobody came; and those of [`Session::complete_login`].
    pub async fn login(&self, options: LoginOptions) -> Result<()> {
        if self.inner.adapter.consent().is_none() {
            return self.token().await.map(drop);
        }
        let session = self.clone();
        anywhere(async move { receive(&session, &options).await }).await
    }
}

async fn receive(session: &Session, options: &LoginOptions) -> Result<()> {
    let inner = &session.inner;
    if options.timeout.is_zero() {
        return Err(inner.named(Error::invalid_input("timeout", "must be more than 0")));
    }
    let registered = consent_of(inner)?.redirect_url();
    let place = Place::of(registered).map_err(|error| inner.named(error))?;
    let listener = place.listen().await.map_err(|error| inner.named(error))?;
    let start = begin(inner).await?;
    if let Some(show) = &options.show {
        show(&start);
    }
    if options.open_browser && open::that_detached(start.url()).is_err() && options.show.is_none() {
        return Err(inner.named(Error::invalid_input(
            "open_browser",
            "finds no browser on this machine: show the page to a person instead",
        )));
    }
    let (told, mut outcome) = mpsc::channel(1);
    let receiver = Arc::new(Receiver {
        session: session.clone(),
        place,
        state: start.state.clone(),
        answered: AtomicBool::new(false),
        outcome: watch::Sender::default(),
        told,
    });
    let waited = tokio::time::timeout(options.timeout, async {
        tokio::select! {
            () = serve(&listener, &receiver) => None,
            outcome = outcome.recv() => outcome,
            () = elsewhere(session, &receiver) => Some(Ok(())),
        }
    });
    match waited.await {
        Ok(Some(outcome)) => outcome,
        _ => Err(inner.named(
            Error::new(
                ErrorKind::Timeout,
                format!(
                    "nobody completed the login at the broker's page within {} s",
                    options.timeout.as_secs_f64()
                ),
            )
            .with(|context| context.phase = Some(Phase::Login)),
        )),
    }
}

/// Ends when another program, or another call, has completed this login: then nobody comes here.
async fn elsewhere(session: &Session, receiver: &Receiver) {
    loop {
        tokio::time::sleep(LOOK).await;
        let answered = receiver.answered.load(Ordering::Relaxed);
        let begun = is_begun(&session.inner, Some(&receiver.state)).await;
        if !answered && matches!(begun, Ok(false)) && session.token().await.is_ok() {
            return;
        }
    }
}

/// Where the answer comes to.
struct Place {
    port: u16,
    authority: String,
    path: String,
}

impl Place {
    fn of(registered: Option<&str>) -> Result<Self> {
        let url = registered.and_then(|url| Url::parse(url).ok());
        let local = url.filter(|url| url.host() == Some(Host::Ipv4(Ipv4Addr::LOCALHOST)));
        let Some((url, port)) = local.and_then(|url| url.port().map(|port| (url, port))) else {
            return Err(Error::invalid_input(
                "redirect_url",
                "is not on this machine: begin_login() gives the page, and complete_login() takes the address that the \
                 browser ends on",
            ));
        };
        Ok(Self {
            port,
            authority: format!("127.0.0.1:{port}"),
            path: url.path().to_owned(),
        })
    }

    async fn listen(&self) -> Result<TcpListener> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        bound.map_err(|error| {
            let problem = match error.kind() {
                IoErrorKind::AddrInUse => {
                    "is taken by another program, perhaps another login: end that first"
                }
                IoErrorKind::PermissionDenied => "may not be opened by this user: register one above 1023",
                _ => "cannot be opened",
            };
            Error::invalid_input(
                "redirect_url",
                &format!("names port {}, which {problem}", self.port),
            )
            .with_source(Cause::from_chain(&error))
        })
    }
}

struct Receiver {
    session: Session,
    place: Place,
    state: Secret,
    /// Whether the answer has come.
    answered: AtomicBool,
    /// What became of the login, once that is known.
    outcome: watch::Sender<Option<Result<()>>>,
    told: mpsc::Sender<Result<()>>,
}

/// Answers until it is dropped.
async fn serve(listener: &TcpListener, receiver: &Arc<Receiver>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // For example too many open files.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let receiver = Arc::clone(receiver);
        tokio::spawn(async move {
            answer_on(stream, &receiver).await;
            drop(place);
        });
    }
}

async fn answer_on(stream: TcpStream, receiver: &Arc<Receiver>) {
    let mine = AtomicBool::new(false);
    let service = service_fn(|request| {
        let (receiver, mine) = (Arc::clone(receiver), &mine);
        async move { Ok::<_, Infallible>(receiver.answer(&request, mine).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .max_buf_size(LONGEST_URL)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever broke it off knows.
    drop(served.await);
    if !mine.load(Ordering::Relaxed) {
        return;
    }
    // Only now has the browser its page, or it broke off: the login goes on.
    let mut outcome = receiver.outcome.subscribe();
    let known = outcome.wait_for(Option::is_some).await;
    if let Some(outcome) = known.ok().and_then(|outcome| outcome.clone()) {
        let _ = receiver.told.send(outcome).await;
    }
}

impl Receiver {
    async fn answer(
        self: &Arc<Self>,
        request: &Request<Incoming>,
        mine: &AtomicBool,
    ) -> Response<Full<Bytes>> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = hosts.next().map(HeaderValue::as_bytes);
        if host != Some(self.place.authority.as_bytes()) || hosts.next().is_some() {
            return page(StatusCode::FORBIDDEN, "This address is not known here.");
        }
        if request.uri().path() != self.place.path {
            return page(StatusCode::NOT_FOUND, "There is nothing here.");
        }
        if request.method() != Method::GET {
            return page(StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered.");
        }
        let address = request.uri().path_and_query().map_or("/", |all| all.as_str());
        let known = Redirect::parse(address, None)
            .ok()
            .is_some_and(|redirect| redirect.get("state") == Some(&self.state));
        if !known {
            return page(
                StatusCode::BAD_REQUEST,
                "This is no answer to the login that was begun here. It still waits.",
            );
        }
        // Whoever comes second, for example because the page was loaded again, changes nothing.
        if self.answered.swap(true, Ordering::Relaxed) {
            return page(StatusCode::CONFLICT, "This login was answered already.");
        }
        mine.store(true, Ordering::Relaxed);
        // A browser that breaks off must not end it.
        let (receiver, address) = (Arc::clone(self), Secret::new(address));
        let login = tokio::spawn(async move {
            let outcome = receiver.session.complete_login(address.expose()).await;
            receiver.outcome.send_replace(Some(outcome.clone()));
            outcome
        });
        let outcome = login.await.unwrap_or_else(|_| Err(lost()));
        match &outcome {
            Ok(()) => page(StatusCode::OK, "You are logged in. You may close this window."),
            Err(error) => {
                let text = format!("The login failed: {}", error.message());
                page(StatusCode::BAD_REQUEST, &text)
            }
        }
    }
}

/// A page that tells one thing, loads nothing and is kept nowhere.
fn page(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Preopen</title><h1>Preopen</h1><p>{escaped}</p></html>"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
