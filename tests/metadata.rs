//! The agents' meta-data: current under `metadata/`, and accepted by every grammar and tool that reads it.
//!
//! The tools are Debian's: xmllint (libxml2-utils), the DTD (resource-agents), pcs, crmsh. One that is missing makes the test fail: a
//! document that nobody looked at is not valid.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AGENTS: [(&str, &str); 2] =
    [("scst_qla2xtgt", env!("CARGO_BIN_EXE_scst_qla2xtgt")), ("scst_aluadg", env!("CARGO_BIN_EXE_scst_aluadg"))];

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs a tool and says how to get it if it is not there.
fn run(command: &mut Command, package: &str) -> Output {
    let tool = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| panic!("{tool} cannot be run ({error}): install the package {package}"))
}

/// What a tool printed, if it was content.
fn content(output: &Output, what: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{text}\n{errors}", output.status);
    text
}

/// A file of another package.
fn installed(path: &str, package: &str) -> String {
    assert!(Path::new(path).exists(), "{path} is missing: install the package {package}");
    path.to_owned()
}

/// Validates the committed documents with xmllint.
fn lint(arguments: &[String]) {
    for (name, _) in AGENTS {
        let file = repository(&format!("metadata/{name}.xml"));
        let output = run(Command::new("xmllint").arg("--noout").args(arguments).arg(&file), "libxml2-utils");
        content(&output, &format!("xmllint {arguments:?} {name}"));
    }
}

/// Runs `script` where the two agents are the only ones installed, as the provider `onesty`; the host keeps its own.
fn with_agents_installed(script: &str) -> Output {
    let root = tempfile::tempdir().unwrap();
    let provider = root.path().join("onesty");
    std::fs::create_dir(&provider).unwrap();
    for (name, binary) in AGENTS {
        std::fs::copy(binary, provider.join(name)).unwrap();
    }
    let place = installed("/usr/lib/ocf/resource.d", "resource-agents");
    let script = format!("mount --bind \"$1\" {place} && {script}");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &script, "sh"]).arg(root.path());
    let output = run(&mut unshare, "util-linux");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("Operation not permitted"), "this test mounts and must run as root: {errors}");
    output
}

/// The operations of the contract that a tool has to show, with their time-outs, and of monitors interval and role.
const OPERATIONS: [(&str, &[(&str, &str)]); 2] = [
    (
        "scst_qla2xtgt",
        &[
            ("start", "timeout=60s"),
            ("stop", "timeout=360s"),
            ("monitor", "timeout=20s interval=10s"),
            ("reload", "timeout=120s"),
            ("reload-agent", "timeout=120s"),
        ],
    ),
    (
        "scst_aluadg",
        &[
            ("start", "timeout=120s"),
            ("stop", "timeout=240s"),
            ("promote", "timeout=30s"),
            ("demote", "timeout=120s"),
            ("notify", "timeout=30s"),
            ("reload", "timeout=120s"),
            ("reload-agent", "timeout=120s"),
            ("monitor", "timeout=30s interval=120s depth=0 role=Promoted"),
            ("monitor", "timeout=30s interval=180s depth=0 role=Unpromoted"),
        ],
    ),
];

#[test]
fn the_committed_documents_are_what_the_agents_print() {
    for (name, binary) in AGENTS {
        // Nothing of the environment may matter, and extra arguments neither.
        let output = Command::new(binary).args(["meta-data", "extra"]).env_clear().current_dir("/").output().unwrap();
        let document = content(&output, name);
        assert!(output.stderr.is_empty());
        let file = repository(&format!("metadata/{name}.xml"));
        let committed = std::fs::read_to_string(&file).unwrap();
        let differing = document.lines().zip(committed.lines()).position(|(printed, kept)| printed != kept);
        assert!(
            document == committed,
            "metadata/{name}.xml is not current, first difference in line {:?}: write it anew with {name} meta-data",
            differing.map(|line| line + 1)
        );
    }
}

#[test]
fn the_documents_follow_the_grammar_of_the_interface() {
    lint(&["--relaxng".into(), repository("tests/data/ocf-api-1.1.rng").display().to_string()]);
}

#[test]
fn the_documents_follow_the_dtd_that_ocf_tester_checks() {
    installed("/usr/share/resource-agents/ra-api-1.dtd", "resource-agents");
    lint(&["--valid".into(), "--nonet".into(), "--path".into(), "/usr/share/resource-agents".into()]);
}

#[test]
fn the_documents_follow_the_grammar_that_pcs_enforces() {
    lint(&["--relaxng".into(), installed("/usr/share/pcs/data/ocf-1.1.rng", "pcs")]);
}

#[test]
fn crmsh_shows_the_agents_with_their_operations() {
    installed("/usr/sbin/crm", "crmsh");
    for (name, operations) in OPERATIONS {
        let output = with_agents_installed(&format!("crm ra info ocf:onesty:{name}"));
        let text = content(&output, "crm ra info");
        // Blanks are alignment.
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for (operation, advice) in operations {
            let shown = |line: &String| line.starts_with(&format!("{operation} {advice}"));
            assert!(lines.iter().any(shown), "{name} {operation} {advice}:\n{text}");
        }
    }
}

#[test]
fn pcs_describes_the_agents_with_their_parameters() {
    installed("/usr/sbin/pcs", "pcs");
    for (name, parameters) in [
        ("scst_qla2xtgt", &["initiators (required)"][..]),
        (
            "scst_aluadg",
            &[
                "groupname (required) (unique group: groupname)",
                "tgtdriver (required)",
                "reload",
                "lip",
                "device0 (required)",
                "device255",
            ],
        ),
    ] {
        let output = with_agents_installed(&format!("pcs resource describe --full ocf:onesty:{name}"));
        let text = content(&output, "pcs resource describe");
        for parameter in parameters {
            let shown = text.lines().any(|line| line.trim_start().starts_with(parameter));
            assert!(shown, "{name} {parameter}:\n{text}");
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("Warning"), "{errors}");
    }
}
