//! Files that the operator names: read with an end to the waiting and to the size, and written beside and renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use scst_core::deadline::Deadline;
use scst_core::ocf::exit::Failure;

/// The most that is read of a file, in bytes: the state of a node with 200,000 LUNs has half of it.
const LIMIT: u64 = 256 << 20;

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

/// The names in a directory, sorted; none if it is not there.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Whether there is a directory at a path.
pub(super) fn is_directory(path: &Path) -> bool {
    path.is_dir()
}

/// Writes a file as a whole: whoever reads it meanwhile reads the one before. `mode` is that of a new file.
///
/// # Errors
///
/// That it could not be written.
pub(super) fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::generic(format!("{} cannot be written: {error}", path.display()));
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    // Collectors pass over what does not end as their files do.
    let beside = PathBuf::from(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let new = path.parent().map_or(beside.clone(), |directory| directory.join(beside));
    // Of a run of the same number that was killed.
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    options.write(true);
    options.create_new(true).mode(mode);
    let written =
        options.open(&new).and_then(|mut file| file.write_all(text.as_bytes())).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use scst_core::system::Machine;

    use super::*;

    fn deadline() -> Deadline {
        Deadline::for_timeout(Machine::system(), Duration::from_secs(2), std::sync::Arc::default())
    }

    #[test]
    fn a_file_is_written_as_a_whole_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.prom");
        replace(&path, "one\n", 0o600).unwrap();
        replace(&path, "two\n", 0o600).unwrap();
        assert_eq!(read(&path, &deadline()).unwrap(), b"two\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_or_written_is_named() {
        let missing = Path::new("/nonexistent/x");
        let error = read(missing, &deadline()).unwrap_err().reason;
        assert!(error.starts_with("/nonexistent/x cannot be read: "), "{error}");
        let error = replace(missing, "", 0o600).unwrap_err().reason;
        assert!(error.starts_with("/nonexistent/x cannot be written: "), "{error}");
        assert!(read(Path::new("/"), &deadline()).is_err());
    }

    #[test]
    fn a_file_without_end_is_given_up() {
        let error = read(Path::new("/dev/zero"), &deadline()).unwrap_err().reason;
        assert!(error == "/dev/zero is larger than 256 MiB" || error == "/dev/zero did not end in time", "{error}");
    }
}
