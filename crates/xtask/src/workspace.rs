//! Where this repository and its binaries are, and the commands that work on them.

use std::env::{current_exe, var_os};
use std::error::Error;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use nix::unistd::geteuid;

/// The repository's directory.
pub(crate) fn root() -> PathBuf {
    // Cargo says so when it runs this; the place of the build is for calls without Cargo.
    let package = var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.ancestors().nth(2).map(Path::to_owned);
    root.unwrap_or(package)
}

/// The Cargo that runs this, in the repository's directory.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The machine that Cargo builds for, in the words of its configuration.
pub(crate) fn host_triple() -> Result<String, Box<dyn Error>> {
    let output = cargo().args(["--version", "--verbose"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("cargo --version --verbose does not name its host")?.to_owned())
}

/// Where Cargo puts what it builds: this program lies in a profile's directory of it.
pub(crate) fn target_directory() -> io::Result<PathBuf> {
    let directory = own_binary()?.ancestors().nth(2).map(Path::to_owned);
    directory.ok_or_else(|| io::Error::other("this program lies in no target directory"))
}

/// This program's file. The answer is kept: after a change of the mount namespace the kernel may give another.
pub(crate) fn own_binary() -> io::Result<&'static Path> {
    static OWN: OnceLock<PathBuf> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(own);
    }
    let own = current_exe()?;
    Ok(OWN.get_or_init(|| own))
}

/// A binary of this workspace: it lies beside this one.
pub(crate) fn binary(name: &str) -> io::Result<PathBuf> {
    Ok(own_binary()?.with_file_name(name))
}

/// Builds the agents and the simulator, with Cargo's own words about it.
pub(crate) fn build_binaries() -> Result<(), String> {
    let built = cargo().args(["build", "--package", "agents", "--package", "scst-sim", "--bins"]).status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo build ended with {status}")),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Runs this program again by sudo, with these arguments.
pub(crate) fn become_root(arguments: &[&str]) -> Result<ExitCode, Box<dyn Error>> {
    if !has_program("sudo") {
        return Err("mounting a simulated SCST needs root, and there is no sudo: run this as root".into());
    }
    println!("mounting a simulated SCST needs root: going on by sudo");
    let program = own_binary()?;
    // On success this does not return.
    let mut sudo = Command::new("sudo");
    sudo.arg("--preserve-env=NO_COLOR,TERM").arg(program).args(arguments);
    Err(format!("sudo cannot be run: {}", sudo.exec()).into())
}

/// Whether a program of that name can be run.
pub(crate) fn has_program(name: &str) -> bool {
    let path = var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// What is missing for mounting a simulated machine, in a sentence with what to do about it.
pub(crate) fn cannot_mount() -> Option<&'static str> {
    (!Path::new("/dev/fuse").exists()).then_some(
        "/dev/fuse is missing, and the simulated SCST is mounted by FUSE: load the module with \"modprobe fuse\", or \
         start the container with --device /dev/fuse --cap-add SYS_ADMIN",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_names_its_host() {
        assert!(host_triple().unwrap().contains("linux"));
    }
}
