//! The command on a terminal, as a person would use it.

use std::io::{Read as _, Write};
use std::sync::{Arc, Mutex};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use super::{Broker, PREOPEN, eventually};

/// A shell on a terminal of its own.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    /// Runs `script` with the accounts' environment but for `without`, and with somebody to ask.
    pub(crate) fn start(broker: &Broker, without: &[&str], script: &str) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", script]);
        command.env_clear();
        for (name, value) in broker.environment() {
            if name != "PREOPEN_NO_INPUT" && !without.contains(&name) {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm");
        command.env("PREOPEN", PREOPEN);
        command.env("URL", broker.url());
        command.env("FOLDER", broker.folder.path());
        command.env("PREOPEN_SANDBOX_TOKEN", broker.control_token());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let keys = pair.master.take_writer().unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&shown);
        std::thread::spawn(move || {
            // The terminal lives as long as somebody looks at it.
            let _master = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                seen.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { child, keys, shown }
    }

    pub(crate) fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    pub(crate) fn wait_for(&self, text: &str) {
        eventually(&format!("{text:?} on the terminal: {}", self.shown()), || {
            self.shown().contains(text).then_some(())
        });
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end, and gives the exit code and all that was shown.
    pub(crate) fn end(mut self) -> (u32, String) {
        let code = eventually("the end", || self.child.try_wait().unwrap()).exit_code();
        std::thread::sleep(std::time::Duration::from_millis(100));
        (code, self.shown())
    }
}
