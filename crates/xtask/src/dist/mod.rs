//! `cargo xtask dist`: what is installed on nodes, as a package.

mod check;
mod deb;
mod files;
mod manual;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::check::System;
use self::deb::Size;
use self::files::File;
use crate::{debian, release, workspace};

/// The package.
const NAME: &str = "scst-ha";

/// The release of everything in it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What to do besides.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Installs, upgrades and removes the package in an empty root; needs root
    #[arg(long)]
    check: bool,
    /// The same in a minimal Debian; needs root, debootstrap and a mirror
    #[arg(long)]
    prove: bool,
    /// Checks the package of the debug build, in a temporary directory, and keeps nothing
    #[arg(long, hide = true)]
    quick: bool,
}

/// Builds the package, and checks it as far as was asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.quick {
        let directory = tempfile::tempdir()?;
        let binaries = workspace::own_binary()?.parent().ok_or("this program lies in no directory")?;
        let package = Package::build(files::all(binaries)?, Size::AsItIs, directory.path())?;
        package.check(&System::empty(&directory.path().join("system"))?, directory.path())?;
        return Ok(ExitCode::SUCCESS);
    }
    let directory = workspace::target_directory()?.join("dist");
    fs::create_dir_all(&directory)?;
    let package = Package::build(files::all(&release::build()?)?, Size::Small, &directory)?;
    println!(
        "{}: {} files, {} KiB",
        package.path.display(),
        package.files.len(),
        fs::metadata(&package.path)?.len() / 1024
    );
    if options.check || options.prove {
        package.files.iter().filter(|file| file.mode == 0o755).try_for_each(check::is_static)?;
        package.check(&System::empty(&directory.join("system"))?, &directory)?;
    }
    if options.prove {
        let root = directory.join("debian");
        debian::system(&root, &debian::own_codename()?, &[])?;
        package.check(&System::whole(&root), &directory)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A package, and what is in it.
struct Package {
    files: Vec<File>,
    path: PathBuf,
}

impl Package {
    fn build(files: Vec<File>, size: Size, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let path = deb::build(&files, &format!("{VERSION}-1"), size, directory)?;
        Ok(Self { files, path })
    }

    /// Its whole life on a system, with an upgrade to one whose files are others.
    fn check(&self, system: &System, directory: &Path) -> Result<(), Box<dyn Error>> {
        if !workspace::is_root() {
            return Err("packages are installed by root: run this as root".into());
        }
        let scratch = tempfile::tempdir_in(directory)?;
        let mut newer = self.files.clone();
        // What stands behind the end of a program does not concern it.
        newer.iter_mut().filter(|file| file.mode == 0o755).for_each(|file| file.content.push(b'\n'));
        let newer =
            Self { path: deb::build(&newer, &format!("{VERSION}-2"), Size::AsItIs, scratch.path())?, files: newer };
        check::manuals(&self.files, scratch.path())?;
        check::life(system, self, &newer)
    }
}
