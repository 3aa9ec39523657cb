//! A minimal Debian below a directory, of the release that this machine has.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::check::System;
use super::deb::output;
use crate::workspace;

/// Makes one, or takes the one that an earlier run made.
pub(super) fn system(root: &Path) -> Result<System, Box<dyn Error>> {
    let done = root.join("usr/bin/dpkg");
    let complete = root.with_extension("complete");
    if complete.exists() && done.exists() {
        return Ok(System::whole(root));
    }
    if !workspace::has_program("debootstrap") {
        return Err("there is no debootstrap: apt-get install debootstrap".into());
    }
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    let release = fs::read_to_string("/etc/os-release")?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.ok_or("/etc/os-release names no release of Debian")?.trim_matches('"');
    println!("making a minimal Debian {codename} in {}", root.display());
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", codename]).arg(root).args(mirror());
    output(&mut debootstrap)?;
    fs::write(complete, "")?;
    Ok(System::whole(root))
}

/// The mirror that this machine uses, if it names one in the one place that everybody does.
fn mirror() -> Option<String> {
    let sources = fs::read_to_string("/etc/apt/sources.list.d/debian.sources")
        .or_else(|_| fs::read_to_string("/etc/apt/sources.list"))
        .ok()?;
    let word = |line: &str| line.split_whitespace().find(|word| word.starts_with("http")).map(str::to_owned);
    sources.lines().filter(|line| !line.starts_with('#')).find_map(word)
}
