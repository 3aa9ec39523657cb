//! What an instance remembers between two actions, in a file below `/run`.
//!
//! A record is a memory aid: it says what was ours and what a dead run may have left blocked, never whether something
//! runs. An **empty** file was made by the shell agents this project replaces: its contents are unknown, not wrong. A file that
//! cannot be understood counts as empty as well, because acting on half of it could touch what is not ours.
//!
//! The format is a line per fact, `word value…`, after a first line with the version.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::deadline::Deadline;
use crate::scst::alua::AluaState;
use crate::scst::names::{DeviceName, GroupName, InitiatorGroup, NodeName, TargetName};
use crate::sysfs::wait_until;

/// The first line of a record.
const VERSION: &str = "scst-ocf record 1";

/// More than any record needs: 256 devices, 99 groups and all peers are some 20 KiB.
const LIMIT: u64 = 1 << 20;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// This node's name in the cluster.
    pub node: Option<NodeName>,
    /// This node's id in the cluster.
    pub node_id: Option<u16>,
    /// The device group.
    pub group: Option<GroupName>,
    /// Our ports, in the order of their numbers, each with its relative target id.
    pub ports: Vec<(TargetName, u16)>,
    /// The initiator groups we created.
    pub ini_groups: BTreeSet<InitiatorGroup>,
    /// The devices we created.
    pub devices: BTreeSet<DeviceName>,
    /// Devices we are about to block, or have blocked, with the count before.
    pub blocks: BTreeMap<DeviceName, u32>,
    /// A start has begun and not ended: what is there is no instance yet, whatever state the kernel gave its target group.
    pub starting: bool,
    /// The last state written for a peer, and when (seconds since this machine booted).
    pub peers: BTreeMap<NodeName, (AluaState, u64)>,
}

/// What a record file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Nothing,
    /// There is one that says nothing: made by the shell agents, or damaged.
    Unknown,
    /// One of ours.
    Known(Record),
}

impl Found {
    /// The record, if its contents are known.
    pub fn known(&self) -> Option<&Record> {
        match self {
            Self::Known(record) => Some(record),
            _ => None,
        }
    }
}

/// The records and locks of one agent.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    agent: &'static str,
    instance: String,
}

impl Store {
    /// The records below `dir` of the agent's instance.
    pub fn new(dir: PathBuf, agent: &'static str, instance: &str) -> Self {
        // An instance is an XML id and cannot hold these; by hand anything can be said.
        let instance = instance.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
        Self { dir, agent, instance }
    }

    /// The file of this instance.
    pub fn path(&self) -> PathBuf {
        self.dir.join(format!("{}-{}.state", self.agent, self.instance))
    }

    /// Reads the record of this instance; with a group given, else one that any instance left of this group, because by
    /// hand the instance may be the clone's id.
    pub fn read(&self, group: Option<&GroupName>) -> Found {
        let own = read(&self.path());
        if own != Found::Nothing {
            return own;
        }
        match group.and_then(|group| self.of_group(group)) {
            Some((_, record)) => Found::Known(record),
            None => Found::Nothing,
        }
    }

    /// The record of a device group, under whatever instance.
    fn of_group(&self, group: &GroupName) -> Option<(PathBuf, Record)> {
        let prefix = format!("{}-", self.agent);
        let files = fs::read_dir(&self.dir).ok()?.flatten();
        let ours = files.filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".state")
        });
        ours.map(|file| file.path()).find_map(|path| match read(&path) {
            Found::Known(record) if record.group.as_ref() == Some(group) => Some((path, record)),
            _ => None,
        })
    }

    /// Writes the record: a new file, renamed into place, so that a reader or a crash never sees half of one.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        self.make_dir()?;
        let path = self.path();
        let new = self.dir.join(format!(".{}-{}.{}.new", self.agent, self.instance, std::process::id()));
        let _ = fs::remove_file(&new);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
        let written = options.open(&new).and_then(|mut file| file.write_all(record.text().as_bytes()));
        let renamed = written.and_then(|()| fs::rename(&new, &path));
        if renamed.is_err() {
            let _ = fs::remove_file(&new);
        }
        renamed
    }

    /// Removes the record of this instance, and those of other instances of the same group.
    pub fn remove(&self, group: Option<&GroupName>) -> io::Result<()> {
        remove(&self.path())?;
        while let Some((path, _)) = group.and_then(|group| self.of_group(group)) {
            remove(&path)?;
        }
        Ok(())
    }

    /// Takes the lock of `name` (a device group, or the ports), waiting until the deadline. It is given back when the
    /// value is dropped or the process ends.
    pub fn lock(&self, name: &str, deadline: &Deadline) -> Result<Flock<File>, crate::error::Error> {
        let path = self.lock_path(name);
        let open = || {
            self.make_dir()?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
            options.open(&path)
        };
        let failed = |error: io::Error| crate::error::Error::Kernel {
            verb: crate::error::Verb::Write,
            path: path.clone(),
            value: None,
            errno: crate::error::ErrnoName(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
        };
        wait_until(&format!("the end of another action on {name}"), deadline, || {
            match Flock::lock(open().map_err(failed)?, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => Ok(Some(lock)),
                Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
                Err((_, errno)) => Err(failed(errno.into())),
            }
        })
    }

    /// Whether an action holds the lock of `name` at this moment. Creates nothing.
    pub fn locked(&self, name: &str) -> bool {
        let Ok(file) = OpenOptions::new().write(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(self.lock_path(name))
        else {
            return false;
        };
        matches!(Flock::lock(file, FlockArg::LockExclusiveNonblock), Err((_, Errno::EWOULDBLOCK)))
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}-{name}.lock", self.agent))
    }

    fn make_dir(&self) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o1755).recursive(true).create(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Seconds since this machine booted: unlike the time of day it never jumps, and records do not outlive a boot.
pub fn boot_seconds() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    uptime.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Found {
    // Non-blocking, because a FIFO in the place of a record must not hold an action up.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(_) => return Found::Unknown,
    };
    let mut text = String::new();
    match file.take(LIMIT).read_to_string(&mut text) {
        Ok(_) => Record::parse(&text).map_or(Found::Unknown, Found::Known),
        Err(_) => Found::Unknown,
    }
}

impl Record {
    /// Reads the text of a record. A file that was cut off, or that holds a line nobody wrote, is no record.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix("end\n")?;
        let mut lines = body.lines();
        if lines.next()? != VERSION {
            return None;
        }
        let mut record = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["node", name] => record.node = Some(NodeName::parse(name).ok()?),
                ["id", id] => record.node_id = Some(id.parse().ok()?),
                ["group", name] => record.group = Some(GroupName::parse(name).ok()?),
                ["port", name, id] => record.ports.push((TargetName::seen(name).ok()?, id.parse().ok()?)),
                ["ini_group", name] => _ = record.ini_groups.insert(InitiatorGroup::seen(name).ok()?),
                ["device", name] => _ = record.devices.insert(DeviceName::seen(name).ok()?),
                ["block", name, before] => {
                    record.blocks.insert(DeviceName::seen(name).ok()?, before.parse().ok()?);
                }
                ["starting"] => record.starting = true,
                ["peer", name, state, at] => {
                    let state = AluaState::parse(state)?;
                    record.peers.insert(NodeName::parse(name).ok()?, (state, at.parse().ok()?));
                }
                _ => return None,
            }
        }
        Some(record)
    }

    /// The text of the record. Its last line tells that it is whole.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{VERSION}\n");
        // Writing into a String cannot fail.
        let mut line = |arguments: std::fmt::Arguments<'_>| _ = writeln!(text, "{arguments}");
        if let Some(node) = &self.node {
            line(format_args!("node {node}"));
        }
        if let Some(id) = self.node_id {
            line(format_args!("id {id}"));
        }
        if let Some(group) = &self.group {
            line(format_args!("group {group}"));
        }
        for (port, id) in &self.ports {
            line(format_args!("port {port} {id}"));
        }
        for group in &self.ini_groups {
            line(format_args!("ini_group {group}"));
        }
        for device in &self.devices {
            line(format_args!("device {device}"));
        }
        for (device, before) in &self.blocks {
            line(format_args!("block {device} {before}"));
        }
        if self.starting {
            line(format_args!("starting"));
        }
        for (peer, (state, at)) in &self.peers {
            line(format_args!("peer {peer} {state} {at}"));
        }
        text.push_str("end\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn sample() -> Record {
        Record {
            node: NodeName::parse("alpha").ok(),
            node_id: Some(1),
            group: GroupName::parse("dummy").ok(),
            ports: vec![(TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap(), 101)],
            ini_groups: [InitiatorGroup::seen("ESX1").unwrap()].into(),
            devices: [DeviceName::seen("dummy_lu0").unwrap()].into(),
            blocks: [(DeviceName::seen("dummy_lu0").unwrap(), 2)].into(),
            starting: true,
            peers: [(NodeName::parse("beta").unwrap(), (AluaState::Transitioning, 12345))].into(),
        }
    }

    fn store(dir: &Path, instance: &str) -> Store {
        Store::new(dir.to_owned(), "scst_aluadg", instance)
    }

    #[test]
    fn what_is_written_is_read_again_by_instance_and_by_group() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupName::parse("dummy").unwrap();
        assert_eq!(store(dir.path(), "rsc").read(Some(&group)), Found::Nothing);
        store(dir.path(), "rsc").write(&sample()).unwrap();
        assert_eq!(store(dir.path(), "rsc").read(None), Found::Known(sample()));
        assert_eq!(store(dir.path(), "clone").read(Some(&group)), Found::Known(sample()));
        assert_eq!(store(dir.path(), "clone").read(GroupName::parse("other").as_ref().ok()), Found::Nothing);
        let mode = fs::metadata(store(dir.path(), "rsc").path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        store(dir.path(), "clone").remove(Some(&group)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_empty_cut_or_foreign_file_is_unknown_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "rsc");
        let text = sample().text();
        for cut in 0..text.len() {
            fs::write(store.path(), &text[..cut]).unwrap();
            assert_eq!(store.read(None), Found::Unknown, "cut at {cut}");
        }
        fs::write(store.path(), [0xff, 0xfe]).unwrap();
        assert_eq!(store.read(None), Found::Unknown);
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, text).unwrap();
        fs::remove_file(store.path()).unwrap();
        symlink(&elsewhere, store.path()).unwrap();
        assert_eq!(store.read(None), Found::Unknown);
        store.write(&Record::default()).unwrap();
        assert!(fs::read_to_string(&elsewhere).unwrap().contains("alpha"), "the link's target is untouched");
        assert_eq!(store.read(None), Found::Known(Record::default()));
    }

    #[test]
    fn a_lock_is_waited_for_to_the_deadline_and_looking_creates_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "rsc");
        assert!(!store.locked("dummy"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let soon = || Deadline::within(Duration::from_millis(60), Arc::default());
        let lock = store.lock("dummy", &soon()).unwrap();
        assert!(store.locked("dummy") && !store.locked("other"));
        assert!(store.lock("dummy", &soon()).unwrap_err().to_string().contains("another action on dummy"));
        drop(lock);
        assert!(!store.locked("dummy"));
        assert!(store.lock("dummy", &soon()).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_record_that_says_something_else_when_written_again(text in "(scst-ocf record 1\n)?([a-z_]{2,9} [ -~]{0,20}\n){0,4}(end\n)?") {
            if let Some(record) = Record::parse(&text) {
                prop_assert_eq!(Record::parse(&record.text()), Some(record));
            }
        }
    }
}
