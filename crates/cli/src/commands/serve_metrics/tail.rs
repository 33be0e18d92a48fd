//! Reading an audit file again and again: each line once, also when the file is moved away, cut or not there yet.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use preopen::audit::Entry;

/// No entry is as long: what is longer is skipped.
const LONGEST_LINE: usize = 64 * 1024;
const BLOCK: usize = 64 * 1024;

/// How far a file was read.
pub(super) struct Tail {
    path: PathBuf,
    open: Option<File>,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
    /// The line is too long to be an entry.
    skipping: bool,
}

/// What is new.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) entries: Vec<Entry>,
    /// Lines that are no entries.
    pub(super) unreadable: u64,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: None,
            rest: Vec::new(),
            skipping: false,
        }
    }

    /// What was written since the last look. A file that is not there yet, or not any more, has nothing new. Errors: those of
    /// reading.
    pub(super) fn read(&mut self) -> io::Result<News> {
        let mut news = News::default();
        self.read_open(&mut news)?;
        // What stands there under its name may be another file by now.
        let there = match open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(news),
            Err(error) => return Err(error),
        };
        let same = match &self.open {
            Some(open) => is_same(&open.metadata()?, &there.metadata()?),
            None => false,
        };
        if !same {
            self.open = Some(there);
            self.forget_line(&mut news);
            self.read_open(&mut news)?;
        }
        Ok(news)
    }

    fn read_open(&mut self, news: &mut News) -> io::Result<()> {
        let Some(mut file) = self.open.take() else {
            return Ok(());
        };
        let read = self.read_file(&mut file, news);
        self.open = Some(file);
        read
    }

    fn read_file(&mut self, file: &mut File, news: &mut News) -> io::Result<()> {
        // It was cut and begins anew.
        if file.metadata()?.len() < file.stream_position()? {
            file.seek(SeekFrom::Start(0))?;
            self.forget_line(news);
        }
        let mut block = vec![0; BLOCK];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                return Ok(());
            }
            for piece in block[..read].split_inclusive(|byte| *byte == b'\n') {
                self.take(piece, news);
            }
        }
    }

    fn take(&mut self, piece: &[u8], news: &mut News) {
        if !self.skipping {
            self.rest.extend_from_slice(piece);
            if self.rest.len() > LONGEST_LINE {
                self.skipping = true;
                self.rest.clear();
            }
        }
        if piece.ends_with(b"\n") {
            self.end_line(news);
        }
    }

    fn end_line(&mut self, news: &mut News) {
        let line = std::mem::take(&mut self.rest);
        let skipped = std::mem::take(&mut self.skipping);
        let text = String::from_utf8_lossy(&line);
        match Entry::from_line(text.trim()) {
            Some(entry) if !skipped => news.entries.push(entry),
            None if text.trim().is_empty() && !skipped => {}
            _ => news.unreadable += 1,
        }
    }

    /// The end of the line that was begun will not come.
    fn forget_line(&mut self, news: &mut News) {
        if self.skipping || !self.rest.is_empty() {
            self.end_line(news);
        }
    }
}

/// A pipe that nobody writes to would keep every scrape waiting, and a device has no end: neither is an audit file.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        let problem = "it is no regular file";
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A file that was made at the same moment is the same.
#[cfg(not(unix))]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use super::{LONGEST_LINE, Tail};

    const LINE: &str = r#"{"at":"2026-11-23T08:00:05.125+05:30","broker":"samco","account":"0","host":"h","action":"login","why":"expired","outcome":"ok","duration_ms":3}"#;

    fn append(file: &Path, text: &str) {
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn counts(tail: &mut Tail) -> (usize, u64) {
        let news = tail.read().unwrap();
        (news.entries.len(), news.unreadable)
    }

    #[test]
    fn each_line_is_read_once_whatever_becomes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit");
        let mut tail = Tail::new(file.clone());
        assert_eq!(counts(&mut tail), (0, 0), "it is not there yet");
        append(&file, &format!("{LINE}\n{LINE}\n"));
        assert_eq!(counts(&mut tail), (2, 0));
        assert_eq!(counts(&mut tail), (0, 0));
        // A line in two pieces.
        append(&file, &LINE[..20]);
        assert_eq!(counts(&mut tail), (0, 0));
        append(&file, &format!("{}\n", &LINE[20..]));
        assert_eq!(counts(&mut tail), (1, 0));
        // Moved away, with a line that comes late, and made anew.
        fs::rename(&file, folder.path().join("audit.1")).unwrap();
        append(&folder.path().join("audit.1"), &format!("{LINE}\n"));
        assert_eq!(counts(&mut tail), (1, 0));
        append(&folder.path().join("audit.1"), &format!("{LINE}\n"));
        append(&file, &format!("{LINE}\n{LINE}\n"));
        assert_eq!(counts(&mut tail), (3, 0));
        // Cut.
        fs::write(&file, format!("{LINE}\n")).unwrap();
        assert_eq!(counts(&mut tail), (1, 0));
    }

    #[test]
    fn what_is_no_entry_is_counted_and_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit");
        let mut tail = Tail::new(file.clone());
        let long = "x".repeat(3 * LONGEST_LINE);
        append(
            &file,
            &format!("not JSON\n\n{long}\n{{}}\n\u{fffd}\n{LINE}\n{}", &LINE[..30]),
        );
        assert_eq!(counts(&mut tail), (1, 4));
        // The rest of the last line never comes.
        fs::rename(&file, folder.path().join("audit.1")).unwrap();
        append(&file, &format!("{LINE}\n"));
        assert_eq!(counts(&mut tail), (1, 1));
        let mut folder_itself = Tail::new(folder.path().to_owned());
        assert!(folder_itself.read().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_or_a_device_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe, "/dev/zero".into()] {
            let (done, told) = std::sync::mpsc::channel();
            std::thread::spawn(move || done.send(Tail::new(path).read().is_err()));
            let refused = told.recv_timeout(std::time::Duration::from_secs(10));
            assert_eq!(refused, Ok(true));
        }
    }
}
