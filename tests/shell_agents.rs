//! The shell agents that came before: given the same inputs, ours leave the same names and numbers in the kernel.
//!
//! Two lives of the shell agents were recorded on a real kernel, with a snapshot of the whole tree after each action
//! (`tests/data/shell-agents`). Here ours live the same lives on the simulator, and each snapshot is compared entry by entry.
//! What may differ is listed, each difference with the row of `docs/differences.md` that explains it; a difference that is not in the
//! list fails the test, and so does one of the list that is not seen.
//!
//! Two things follow the history of the kernel and not the agents, and are compared without their numbers: which `export<k>` of a
//! device stands for which LUN, and which LUN of the copy manager mirrors it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixture::{Cluster, Resource, sample};

mod rebuild;

/// An entry of the tree: its kind, mode, and what it holds, as one line.
pub(crate) type Entries = BTreeMap<String, String>;

/// A difference that is wanted.
struct Intended {
    /// The row that explains it.
    row: &'static str,
    /// The steps of the recording after which it shows.
    steps: &'static [u64],
    /// The entries, `*` standing for anything.
    path: &'static str,
    /// What the shell agents left; empty for nothing.
    shell: &'static str,
    /// What ours leave; empty for nothing.
    ours: &'static str,
}

const STANDBY: &str = "file 0644 \"standby\\n[key]\\n\"";
const ACTIVE: &str = "file 0644 \"active\\n[key]\\n\"";
const UNAVAILABLE: &str = "file 0644 \"unavailable\\n[key]\\n\"";

const S1: &[Intended] = &[];

const S2: &[Intended] = &[
    // A standby opens no store, so it does not know yet whether the disk can discard.
    Intended {
        row: "D9",
        steps: &[13],
        path: "devices/ssd_t1/thin_provisioned",
        shell: "file 0444 \"1\\n\"",
        ours: "file 0444 \"0\\n\"",
    },
    Intended {
        row: "D9",
        steps: &[13],
        path: "devices/ssd_t1/gen_tp_soft_threshold_reached_UA",
        shell: "file 0200 unreadable",
        ours: "",
    },
    // A file is closed while the node is standby, so that no stale page cache is served after a failover.
    Intended {
        row: "D5",
        steps: &[13],
        path: "devices/ssd_t2/active",
        shell: "file 0644 \"1\\n\"",
        ours: "file 0644 \"0\\n[key]\\n\"",
    },
    Intended {
        row: "D5",
        steps: &[13, 18, 23],
        path: "devices/ssd_t2/bind_alua_state",
        shell: "file 0644 \"0\\n\"",
        ours: "file 0644 \"1\\n[key]\\n\"",
    },
    // Gamma starts, so it is published as running; that it is not in the list of the allowed ones does not matter.
    Intended {
        row: "P4",
        steps: &[15, 17, 22, 26, 29],
        path: "device_groups/ssd/target_groups/gamma/state",
        shell: UNAVAILABLE,
        ours: STANDBY,
    },
    // Beta is promoted while alpha is published as active, and nothing says that alpha still is.
    Intended {
        row: "S1",
        steps: &[17, 22, 26, 29],
        path: "device_groups/ssd/target_groups/alpha/state",
        shell: ACTIVE,
        ours: STANDBY,
    },
    // The group before it is gone: its number is its place in the configuration, or the new group would share it.
    Intended {
        row: "C14",
        steps: &[21, 25, 32],
        path: "targets/qla2x00t/*/ini_groups/linux/io_grouping_type",
        shell: "file 0644 \"203\\n[key]\\n\"",
        ours: "file 0644 \"202\\n[key]\\n\"",
    },
];

#[test]
fn the_sample_configuration_ends_in_the_same_tree() {
    let cluster = sample::without_cables().up();
    Life::new(&cluster, "alpha", "s1_sample.jsonl", &[]).live(S1);
}

#[test]
fn a_rich_configuration_with_reloads_ends_in_the_same_tree() {
    let (cluster, stores) = rich();
    Life::new(&cluster, "beta", "s2_rich.jsonl", &stores).live(S2);
}

/// The cluster of the recording with three disks, and what its stores are called here.
pub(crate) fn rich() -> (Cluster, [(&'static str, PathBuf); 2]) {
    let cluster = sample::without_cables()
        .node("gamma", 7)
        .dead_port("50:01:43:80:0a:0b:0c:01")
        .node("quorum", 9)
        .without_targetports()
        .up();
    let disk = cluster.disk("b0", 16 << 20);
    cluster.node("beta").declare(&disk, "kind=block size=16777216 discard=true");
    let file = cluster.file("b1", 16 << 20);
    (cluster, [("/dev/loop0", disk), ("/run/lab/b1", file)])
}

/// One recorded life, lived again by our agents.
pub(crate) struct Life<'a> {
    cluster: &'a Cluster,
    node: &'static str,
    steps: Vec<Value>,
    /// Files of the recording, and what stands for them here.
    files: Vec<(&'static str, PathBuf)>,
    /// What differs: step, entry, recorded, ours.
    differences: Vec<(u64, String, String, String)>,
}

impl<'a> Life<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        node: &'static str,
        recording: &str,
        files: &[(&'static str, PathBuf)],
    ) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/shell-agents").join(recording);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let steps = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        Self { cluster, node, steps, files: files.to_vec(), differences: Vec::new() }
    }

    /// Lets our agents act as the recorded ones did.
    fn live(mut self, intended: &[Intended]) {
        for step in std::mem::take(&mut self.steps) {
            match step["op"].as_str() {
                None => self.load_modules(&step["meta"]["modules"]),
                // Files and disks are the test's.
                Some("env") => {}
                Some("write") => self.cluster.node(self.node).write(text(&step["path"]), text(&step["data"])),
                Some("agent") => self.act(&step),
                Some("tree") => self.compare(&step),
                Some(other) => panic!("a step {other} in a life"),
            }
        }
        self.judge(intended);
    }

    fn load_modules(&self, modules: &Value) {
        for module in modules.as_array().expect("a list of modules") {
            self.cluster.node(self.node).control(&format!("modprobe {}", text(module)));
        }
    }

    /// Makes the tree that the shell agents left, as seen in the snapshots of these steps: of ports, of devices, of device groups.
    pub(crate) fn rebuild(&mut self, [ports, devices, groups]: [u64; 3]) {
        self.load_modules(&self.steps[0]["meta"]["modules"]);
        let reservations = self.cluster.node(self.node).var_lib().join("pr");
        fs::create_dir_all(reservations).expect("a directory can be made");
        let snapshot = |step: u64| {
            let entries = self.steps.iter().find(|line| line["step"] == step).expect("a step")["entries"].clone();
            entries.as_array().expect("a snapshot").iter().map(recorded).collect::<Entries>()
        };
        let writes = rebuild::writes(&snapshot(ports), &snapshot(devices), &snapshot(groups));
        for (path, data) in &writes {
            let data = self
                .files
                .iter()
                .fold(data.clone(), |data, (theirs, ours)| data.replace(theirs, ours.to_str().expect("a plain path")));
            self.cluster.node(self.node).write(path, &data);
        }
        for step in [ports, devices, groups] {
            let step = self.steps.iter().find(|line| line["step"] == step).expect("a step").clone();
            self.compare(&step);
        }
        assert!(self.differences.is_empty(), "not the tree they left: {:#?}", self.differences);
    }

    /// The resource that the recording's agent had at this step.
    pub(crate) fn resource(&self, step: u64, id: &str) -> Resource {
        let step = self.steps.iter().find(|line| line["step"] == step).expect("a step");
        self.configured(step).called(id)
    }

    fn configured(&self, step: &Value) -> Resource {
        let group = text(&step["agent"]) == "scst_aluadg";
        let mut resource = if group { Resource::group("group") } else { Resource::ports("ports") };
        for (name, value) in step["params"].as_object().expect("parameters") {
            let mut value = text(value).to_owned();
            for (theirs, ours) in &self.files {
                value = value.replace(theirs, ours.to_str().expect("a plain path"));
            }
            resource = resource.param(name, &value);
        }
        resource
    }

    fn act(&self, step: &Value) {
        let resource = self.configured(step);
        let mut call = self.cluster.node(self.node).call(&resource);
        for (name, value) in step["meta"].as_object().expect("meta attributes") {
            call = call.meta(name, text(value));
        }
        let code = step["exit"].as_i64().and_then(|code| code.try_into().ok()).expect("an exit code");
        call.run(text(&step["action"])).exit(code);
    }

    fn compare(&mut self, step: &Value) {
        let number = step["step"].as_u64().expect("a number");
        let root = text(&step["path"]);
        let recorded = step["entries"].as_array().expect("entries").iter().map(recorded).collect();
        let (recorded, exports) = apart(recorded);
        let (ours, our_exports) = apart(self.entries(root));
        let nothing = String::new();
        for path in recorded.keys().chain(ours.keys().filter(|path| !recorded.contains_key(*path))) {
            let (theirs, ours) = (recorded.get(path).unwrap_or(&nothing), ours.get(path).unwrap_or(&nothing));
            // A volatile value counts as far as it is there.
            let same = theirs == ours || (theirs.ends_with(" volatile") && !ours.is_empty());
            if !same {
                self.differences.push((number, format!("{root}/{path}"), theirs.clone(), ours.clone()));
            }
        }
        for export in exports.iter().filter(|export| !our_exports.contains(export)) {
            self.differences.push((number, format!("{root}/{export}"), "exported".to_owned(), String::new()));
        }
        for export in our_exports.iter().filter(|export| !exports.contains(export)) {
            self.differences.push((number, format!("{root}/{export}"), String::new(), "exported".to_owned()));
        }
    }

    /// What is below a directory of the mounted tree.
    fn entries(&self, root: &str) -> Entries {
        let base = self.cluster.node(self.node).mount().dir().join("kernel/scst_tgt").join(root);
        let mut entries = Entries::new();
        let mut todo = vec![base.clone()];
        while let Some(directory) = todo.pop() {
            for entry in fs::read_dir(&directory).expect("a directory can be listed") {
                let path = entry.expect("a listed entry").path();
                let name = path.strip_prefix(&base).expect("below it").to_str().expect("a plain name").to_owned();
                if name.starts_with("copy_manager") || name.contains("/latency") {
                    continue;
                }
                let status = path.symlink_metadata().expect("an entry has a status");
                let line = if status.is_dir() {
                    todo.push(path);
                    "directory".to_owned()
                } else if status.is_symlink() {
                    format!("link {}", fs::read_link(&path).expect("a link can be read").display())
                } else {
                    let mode = format!("{:04o}", status.permissions().mode() & 0o7777);
                    format!("file {mode} {}", self.content(&path))
                };
                entries.insert(name, line);
            }
        }
        entries
    }

    fn content(&self, path: &Path) -> String {
        if path.ends_with("mgmt") {
            return "help".to_owned();
        }
        match fs::read(path) {
            Ok(bytes) => {
                let mut text = String::from_utf8_lossy(&bytes).into_owned();
                if path.ends_with("trace_level") {
                    // What follows is usage.
                    return format!("first line {:?}", text.lines().next().unwrap_or_default());
                }
                for (theirs, ours) in &self.files {
                    text = text.replace(ours.to_str().expect("a plain path"), theirs);
                }
                format!("{text:?}")
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => "unreadable".to_owned(),
            Err(error) => format!("{:?}", nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default())),
        }
    }

    fn judge(self, intended: &[Intended]) {
        let mut seen = vec![0; intended.len()];
        let mut unexplained = Vec::new();
        for (step, path, theirs, ours) in &self.differences {
            let explains = |rule: &Intended| {
                rule.steps.contains(step) && matches(rule.path, path) && rule.shell == theirs && rule.ours == ours
            };
            match intended.iter().position(explains) {
                Some(index) => seen[index] += 1,
                None => unexplained.push(format!("step {step} {path}\n    shell: {theirs}\n    ours:  {ours}")),
            }
        }
        let unseen: Vec<_> = intended
            .iter()
            .zip(seen)
            .filter(|(_, seen)| *seen == 0)
            .map(|(rule, _)| format!("{} {:?} {}", rule.row, rule.steps, rule.path))
            .collect();
        assert!(
            unexplained.is_empty() && unseen.is_empty(),
            "not in the list:\n{}\nin the list and not seen:\n{}",
            unexplained.join("\n"),
            unseen.join("\n")
        );
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// An entry as the recording has it.
fn recorded(entry: &Value) -> (String, String) {
    let path = text(&entry["p"]).to_owned();
    let line = match text(&entry["t"]) {
        "d" => "directory".to_owned(),
        "l" if entry.get("volatile").is_some() => "link volatile".to_owned(),
        "l" => format!("link {}", text(&entry["target"])),
        _ => {
            let mode = text(&entry["mode"]);
            let content = if entry.get("volatile").is_some() {
                "volatile".to_owned()
            } else if entry.get("help").is_some() {
                "help".to_owned()
            } else if let Some(content) = entry.get("content") {
                format!("{:?}", text(content))
            } else if let Some(line) = entry.get("content_first_line") {
                format!("first line {:?}", text(line))
            } else if let Some(error) = entry.get("error") {
                text(error).to_owned()
            } else {
                "unreadable".to_owned()
            };
            format!("file {mode} {content}")
        }
    };
    (path, line)
}

/// Takes out what has a number by history: a device's exports become a list of where they lead.
fn apart(entries: Entries) -> (Entries, Vec<String>) {
    let is_export = |path: &str| path.contains("/exported/export");
    let (exports, others): (Entries, Entries) = entries.into_iter().partition(|(path, _)| is_export(path));
    let mut exports: Vec<String> = exports
        .into_iter()
        .map(|(path, link)| {
            let device = path.split('/').next().unwrap_or_default();
            let to = link.rsplit_once("targets/").map_or(link.as_str(), |(_, to)| to);
            let to = if to.starts_with("copy_manager/") { "the copy manager" } else { to };
            format!("{device} to {to}")
        })
        .collect();
    exports.sort();
    (others, exports)
}

/// Whether a path is one that a pattern with `*` means.
fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        if index + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}
