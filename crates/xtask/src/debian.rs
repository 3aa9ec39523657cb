//! Debian below a directory, made by debootstrap(8) from the mirror that this machine's apt uses.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace;

/// Releases by number and name, old ones first.
const RELEASES: [(&str, &str); 2] = [("12", "bookworm"), ("13", "trixie")];

/// Installs packages in a system whose root is the first argument. No service of theirs is started; what apt mounts goes with the namespace.
const INSTALL: &str = r#"
set -e
root=$1
shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot "$root" apt-get update --quiet
chroot "$root" apt-get install --quiet --yes --no-install-recommends "$@"
chroot "$root" apt-get clean
"#;

/// The name of a release by its number.
pub(crate) fn codename(number: &str) -> Result<&'static str, String> {
    let found = RELEASES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name);
    found.ok_or_else(|| format!("Debian {number} is not one of those that are tried: 12, 13"))
}

/// The name of the release that this machine runs, if it is Debian.
pub(crate) fn own_codename() -> Result<String, Box<dyn Error>> {
    let release = fs::read_to_string("/etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.ok_or("/etc/os-release names no release of Debian")?.trim_matches('"').to_owned())
}

/// Makes a system of a release with these packages, or takes the one that an earlier run made of the same.
pub(crate) fn system(root: &Path, codename: &str, packages: &[&str]) -> Result<(), Box<dyn Error>> {
    // Beside the directory, written last: says that it is complete, and of what.
    let complete = root.with_extension("complete");
    let contents = format!("{codename} {}\n", packages.join(" "));
    if fs::read_to_string(&complete).is_ok_and(|made| made == contents) && root.join("usr/bin/dpkg").exists() {
        return Ok(());
    }
    if !workspace::has_program("debootstrap") {
        return Err("there is no debootstrap: apt-get install debootstrap".into());
    }
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    println!("making a Debian {codename} in {}; this takes some minutes once", root.display());
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", codename]).arg(root).args(mirror());
    run(debootstrap)?;
    if !packages.is_empty() {
        let mut install = Command::new("unshare");
        install
            .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSTALL, "sh"])
            .arg(root)
            .args(packages);
        run(install)?;
    }
    Ok(fs::write(complete, contents)?)
}

/// Runs a command that asks the mirror, by the proxy of apt if it has one; what it said, if it failed.
fn run(mut command: Command) -> Result<(), Box<dyn Error>> {
    if let Some(proxy) = proxy() {
        command.env("http_proxy", proxy);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&said).trim()).into())
}

/// The mirror that this machine uses, if it names one in the one place that everybody does.
fn mirror() -> Option<String> {
    let sources = fs::read_to_string("/etc/apt/sources.list.d/debian.sources")
        .or_else(|_| fs::read_to_string("/etc/apt/sources.list"))
        .ok()?;
    let word = |line: &str| line.split_whitespace().find(|word| word.starts_with("http")).map(str::to_owned);
    sources.lines().filter(|line| !line.starts_with('#')).find_map(word)
}

/// The proxy that apt's configuration names for HTTP.
fn proxy() -> Option<String> {
    let output = Command::new("apt-config").args(["dump", "--format=%v%n", "Acquire::http::Proxy"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty() && text != "false" && text != "DIRECT").then_some(text)
}
