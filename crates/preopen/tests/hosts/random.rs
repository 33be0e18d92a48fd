//! H7: random runs of three hosts with everything that may go wrong, and what their stores did, checked. A run is made from
//! its seed alone, as far as machines can be made to repeat what they did: `PREOPEN_HOSTS_SEED=<seed>` runs one again, and
//! `PREOPEN_HOSTS_RUNS` says how many there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use preopen_sandbox::{Broker, Fault};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::host::{Do, Host};
use crate::proxy::{Proxy, Way};
use crate::record::Mutant;
use crate::story::{Size, check};
use crate::world::{ANGEL, ANGEL_LOGIN, LEASE, SAMCO, SAMCO_LOGIN, World};

/// How many runs an ordinary test makes, and how many at a time: they mostly wait.
const RUNS: u64 = 16;
const AT_A_TIME: usize = 8;

const HOSTS: usize = 3;
const COPIES: usize = 2;
const STEPS: usize = 20;

/// One-time codes are new every second and a half.
const RATE: f64 = 20.0;

/// The longest that everybody may take to agree when everything works again.
const SOON: Duration = Duration::from_secs(40);

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn ms(&mut self, from: usize, to: usize) -> u64 {
        u64::try_from(from + self.below(to - from)).unwrap()
    }

    fn time(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis(self.ms(from, to))
    }
}

/// One run: the world, and what must be made good again.
struct Run {
    random: Random,
    world: World,
    hosts: Vec<Host>,
    ways: Vec<Proxy>,
    /// When who is resumed, which way is opened, and when the server answers again.
    resumed: [Option<Instant>; HOSTS],
    opened: [Option<Instant>; HOSTS],
    answers: Option<Instant>,
    /// The step at which one host is stopped for longer than its lease.
    stopped_at: usize,
    wipes: bool,
}

impl Run {
    async fn start(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut random = Random(seed);
        let mut world = World::with(RATE).await.short_lease();
        world.config.copies = COPIES;
        world.config.records = true;
        world.config.mutant = mutant;
        world.config.timeout_ms = 4_000;
        let (mut hosts, mut ways) = (Vec::new(), Vec::new());
        for _ in 0..HOSTS {
            let way = Proxy::before(world.server.port()).await;
            let ahead = i64::try_from(random.below(50)).unwrap() - 25;
            let url = way.url();
            hosts.push(world.host_with(ahead, |config| config.redis = url));
            ways.push(way);
        }
        // What is lost with a wipe is no history: then everybody has to agree at the end, and no more.
        let stopped_at = 2 + random.below(STEPS / 2);
        let wipes = mutant.is_none() && random.below(5) == 0;
        Self {
            random,
            world,
            hosts,
            ways,
            resumed: [None; HOSTS],
            opened: [None; HOSTS],
            answers: None,
            stopped_at,
            wipes,
        }
    }

    fn give(&mut self, what: Do) {
        let (host, copy) = (self.random.below(HOSTS), self.random.below(COPIES));
        let account = if self.random.below(4) == 0 { ANGEL } else { SAMCO };
        // What comes of it is in the history.
        drop(self.hosts[host].give(account, copy, what));
    }

    /// Everybody is told that the session is dead, and wants another.
    fn renew(&mut self) {
        for host in &self.hosts {
            drop(host.give(SAMCO, 0, Do::Invalidate));
            drop(host.give(SAMCO, 0, Do::Token));
        }
    }

    fn fault(&mut self) {
        let fault = if self.random.below(4) == 0 {
            Fault::on(Broker::AngelOne, ANGEL_LOGIN)
        } else {
            Fault::on(Broker::Samco, SAMCO_LOGIN)
        };
        let fault = match self.random.below(4) {
            0 => fault.status(503),
            1 => fault.status(200).body("{"),
            _ => fault.delay_ms(self.random.ms(200, 1_500)),
        };
        self.world.sandbox.fault(fault.times(1)).unwrap();
    }

    fn pause(&mut self) {
        let host = self.random.below(HOSTS);
        let time = self.random.time(200, 1_200);
        self.stop(host, time);
    }

    fn stop(&mut self, host: usize, time: Duration) {
        self.hosts[host].pause();
        self.resumed[host] = self.resumed[host].max(Some(Instant::now() + time));
    }

    /// Stops a host for longer than its lease, if it can be while its login is on the wire: that may reach the broker
    /// before or after the login of the next one.
    async fn stop_past_the_lease(&mut self) {
        // Nothing else shall come between.
        self.heal(true);
        self.world.sandbox.clear_faults();
        let host = self.random.below(HOSTS);
        // It has the newest session, so that it will log in and not take one over.
        let newest = self.hosts[host].give(SAMCO, 0, Do::Call);
        drop(tokio::time::timeout(Duration::from_secs(5), newest).await);
        let before = self.world.logins(SAMCO);
        let delay = self.random.ms(300, 6_000);
        let slow = Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(delay).times(1);
        self.world.sandbox.fault(slow).unwrap();
        drop(self.hosts[host].give(SAMCO, 0, Do::Invalidate));
        drop(self.hosts[host].give(SAMCO, 0, Do::Token));
        let began = Instant::now();
        while self.world.logins(SAMCO) == before && began.elapsed() < Duration::from_millis(700) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let time = LEASE + self.random.time(300, 1_500);
        self.stop(host, time);
        for (nth, other) in self.hosts.iter().enumerate() {
            if nth != host {
                drop(other.give(SAMCO, 0, Do::Invalidate));
                drop(other.give(SAMCO, 0, Do::Token));
            }
        }
    }

    fn block(&mut self) {
        let host = self.random.below(HOSTS);
        let way = match self.random.below(4) {
            0 => Way::Cut,
            1 => Way::Blocked,
            2 => Way::Deaf,
            _ => Way::Slow(self.random.time(20, 200)),
        };
        self.ways[host].set(way);
        self.opened[host] = Some(Instant::now() + self.random.time(200, 2_500));
    }

    async fn trouble_the_server(&mut self) {
        if self.answers.is_some() {
            return;
        }
        match self.random.below(if self.wipes { 3 } else { 2 }) {
            0 => {
                self.world.server.pause();
                self.answers = Some(Instant::now() + self.random.time(100, 2_500));
            }
            1 => {
                self.world.server.kill();
                tokio::time::sleep(self.random.time(1, 600)).await;
                self.world.server.start_again();
            }
            _ => self.world.server.ask::<()>(&["FLUSHALL"]),
        }
    }

    /// Makes good whatever is due.
    fn heal(&mut self, everything: bool) {
        let due = |at: &Option<Instant>| at.is_some_and(|at| everything || at <= Instant::now());
        for host in 0..HOSTS {
            if due(&self.resumed[host]) {
                self.hosts[host].resume();
                self.resumed[host] = None;
            }
            if due(&self.opened[host]) {
                self.ways[host].set(Way::Open);
                self.opened[host] = None;
            }
        }
        if due(&self.answers) {
            self.world.server.resume();
            self.answers = None;
        }
    }

    async fn step(&mut self) {
        let rest = self.random.time(20, 600);
        let until = Instant::now() + rest;
        while Instant::now() < until {
            self.heal(false);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match self.random.below(100) {
            0..30 => self.give(Do::Token),
            30..42 => self.give(Do::Call),
            42..55 => self.give(Do::Invalidate),
            55..66 => self.renew(),
            66..70 => self.give(Do::Logout),
            70..79 => self.fault(),
            79..86 => self.pause(),
            86..94 => self.block(),
            _ => self.trouble_the_server().await,
        }
    }

    async fn all(mut self) -> Result<Size, String> {
        self.renew();
        for nth in 0..STEPS {
            if nth == self.stopped_at {
                self.stop_past_the_lease().await;
            }
            self.step().await;
        }
        // Whoever is stopped past his lease stays so.
        while self.resumed.iter().any(Option::is_some) {
            self.heal(false);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.heal(true);
        self.world.sandbox.clear_faults();
        if self.world.config.mutant.is_none() {
            for account in [SAMCO, ANGEL] {
                self.agree(account).await?;
            }
        } else {
            // With a store that has a bug they need not agree; what is under way shall end.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let seen: Vec<_> = self.hosts.iter_mut().map(Host::seen).collect();
        if self.wipes {
            return Ok(Size::default());
        }
        check(&self.world, &seen)
    }

    /// Everybody gets the same token, and it works.
    async fn agree(&self, account: usize) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let asked: Vec<_> = self
                .hosts
                .iter()
                .map(|host| host.give(account, 0, Do::Call))
                .collect();
            let mut answers = Vec::new();
            for answer in asked {
                answers.push(answer.await.ok_or("a host ended")?.result);
            }
            let tokens = answers.iter().map(|answer| answer.as_ref().ok()?.clone());
            let tokens: Option<Vec<_>> = tokens.map(|named| named.map(|named| named.token)).collect();
            match tokens {
                Some(tokens) if tokens.iter().all(|token| *token == tokens[0]) => return Ok(()),
                _ if began.elapsed() > SOON => return Err(format!("no agreement: {answers:#?}")),
                _ => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    }
}

async fn run(seed: u64, mutant: Option<Mutant>) -> Result<Size, String> {
    Run::start(seed, mutant).await.all().await
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number")),
    )
}

/// Runs, a few at a time, until all have ended or `enough` says so. Gives how many ended.
async fn runs(
    seeds: Vec<u64>,
    mutant: Option<Mutant>,
    mut enough: impl FnMut(u64, Result<Size, String>) -> bool,
) {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut all = JoinSet::new();
    for seed in seeds {
        let places = Arc::clone(&places);
        all.spawn(async move {
            let _place = places.acquire().await.unwrap();
            (seed, run(seed, mutant).await)
        });
    }
    while let Some(ended) = all.join_next().await {
        let (seed, result) = ended.unwrap();
        if enough(seed, result) {
            return;
        }
    }
}

fn seeds() -> Vec<u64> {
    if let Some(seed) = number("PREOPEN_HOSTS_SEED") {
        return vec![seed];
    }
    let mut first = Random(number("PREOPEN_HOSTS_FIRST").unwrap_or(20_261_122));
    let runs = number("PREOPEN_HOSTS_RUNS").unwrap_or(RUNS);
    // Short enough to be typed.
    (0..runs).map(|_| first.next() >> 32).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_random_runs_are_linearizable_and_converge() {
    let (mut size, mut ended, mut failed) = (Size::default(), 0, Vec::new());
    runs(seeds(), None, |seed, result| {
        match result {
            Ok(one) => size += one,
            Err(problem) => failed.push(format!("PREOPEN_HOSTS_SEED={seed}: {problem}")),
        }
        ended += 1;
        false
    })
    .await;
    println!(
        "random runs: {ended} runs of {HOSTS} hosts, {} operations, {} writes, {} generations, {} failed",
        size.operations,
        size.writes,
        size.generations,
        failed.len()
    );
    for problem in &failed {
        println!("\n{problem}");
    }
    assert!(failed.is_empty(), "{} runs failed", failed.len());
}

/// A store with this bug must be found, within the runs of an ordinary test.
async fn finds(mutant: Mutant, says: &[&str]) {
    let (mut nth, mut found) = (0, None);
    let seeds = (1..=RUNS).map(|seed| Random(seed).next() >> 32).collect();
    runs(seeds, Some(mutant), |_, result| {
        nth += 1;
        found = result
            .err()
            .filter(|problem| says.iter().any(|says| problem.contains(says)));
        found.is_some()
    })
    .await;
    assert!(found.is_some(), "{mutant:?} was not found in {nth} runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_a_store_without_a_fence_is_found() {
    finds(
        Mutant::IgnoresFence,
        &[
            "wrote after a later one",
            "published twice",
            "two sessions are called",
            "back from",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_a_store_that_reads_what_was_is_found() {
    finds(Mutant::ReadsOld, &["no order explains"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_a_store_that_loses_writes_is_found() {
    finds(Mutant::LosesWrites, &["no order explains"]).await;
}
