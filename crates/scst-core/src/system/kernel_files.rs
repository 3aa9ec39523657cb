//! The system calls behind an [`Operation`] on a kernel file or a backing store, each made once. Workers and the helper
//! process call them.
//!
//! One `write(2)` is one command. It is never repeated: after EINTR the kernel carries the command out all the same
//! (`scst_sysfs.c` hands it to a thread of its own).

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::{Entry, EntryKind, Operation, Output, StoreKind};
use crate::error::Verb;

/// The longest text an attribute can hold: one page.
const PAGE: usize = 4096;

/// Carries out an operation, however long the kernel takes.
pub(super) fn perform(operation: &Operation) -> io::Result<Output> {
    let path = &operation.path;
    match operation.verb {
        Verb::Read => read(path).map(Output::Text),
        Verb::Write => write(path, operation.data.as_deref().unwrap_or_default()).map(|()| Output::Written),
        Verb::List => list(path).map(Output::Entries),
        Verb::Link => {
            let target = fs::read_link(path)?;
            Ok(Output::Text(String::from_utf8_lossy(target.as_os_str().as_bytes()).into_owned()))
        }
        Verb::Look => Ok(Output::Store(store_kind(&fs::metadata(path)?))),
        Verb::OpenToRead => Ok(Output::Store(store_kind(&fs::File::open(path)?.metadata()?))),
        Verb::OpenToWrite => {
            let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
            Ok(Output::Store(store_kind(&file.metadata()?)))
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut text = vec![0; PAGE];
    // An attribute is one page: one read(2) has it all, a second could already see another value.
    let len = file.read(&mut text)?;
    text.truncate(len);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    let mut data = Vec::with_capacity(value.len() + 1);
    data.extend_from_slice(value.as_bytes());
    data.push(b'\n');
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    // `write`, not `write_all`: a repeated write would be a second command.
    match file.write(&data) {
        Ok(len) if len == data.len() => Ok(()),
        // The kernel took a part and has carried out what it took: longer than a page, so nothing we ever meant.
        Ok(_) => Err(Errno::EMSGSIZE.into()),
        Err(error) => Err(error),
    }
}

fn list(path: &Path) -> io::Result<Vec<Entry>> {
    let mut dir = Dir::open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut entries = Vec::new();
    let mut begun = false;
    for entry in dir.iter() {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        begun |= name == ".";
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            Some(Type::Directory) => EntryKind::Dir,
            Some(Type::Symlink) => EntryKind::Link,
            Some(_) => EntryKind::File,
            None => kind_of(fs::symlink_metadata(path.join(name))?.file_type()),
        };
        entries.push(Entry { name: name.to_owned(), kind });
    }
    // The C library takes ENOENT for the end of a directory. What does not even hold itself was not read.
    if !begun {
        return Err(Errno::ENOENT.into());
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn store_kind(found: &fs::Metadata) -> StoreKind {
    match found.file_type() {
        kind if kind.is_block_device() => StoreKind::Disk(found.rdev()),
        kind if kind.is_file() => StoreKind::File(found.len()),
        _ => StoreKind::Other,
    }
}

fn kind_of(kind: fs::FileType) -> EntryKind {
    match kind {
        kind if kind.is_dir() => EntryKind::Dir,
        kind if kind.is_symlink() => EntryKind::Link,
        _ => EntryKind::File,
    }
}
