//! Where the programs are.
//!
//! Cargo builds the agents before this test and says where they are. The simulator belongs to another package, so it is
//! built here, once per test run: one that happens to lie there could be older than its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary of an agent, or of the operators' tool.
pub(super) fn agent(name: &str) -> &'static Path {
    Path::new(match name {
        "scst_qla2xtgt" => env!("CARGO_BIN_EXE_scst_qla2xtgt"),
        "scst_target" => env!("CARGO_BIN_EXE_scst_target"),
        "scst_aluadg" => env!("CARGO_BIN_EXE_scst_aluadg"),
        "scst-ha" => env!("CARGO_BIN_EXE_scst-ha"),
        other => panic!("there is no agent {other}"),
    })
}

/// The simulator, which is also every stand-in.
pub(super) fn simulator() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    // The agents lie in TARGET/PROFILE.
    let directory = agent("scst_aluadg").parent().expect("a binary lies in a directory");
    let release = directory.ends_with("release");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package of the workspace");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "scst-sim", "--bin", "scst-sim", "--manifest-path"]);
    cargo.arg(workspace.join("Cargo.toml")).arg("--target-dir");
    cargo.arg(directory.parent().expect("the directory of a profile lies in another"));
    if release {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo can be run");
    assert!(output.status.success(), "scst-sim cannot be built:\n{}", String::from_utf8_lossy(&output.stderr));
    directory.join("scst-sim")
}
