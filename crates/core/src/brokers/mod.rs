//! The brokers, one folder each with the same file names: credentials (the public type and its adapter),
//! requests, replies, faults, policy.

mod angel_one;
mod samco;

pub use angel_one::{AngelOne, TotpSource};
pub use samco::Samco;

#[cfg(test)]
mod tests {
    use super::{angel_one, samco};
    use std::path::Path;

    /// Every row of the fault tables is proven by a vector that all languages run.
    #[test]
    fn every_fault_row_has_a_vector() {
        for (broker, rows) in [
            ("samco", samco::faults::ROWS),
            ("angelone", angel_one::faults::ROWS),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../tests/vectors")
                .join(broker);
            let replies: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap())
                .map(|vector| vector["reply"].to_string().to_lowercase())
                .collect();
            for row in rows {
                let code = row.code.to_lowercase();
                let has = replies.iter().any(|reply| {
                    (code.is_empty() || reply.contains(&format!("\"{code}\""))) && reply.contains(row.text)
                });
                assert!(has, "{broker}: no vector for {row:?}");
            }
        }
    }
}
