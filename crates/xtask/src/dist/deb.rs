//! The Debian package, made by `dpkg-deb` of the table of files.
//!
//! It has no maintainer scripts: dpkg itself puts every file beside the old one and renames it into place, so that a monitor or a stop
//! that runs during an upgrade finds an agent at every moment.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::files::{File, gzip};
use super::{NAME, VERSION};
use crate::workspace;

/// Lays out the files below `root`, with their permissions, in place of whatever was there.
pub(super) fn stage(files: &[File], root: &Path) -> Result<(), Box<dyn Error>> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    make_directory(root)?;
    for file in files {
        let path = root.join(&file.path);
        let mut above: Vec<&Path> = path.ancestors().skip(1).take_while(|above| *above != root).collect();
        above.reverse();
        above.into_iter().try_for_each(make_directory)?;
        fs::write(&path, &file.content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
    }
    Ok(())
}

/// Whatever the umask is, packages have the directories that everybody can read.
fn make_directory(path: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(path)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// How much work is made of a package's size.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    /// For those who carry it around. Older releases of Debian read no other compression.
    Small,
    /// For a check of debug builds, which are large and soon gone.
    AsItIs,
}

/// Makes the package of these files in `directory`; answers where it is. `version` is the package's.
pub(super) fn build(files: &[File], version: &str, size: Size, directory: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let root = directory.join("root");
    let time = time_of_commit();
    let mut files = files.to_vec();
    let mut add = |path: String, content: Vec<u8>| files.push(File { path, mode: 0o644, content });
    let doc = format!("usr/share/doc/{NAME}");
    add(format!("{doc}/copyright"), copyright(&date(time, "+%Y")?).into_bytes());
    add(format!("{doc}/changelog.Debian.gz"), gzip(changelog(version, &date(time, "-R")?).as_bytes())?);
    // They are meant so: a node's libraries may be exchanged under a running resource, and nobody asked Debian for this package.
    let overrides = format!("{NAME}: statically-linked-binary *\n{NAME}: initial-upload-closes-no-bugs *\n");
    add(format!("usr/share/lintian/overrides/{NAME}"), overrides.into_bytes());
    stage(&files, &root)?;
    let control = root.join("DEBIAN");
    make_directory(&control)?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let installed = files.iter().map(|file| file.content.len().div_ceil(1024)).sum::<usize>();
    write(&control.join("control"), &control_file(version, architecture.trim(), installed))?;
    let paths = files.iter().map(|file| file.path.as_str());
    let sums = output(Command::new("md5sum").current_dir(&root).arg("--").args(paths))?;
    write(&control.join("md5sums"), &sums)?;
    let package = directory.join(format!("{NAME}_{version}_{}.deb", architecture.trim()));
    let mut build = Command::new("dpkg-deb");
    let compression = match size {
        Size::Small => "-Zxz",
        Size::AsItIs => "-Znone",
    };
    build.args(["--root-owner-group", compression, "--build"]).arg(&root).arg(&package);
    output(build.env("SOURCE_DATE_EPOCH", time.to_string()))?;
    fs::remove_dir_all(&control)?;
    Ok(package)
}

fn write(path: &Path, content: &str) -> Result<(), Box<dyn Error>> {
    fs::write(path, content)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
}

/// Runs a command to its end; answers what it printed.
pub(super) fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&said).trim()).into())
}

/// The time of the last commit, so that the same source makes the same package; 0 outside of a repository.
fn time_of_commit() -> u64 {
    let mut git = Command::new("git");
    let time = output(git.current_dir(workspace::root()).args(["log", "-1", "--format=%ct"]));
    time.ok().and_then(|time| time.trim().parse().ok()).unwrap_or(0)
}

/// A time in the words that `date` makes of it.
fn date(time: u64, format: &str) -> Result<String, Box<dyn Error>> {
    let mut date = Command::new("date");
    let date = output(date.env("LC_ALL", "C").args(["-u", format, "-d", &format!("@{time}")]))?;
    Ok(date.trim().to_owned())
}

/// Who made this package: as Debian's tools know it from the environment, else who made the last commit.
fn maintainer() -> String {
    if let (Ok(name), Ok(address)) = (std::env::var("DEBFULLNAME"), std::env::var("DEBEMAIL")) {
        return format!("{name} <{address}>");
    }
    let mut git = Command::new("git");
    let author = output(git.current_dir(workspace::root()).args(["log", "-1", "--format=%an <%ae>"]));
    author.map_or_else(|_| "Local build <nobody@example.org>".to_owned(), |author| author.trim().to_owned())
}

fn control_file(version: &str, architecture: &str, size: usize) -> String {
    let maintainer = maintainer();
    format!(
        "Package: {NAME}
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Recommends: pacemaker, kmod
Suggests: crmsh | pcs
Section: admin
Priority: optional
Description: Pacemaker resource agents for SCST targets with ALUA
 The agents ocf:onesty:scst_qla2xtgt, ocf:onesty:scst_target (iSCSI, SRP, local)
 and ocf:onesty:scst_aluadg let a Pacemaker cluster run SCST storage targets with
 ALUA fail-over: targets with their initiator groups, and groups of devices whose hosts are told which node serves
 them. With them comes scst-ha, which shows what a node does and what differs
 from the configuration of the cluster.
 .
 The programs are linked statically. SCST itself, a kernel module, is not part
 of this package.
"
    )
}

fn copyright(year: &str) -> String {
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: scst-ha

Files: *
Copyright: {year} the authors of {NAME}, as its version history names them
License: GPL-2.0-or-later

License: GPL-2.0-or-later
 This program is free software; you can redistribute it and/or modify it under
 the terms of the GNU General Public License as published by the Free Software
 Foundation; either version 2 of the License, or (at your option) any later
 version.
 .
 This program is distributed in the hope that it will be useful, but WITHOUT ANY
 WARRANTY; without even the implied warranty of MERCHANTABILITY or FITNESS FOR A
 PARTICULAR PURPOSE. See the GNU General Public License for more details.
 .
 On Debian systems, the text of the GNU General Public License version 2 is in
 /usr/share/common-licenses/GPL-2.
"
    )
}

fn changelog(version: &str, date: &str) -> String {
    let maintainer = maintainer();
    format!(
        "{NAME} ({version}) unstable; urgency=medium\n\n  * Release {VERSION}: see changelog.gz.\n\n -- {maintainer}  {date}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_holds_its_files_as_they_must_be_and_is_the_same_when_made_again() {
        let file = |path: &str, mode| File { path: path.to_owned(), mode, content: b"text\n".to_vec() };
        let files = [file("usr/sbin/scst-ha", 0o755), file("usr/share/man/man8/scst-ha.8.gz", 0o644)];
        let make = || {
            let directory = tempfile::tempdir().unwrap();
            let package = build(&files, "0.1.0-1", Size::Small, directory.path()).unwrap();
            assert!(package.file_name().unwrap().to_string_lossy().starts_with("scst-ha_0.1.0-1_"));
            let list = output(Command::new("dpkg-deb").arg("--contents").arg(&package)).unwrap();
            (list, fs::read(&package).unwrap())
        };
        let (list, package) = make();
        let lines: Vec<String> =
            list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let has = |path: &str, start: &str| {
            let line = lines.iter().find(|line| line.ends_with(&format!(" ./{path}")));
            assert!(line.is_some_and(|line| line.starts_with(start)), "{path}: {lines:#?}");
        };
        has("usr/sbin/scst-ha", "-rwxr-xr-x root/root");
        has("usr/sbin/", "drwxr-xr-x root/root");
        has("usr/share/man/man8/scst-ha.8.gz", "-rw-r--r-- root/root");
        has("usr/share/doc/scst-ha/copyright", "-rw-r--r-- root/root");
        has("usr/share/doc/scst-ha/changelog.Debian.gz", "-rw-r--r-- root/root");
        assert!(package == make().1, "two builds differ");
    }
}
