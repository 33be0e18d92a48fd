//! Finding the machine's Chromium. None is ever fetched: tests want the one that the system keeps up to date.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::on_path;
use crate::{console, process};

/// Names another program than the ones that are looked for.
pub(crate) const VARIABLE: &str = "PREOPEN_CHROMIUM";
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// The program that `PREOPEN_CHROMIUM` names, or the first on the search path; it must tell its version.
pub(crate) fn find() -> Result<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let program = named.or_else(|| on_path(&std::env::var_os("PATH")?, &NAMES)).context(
        "Chromium is not installed; install it (Debian: apt-get install chromium) or let PREOPEN_CHROMIUM name one",
    )?;
    let version = process::capture(Command::new(&program).arg("--version"))
        .with_context(|| format!("{} does not run", program.display()))?;
    console::say(version.trim());
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::{NAMES, on_path};
    use std::fs;

    #[test]
    fn chromium_is_taken_before_others_wherever_it_is() {
        let folder = std::env::temp_dir().join(format!("preopen-chromium-{}", std::process::id()));
        let [first, second] = ["first", "second"].map(|name| folder.join(name));
        for (place, name) in [(&first, "google-chrome"), (&second, "chromium")] {
            fs::create_dir_all(place).unwrap();
            fs::write(place.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)), "").unwrap();
        }
        let path = std::env::join_paths([&first, &second]).unwrap();
        let found = on_path(&path, &NAMES).unwrap();
        let none = on_path(folder.as_os_str(), &NAMES);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.file_stem().unwrap(), "chromium");
        assert_eq!(none, None);
    }
}
