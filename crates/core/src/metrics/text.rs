//! Samples as Prometheus reads them: its text format, version 0.0.4.

use std::fmt::Write as _;

use super::{BOUNDS, Family, Sample, Value};

/// The samples as text. Those of one family must stand together, as [`sorted`](super::sorted) gives them.
pub fn to_text(samples: &[Sample]) -> String {
    let mut text = String::new();
    let mut before: Option<&Family> = None;
    for sample in samples {
        let family = sample.family;
        if before != Some(family) {
            let _ = writeln!(text, "# HELP {} {}", family.name, escaped(family.help, false));
            let _ = writeln!(text, "# TYPE {} {}", family.name, family.kind);
            before = Some(family);
        }
        match &sample.value {
            Value::Count(count) => line(&mut text, family.name, "", sample, None, count),
            Value::Level(level) => line(&mut text, family.name, "", sample, None, level),
            Value::Histogram { count, sum, buckets } => {
                for (bound, within) in BOUNDS.iter().zip(buckets) {
                    line(
                        &mut text,
                        family.name,
                        "_bucket",
                        sample,
                        Some(bound.to_string()),
                        within,
                    );
                }
                line(
                    &mut text,
                    family.name,
                    "_bucket",
                    sample,
                    Some("+Inf".to_owned()),
                    count,
                );
                line(&mut text, family.name, "_sum", sample, None, sum);
                line(&mut text, family.name, "_count", sample, None, count);
            }
        }
    }
    text
}

fn line(
    text: &mut String,
    name: &str,
    suffix: &str,
    sample: &Sample,
    bound: Option<String>,
    value: &impl std::fmt::Display,
) {
    let mut labels: Vec<String> = sample
        .labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value, true)))
        .collect();
    labels.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", labels.join(","))
    };
    let _ = writeln!(text, "{name}{suffix}{labels} {value}");
}

fn escaped(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quoted { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{CALLS, Counters, Family, Kind, LIVE_SESSIONS, Sample, TOKEN_AGE, sorted};
    use super::to_text;

    #[test]
    fn each_family_is_introduced_once_and_labels_are_escaped() {
        static ODD: Family = Family {
            name: "odd",
            kind: Kind::Gauge,
            unit: "s",
            help: "a \\ and\na \"quote\"",
        };
        let samples = [
            Sample::count(&CALLS, vec![("broker", "samco"), ("outcome", "ok")], 3),
            Sample::count(&CALLS, vec![("broker", "samco"), ("outcome", "timeout")], 1),
            Sample::level(&ODD, "a\\b\"c\nd", 1.5),
            Sample::count(&LIVE_SESSIONS, Vec::new(), 0),
        ];
        assert_eq!(
            to_text(&samples),
            concat!(
                "# HELP preopen_calls_total Calls to the broker's API, each counted once however often it was repeated.\n",
                "# TYPE preopen_calls_total counter\n",
                "preopen_calls_total{broker=\"samco\",outcome=\"ok\"} 3\n",
                "preopen_calls_total{broker=\"samco\",outcome=\"timeout\"} 1\n",
                "# HELP odd a \\\\ and\\na \"quote\"\n",
                "# TYPE odd gauge\n",
                "odd{broker=\"a\\\\b\\\"c\\nd\"} 1.5\n",
                "# HELP preopen_live_sessions Session objects with a live token.\n",
                "# TYPE preopen_live_sessions gauge\n",
                "preopen_live_sessions 0\n",
            )
        );
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let counters = Counters::new("samco");
        counters.waited(Duration::from_millis(300));
        counters.waited(Duration::from_mins(2));
        let mut samples = vec![Sample::level(&TOKEN_AGE, "samco", 60.0)];
        samples.extend(counters.samples());
        let text = to_text(&sorted(samples));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "# TYPE preopen_login_wait_seconds histogram");
        assert!(lines.contains(&"preopen_login_wait_seconds_bucket{broker=\"samco\",le=\"0.25\"} 0"));
        assert!(lines.contains(&"preopen_login_wait_seconds_bucket{broker=\"samco\",le=\"0.5\"} 1"));
        assert!(lines.contains(&"preopen_login_wait_seconds_bucket{broker=\"samco\",le=\"60\"} 1"));
        assert!(lines.contains(&"preopen_login_wait_seconds_bucket{broker=\"samco\",le=\"+Inf\"} 2"));
        assert!(lines.contains(&"preopen_login_wait_seconds_sum{broker=\"samco\"} 120.3"));
        assert!(lines.contains(&"preopen_login_wait_seconds_count{broker=\"samco\"} 2"));
        assert_eq!(
            lines[lines.len() - 1],
            "preopen_token_age_seconds{broker=\"samco\"} 60"
        );
    }
}
