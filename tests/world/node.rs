//! One node: a machine with a simulated SCST, and the directories an agent works in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use scst_sim::counters::Counters;
use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::{FcPort, Machine, ScstVersion};
use scst_sim::mount::{Mount, Pace, Setup};
use scst_sim::stand_in::cib::CibFile;

use super::resource::Resource;
use super::run::{Call, Outcome};
use super::tree::Tree;
use super::{Hardware, Plan};

/// A directory whose file system is full.
pub(crate) struct FullDirectory(PathBuf);

impl Drop for FullDirectory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A node that is there.
pub(crate) struct Node {
    pub(super) name: String,
    pub(super) id: u32,
    mount: Mount,
    files: Files,
    dir: PathBuf,
    tools: PathBuf,
    cib: CibFile,
}

impl Node {
    pub(super) fn up(world: &Path, plan: &Plan, version: ScstVersion, tools: &Path, cib: &CibFile) -> Self {
        let dir = world.join(&plan.name);
        let sys = dir.join("sys");
        fs::create_dir_all(&sys).expect("a directory can be made");
        let files = Files::new().with_var_lib(&dir.join("scst"));
        let mut machine = Machine::new(version, Box::new(files.clone()));
        for (port, host) in plan.ports.iter().filter(|port| port.plugged).zip(1..) {
            machine.plug(fc_port(port, host));
        }
        let setup = Setup { machine, files: Some(files.clone()), loadable: None, faults: Vec::new(), pace: Pace::Real };
        let mount = Mount::start(&sys, setup).unwrap_or_else(|error| {
            panic!("these tests need root and /dev/fuse, and are not skipped without: {error}")
        });
        Self { name: plan.name.clone(), id: plan.id, mount, files, dir, tools: tools.to_owned(), cib: cib.clone() }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    // ---- actions -----------------------------------------------------------------------------

    /// Runs an action as Pacemaker would: parameters, meta attributes, no notification lists.
    pub(crate) fn run(&self, resource: &Resource, action: &str) -> Outcome {
        self.call(resource).run(action)
    }

    /// An action that is still to be described.
    pub(crate) fn call(&self, resource: &Resource) -> Call<'_> {
        Call::new(self, resource)
    }

    /// The operators' tool with these arguments.
    pub(crate) fn tool(&self, arguments: &str) -> Call<'_> {
        arguments.split_whitespace().fold(Call::tool(self), Call::argument)
    }

    // ---- what is there -----------------------------------------------------------------------

    /// The picture of SCST's tree. Files of the world's directory are shown as if they lay in `/world`.
    pub(crate) fn tree(&self) -> Tree {
        let world = self.dir.parent().and_then(Path::to_str).expect("a plain path");
        Tree::new(self.mount.picture().expect("the tree can be drawn").replace(world, "/world"))
    }

    /// The simulated machine, to change it or to count.
    pub(crate) fn mount(&self) -> &Mount {
        &self.mount
    }

    /// The first line of an attribute below `kernel/scst_tgt`, read past the mount's counters and faults.
    pub(crate) fn read(&self, path: &str) -> String {
        let path = format!("kernel/scst_tgt/{path}");
        let content = self.mount.with_machine(|machine| {
            let file = machine.open(path.as_bytes(), true, false)?;
            machine.read(&file)
        });
        let content = content.unwrap_or_else(|error| panic!("{path} of {}: {error}", self.name));
        String::from_utf8_lossy(&content).lines().next().unwrap_or_default().to_owned()
    }

    /// Whether something is there below `kernel/scst_tgt`.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let path = format!("kernel/scst_tgt/{path}");
        self.mount.with_machine(|machine| machine.lookup(path.as_bytes())).is_ok()
    }

    /// The ALUA state of a target group.
    pub(crate) fn state(&self, group: &str, target_group: &str) -> String {
        self.read(&format!("device_groups/{group}/target_groups/{target_group}/state"))
    }

    /// Writes an attribute below `kernel/scst_tgt` by hand.
    pub(crate) fn write(&self, path: &str, data: &str) {
        let file = self.mount.dir().join("kernel/scst_tgt").join(path);
        fs::write(&file, data).unwrap_or_else(|error| panic!("{data:?} to {}: {error}", file.display()));
    }

    /// A command of the simulator, such as `login qla2x00t PORT INITIATOR`.
    pub(crate) fn control(&self, command: &str) -> String {
        self.mount.control(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Everything counted since the last reset.
    pub(crate) fn counters(&self) -> Counters {
        self.mount.counters()
    }

    /// What SCST sees at a path from now on, as words like `kind=missing` or `kind=block open_error=EMEDIUMTYPE`.
    pub(crate) fn declare(&self, path: &Path, words: &str) {
        self.control(&format!("file path={} {words}", path.display()));
    }

    pub(super) fn declare_disk(&self, path: &Path, size: u64, identity: &str) {
        let entry = FileEntry {
            path: path.to_str().expect("temporary directories have plain names").to_owned(),
            kind: EntryKind::Block,
            size: Some(size),
            identity: Some(identity.to_owned()).filter(|identity| !identity.is_empty()),
            ..FileEntry::default()
        };
        self.files.declare(&entry).expect("an absolute path");
    }

    // ---- the agents' own files ---------------------------------------------------------------

    /// The directory that stands for `/run/resource-agents`.
    pub(crate) fn rsctmp(&self) -> PathBuf {
        self.dir.join("resource-agents")
    }

    /// The directory that stands for `/var/lib/scst`.
    pub(crate) fn var_lib(&self) -> PathBuf {
        self.dir.join("scst")
    }

    /// The path of a resource's record.
    pub(crate) fn record_path(&self, resource: &Resource) -> PathBuf {
        self.rsctmp().join(format!("{}-{}.state", resource.agent(), resource.id()))
    }

    /// The text of a resource's record, if there is one.
    pub(crate) fn record(&self, resource: &Resource) -> Option<String> {
        fs::read_to_string(self.record_path(resource)).ok()
    }

    /// Puts a record in place; an empty one is what the shell agents leave.
    pub(crate) fn set_record(&self, resource: &Resource, text: &str) {
        fs::create_dir_all(self.rsctmp()).expect("a directory can be made");
        fs::write(self.record_path(resource), text).expect("a record can be written");
    }

    /// Makes the file system of the state files full, until what is returned goes: files can be read and locked, and no new one can be made.
    pub(crate) fn fill_rsctmp(&self) -> FullDirectory {
        let dir = self.rsctmp();
        let kept: Vec<_> = fs::read_dir(&dir)
            .expect("agents have run")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), fs::read(&path).expect("a file of an agent")))
            .collect();
        let mount = |options: &str| {
            let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&dir).status();
            assert!(status.expect("mount runs").success(), "mount -o {options}");
        };
        mount("mode=0755");
        for (path, contents) in &kept {
            fs::write(path, contents).expect("a file can be written");
        }
        // The directory has an inode as well.
        mount(&format!("remount,nr_inodes={}", kept.len() + 1));
        FullDirectory(dir)
    }

    /// The names of all files an agent has left outside the kernel.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut names = Vec::new();
        for dir in [self.rsctmp(), self.var_lib()] {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                names.push(entry.expect("a listed entry").file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        names
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn tools(&self) -> &Path {
        &self.tools
    }

    pub(super) fn cib(&self) -> &CibFile {
        &self.cib
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let crash = self.mount.with_machine(|machine| machine.crashed().map(str::to_owned));
        if let Some(crash) = crash.filter(|_| !std::thread::panicking()) {
            panic!("the kernel of {} crashed: {crash}", self.name);
        }
    }
}

fn fc_port(port: &Hardware, host: u32) -> FcPort {
    FcPort { gen32: port.gen32, ..FcPort::online(host, port.wwpn.clone()) }
}
