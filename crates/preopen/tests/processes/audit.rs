//! Several programs on one store and one audit file: each says what it did itself, and their lines do not mix.

use preopen::audit::{Action, Entry, Outcome};

use crate::world::{Broker, Start, World};

const PROGRAMS: usize = 4;
const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_login_of_every_program_is_one_whole_line() {
    let world = World::new(1.0).await;
    let mut work = vec!["token"];
    work.extend(["renew"; ROUNDS]);
    let programs: Vec<_> = (0..PROGRAMS)
        .map(|_| world.start(Broker::Samco, &work, &Start::default()))
        .collect();
    for program in programs {
        let (lines, well) = program.end();
        assert!(
            well && lines.iter().all(|line| line["error"].is_null()),
            "{lines:?}"
        );
    }
    let text = std::fs::read_to_string(world.audit()).unwrap();
    assert!(text.ends_with('\n'));
    let entries: Vec<Entry> = text
        .lines()
        .map(|line| Entry::from_line(line).unwrap_or_else(|| panic!("no entry: {line}")))
        .collect();
    assert!(
        entries
            .iter()
            .all(|entry| (entry.action, entry.outcome) == (Action::Login, Outcome::Ok))
    );
    // Those that found the session of another one say nothing.
    assert_eq!(entries.len() as u64, world.logins(Broker::Samco));
    assert!(entries.len() <= 1 + PROGRAMS * ROUNDS);
}
