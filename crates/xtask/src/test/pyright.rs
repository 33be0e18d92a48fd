//! What pyright, the checker of editors, understands of the Python package, beside mypy.

use crate::report::Report;

use super::checks::{Check, run_all};
use super::provision::Provision;

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    // The wheel is installed among the tools.
    let ready = (
        provision.wheel(report),
        provision.dev(report),
        provision.packages(report),
    );
    let (Some(_), Some(dev), Some(node)) = ready else {
        return report.missing("pyright", "the wheel, the Python tools or the npm packages");
    };
    let check = |name: &'static str, more: &[&str]| {
        let mut pyright = node.command(&node.program);
        dev.activate(&mut pyright);
        let mut args = vec!["node_modules/pyright/index.js"];
        args.extend(more);
        Check::new(name, workspace, pyright, &args)
    };
    // The package and the file of right and wrong uses; and that users see a type for every public name.
    let checks = vec![
        check("pyright", &[]),
        check(
            "pyright: public types",
            &["--verifytypes", "preopen", "--ignoreexternal"],
        ),
    ];
    run_all(checks, report);
}
