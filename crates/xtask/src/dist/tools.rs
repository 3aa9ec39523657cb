//! The programs that make packages of the tables in `agents/Cargo.toml`: cargo-deb and cargo-generate-rpm.
//!
//! They are installed below `target/`, in one version each, so that every machine makes the same package and nobody's own Cargo is touched.

use std::error::Error;
use std::path::PathBuf;

use crate::workspace;

/// A program of crates.io.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: &'static str,
    /// Its version.
    pub(super) version: &'static str,
    /// What else Cargo is told.
    pub(super) options: &'static [&'static str],
}

impl Tool {
    /// Where it lies; installs it if it is missing.
    ///
    /// # Errors
    ///
    /// Says the command that failed, for a machine that must be given the program in another way.
    pub(super) fn path(&self) -> Result<PathBuf, Box<dyn Error>> {
        let Self { name, version, options } = self;
        // A directory for each version, so that a program that is there is the right one.
        let root = workspace::target_directory()?.join("tools").join(format!("{name}-{version}"));
        let path = root.join("bin").join(name);
        if path.exists() {
            return Ok(path);
        }
        let mut install = workspace::cargo();
        // To optimise it would take longer than it saves.
        install.args(["install", "--quiet", "--locked", "--debug", "--version", &format!("={version}")]).args(*options);
        install.arg("--root").arg(&root).arg(name);
        let words: Vec<_> = install.get_args().map(|word| word.to_string_lossy()).collect();
        let command = format!("cargo {}", words.join(" "));
        println!("{name} {version} makes the package and is not there; once, this takes a minute or two: {command}");
        let status = install.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
        if status.success() { Ok(path) } else { Err(format!("{status}, without {name} no package: {command}").into()) }
    }
}
