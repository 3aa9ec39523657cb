//! A syslog daemon of one file: what agents and daemons send to `/dev/log`, one message per line, as it came.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Starts to listen on `socket` and to append to `file`.
pub(super) fn start(socket: &Path, file: &Path) -> io::Result<()> {
    let listener = UnixDatagram::bind(socket)?;
    // The controller, which runs the agents' meta-data action, is not root.
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666))?;
    let mut file = File::options().append(true).create(true).open(file)?;
    std::thread::spawn(move || {
        let mut message = vec![0; 64 << 10];
        while let Ok(length) = listener.recv(&mut message) {
            // Some senders end a message with a newline or a NUL; one within it must not look like the next message.
            let end = message[..length].iter().rposition(|byte| !matches!(byte, 0 | b'\n')).map_or(0, |last| last + 1);
            let text = message[..end].iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte });
            let line: Vec<u8> = text.chain([b'\n']).collect();
            // A full file system loses lines, as it would for any such daemon.
            let _ = file.write_all(&line);
        }
    });
    Ok(())
}
