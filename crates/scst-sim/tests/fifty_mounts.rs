//! Mounting and unmounting many times leaves nothing behind: no descriptor, no thread, no mount. A test program of its own,
//! because it counts what the whole process has. Needs root and `/dev/fuse`.

use std::fs;
use std::path::Path;

use scst_sim::mount::Mount;
use scst_sim::scenario::Scenario;

fn count(dir: &str) -> usize {
    fs::read_dir(dir).expect("proc is mounted").count()
}

/// Others may mount at the same time.
fn mounts(at: &Path) -> usize {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("proc is mounted");
    mounts.lines().filter(|line| line.split(' ').nth(1).is_some_and(|place| Path::new(place) == at)).count()
}

#[test]
fn fifty_mounts_in_a_row_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = Scenario::built_in();
    let mut before = None;
    for round in 0..50 {
        let mount = Mount::start(dir.path(), scenario.build().unwrap()).unwrap();
        assert!(dir.path().join("kernel/scst_tgt/threads").exists());
        if round % 2 == 0 {
            mount.unmount().unwrap();
        } else {
            drop(mount);
        }
        assert!(!dir.path().join("kernel").exists());
        let now = (count("/proc/self/fd"), count("/proc/self/task"), mounts(dir.path()));
        assert_eq!(now, *before.get_or_insert(now), "round {round}");
    }
}
