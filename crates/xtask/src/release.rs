//! The release build: the one place that says how the binaries are made that go onto nodes.
//!
//! They are linked statically, so that a node needs nothing else of the machine they were built on, and an upgrade of its libraries
//! changes nothing under a running resource.

use std::error::Error;
use std::path::PathBuf;

use crate::workspace;

/// Linked statically, at a fixed address, without what only a debugger would read: a start of an agent touches fewer pages.
const FLAGS: &[&str] = &["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];

/// The same for the linker that Rust brings for this machine alone.
const FLAGS_OF_LLD: &[&str] = &["-Clink-arg=-Wl,--icf=all", "-Clink-arg=-Wl,--no-eh-frame-hdr"];

/// Builds the binaries; answers the directory they lie in.
pub(crate) fn build() -> Result<PathBuf, Box<dyn Error>> {
    // Named even if it is this machine's own: otherwise the flags would concern build scripts and macros as well.
    let triple = workspace::host_triple()?;
    let mut flags = FLAGS.to_vec();
    if triple == "x86_64-unknown-linux-gnu" {
        flags.extend(FLAGS_OF_LLD);
    }
    let target = workspace::target_directory()?;
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "agents", "--bins", "--target", &triple]);
    build.arg("--target-dir").arg(&target);
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let status = build.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!("the release build ended with {status}").into());
    }
    Ok(target.join(triple).join("release"))
}
