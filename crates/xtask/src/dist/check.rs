//! The life of the package on a system: it comes, its programs run, it is upgraded under them, it goes.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::files::{BINARIES, File, NAME, VERSION};
use super::package::{Format, Package, output};
use super::system::System;
use crate::workspace;

/// What Debian wants of a package about itself.
const ABOUT: [&str; 3] = [
    "usr/share/doc/scst-ha/changelog.Debian.gz",
    "usr/share/doc/scst-ha/copyright",
    "usr/share/lintian/overrides/scst-ha",
];

/// A package is whole, has no script but the one that its table gives it, needs what that needs and nothing else, and holds its files with
/// their permissions and no other.
pub(super) fn contents(package: &Package) -> Result<(), Box<dyn Error>> {
    let file = &package.path;
    let (listed, about, wanted_about) = match package.format {
        Format::Deb => {
            let deb = |what: &[&str]| output(Command::new("dpkg-deb").arg(what[0]).arg(file).args(&what[1..]));
            let needs = deb(&["--field", "Depends", "Pre-Depends"])?;
            // The names of the control files, of which scripts are some.
            let info = deb(&["--info"])?;
            let control =
                info.lines().filter(|line| line.contains(" bytes, ")).filter_map(|line| line.split_whitespace().last());
            (deb(&["--contents"])?, control.chain(needs.split_whitespace()).collect(), "control")
        }
        Format::Rpm => {
            let rpm = |what: &[&str]| output(Command::new("rpm").args(["--query", "--package"]).args(what).arg(file));
            let whole = output(Command::new("rpm").arg("--checksig").arg(file))?;
            let whole = whole.trim().rsplit(": ").next().unwrap_or_default().to_owned();
            let scripts = rpm(&["--scripts"])?;
            let scripts = scripts.lines().filter(|line| line.contains(" scriptlet") || line.contains(" program: "));
            let needs = rpm(&["--requires"])?;
            // What rpm itself must be able to do.
            let needs = needs.lines().filter(|line| !line.starts_with("rpmlib("));
            let about: Vec<&str> = [whole.as_str()].into_iter().chain(scripts).chain(needs).collect();
            let listed = "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\\n]";
            let wanted = "digests OK, postuninstall scriptlet:, /bin/sh";
            (rpm(&["--list", "--queryformat", listed])?, about.join(", "), wanted)
        }
    };
    let name = file.display();
    if about != wanted_about {
        return Err(format!("{name} is \"{about}\" instead of \"{wanted_about}\"").into());
    }
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        // A number is root too, who has the same everywhere.
        let rights = format!("{} {}", words.next()?, words.next()?.replace("0/0", "root/root"));
        Some(format!("{rights} /{}", words.next_back()?.trim_start_matches("./").trim_start_matches('/')))
    };
    let (directories, files): (BTreeSet<String>, BTreeSet<String>) =
        listed.lines().filter_map(line).partition(|line| line.starts_with('d'));
    let wanted = |mode: u32, path: &str| {
        let rights = if mode == 0o755 { "-rwxr-xr-x" } else { "-rw-r--r--" };
        format!("{rights} root/root /{path}")
    };
    let mut wanted_files: BTreeSet<_> = package.files.iter().map(|file| wanted(file.mode, &file.path)).collect();
    if package.format == Format::Deb {
        wanted_files.extend(ABOUT.map(|path| wanted(0o644, path)));
    }
    if files != wanted_files {
        let (odd, missing) = (&files - &wanted_files, &wanted_files - &files);
        return Err(format!("{name} holds what it must not, {odd:#?}, or not what it must, {missing:#?}").into());
    }
    if let Some(odd) = directories.iter().find(|line| !line.starts_with("drwxr-xr-x root/root ")) {
        return Err(format!("{name} has a directory that not everybody can read, or not root's: {odd}").into());
    }
    let whole = match package.format {
        Format::Deb => "no script, needs no other package",
        Format::Rpm => "digests right, one script, needs only a shell",
    };
    println!("{name}: {} files as they must be, {whole}", files.len());
    Ok(())
}

/// Installs, runs, upgrades and removes.
pub(super) fn life(system: &System, old: &Package, new: &Package) -> Result<(), Box<dyn Error>> {
    system.install(old)?;
    same_files(system, old)?;
    programs_run(system)?;
    let how = if system.whole { "by its own programs" } else { "by this machine's" };
    println!("{:?} installed {how} below {}, the programs run", system.format, system.root.display());
    upgrade(system, new)?;
    same_files(system, new)?;
    programs_run(system)?;
    println!("upgraded: no program was away at any moment, the old ones stay whole for those who run them");
    system.remove()?;
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
