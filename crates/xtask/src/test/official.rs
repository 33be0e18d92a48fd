//! The brokers' own Python and Node clients, run against the embedded broker.

use crate::report::Report;
use crate::tools::node;
use crate::tools::python::Venv;

use super::node::run_tests;
use super::provision::Provision;
use super::python::pytest;

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    match provision.command(report) {
        Some(command) => {
            python(provision, report, &command);
            javascript(provision, report, &command);
        }
        None => report.missing("official clients", "the command"),
    }
}

fn python(provision: &Provision<'_>, report: &mut Report, command: &std::path::Path) {
    let workspace = provision.workspace;
    let suite = "official: python";
    let Some(newest) = provision.newest_python(report) else {
        return report.missing(suite, "an interpreter");
    };
    let Some(wheel) = provision.wheel(report) else {
        return report.missing(suite, "the wheel");
    };
    let provide = || {
        let requirements = "tests/official/requirements.txt";
        let venv = Venv::provide(workspace, "official-py", &newest, requirements)?;
        venv.install_wheel(&wheel)?;
        Ok(venv)
    };
    match report.setup("official: python clients", provide) {
        Some(venv) => report.suite(suite, || {
            pytest(workspace, &venv, "tests/official", "official", command)
        }),
        None => report.missing(suite, "the clients"),
    }
}

fn javascript(provision: &Provision<'_>, report: &mut Report, command: &std::path::Path) {
    let workspace = provision.workspace;
    let suite = "official: node";
    let folder = "tests/official/node";
    let Some(chosen) = provision.node(report) else {
        return report.missing(suite, "Node");
    };
    match report.setup("official: node client", || {
        node::install(workspace, &chosen, folder)
    }) {
        Some(()) => report.suite(suite, || {
            run_tests(workspace, &chosen, folder, "official-node", command)
        }),
        None => report.missing(suite, "the client"),
    }
}
