//! The documents name files and headings that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace;

/// The Markdown documents at the root and below `docs`, by their path.
fn documents() -> Vec<PathBuf> {
    let root = workspace::root();
    let directories = ["", "docs", "docs/monitoring"].map(|directory| root.join(directory));
    let files =
        directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// A document without its blocks of code.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let mut code = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    };
    text.lines().filter(outside).flat_map(|line| [line, "\n"]).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let anchor = |heading: &str| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
    let prose = prose(path);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    for document in documents() {
        for link in prose(&document).split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let (file, heading) = link.0.split_once('#').unwrap_or((link.0, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() { document.clone() } else { document.with_file_name(file) };
            assert!(target.exists(), "{}: there is no {file}", document.display());
            assert!(
                heading.is_empty() || anchors(&target).contains(heading),
                "{}: {} has no heading for #{heading}",
                document.display(),
                target.display()
            );
        }
    }
}

#[test]
fn source_files_that_documents_name_exist() {
    for document in ["CONTRIBUTING.md", "docs/architecture.md"] {
        let text = prose(&workspace::root().join(document));
        let names = text.split('`').skip(1).step_by(2);
        let paths =
            names.filter(|name| name.contains('/') && Path::new(name).extension().is_some_and(|end| end == "rs"));
        for path in paths {
            assert!(workspace::root().join(path).is_file(), "{document} names {path}, which does not exist");
        }
    }
}
