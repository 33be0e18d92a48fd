//! The languages of UniFFI: every one is generated, and the Python is told the shared vectors and scenarios.

use crate::bindings;
use crate::report::Report;

use super::provision::Provision;
use super::python::pytest_with;

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    // The embedded broker is started by the Python package.
    let ready = (
        provision.newest_python(report),
        provision.wheel(report),
        provision.command(report),
    );
    let (Some(newest), Some(wheel), Some(command)) = ready else {
        return report.missing("uniffi", "an interpreter, the wheel or the command");
    };
    let folder = workspace.target.join("uniffi");
    let venv = report.setup("uniffi: bindings", || {
        let venv = bindings::generator(workspace, &newest)?;
        venv.install_wheel(&wheel)?;
        bindings::generate(workspace, &venv, "debug", &folder)?;
        Ok(venv)
    });
    match venv {
        Some(venv) => report.suite("uniffi", || {
            pytest_with(workspace, &venv, "tests/uniffi", "uniffi", &command, |pytest| {
                pytest.env("PREOPEN_UNIFFI", folder.join("python"));
            })
        }),
        None => report.missing("uniffi", "the bindings"),
    }
}
