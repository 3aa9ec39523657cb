//! `cargo xtask dist`: what is installed on nodes, as a package for Debian's relatives and one for Red Hat's and SUSE's.

mod check;
mod files;
mod manual;
mod package;
mod system;
mod tools;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

use self::files::{BINARIES, File};
pub(crate) use self::package::Format;
use self::package::{Package, Size, output};
use self::system::System;
use crate::{debian, release, workspace};

/// What to do besides.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Looks into the packages, and installs, upgrades and removes each in an empty root; needs root and rpm
    #[arg(long)]
    check: bool,
    /// The same, and that of Debian in a minimal Debian; needs debootstrap and a mirror besides
    #[arg(long)]
    prove: bool,
    /// Checks Debian's package of the debug build, in a temporary directory, and keeps nothing
    #[arg(long, hide = true)]
    quick: bool,
}

/// Makes the packages, and checks them as far as was asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if (options.quick || options.check || options.prove) && !workspace::is_root() {
        return Err("packages are installed by root: run this as root".into());
    }
    if options.quick {
        let scratch = tempfile::tempdir()?;
        let files = files::all(stripped(&scratch.path().join("bin"))?)?;
        let packages = Package::make(&[Format::Deb], &files, 1, Size::Quick, scratch.path())?;
        check(&files, &packages, scratch.path())?;
        return Ok(ExitCode::SUCCESS);
    }
    let directory = workspace::target_directory()?.join("dist");
    fs::create_dir_all(&directory)?;
    let files = files::all(&release::build()?)?;
    let packages = Package::make(&Format::ALL, &files, 1, Size::Small, &directory)?;
    for Package { path, files, .. } in &packages {
        println!("{}: {} files, {} KiB", path.display(), files.len(), fs::metadata(path)?.len() / 1024);
    }
    if !options.check && !options.prove {
        return Ok(ExitCode::SUCCESS);
    }
    let scratch = tempfile::tempdir_in(&directory)?;
    files.iter().filter(|file| file.mode == 0o755).try_for_each(check::is_static)?;
    let again = Package::make(&Format::ALL, &files, 1, Size::Small, &scratch.path().join("again"))?;
    for (one, other) in packages.iter().zip(&again) {
        if fs::read(&one.path)? != fs::read(&other.path)? {
            return Err(format!("{} is another when it is made again", one.path.display()).into());
        }
    }
    println!("made again, both are the same, byte by byte");
    let newer = check(&files, &packages, scratch.path())?;
    if options.prove {
        let root = directory.join("system-debian");
        debian::system(&root, &debian::own_codename()?, &[])?;
        check::life(&System::debian(&root), &packages[0], &newer[0])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks into the packages, and plays the life of each on an empty system, with an upgrade to one whose programs are others. Answers those.
fn check(files: &[File], packages: &[Package], scratch: &Path) -> Result<Vec<Package>, Box<dyn Error>> {
    check::manuals(files, scratch)?;
    let mut newer = files.to_vec();
    // What stands behind the end of a program does not concern it.
    newer.iter_mut().filter(|file| file.mode == 0o755).for_each(|file| file.content.push(b'\n'));
    let formats: Vec<Format> = packages.iter().map(|package| package.format).collect();
    let newer = Package::make(&formats, &newer, 2, Size::Quick, &scratch.join("newer"))?;
    for (old, new) in packages.iter().zip(&newer) {
        check::contents(old)?;
        check::life(&System::empty(old.format, &scratch.join(format!("{:?}", old.format)))?, old, new)?;
    }
    Ok(newer)
}

/// The programs that lie beside this one, without what a debugger reads: packages of them would be ten times as large.
fn stripped(directory: &Path) -> Result<&Path, Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    for (_, name) in BINARIES {
        output(Command::new("strip").arg("-o").arg(directory.join(name)).arg(workspace::binary(name)?))?;
    }
    Ok(directory)
}
