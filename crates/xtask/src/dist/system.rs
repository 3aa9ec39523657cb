//! A system that a package is installed on: an empty root, or a whole Debian below a directory.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::files::NAME;
use super::package::{Format, Package, output};

/// A system below a directory.
#[derive(Debug)]
pub(super) struct System {
    /// Its directory.
    pub(super) root: PathBuf,
    /// What it installs.
    pub(super) format: Format,
    /// It has programs of its own, which are run in it; otherwise this machine's work on it from outside.
    pub(super) whole: bool,
}

impl System {
    /// One that has nothing but the memory of a package manager.
    pub(super) fn empty(format: Format, root: &Path) -> Result<Self, Box<dyn Error>> {
        if root.exists() {
            fs::remove_dir_all(root)?;
        }
        let system = Self { root: root.to_owned(), format, whole: false };
        match format {
            Format::Deb => {
                for directory in ["info", "updates", "triggers"] {
                    fs::create_dir_all(root.join("var/lib/dpkg").join(directory))?;
                }
                fs::write(root.join("var/lib/dpkg/status"), "")?;
            }
            Format::Rpm => {
                // Its script runs in the root, by a shell.
                for program in ["/bin/sh", "/bin/rmdir"] {
                    let libraries = output(Command::new("ldd").arg(program))?;
                    for file in libraries.split_whitespace().chain([program]).filter(|word| word.starts_with('/')) {
                        let copy = root.join(file.trim_start_matches('/'));
                        fs::create_dir_all(copy.parent().unwrap_or(root))?;
                        fs::copy(file, copy)?;
                    }
                }
                output(system.manager().arg("--initdb"))?;
            }
        }
        Ok(system)
    }

    /// A Debian that can be lived in.
    pub(super) fn debian(root: &Path) -> Self {
        Self { root: root.to_owned(), format: Format::Deb, whole: true }
    }

    /// A file of the system.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A program of the system, run as if it had nothing else.
    pub(super) fn program(&self, path: &str) -> Command {
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

    /// The package manager: the system's own, or this machine's for the other root.
    fn manager(&self) -> Command {
        if self.whole {
            return self.program("usr/bin/dpkg");
        }
        let mut manager = match self.format {
            Format::Deb => Command::new("dpkg"),
            Format::Rpm => Command::new("rpm"),
        };
        manager.arg("--root").arg(&self.root).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        manager
    }

    /// Installs a package, in place of an older one if there is one.
    pub(super) fn install(&self, package: &Package) -> Result<(), Box<dyn Error>> {
        let inside = self.path("tmp/package");
        let mut manager = self.manager();
        match self.format {
            Format::Deb => manager.arg("--install"),
            // It does not know who brought the shell.
            Format::Rpm => manager.args(["--upgrade", "--nodeps"]),
        };
        if self.whole {
            fs::copy(&package.path, &inside)?;
            output(manager.arg("/tmp/package"))?;
            return Ok(fs::remove_file(inside)?);
        }
        output(manager.arg(&package.path)).map(drop)
    }

    /// Removes the package, with everything that it keeps.
    pub(super) fn remove(&self) -> Result<(), Box<dyn Error>> {
        let how = if self.format == Format::Deb { "--purge" } else { "--erase" };
        output(self.manager().args([how, NAME])).map(drop)
    }
}
