//! The documentation's site: that it builds without a warning, and that nothing on it leads nowhere.

use super::provision::Provision;
use crate::counts::Counts;
use crate::docs::Site;
use crate::report::Report;

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
    if built {
        report.suite("docs: its links", || {
            site.check()?;
            Ok(Counts::one(true))
        });
    }
}
