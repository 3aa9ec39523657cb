//! The invariants of `docs/architecture.md` that can be seen in the source.
//!
//! Rust's own privacy cannot express them: they are about who may know whom within one crate, and about which of the standard
//! library's doors a module goes through. Comments are not looked at, code of tests is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::workspace;

/// A source file: its path below the repository, and its lines without comments.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
}

impl Source {
    /// The module directly below `src/` that the file belongs to: `plan` for `crates/scst-core/src/plan/step.rs`.
    fn module(&self) -> &str {
        let inside = self.path.split_once("/src/").map_or("", |(_, inside)| inside);
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Whether the text occurs, not as the end of a longer name.
    fn has(&self, text: &str) -> bool {
        let ends_a_name = |before: &str| before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        self.lines.iter().any(|line| line.match_indices(text).any(|(at, _)| !ends_a_name(&line[..at])))
    }

    /// The source before its unit tests.
    pub(crate) fn without_tests(mut self) -> Self {
        let tests = self.lines.iter().position(|line| line.trim() == "#[cfg(test)]");
        self.lines.truncate(tests.unwrap_or(self.lines.len()));
        self
    }
}

pub(crate) fn sources(directory: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&workspace::root().join(directory), directory, &mut found);
    assert!(!found.is_empty(), "{directory} has no source");
    found
}

fn collect(directory: &Path, name: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{name}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &path, found);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push(Source { path, lines: code.map(str::to_owned).collect() });
        }
    }
}

/// Modules of its own crate that a file names.
fn known(source: &Source) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for line in &source.lines {
        for rest in line.split("crate::").skip(1) {
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            modules.insert(rest[..end].to_owned());
        }
    }
    modules
}

/// The package names under `[dependencies]` of a manifest.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = fs::read_to_string(workspace::root().join(package).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]\n").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    section.lines().map(name).filter(|name| !name.is_empty()).collect()
}

/// What `.0` of the core may know of the core; every other module may know every other.
const LAYERS: [(&str, &[&str]); 6] = [
    ("scst", &["scst"]),
    ("state", &["scst", "state"]),
    // The error is for a step's own words about how it failed.
    ("plan", &["plan", "scst", "state", "error"]),
    ("ocf", &["ocf", "deadline", "error", "system"]),
    ("sysfs", &["sysfs", "deadline", "error", "system"]),
    ("system", &["error"]),
];

#[test]
fn a_step_is_made_of_checked_types() {
    let step =
        sources("crates/scst-core/src/plan").into_iter().find(|source| source.path.ends_with("/step.rs")).unwrap();
    let mut lines =
        step.lines.iter().skip_while(|line| !line.starts_with("pub enum Step {")).take_while(|line| *line != "}");
    assert!(lines.next().is_some() && step.lines.iter().any(|line| line.contains("AddDevice {")));
    for line in lines {
        // Names of attributes and parameters stand in the source.
        let rest = line.replace("&'static str", "");
        assert!(!rest.contains("String") && !rest.contains("str"), "text that nobody checked: {line}");
    }
}

#[test]
fn layers_of_the_core_know_only_what_is_below_them() {
    for source in sources("crates/scst-core/src") {
        let Some((module, allowed)) = LAYERS.iter().find(|(module, _)| *module == source.module()) else { continue };
        let over: Vec<_> = known(&source).into_iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(over.is_empty(), "{}: {module} must not know {over:?}", source.path);
    }
}

#[test]
fn product_and_simulator_share_no_code() {
    for (package, foreign) in [
        ("crates/scst-core", &["scst-sim", "agents", "xtask"][..]),
        ("agents", &["scst-sim", "xtask"]),
        ("crates/scst-sim", &["scst-core", "agents", "xtask"]),
    ] {
        let own = dependencies(package);
        assert!(!own.is_empty(), "{package} has dependencies");
        let shared: Vec<_> = own.iter().filter(|name| foreign.contains(&name.as_str())).collect();
        assert!(shared.is_empty(), "{package} must not depend on {shared:?}");
    }
    for source in sources("crates/scst-sim/src") {
        assert!(!source.has("scst_core") && !source.has("agents::"), "{} knows the product", source.path);
    }
}

/// The product has these words in the named files, and nowhere else.
#[track_caller]
fn only_in(named: &[(&str, &str)], words: &[&str]) {
    let product = sources("crates/scst-core/src").into_iter().chain(sources("agents/src")).map(Source::without_tests);
    // A machine of unit tests, in a file of its own.
    let product = product.filter(|source| source.path != "agents/src/scst_ha/plan/over_kernel.rs");
    let found = product.filter(|source| words.iter().any(|word| source.has(word))).map(|source| source.path);
    let wanted: BTreeSet<String> = named.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found.collect::<BTreeSet<_>>(), wanted);
}

/// Files of the product that reach into the file system, and why.
const OPENERS: [(&str, &str); 7] = [
    ("crates/scst-core/src/system/kernel_files.rs", "the kernel's"),
    ("crates/scst-core/src/system/machine.rs", "the number of this boot"),
    ("crates/scst-core/src/system/own_files.rs", "state files and locks below /run, sizes below /var/lib/scst"),
    ("crates/scst-core/src/ocf/log.rs", "holds the trace open"),
    ("crates/scst-core/src/ocf/log/destination.rs", "the log"),
    ("crates/scst-core/src/ocf/log/trace.rs", "the trace"),
    ("agents/src/scst_ha/files.rs", "the files that the operator names"),
];

#[test]
fn only_named_files_touch_the_file_system() {
    only_in(&OPENERS, &["fs::", "File::", "OpenOptions"]);
}

#[test]
fn a_command_is_one_write() {
    let system = sources("crates/scst-core/src").into_iter().filter(|source| source.module() == "system");
    let system: Vec<Source> = system.map(Source::without_tests).collect();
    let own = |source: &&Source| !source.path.ends_with("/own_files.rs");
    assert!(system.iter().filter(own).all(|source| !source.has("write_all") && !source.has("fs::write(")));
    let writes = system.iter().flat_map(|source| &source.lines).filter(|line| line.contains(".write(&")).count();
    assert_eq!(writes, 1, "there is one place that writes");
}

/// Files of the product that wait, and what ends it.
const WAITERS: [(&str, &str); 11] = [
    ("crates/scst-core/src/deadline.rs", "the deadline"),
    ("crates/scst-core/src/sysfs/wait.rs", "the deadline"),
    ("crates/scst-core/src/system.rs", "declares it"),
    ("crates/scst-core/src/system/machine.rs", "the time that the caller gives"),
    ("crates/scst-core/src/system/worker.rs", "the time that the caller gives"),
    ("crates/scst-core/src/system/helper.rs", "the time that the caller gives"),
    ("agents/src/scst_ha/snapshot/recorder.rs", "passes it on"),
    ("agents/src/scst_ha/snapshot/replay.rs", "does not wait"),
    ("agents/src/scst_ha/files.rs", "the deadline"),
    ("agents/src/scst_ha/check/iscsi.rs", "the deadline"),
    ("agents/src/scst_ha/status/mod.rs", "the seconds between two views of --watch, which the operator ends"),
];

#[test]
fn only_named_files_wait() {
    only_in(&WAITERS, &["sleep(", "sleep_until(", "recv_timeout(", "wait_timeout", "wait_while(", "park"]);
}

/// That nothing which it calls starts one either is seen by the scenarios: each counts the programs of every notification
/// (`tests/fixture/outcome.rs`).
#[test]
fn a_notification_names_nothing_that_starts_a_process() {
    let notify = sources("agents/src").into_iter().find(|source| source.path.ends_with("scst_aluadg/notify.rs"));
    let notify = notify.expect("the agent has a notify").without_tests();
    for door in ["tools", "cluster::", "topology", "Command", "load_modules", "node_name("] {
        assert!(!notify.has(door), "notify uses {door}");
    }
}

#[test]
fn the_operators_tool_only_shows() {
    for source in sources("agents/src").into_iter().map(Source::without_tests) {
        if source.module() != "scst_ha" {
            assert!(!source.has("scst_ha::") || source.module() == "lib", "{} knows scst-ha", source.path);
            continue;
        }
        for door in [
            "apply",
            ".write(",
            "write_together",
            "write_apart",
            "remember(",
            "forget(",
            "state_files.lock(",
            "load_modules",
        ] {
            // A machine that is looked at, or was, has to answer that it writes nothing.
            if door == "write_apart" && source.path.contains("scst_ha/snapshot/") {
                continue;
            }
            assert!(!source.has(door), "{} uses {door}", source.path);
        }
        let sets = source.has("set_targetports");
        assert_eq!(sets, source.path.ends_with("scst_ha/discover/mod.rs"), "{} sets the attribute", source.path);
    }
}

#[test]
fn the_map_names_every_module() {
    let document = fs::read_to_string(workspace::root().join("docs/architecture.md")).unwrap();
    let mut missing = BTreeMap::<&str, BTreeSet<String>>::new();
    for package in ["crates/scst-core", "crates/scst-sim", "agents"] {
        let part = document.split("\n### ").find(|part| part.starts_with(&format!("`{package}`")));
        let part = part.unwrap_or_else(|| panic!("docs/architecture.md has no part about {package}"));
        for source in sources(&format!("{package}/src")) {
            let module = source.module();
            let first = |row: &&str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{module}`")));
            let named = part.lines().filter(|line| line.starts_with('|')).any(|row| first(&row));
            if !["lib", "main"].contains(&module) && !named {
                missing.entry(package).or_default().insert(module.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "docs/architecture.md does not name {missing:?}");
}
