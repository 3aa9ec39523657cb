//! State files: for root alone, never through a link, and not believed when they are not what they were. Whatever became of
//! one, every action still does what it is for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Cluster, Node, Resource};

/// What can stand in the place of a record.
enum Damage {
    /// Other bytes.
    Bytes(Vec<u8>),
    /// A directory that is not empty.
    Directory,
    /// A pipe that nobody writes to.
    Pipe,
    /// A link that leads nowhere.
    Link,
}

/// What somebody, or a full disk, can make of a record with this text.
fn damages(text: &str) -> Vec<Damage> {
    let mut flipped = text.as_bytes().to_vec();
    flipped.iter_mut().step_by(17).for_each(|byte| *byte ^= 0x80);
    let texts = [
        Vec::new(),
        text.as_bytes()[..text.len() / 2].to_vec(),
        text.as_bytes()[..text.len() - 1].to_vec(),
        vec![0; 4096],
        vec![0xff; 4096],
        vec![b'\n'; 64 << 10],
        vec![b'x'; 2 << 20],
        flipped,
        text.replace("record 1", "record 2").into_bytes(),
        text.replace("device ", "device ../../").into_bytes(),
        text.replace("end\n", "device a b\nend\n").into_bytes(),
        text.replace("end\n", "port ..;del 1\nend\n").into_bytes(),
    ];
    texts.into_iter().map(Damage::Bytes).chain([Damage::Directory, Damage::Pipe, Damage::Link]).collect()
}

impl Damage {
    fn inflict(&self, node: &Node, resource: &Resource) -> String {
        let path = node.record_path(resource);
        // There is none after a stop.
        let _ = fs::remove_file(&path);
        match self {
            Self::Bytes(bytes) => {
                fs::write(&path, bytes).expect("a record can be written");
                String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
            }
            Self::Directory => {
                fs::create_dir_all(path.join("full")).expect("a directory can be made");
                "a directory".to_owned()
            }
            Self::Pipe => {
                mkfifo(&path, Mode::S_IRWXU).expect("a pipe can be made");
                "a pipe".to_owned()
            }
            Self::Link => {
                symlink("/nowhere/at/all", &path).expect("a link can be made");
                "a link".to_owned()
            }
        }
    }
}

/// Takes away what is no file of an agent.
fn clear(node: &Node, resource: &Resource) {
    let path = node.record_path(resource);
    if path.is_dir() {
        fs::remove_dir_all(&path).expect("the directory can be removed");
    } else {
        // Gone with the stop, or not.
        let _ = fs::remove_file(&path);
    }
}

#[test]
fn every_action_survives_every_damage_of_its_record() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.run(&group(), "promote").exit(0);
    let text = alpha.record(&group()).expect("a record");
    for damage in damages(&text) {
        // The last of them leaves what the next round begins with.
        for (action, code) in [
            ("monitor", 8),
            ("notify", 0),
            ("reload", 0),
            ("promote", 0),
            ("demote", 0),
            ("start", 0),
            ("monitor", 0),
            ("stop", 0),
            ("monitor", 7),
            ("promote", 0),
        ] {
            let what = damage.inflict(&alpha, &group());
            let run = alpha.run(&group(), action);
            assert_eq!(run.code(), Some(code), "{action} with {what:?}: {run:?}");
            assert!(!run.log().contains("internal error"), "{action} with {what:?}: {}", run.log());
            if action == "stop" {
                assert_eq!(alpha.tree().lines("device"), [""; 0], "{what:?}");
            }
            clear(&alpha, &group());
        }
        let run = alpha.run(&group(), "reload");
        assert_eq!(run.code(), Some(0), "{run:?}");
        alpha.run(&group(), "demote").exit(0);
        alpha.run(&group(), "promote").exit(0);
        assert!(alpha.record(&group()).is_some());
    }
}

#[test]
fn so_do_the_actions_of_the_ports() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&ports(), "start").exit(0);
    let text = alpha.record(&ports()).expect("a record");
    for damage in damages(&text) {
        for (action, code) in [("monitor", 0), ("reload", 0), ("start", 0), ("stop", 0), ("monitor", 7), ("start", 0)] {
            let what = damage.inflict(&alpha, &ports());
            let run = alpha.run(&ports(), action);
            assert_eq!(run.code(), Some(code), "{action} with {what:?}: {run:?}");
            if action == "stop" {
                assert_eq!(alpha.tree().lines("group"), [""; 0], "{what:?}");
            }
            clear(&alpha, &ports());
        }
    }
}

/// A file of one of the agents, a link to a file of somebody else; and that file.
fn linked(cluster: &Cluster, name: &str) -> (PathBuf, PathBuf) {
    let theirs = cluster.dir().join("theirs");
    fs::write(&theirs, "theirs").expect("a file can be written");
    let rsctmp = cluster.node("alpha").rsctmp();
    fs::create_dir_all(&rsctmp).expect("a directory can be made");
    let link = rsctmp.join(name);
    symlink(&theirs, &link).expect("a link can be made");
    (link, theirs)
}

fn mode(path: &Path) -> u32 {
    let found = fs::symlink_metadata(path).expect("a file");
    assert!(found.is_file(), "{} is a file and no link", path.display());
    found.permissions().mode() & 0o777
}

#[test]
fn a_record_is_for_root_alone_and_never_written_through_a_link() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    fs::remove_file(alpha.record_path(&group())).unwrap_or_default();
    let (link, theirs) = linked(&cluster, "scst_aluadg-scst_dg_dummy.state");
    for action in ["monitor", "start", "promote", "demote", "reload"] {
        alpha.run(&group(), action);
        assert_eq!(fs::read_to_string(&theirs).expect("their file"), "theirs", "{action}");
    }
    assert_eq!(mode(&link), 0o600);
    assert_eq!(alpha.record_path(&group()), link);
    assert_eq!(mode(&alpha.record_path(&ports())), 0o600);
    alpha.run(&group(), "stop").exit(0);
    assert!(!link.exists() && theirs.exists());
}

#[test]
fn a_lock_is_never_taken_through_a_link() {
    let alpha = sample::started();
    let lock = alpha.rsctmp().join("scst_aluadg-dummy.lock");
    assert_eq!(mode(&lock), 0o600);
    fs::remove_file(&lock).expect("a lock can be removed");
    let (link, theirs) = linked(alpha.cluster(), "scst_aluadg-dummy.lock");
    assert_eq!(link, lock);
    alpha.run(&group(), "promote").exit(1).reason_has("scst_aluadg-dummy.lock").writes(0);
    // A stop leaves nothing behind, whatever is in its way.
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(fs::read_to_string(&theirs).expect("their file"), "theirs");
}

#[test]
fn nothing_is_written_into_a_directory_that_is_a_link() {
    let alpha = sample::started();
    let theirs = alpha.cluster().dir().join("theirs");
    fs::create_dir(&theirs).expect("a directory can be made");
    fs::remove_dir_all(alpha.rsctmp()).expect("the directory can be removed");
    symlink(&theirs, alpha.rsctmp()).expect("a link can be made");
    std::os::unix::fs::lchown(alpha.rsctmp(), Some(65534), None).expect("the link can be given away");
    alpha.run(&group(), "monitor").exit(0);
    alpha.run(&group(), "promote").exit(1).reason_has("ELOOP").writes(0);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(fs::read_dir(&theirs).expect("their directory").count(), 0);
}

#[test]
fn an_instance_with_a_name_of_any_length_has_a_record() {
    let alpha = sample::with_ports().into_node("alpha");
    for length in [160, 161, 230, 240, 255, 4096, 64 << 10] {
        let instance = group().called(&"i".repeat(length));
        for (action, code) in [("start", 0), ("promote", 0), ("monitor", 8), ("demote", 0), ("monitor", 0), ("stop", 0)]
        {
            let run = alpha.run(&instance, action);
            assert_eq!(run.code(), Some(code), "{action} of an instance of {length} bytes: {run:?}");
            assert!(!run.log().contains("could not be"), "{action} of {length} bytes: {}", run.log());
        }
        let left: Vec<String> = alpha.traces().into_iter().filter(|name| name.starts_with("scst_aluadg-i")).collect();
        assert_eq!(left, [""; 0]);
    }
}
