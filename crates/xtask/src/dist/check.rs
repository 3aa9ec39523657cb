//! The life of the package on a system: it comes, its programs run, it is upgraded under them, it goes.

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::deb::output;
use super::files::{BINARIES, File};
use super::{NAME, Package, VERSION};
use crate::workspace;

/// A system below a directory.
#[derive(Debug)]
pub(super) struct System {
    root: PathBuf,
    /// It has programs of its own, which are run in it; otherwise this machine's work on it from outside.
    whole: bool,
}

impl System {
    /// One that has nothing but dpkg's memory.
    pub(super) fn empty(root: &Path) -> Result<Self, Box<dyn Error>> {
        if root.exists() {
            fs::remove_dir_all(root)?;
        }
        for directory in ["info", "updates", "triggers"] {
            fs::create_dir_all(root.join("var/lib/dpkg").join(directory))?;
        }
        fs::write(root.join("var/lib/dpkg/status"), "")?;
        Ok(Self { root: root.to_owned(), whole: false })
    }

    /// One that can be lived in.
    pub(super) fn whole(root: &Path) -> Self {
        Self { root: root.to_owned(), whole: true }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A program of the system, run as if it had nothing else.
    fn program(&self, path: &str) -> Command {
        let mut command = if self.whole {
            let mut chroot = Command::new("chroot");
            chroot.arg(&self.root).arg(format!("/{path}"));
            chroot
        } else {
            Command::new(self.path(path))
        };
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn install(&self, package: &Package) -> Result<(), Box<dyn Error>> {
        if self.whole {
            let inside = self.path("tmp/package.deb");
            fs::copy(&package.path, &inside)?;
            output(self.program("usr/bin/dpkg").args(["--install", "/tmp/package.deb"]))?;
            return Ok(fs::remove_file(inside)?);
        }
        output(self.dpkg().arg("--install").arg(&package.path)).map(drop)
    }

    fn purge(&self) -> Result<(), Box<dyn Error>> {
        let mut dpkg = if self.whole { self.program("usr/bin/dpkg") } else { self.dpkg() };
        output(dpkg.args(["--purge", NAME])).map(drop)
    }

    /// This machine's dpkg for the other root.
    fn dpkg(&self) -> Command {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", self.root.display())).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }
}

/// Installs, runs, upgrades and removes.
pub(super) fn life(system: &System, old: &Package, new: &Package) -> Result<(), Box<dyn Error>> {
    system.install(old)?;
    same_files(system, old)?;
    programs_run(system)?;
    println!("installed below {}: {} files, the programs run", system.root.display(), old.files.len());
    upgrade(system, new)?;
    same_files(system, new)?;
    programs_run(system)?;
    println!("upgraded: no program was away at any moment, the old ones stay whole for those who run them");
    system.purge()?;
    for file in &new.files {
        if system.path(&file.path).symlink_metadata().is_ok() {
            return Err(format!("/{} is left after the removal", file.path).into());
        }
    }
    for directory in ["usr/lib/ocf/resource.d/onesty", &format!("usr/share/doc/{NAME}")] {
        if system.path(directory).exists() {
            return Err(format!("/{directory} is left after the removal").into());
        }
    }
    println!("removed: nothing is left");
    Ok(())
}

fn same_files(system: &System, package: &Package) -> Result<(), Box<dyn Error>> {
    for File { path, mode, content } in &package.files {
        // A minimal system may be told to leave documentation out.
        let there = system.path(path);
        let wrong = |what: &str| format!("/{path}: {what}");
        let data = there.symlink_metadata().map_err(|error| wrong(&error.to_string()))?;
        if data.permissions().mode() & 0o7777 != *mode || data.uid() != 0 || data.gid() != 0 {
            return Err(wrong("owner or permissions are others").into());
        }
        if fs::read(&there)? != *content {
            return Err(wrong("the content is another").into());
        }
    }
    Ok(())
}

/// Every program says what it must, with nothing of the build around it.
fn programs_run(system: &System) -> Result<(), Box<dyn Error>> {
    for (path, name) in BINARIES {
        if name == NAME {
            let version = output(system.program(path).arg("--version"))?;
            same(&version, &format!("{NAME} {VERSION}\n"), path)?;
            let nothing = output(system.program(path).args(["status", "--json"]).env("SCST_SYSFS_ROOT", "/nowhere"))?;
            let status: serde_json::Value = serde_json::from_str(&nothing)?;
            same(&status["scst"].to_string(), "null", path)?;
            continue;
        }
        let metadata = fs::read_to_string(workspace::root().join(format!("metadata/{name}.xml")))?;
        same(&output(system.program(path).arg("meta-data"))?, &metadata, path)?;
        let mut monitor = system.program(path);
        monitor.arg("monitor").envs([("OCF_RESKEY_groupname", "dg"), ("OCF_RESKEY_initiators", "a=b")]);
        let ended = monitor.envs([("SCST_SYSFS_ROOT", "/nowhere"), ("HA_RSCTMP", "/nowhere")]).output()?;
        same(&format!("{:?}", ended.status.code()), "Some(7)", path)?;
    }
    Ok(())
}

fn same(is: &str, should_be: &str, path: &str) -> Result<(), Box<dyn Error>> {
    if is == should_be { Ok(()) } else { Err(format!("/{path} answers {is:?} instead of {should_be:?}").into()) }
}

/// Installs over what is there, and sees that every program was replaced by a rename.
fn upgrade(system: &System, new: &Package) -> Result<(), Box<dyn Error>> {
    let watched = BINARIES.map(|(path, _)| Watched::begin(&system.path(path)));
    let watched = watched.into_iter().collect::<Result<Vec<_>, _>>()?;
    system.install(new)?;
    watched.into_iter().try_for_each(Watched::end)
}

/// A file that is about to be replaced under somebody who has it open.
struct Watched {
    path: PathBuf,
    open: fs::File,
    before: Vec<u8>,
    changes: Inotify,
}

impl Watched {
    fn begin(path: &Path) -> Result<Self, Box<dyn Error>> {
        let changes = Inotify::init(InitFlags::IN_NONBLOCK)?;
        let kinds = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO;
        changes.add_watch(path.parent().ok_or("a file lies in a directory")?, kinds)?;
        Ok(Self { path: path.to_owned(), open: fs::File::open(path)?, before: fs::read(path)?, changes })
    }

    /// There was one at every moment, and who has the old one keeps it whole.
    fn end(mut self) -> Result<(), Box<dyn Error>> {
        let ours = |named: &Option<std::ffi::OsString>| named.as_deref() == self.path.file_name();
        let events = match self.changes.read_events() {
            Err(Errno::EAGAIN) => Vec::new(),
            events => events?,
        };
        let changes = events.into_iter().filter(|event| ours(&event.name));
        let changes: Vec<AddWatchFlags> = changes.map(|event| event.mask).collect();
        if changes != [AddWatchFlags::IN_MOVED_TO] {
            return Err(format!("{} was not replaced by one rename: {changes:?}", self.path.display()).into());
        }
        let mut now = Vec::new();
        self.open.read_to_end(&mut now)?;
        if now == self.before {
            Ok(())
        } else {
            Err(format!("{} changed while it was open", self.path.display()).into())
        }
    }
}

/// A manual page is read without a complaint.
pub(super) fn manuals(files: &[File], scratch: &Path) -> Result<(), Box<dyn Error>> {
    let mut read = 0;
    for file in files.iter().filter(|file| file.path.contains("/man/")) {
        let path = scratch.join(Path::new(&file.path).file_name().ok_or("a page has a name")?);
        fs::write(&path, &file.content)?;
        let mut man = Command::new("man");
        man.args(["--warnings=all", "--local-file"]).arg(&path);
        let shown = man.envs([("LC_ALL", "C.UTF-8"), ("MANWIDTH", "100"), ("MANROFFSEQ", "")]).output()?;
        let complaints = String::from_utf8_lossy(&shown.stderr);
        if !shown.status.success() || !complaints.trim().is_empty() {
            return Err(format!("/{}: {}", file.path, complaints.trim()).into());
        }
        if !String::from_utf8_lossy(&shown.stdout).contains("DESCRIPTION") {
            return Err(format!("/{} shows no page", file.path).into());
        }
        read += 1;
    }
    println!("{read} manual pages are read without a complaint");
    Ok(())
}

/// A program needs no library of the node.
pub(super) fn is_static(file: &File) -> Result<(), Box<dyn Error>> {
    let program = tempfile::NamedTempFile::new()?;
    fs::write(program.path(), &file.content)?;
    let said = Command::new("ldd").arg(program.path()).env("LC_ALL", "C").output()?;
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    if said.contains("not a dynamic executable") || said.contains("statically linked") {
        return Ok(());
    }
    Err(format!("/{} needs libraries: {}", file.path, said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a program that is replaced in this way.
    fn replaced(by: impl FnOnce(&Path)) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        fs::write(&path, "old").unwrap();
        let watched = Watched::begin(&path).unwrap();
        by(&path);
        watched.end().map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_rename_replaces_a_program_that_is_in_use() {
        replaced(|path| {
            let fresh = path.with_extension("new");
            fs::write(&fresh, "new").unwrap();
            fs::rename(fresh, path).unwrap();
        })
        .unwrap();
        for (by, said) in [
            ((|path| fs::write(path, "new").unwrap()) as fn(&Path), "IN_MODIFY"),
            (|path| fs::remove_file(path).and_then(|()| fs::write(path, "new")).unwrap(), "IN_DELETE"),
            (|path| fs::rename(path, path.with_extension("old")).unwrap(), "IN_MOVED_FROM"),
            (|_| (), "[]"),
        ] {
            let error = replaced(by).unwrap_err();
            assert!(error.contains("not replaced by one rename") && error.contains(said), "{error}");
        }
    }
}
