//! Preopen under what Python programs run in: other event loops, notebooks, web servers; on the newest Python alone.

use crate::report::Report;
use crate::tools::python::Venv;

use super::provision::Provision;
use super::python::pytest;

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    let suite = "python frameworks";
    let ready = (
        provision.newest_python(report),
        provision.wheel(report),
        provision.command(report),
    );
    let (Some(newest), Some(wheel), Some(command)) = ready else {
        return report.missing(suite, "an interpreter, the wheel or the command");
    };
    let folder = "tests/python-frameworks";
    let venv = report.setup("python frameworks: environment", || {
        let requirements = format!("{folder}/requirements.txt");
        let venv = Venv::provide(workspace, "frameworks", &newest, &requirements)?;
        venv.install_wheel(&wheel)?;
        Ok(venv)
    });
    match venv {
        Some(venv) => report.suite(suite, || pytest(workspace, &venv, folder, "frameworks", &command)),
        None => report.missing(suite, "its environment"),
    }
}
