//! Files that the operator names, and standard input: read with an end to the waiting and to the size.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use scst_core::deadline::Deadline;
use scst_core::ocf::exit::Failure;

/// The most that is read of a file, in bytes. A CIB of the largest clusters has a tenth of it.
const LIMIT: u64 = 64 << 20;

/// Reads a file; `-` is standard input.
///
/// # Errors
///
/// That it cannot be read, is larger than is read of any, or did not end in time.
pub(super) fn read(path: &Path, deadline: &Deadline) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return input(deadline);
    }
    let file = path.to_owned();
    read_all(deadline, &path.display().to_string(), move || File::open(file))
}

/// Reads standard input to its end.
///
/// # Errors
///
/// As of [`read`].
fn input(deadline: &Deadline) -> Result<Vec<u8>, Failure> {
    read_all(deadline, "standard input", || Ok(io::stdin()))
}

/// A pipe that nobody closes and a file system that does not answer must not hold the run up: a thread that is left behind reads.
fn read_all<R: Read>(
    deadline: &Deadline,
    name: &str,
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> Result<Vec<u8>, Failure> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = open().and_then(|source| source.take(LIMIT + 1).read_to_end(&mut bytes));
        // Whoever asked may have given up.
        let _ = sender.send(read.map(|_| bytes));
    });
    match receiver.recv_timeout(deadline.remaining()) {
        Ok(Ok(bytes)) if bytes.len() as u64 > LIMIT => {
            Err(Failure::generic(format!("{name} is larger than {} MiB", LIMIT >> 20)))
        }
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(Failure::generic(format!("{name} cannot be read: {error}"))),
        Err(_) => Err(Failure::generic(format!("{name} did not end in time"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scst_core::system::Machine;

    use super::*;

    fn deadline() -> Deadline {
        Deadline::for_timeout(Machine::system(), Duration::from_secs(2), std::sync::Arc::default())
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = read(Path::new("/nonexistent/x"), &deadline()).unwrap_err().reason;
        assert!(error.starts_with("/nonexistent/x cannot be read: "), "{error}");
        assert!(read(Path::new("/"), &deadline()).is_err());
    }

    #[test]
    fn a_file_without_end_is_given_up() {
        let error = read(Path::new("/dev/zero"), &deadline()).unwrap_err().reason;
        assert!(error == "/dev/zero is larger than 64 MiB" || error == "/dev/zero did not end in time", "{error}");
    }
}
