//! Who may enter the folder on Windows: this user, the system and the machine's administrators. Compiled by
//! cross-check only: no machine has run it yet.

use std::io;
use std::path::Path;

use preopen_core::Result;
use windows_permissions::constants::{AceType, SeObjectType, SecurityInformation};
use windows_permissions::utilities::current_process_sid;
use windows_permissions::wrappers::{GetNamedSecurityInfo, SetNamedSecurityInfo};
use windows_permissions::{Acl, LocalBox, SecurityDescriptor, Sid};

use super::super::names::is_ours;
use super::super::problem::{failed, refused};

/// The system, the administrators, and the two stand-ins for whoever owns a file.
const TRUSTED: [&str; 4] = ["S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"];
/// What an elevated process of this user makes belongs to these.
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// Refuses a folder of somebody else's, and closes an own one to others.
pub(super) fn check(path: &Path) -> Result<()> {
    let failed = |error: io::Error| failed("look at the access list of", path, &error);
    let found = describe(path).map_err(failed)?;
    let user = current_process_sid().map_err(failed)?;
    let administrators: LocalBox<Sid> = ADMINISTRATORS.parse().map_err(failed)?;
    let owned = found
        .owner()
        .is_some_and(|owner| *owner == *user || *owner == *administrators);
    if !owned {
        return Err(refused(
            path,
            "it belongs to another user; use a folder of this user's own",
        ));
    }
    if !lets_strangers_in(found.dacl(), &user).map_err(failed)? {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path).map_err(failed)?;
    if entries.any(|entry| !entry.is_ok_and(|entry| is_ours(&entry.file_name().to_string_lossy()))) {
        return Err(refused(
            path,
            "other users may enter it and it holds other things; name a folder for Preopen alone",
        ));
    }
    close(path)
}

/// Leaves the folder, and what is made in it, to this user and the system.
pub(super) fn close(path: &Path) -> Result<()> {
    let closed = || {
        let user = current_process_sid()?;
        let text = format!("D:P(A;OICI;FA;;;{})(A;OICI;FA;;;SY)", *user);
        let wanted: LocalBox<SecurityDescriptor> = text.parse()?;
        let which = SecurityInformation::Dacl | SecurityInformation::ProtectedDacl;
        SetNamedSecurityInfo(
            path,
            SeObjectType::SE_FILE_OBJECT,
            which,
            None,
            None,
            wanted.dacl(),
            None,
        )
    };
    closed().map_err(|error: io::Error| failed("close to other users the folder", path, &error))
}

fn describe(path: &Path) -> io::Result<LocalBox<SecurityDescriptor>> {
    let which = SecurityInformation::Owner | SecurityInformation::Dacl;
    GetNamedSecurityInfo(path, SeObjectType::SE_FILE_OBJECT, which)
}

/// A folder without a list is open to everybody.
fn lets_strangers_in(list: Option<&Acl>, user: &Sid) -> io::Result<bool> {
    let Some(list) = list else {
        return Ok(true);
    };
    let trusted: Vec<LocalBox<Sid>> = TRUSTED.iter().map(|sid| sid.parse()).collect::<io::Result<_>>()?;
    for index in 0..list.len() {
        let Some(entry) = list.get_ace(index) else {
            return Ok(true);
        };
        let denies = entry.ace_type() == AceType::ACCESS_DENIED_ACE_TYPE;
        let known = |sid: &Sid| *sid == *user || trusted.iter().any(|trusted| *sid == **trusted);
        if !denies && !entry.sid().is_some_and(known) {
            return Ok(true);
        }
    }
    Ok(false)
}
