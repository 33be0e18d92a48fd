//! The documentation's site: that it builds without a warning, that nothing on it leads nowhere, and that its pages can be read
//! by everybody.

use super::node::run_tests_with;
use super::provision::Provision;
use crate::counts::Counts;
use crate::docs::Site;
use crate::report::Report;
use crate::tools::chromium;

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let Some(site) = Site::provide(provision, report) else {
        return report.missing("docs", "mkdocs and typedoc");
    };
    // One that did not build has no links to follow.
    let mut built = false;
    report.suite("docs: the site", || {
        site.build()?;
        built = true;
        Ok(Counts::one(true))
    });
    if !built {
        return;
    }
    report.suite("docs: its links", || {
        site.check()?;
        Ok(Counts::one(true))
    });
    let Some(chromium) = report.setup("find Chromium", chromium::find) else {
        return report.missing("docs: its pages", "Chromium");
    };
    report.suite("docs: its pages", || {
        let folder = site.folder();
        // The command is not needed; whoever runs tests names one.
        run_tests_with(
            provision.workspace,
            site.node(),
            "tests/site",
            "site",
            "preopen".as_ref(),
            |runner| {
                runner
                    .env("PREOPEN_SITE", &folder)
                    .env(chromium::VARIABLE, &chromium);
            },
        )
    });
}
