//! The agents' meta-data: current under `metadata/`, and accepted by every grammar and tool that reads it. By it the tools also
//! check the configurations that the documentation shows.
//!
//! The metrics of `scst-ha`, and the alert rules for them, are looked at by Prometheus' own tool.
//!
//! The tools are Debian's: xmllint (libxml2-utils), the DTD (resource-agents), pcs, crmsh, promtool (prometheus). One that is missing makes the test fail: a
//! document that nobody looked at is not valid.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AGENTS: [(&str, &str); 3] = [
    ("scst_qla2xtgt", env!("CARGO_BIN_EXE_scst_qla2xtgt")),
    ("scst_target", env!("CARGO_BIN_EXE_scst_target")),
    ("scst_aluadg", env!("CARGO_BIN_EXE_scst_aluadg")),
];

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

/// Runs `script` where our agents are the only ones installed, as the provider `onesty`; the host keeps its own.
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
const OPERATIONS: [(&str, &[(&str, &str)]); 3] = [
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
        "scst_target",
        &[
            ("start", "timeout=60s"),
            ("stop", "timeout=120s"),
            ("monitor", "timeout=20s interval=10s"),
            ("reload", "timeout=60s"),
            ("reload-agent", "timeout=60s"),
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
            ("monitor", "timeout=30s interval=10s depth=0 role=Promoted"),
            ("monitor", "timeout=30s interval=11s depth=0 role=Unpromoted"),
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
        ("scst_target", &["tgtdriver (required)", "initiators (required)", "incoming_users", "attributes", "daemon"]),
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

/// The code blocks of a chapter of a document, without their fences.
fn examples(document: &str, heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository(document)).unwrap();
    let (_, chapter) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{document}: {heading}"));
    let chapter = chapter.split("\n#").next().unwrap_or_default();
    let fenced = chapter.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| Some(block.split_once('\n')?.1.to_owned())).collect()
}

/// A cluster of two nodes in which nothing is configured, as a file, and a file with an example beside it.
fn empty_cluster(example: &str) -> (tempfile::TempDir, [String; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (cib, file) = (path("cib.xml"), path("example"));
    let empty = r#"<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="1" have-quorum="1">
        <configuration><crm_config><cluster_property_set id="p"><nvpair id="p-s" name="stonith-enabled" value="false"/>
        </cluster_property_set></crm_config><nodes><node id="1" uname="alpha"/><node id="2" uname="beta"/></nodes>
        <resources/><constraints/></configuration><status/></cib>"#;
    std::fs::write(&cib, empty).unwrap();
    std::fs::write(&file, example).unwrap();
    (directory, [cib, file])
}

#[test]
fn crmsh_takes_the_examples_of_the_documentation() {
    installed("/usr/sbin/crm", "crmsh");
    for (document, heading) in [
        ("README.md", "## Configure"),
        ("docs/operations.md", "### Ports, and one device group"),
        ("docs/operations.md", "## iSCSI from two bare machines"),
    ] {
        let (_directory, [cib, file]) = empty_cluster(&examples(document, heading)[0]);
        let load =
            format!("CIB_file={cib} crm configure load update {file} 2>&1 && crm_verify --xml-file {cib} -V 2>&1");
        let text = content(&with_agents_installed(&load), document);
        // The example has no fence devices, which is told whatever is loaded.
        let mut complaints = text.lines().filter(|line| line.contains("ERROR") || line.contains("WARNING"));
        assert!(complaints.all(|line| line.contains("not fencing")), "{document}: {text}");
        let cib = std::fs::read_to_string(&cib).unwrap();
        assert!(cib.contains("<rsc_colocation") && cib.contains("<rsc_order"), "{document}: {cib}");
    }
}

#[test]
fn pcs_takes_the_examples_of_the_documentation() {
    installed("/usr/sbin/pcs", "pcs");
    for heading in ["### Ports, and one device group", "## iSCSI from two bare machines"] {
        let example = &examples("docs/operations.md", heading)[1];
        let (_directory, [cib, file]) = empty_cluster(&format!("set -e\n{example}"));
        let commands = format!(
            "pcs() {{ /usr/sbin/pcs -f {cib} \"$@\"; }} && . {file} 2>&1 && crm_verify --xml-file {cib} -V 2>&1"
        );
        let text = content(&with_agents_installed(&commands), "pcs");
        assert!(!text.contains("Error") && !text.contains("Warning"), "{text}");
        let cib = std::fs::read_to_string(&cib).unwrap();
        assert!(cib.contains("<rsc_colocation") && cib.contains("<rsc_order"), "{cib}");
    }
}

/// What `scst-ha import` makes of a file of scstadmin.
fn imported(name: &str, format: &str) -> String {
    let file = repository(&format!("tests/data/scst-conf/{name}.conf"));
    let mut import = Command::new(env!("CARGO_BIN_EXE_scst-ha"));
    import.args(["import", "--node", "alpha", "--format", format, "--scst-conf"]).arg(file);
    let output = import.env("PATH", "/nonexistent").output().unwrap();
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn crmsh_pcs_and_cibadmin_take_what_an_import_writes() {
    installed("/usr/sbin/crm", "crmsh");
    installed("/usr/sbin/pcs", "pcs");
    // A file without a target group does not tell the id of its node, by which XML names it.
    let kinds = [("alua", "crm"), ("alua", "pcs"), ("alua", "xml"), ("iscsi", "crm"), ("iscsi", "pcs")];
    for (name, format) in kinds {
        let (directory, [cib, file]) = empty_cluster(&imported(name, format));
        let load = match format {
            "crm" => format!("CIB_file={cib} crm configure load update {file} 2>&1"),
            "xml" => {
                format!("CIB_file={cib} cibadmin --modify --allow-create --scope configuration --xml-file {file} 2>&1")
            }
            // Without a cluster the copy of its configuration is made of a file.
            _ => format!(
                "cd {} && pcs() {{ case \"$1 $2\" in 'cluster cib') cp {cib} \"$3\";; 'cluster cib-push') cp \"$3\" {cib};; *) /usr/sbin/pcs \"$@\";; esac; }} && . {file} 2>&1",
                directory.path().display()
            ),
        };
        let text = content(&with_agents_installed(&format!("{load} && crm_verify --xml-file {cib} -V 2>&1")), format);
        let mut complaints = text.lines().filter(|line| line.contains("ERROR") || line.contains("Error"));
        assert!(complaints.all(|line| line.contains("not fencing")), "{format}: {text}");
        let cib = std::fs::read_to_string(&cib).unwrap();
        let own = match name {
            "alua" => ["virtname=vol2", "21:01:00:1b:32:2b:52:75"],
            _ => ["joe SECRET;ann SECRET", "iqn.1993-08.org.debian:01:abc*"],
        };
        let all = ["<rsc_colocation", "<rsc_order", "migration-threshold", "timeout=\"240s\""];
        for part in all.into_iter().chain(own) {
            assert!(cib.contains(part), "{format} {part}: {cib}");
        }
    }
}

#[test]
fn promtool_accepts_the_metrics_of_a_node_that_serves_and_the_alert_rules() {
    use crate::fixture::sample::{ALPHA, HOST, group, ports, serving};
    let cluster = serving();
    cluster.configure(&[&ports(), &group()]);
    let alpha = cluster.node("alpha");
    alpha.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[0]));
    let metrics = alpha.tool("metrics").go().code_is(0);
    let file = cluster.dir().join("scst.prom");
    std::fs::write(&file, metrics.stdout()).unwrap();
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(std::fs::File::open(&file).unwrap());
    // It prints what it advises, and is silent where it has nothing to say.
    assert_eq!(content(&run(&mut check, "prometheus"), "promtool check metrics"), "");
    let rules = repository("docs/monitoring/alerts.yml");
    content(&run(Command::new("promtool").args(["check", "rules"]).arg(rules), "prometheus"), "promtool check rules");
}
