//! The data file: one SQLite database that one sandbox holds at a time. Whatever else is found at its path is refused and
//! left as it is.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use super::pass::{Change, Records};
use crate::error::said;

/// `PreO` in a header of SQLite says whose file it is.
const APPLICATION: i32 = 0x5072_654f;
/// What the records look like; a file with a higher number is another program's.
const VERSION: i32 = 1;

const SCHEMA: &str = "CREATE TABLE record (room TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (room, key)) \
                      WITHOUT ROWID, STRICT";

/// An open data file.
#[derive(Debug)]
pub(super) struct DataFile {
    pub(super) connection: Connection,
}

/// Opens the file, or creates it: only this sandbox has it then. The error is a sentence that says what to do.
pub(super) fn open(path: &Path) -> Result<(DataFile, Records), String> {
    // Without a folder SQLite takes some names for something else.
    let path = std::path::absolute(path).map_err(|error| unusable(&error))?;
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => return Err("it is a folder: name a file in it".to_owned()),
        Ok(found) if found.len() > 0 => check_header(&path)?,
        Ok(found) if found.is_file() => keep_private(&path).map_err(|error| unusable(&error))?,
        Ok(_) => return Err("it is no ordinary file: choose another one".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path)?,
        Err(error) => return Err(unusable(&error)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(|error| refused(&error))?;
    take(&connection).map_err(|error| refused(&error))?;
    let records = read(&connection)?;
    let write_ahead = |connection: &Connection| {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
    };
    write_ahead(&connection).map_err(|error| refused(&error))?;
    Ok((DataFile { connection }, records))
}

impl DataFile {
    /// Writes all of it or nothing.
    pub(super) fn write<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO record VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET body = excluded.body",
            )?;
            let mut remove = transaction.prepare_cached("DELETE FROM record WHERE room = ?1 AND key = ?2")?;
            for change in changes {
                match &change.body {
                    Some(body) => put.execute(params![change.room, change.key, body])?,
                    None => remove.execute(params![change.room, change.key])?,
                };
            }
        }
        transaction.commit()
    }
}

fn unusable(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => return "its folder does not exist: create that first".to_owned(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a file in a folder that you may write to"
        }
        _ => "choose another file",
    };
    format!("{}: {advice}", said(error))
}

const FOREIGN: &str = "it is not a file of the sandbox, and was left as it is: choose another file";

fn newer(version: i32) -> String {
    format!(
        "a newer preopen wrote it (format {version}, this one knows {VERSION}): use that one, or choose another file"
    )
}

pub(super) fn damaged(what: &str) -> String {
    format!("it is damaged ({what}), and was left as it is: choose another file, or put a copy in its place")
}

/// What SQLite said, as what it means here.
fn refused(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another sandbox is using it: stop that one, or choose another file".to_owned()
        }
        Some(ErrorCode::NotADatabase) => FOREIGN.to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => damaged(&error.to_string()),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("{error}: make the file and its folder writable, or choose another file")
        }
        _ => error.to_string(),
    }
}

/// Looks at the file before SQLite does, which may write to what it opens.
fn check_header(path: &Path) -> Result<(), String> {
    let mut header = [0; 100];
    let read = File::open(path).and_then(|file| read_up_to(file, &mut header));
    let read = read.map_err(|error| unusable(&error))?;
    if read < header.len() || !header.starts_with(b"SQLite format 3\0") {
        return Err(FOREIGN.to_owned());
    }
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    match (number(68), number(60)) {
        (APPLICATION, version) if version > VERSION => Err(newer(version)),
        (APPLICATION, _) => Ok(()),
        _ => Err(FOREIGN.to_owned()),
    }
}

fn read_up_to(mut file: File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// An empty file that somebody else made becomes one that only its owner reads.
fn keep_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    let _ = path;
    Ok(())
}

/// Makes an empty data file, which is there whole or not at all.
fn create(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    let unusable_folder = |error: &io::Error| unusable(&io::Error::from(error.kind()));
    // Only the user may read it.
    let new = tempfile::Builder::new()
        .prefix(".preopen-sandbox-")
        .tempfile_in(folder);
    let new = new.map_err(|error| unusable_folder(&error))?.into_temp_path();
    let connection = Connection::open(&new).map_err(|error| refused(&error))?;
    initialise(&connection).map_err(|error| refused(&error))?;
    connection.close().map_err(|(_, error)| refused(&error))?;
    match new.persist_noclobber(path) {
        Ok(()) => Ok(()),
        // Another sandbox was quicker by this much.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable_folder(&error.error)),
    }
}

fn initialise(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN EXCLUSIVE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {SCHEMA}; COMMIT;"
    ))?;
    // It stays so, and then whoever opens the file has it alone from the first read on.
    connection.pragma_update(None, "journal_mode", "WAL")
}

/// Takes the file for this sandbox alone, until it ends in whatever way.
fn take(connection: &Connection) -> rusqlite::Result<()> {
    // A file that is refused after all is to be left as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages == 0 {
        initialise(connection)?;
    }
    Ok(())
}

/// All records, of a file that is whole and of this version.
fn read(connection: &Connection) -> Result<Records, String> {
    let number = |name: &str| -> Result<i32, String> {
        let read = connection.pragma_query_value(None, name, |row| row.get(0));
        read.map_err(|error| refused(&error))
    };
    if number("application_id")? != APPLICATION {
        return Err(FOREIGN.to_owned());
    }
    match number("user_version")? {
        VERSION => {}
        version if version > VERSION => return Err(newer(version)),
        _ => return Err(damaged("it has no version")),
    }
    let found: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(|error| refused(&error))?;
    if found != "ok" {
        return Err(damaged(found.lines().next().unwrap_or_default()));
    }
    // Whatever else stands in a schema may do something when records are written.
    let schema = "SELECT group_concat(sql, ';') FROM sqlite_schema";
    let schema: rusqlite::Result<Option<String>> = connection.query_row(schema, [], |row| row.get(0));
    if schema.map_err(|error| refused(&error))?.as_deref() != Some(SCHEMA) {
        return Err(damaged("it has other tables than it should"));
    }
    let mut records = Records::new();
    let mut each = || -> rusqlite::Result<()> {
        let mut select = connection.prepare("SELECT room, key, body FROM record")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let room: String = row.get(0)?;
            records.entry(room).or_default().insert(row.get(1)?, row.get(2)?);
        }
        Ok(())
    };
    each().map_err(|error| damaged(&error.to_string()))?;
    Ok(records)
}
