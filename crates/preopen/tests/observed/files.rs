//! The audit file itself: who may read it, what becomes of it when it is moved away, and one that cannot be written.

use std::path::{Path, PathBuf};

use preopen_sandbox::Sandbox;

use crate::common::{samco, sandbox};
use crate::entries::entries;

/// One login with this file.
async fn login(sandbox: &Sandbox, file: &Path) {
    let session = samco(sandbox).audit_file(file).build().unwrap();
    session.token().await.unwrap();
}

#[tokio::test]
async fn lines_are_appended_and_a_file_that_was_moved_away_is_made_anew() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, moved) = (folder.path().join("audit.jsonl"), folder.path().join("audit.1"));
    login(&sandbox, &file).await;
    login(&sandbox, &file).await;
    assert_eq!(entries(&file).len(), 2);
    let session = samco(&sandbox).audit_file(&file).build().unwrap();
    session.token().await.unwrap();
    std::fs::rename(&file, &moved).unwrap();
    session.logout().await.unwrap();
    assert_eq!((entries(&moved).len(), entries(&file).len()), (3, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_the_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    login(&sandbox, &file).await;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

#[tokio::test]
async fn a_line_that_was_cut_spoils_no_other() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    std::fs::write(&file, "{\"at\":\"2026").unwrap();
    login(&sandbox, &file).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("{\"at\":\"2026", 2));
    assert!(preopen::audit::Entry::from_line(lines[1]).is_some());
}

/// Files that cannot be written, each in its own way.
fn hopeless(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![
        folder.to_owned(),
        folder.join("no such folder").join("audit.jsonl"),
    ];
    if cfg!(target_os = "linux") {
        files.push("/dev/full".into());
    }
    #[cfg(unix)]
    {
        let pipe = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        files.push(pipe);
        let (link, victim) = (folder.join("link"), folder.join("victim"));
        std::fs::write(&victim, "mine\n").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        files.push(link);
        let dangling = folder.join("dangling");
        std::os::unix::fs::symlink(folder.join("not there"), &dangling).unwrap();
        files.push(dangling);
    }
    files
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_nobody_from_logging_in_and_is_told_once() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    for file in hopeless(folder.path()) {
        let seen = crate::records::listen();
        let session = samco(&sandbox).audit_file(&file).build().unwrap();
        session.token().await.unwrap();
        session.logout().await.unwrap();
        session.token().await.unwrap();
        let about = format!("the audit file {} cannot be written", file.display());
        let told = seen.text().matches(&about).count();
        assert_eq!(told, 1, "{}: {}", file.display(), seen.text());
    }
    let path = |name| folder.path().join(name);
    if cfg!(unix) {
        assert_eq!(std::fs::read_to_string(path("victim")).unwrap(), "mine\n");
    }
    assert!(!path("not there").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_change_is_written_and_told_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    for (mode, times) in [(0o600, 0), (0o644, 0), (0o666, 1), (0o620, 1)] {
        let file = folder.path().join(format!("{mode:o}"));
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let seen = crate::records::listen();
        let session = samco(&sandbox).audit_file(&file).build().unwrap();
        session.token().await.unwrap();
        session.logout().await.unwrap();
        assert_eq!(entries(&file).len(), 2, "{mode:o}");
        let about = format!("the audit file {} can be changed by other users", file.display());
        assert_eq!(
            seen.text().matches(&about).count(),
            times,
            "{mode:o}: {}",
            seen.text()
        );
    }
}
