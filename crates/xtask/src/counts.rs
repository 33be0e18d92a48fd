//! Reading how many tests passed and failed from what libtest, pytest and Node's runner write.

/// Tests that passed and failed; skipped and ignored ones are in neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// One check that either held or did not.
    pub(crate) fn one(held: bool) -> Self {
        Self {
            passed: u64::from(held),
            failed: u64::from(!held),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    pub(crate) fn total(self) -> u64 {
        self.passed + self.failed
    }
}

/// Reads one line of libtest, such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
pub(crate) fn libtest(line: &str) -> Option<Counts> {
    let (_, rest) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let part = rest.split(';').map(str::trim).find(|part| part.ends_with(word))?;
        part.split(' ').next()?.parse().ok()
    };
    Some(Counts {
        passed: number(" passed")?,
        failed: number(" failed")?,
    })
}

/// Reads pytest's `--junitxml` report.
pub(crate) fn pytest(report: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut found = false;
    for tag in report.split("<testsuite ").skip(1) {
        let tag = tag.split('>').next()?;
        let number = |name| attribute(tag, name)?.parse::<u64>().ok();
        let failed = number("failures")? + number("errors")?;
        let passed = number("tests")?.saturating_sub(failed + number("skipped")?);
        counts.add(Counts { passed, failed });
        found = true;
    }
    found.then_some(counts)
}

/// Reads the totals that Node's `junit` reporter leaves as comments at the end of its report.
pub(crate) fn node(report: &str) -> Option<Counts> {
    let number = |name: &str| {
        let mut comments = report.lines().rev().filter_map(|line| {
            line.trim()
                .strip_prefix("<!-- ")?
                .strip_suffix(" -->")?
                .strip_prefix(name)
        });
        comments.find_map(|value| value.trim().parse::<u64>().ok())
    };
    Some(Counts {
        passed: number("pass ")?,
        failed: number("fail ")? + number("cancelled ")?,
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    tag[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::{Counts, libtest, node, pytest};

    #[test]
    fn libtest_results_are_read_from_units_and_doctests() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(
            libtest(ok),
            Some(Counts {
                passed: 12,
                failed: 0
            })
        );
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(libtest(bad), Some(Counts { passed: 1, failed: 2 }));
        let merged =
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s";
        assert_eq!(libtest(merged), Some(Counts { passed: 4, failed: 0 }));
    }

    #[test]
    fn other_lines_of_libtest_count_nothing() {
        for line in ["running 3 tests", "test a::b ... ok", "test result: ok", ""] {
            assert_eq!(libtest(line), None, "{line}");
        }
    }

    #[test]
    fn pytest_skips_are_neither_passed_nor_failed_and_errors_are_failures() {
        let report = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest"
            errors="1" failures="2" skipped="3" tests="10" time="0.1"><testcase name="tests=&quot;9&quot;" /></testsuite></testsuites>"#;
        assert_eq!(pytest(report), Some(Counts { passed: 4, failed: 3 }));
    }

    #[test]
    fn a_report_without_suites_is_not_a_report() {
        assert_eq!(pytest("<testsuites></testsuites>"), None);
        assert_eq!(pytest(""), None);
        assert_eq!(node("<testsuites></testsuites>"), None);
    }

    #[test]
    fn node_totals_are_read_and_cancelled_tests_are_failures() {
        let report = "<testsuites>\n\t<testcase name=\"a\" time=\"0.1\"/>\n\t<!-- tests 6 -->\n\t<!-- suites 1 -->\n\
            \t<!-- pass 3 -->\n\t<!-- fail 1 -->\n\t<!-- cancelled 1 -->\n\t<!-- skipped 1 -->\n\t<!-- todo 0 -->\n\
            \t<!-- duration_ms 41.2 -->\n</testsuites>\n";
        assert_eq!(node(report), Some(Counts { passed: 3, failed: 2 }));
    }

    #[test]
    fn a_comment_that_a_test_printed_does_not_hide_the_totals() {
        let report = "<testsuites>\n\t<!-- pass 99 -->\n\t<!-- pass 2 -->\n\t<!-- fail 0 -->\n\t<!-- cancelled 0 -->\n</testsuites>";
        assert_eq!(node(report), Some(Counts { passed: 2, failed: 0 }));
    }
}
