//! The two packages, made of the staged files by the tables in `agents/Cargo.toml`.
//!
//! Neither has a script. dpkg and rpm themselves put every file beside the old one and rename it into place, so that a monitor or a stop
//! that runs during an upgrade finds an agent at every moment.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::files::{File, NAME, VERSION, gzip};
use super::tools::Tool;
use crate::workspace;

/// The two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Debian's.
    Deb,
    /// Red Hat's and SUSE's.
    Rpm,
}

impl Format {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Deb, Self::Rpm];

    /// The program that makes it, installed if it was not there.
    pub(crate) fn tool(self) -> Result<PathBuf, Box<dyn Error>> {
        let tool = match self {
            // xz(1) of this machine compresses, so that no library of C is built.
            Self::Deb => Tool { name: "cargo-deb", version: "3.8.0", options: &["--no-default-features"] },
            Self::Rpm => Tool { name: "cargo-generate-rpm", version: "0.21.1", options: &[] },
        };
        tool.path()
    }

    /// Where a file lies by this package: only one shell's completions have another place in each.
    pub(super) fn place(self, path: &str) -> String {
        match self {
            Self::Deb => path.to_owned(),
            Self::Rpm => path.replace("zsh/vendor-completions", "zsh/site-functions"),
        }
    }

    fn file_name(self, revision: u8) -> String {
        match (self, std::env::consts::ARCH) {
            (Self::Deb, "x86_64") => format!("{NAME}_{VERSION}-{revision}_amd64.deb"),
            (Self::Deb, "aarch64") => format!("{NAME}_{VERSION}-{revision}_arm64.deb"),
            (Self::Deb, other) => format!("{NAME}_{VERSION}-{revision}_{other}.deb"),
            (Self::Rpm, architecture) => format!("{NAME}-{VERSION}-{revision}.{architecture}.rpm"),
        }
    }

    /// What its tool is told besides the package and the place.
    fn arguments(self, revision: u8, size: Size) -> Vec<String> {
        let (arguments, release, quick): (&[&str], _, &[&str]) = match self {
            Self::Deb => (
                &["--no-build", "--no-strip", "--offline", "--maintainer", &maintainer(), "--deb-revision"],
                revision.to_string(),
                &["--fast", "--compress-type", "gz", "--compress-system"],
            ),
            Self::Rpm => (&["--set-metadata"], format!("release = \"{revision}\""), &["--payload-compress", "none"]),
        };
        let quick = if matches!(size, Size::Quick) { quick } else { &[] };
        let release = [release.as_str()];
        arguments.iter().chain(&release).chain(quick).map(|word| (*word).to_owned()).collect()
    }
}

/// How much work is made of a package's size.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    /// For those who carry it around.
    Small,
    /// For a check, after which it is gone.
    Quick,
}

/// A package, and what must be in it.
#[derive(Debug)]
pub(super) struct Package {
    /// Who reads it.
    pub(super) format: Format,
    /// Where it is.
    pub(super) path: PathBuf,
    /// What is installed from it; a package of Debian has three files more, about itself.
    pub(super) files: Vec<File>,
}

impl Package {
    /// Makes packages of these files, as this revision of the release, in `directory`.
    ///
    /// The files are staged in `release/` below it: where that is the target directory, it is what the tables' `target/release` stands for.
    pub(super) fn make(
        formats: &[Format],
        files: &[File],
        revision: u8,
        size: Size,
        directory: &Path,
    ) -> Result<Vec<Self>, Box<dyn Error>> {
        let time = time_of_commit();
        let content = gzip(changelog(revision, &date(time)?).as_bytes())?;
        let about = File { path: format!("usr/share/doc/{NAME}/changelog.Debian.gz"), mode: 0o644, content };
        stage(files.iter().chain([&about]), &directory.join("release"))?;
        let make = |format: &Format| {
            let path = directory.join(format.file_name(revision));
            let mut make = Command::new(format.tool()?);
            make.args(["--package", "agents"]).args(format.arguments(revision, size)).arg("--output").arg(&path);
            make.current_dir(workspace::root()).env("CARGO_TARGET_DIR", directory);
            output(make.env("SOURCE_DATE_EPOCH", time.to_string()))?;
            let place = |file: &File| File { path: format.place(&file.path), ..file.clone() };
            Ok(Self { format: *format, path, files: files.iter().map(place).collect() })
        };
        formats.iter().map(make).collect()
    }
}

/// Lays out the files below `root`, with their permissions, in place of whatever was there.
fn stage<'a>(files: impl Iterator<Item = &'a File>, root: &Path) -> Result<(), Box<dyn Error>> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    for file in files {
        let path = root.join(&file.path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(&path, &file.content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
    }
    Ok(())
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

fn git(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    output(git.current_dir(workspace::root()).args(arguments)).ok().map(|text| text.trim().to_owned())
}

/// The time of the last commit, so that the same source makes the same package; 0 outside of a repository.
fn time_of_commit() -> u64 {
    git(&["log", "-1", "--format=%ct"]).and_then(|time| time.parse().ok()).unwrap_or(0)
}

/// A time as changelogs of Debian have it.
fn date(time: u64) -> Result<String, Box<dyn Error>> {
    output(Command::new("date").env("LC_ALL", "C").args(["-u", "-R", "-d", &format!("@{time}")]))
}

/// Who made this package: as Debian's tools know it from the environment, else who made the last commit.
fn maintainer() -> String {
    if let (Ok(name), Ok(address)) = (std::env::var("DEBFULLNAME"), std::env::var("DEBEMAIL")) {
        return format!("{name} <{address}>");
    }
    git(&["log", "-1", "--format=%an <%ae>"]).unwrap_or_else(|| "Local build <nobody@example.org>".to_owned())
}

fn changelog(revision: u8, date: &str) -> String {
    format!(
        "{NAME} ({VERSION}-{revision}) unstable; urgency=medium\n\n  * Release {VERSION}: see changelog.gz.\n\n -- {}  {}\n",
        maintainer(),
        date.trim()
    )
}
