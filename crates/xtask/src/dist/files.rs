//! What is installed: the one list of files, which both packages are made of.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use agents::{scst_aluadg, scst_qla2xtgt, scst_target};
use clap_complete::{Shell, generate};

use super::manual;
use crate::workspace;

/// The packages.
pub(super) const NAME: &str = "scst-ha";

/// The release of everything in them.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One file of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Where it goes, below `/`.
    pub(super) path: String,
    /// Its permissions.
    pub(super) mode: u32,
    /// Its content.
    pub(super) content: Vec<u8>,
}

/// Every file, with the binaries from this directory.
pub(super) fn all(binaries: &Path) -> Result<Vec<File>, Box<dyn Error>> {
    let mut files = Vec::new();
    for (path, name) in BINARIES {
        let from = binaries.join(name);
        let content = fs::read(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        files.push(File { path: path.to_owned(), mode: 0o755, content });
    }
    let mut text = |path: &str, content: Vec<u8>| {
        files.push(File { path: path.to_owned(), mode: 0o644, content });
    };
    let mut command = agents::scst_ha::command();
    command.build();
    let reasons = manual::reasons(command.get_version().unwrap_or_default());
    text("usr/share/man/man7/scst-ha-reasons.7.gz", gzip(reasons.as_bytes())?);
    text("usr/share/man/man8/scst-ha.8.gz", gzip(manual::tool(&command).as_bytes())?);
    for table in [scst_qla2xtgt::table::TABLE, scst_target::table::TABLE, scst_aluadg::table::TABLE] {
        let page = gzip(manual::agent(table).as_bytes())?;
        text(&format!("usr/share/man/man7/ocf_onesty_{}.7.gz", table.name), page);
    }
    for (path, shell) in COMPLETIONS {
        let mut content = Vec::new();
        generate(shell, &mut agents::scst_ha::command(), "scst-ha", &mut content);
        text(path, content);
    }
    let root = workspace::root();
    text(&format!("usr/lib/systemd/system/{UNIT}"), fs::read(root.join("agents/systemd").join(UNIT))?);
    text(&format!("usr/share/doc/{NAME}/changelog.gz"), gzip(&fs::read(root.join("CHANGELOG.md"))?)?);
    text(&format!("usr/share/doc/{NAME}/README.md"), fs::read(root.join("README.md"))?);
    for unit in ["scst-ha-metrics.service", "scst-ha-metrics.timer"] {
        text(&format!("usr/lib/systemd/system/{unit}"), fs::read(root.join("docs/monitoring").join(unit))?);
    }
    for document in ["README.md", "alerts.yml", "dashboard.json"] {
        text(
            &format!("usr/share/doc/{NAME}/monitoring/{document}"),
            fs::read(root.join("docs/monitoring").join(document))?,
        );
    }
    for document in ["differences.md", "json.md", "operations.md"] {
        text(&format!("usr/share/doc/{NAME}/{document}"), fs::read(root.join("docs").join(document))?);
    }
    Ok(files)
}

/// The binaries, and where they go.
pub(super) const BINARIES: [(&str, &str); 4] = [
    ("usr/lib/ocf/resource.d/onesty/scst_qla2xtgt", "scst_qla2xtgt"),
    ("usr/lib/ocf/resource.d/onesty/scst_target", "scst_target"),
    ("usr/lib/ocf/resource.d/onesty/scst_aluadg", "scst_aluadg"),
    ("usr/sbin/scst-ha", "scst-ha"),
];

/// The unit of the iSCSI daemon, for those who start it apart from the cluster. Nothing enables it.
const UNIT: &str = "scst-ha-iscsi-scstd.service";

/// Where each shell looks for completions.
const COMPLETIONS: [(&str, Shell); 3] = [
    ("usr/share/bash-completion/completions/scst-ha", Shell::Bash),
    ("usr/share/fish/vendor_completions.d/scst-ha.fish", Shell::Fish),
    ("usr/share/zsh/vendor-completions/_scst-ha", Shell::Zsh),
];

/// Compresses as packages must: as small as it gets, and without a time, so that the same text is the same file.
pub(super) fn gzip(content: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut gzip = Command::new("gzip");
    let mut child = gzip.args(["-9", "-n", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("gzip reads nothing")?;
    let content = content.to_vec();
    // A pipe holds less than a changelog: one thread fills it while this one empties the other.
    let writer = std::thread::spawn(move || input.write_all(&content));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "gzip was not fed")??;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("gzip ended with {}", output.status).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The package with three words for binaries.
    fn files() -> Vec<File> {
        let directory = tempfile::tempdir().unwrap();
        for (_, name) in BINARIES {
            fs::write(directory.path().join(name), name).unwrap();
        }
        all(directory.path()).unwrap()
    }

    /// Whether a pattern of a table, below its own place, takes a file.
    fn takes(pattern: &str, path: &str) -> bool {
        let pattern = pattern.strip_prefix("target/release/").unwrap_or_default();
        match pattern.split_once("**/*").or_else(|| pattern.split_once('*')) {
            None => pattern == path,
            Some((directory, end)) => path
                .strip_prefix(directory)
                .is_some_and(|name| name.ends_with(end) && (pattern.contains("**") || !name.contains('/'))),
        }
    }

    #[test]
    fn the_tables_take_every_file_once_with_its_permissions() {
        let manifest = fs::read_to_string(workspace::root().join("agents/Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for table in ["deb", "generate-rpm"] {
            let table = &manifest["package"]["metadata"][table];
            assert_eq!(table["name"].as_str(), Some(NAME));
            let staged: Vec<_> = table["assets"].as_array().unwrap().iter().collect();
            for File { path, mode, .. } in files() {
                let source = |asset: &&&toml::Value| {
                    asset.get("source").and_then(toml::Value::as_str).is_some_and(|source| takes(source, &path))
                };
                let taken: Vec<_> = staged.iter().filter(source).collect();
                assert_eq!(taken.len(), 1, "{path} is taken by {taken:?}");
                // Without a mode, a file has the one that it was staged with.
                let rights = taken[0].get("mode").map(|mode| mode.as_str().unwrap().to_owned());
                assert!(rights.is_none_or(|rights| rights == format!("{mode:o}")), "{path}: {taken:?}");
            }
        }
    }

    #[test]
    fn what_is_compressed_reads_as_it_was_and_has_no_time() {
        let text = "x".repeat(300_000);
        let packed = gzip(text.as_bytes()).unwrap();
        assert_eq!(packed[4..8], [0; 4]);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &packed).unwrap();
        let output = Command::new("gzip").args(["-d", "-c"]).stdin(file.reopen().unwrap()).output().unwrap();
        assert_eq!(output.stdout, text.as_bytes());
    }

    #[test]
    fn completions_offer_every_command() {
        for file in files().iter().filter(|file| file.path.contains("completions")) {
            let text = String::from_utf8_lossy(&file.content);
            assert!(
                ["check", "discover", "explain", "import", "metrics", "plan", "status", "renumber"]
                    .iter()
                    .all(|word| text.contains(word)),
                "{}",
                file.path
            );
        }
    }
}
