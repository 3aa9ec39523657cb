//! A reload that cannot do everything: what runs is not stopped for it, and what is missing comes later by itself.

use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::fixture::sample::{self, ALPHA, HOST, Store, group, grown, null, ports};

const LUNS: &str = "**/ini_groups/vmwtest/luns/mgmt";

#[test]
fn a_device_that_cannot_be_mapped_is_mapped_by_the_next_monitor_or_reload() {
    for finisher in ["monitor", "reload"] {
        let alpha = sample::serving().into_node("alpha");
        alpha.control(&format!("fault op=write path={LUNS} repeat=true action=fail errno=EIO"));
        alpha.run(&grown(), "reload").unfinished().reason_has("LUN 1").reason_has("EIO");
        assert_eq!(alpha.tree().lines("lun 0").len(), 2, "what hosts have stays");
        // As long as it cannot be finished, nothing fails for it.
        alpha.monitor(&grown()).exit(8).programs(0).logged("not finished");
        // A probe changes nothing.
        alpha.run(&grown(), "monitor").exit(8).writes(0);
        alpha.control("disarm");
        match finisher {
            "monitor" => alpha.monitor(&grown()).exit(8).programs(0).not_logged("ERROR"),
            _ => alpha.run(&grown(), "reload").exit(0),
        };
        assert_eq!(alpha.tree().lines("lun 1 dummy_lu1").len(), 2, "{finisher}");
        // The device that has come is told to the other nodes by the next monitor that asks them.
        let told = ["cibadmin", "crm_attribute"];
        alpha.thorough(&grown()).exit(8).writes(0).ran(&told);
        assert_eq!(alpha.score(&group()).as_deref(), Some("10"));
    }
}

/// The next monitor knows from the state file that there is something to finish. Where that cannot be written, nobody would.
#[test]
fn a_reload_that_nobody_would_finish_fails() {
    let alpha = sample::serving().into_node("alpha");
    let more = ports().param("initiators", &format!("vmwtest={};other={}", HOST[0], HOST[1]));
    let full = alpha.fill_rsctmp();
    alpha.control(&format!("fault op=write path={LUNS} repeat=true action=fail errno=EIO"));
    alpha.run(&grown(), "reload").exit(1).reason_has("LUN 1").reason_has("EIO");
    alpha.control("fault op=write path=**/ini_groups/mgmt repeat=true action=fail errno=EIO");
    alpha.run(&more, "reload").exit(1).reason_has("EIO");
    drop(full);
    alpha.control("disarm");
    alpha.run(&more, "reload").exit(0);
    alpha.run(&grown(), "reload").exit(0);
}

/// An error that does not say that nothing is there says nothing about the configuration.
#[test]
fn a_reload_that_meets_a_failing_store_is_finished_when_the_store_answers() {
    let (alpha, grown, file) = sample::serving().into_node("alpha").with(&Store::File);
    std::fs::remove_file(&file).expect("the file can be removed");
    symlink(&file, &file).expect("a link to itself can be made");
    let unfinished = alpha.run(&grown, "reload").unfinished().writes(0);
    unfinished.reason_has("backing store cannot be used").reason_has("(cannot be looked at: ELOOP)");
    alpha.monitor(&grown).exit(8).writes(0).logged("not finished");
    std::fs::remove_file(&file).expect("the link can be removed");
    alpha.cluster().file("f0", 1 << 20);
    alpha.monitor(&grown).exit(8).programs(0).not_logged("ERROR");
    assert_eq!(alpha.tree().lines("lun 1 dummy_r0").len(), 2);
}

/// A link of udev's is away for a moment while its rules run again, and a volume may be made after the configuration that names it.
#[test]
fn a_reload_that_misses_a_store_is_finished_when_the_store_is_there() {
    let (alpha, grown, file) = sample::serving().into_node("alpha").with(&Store::File);
    std::fs::remove_file(&file).expect("the file can be removed");
    alpha.run(&grown, "reload").kept().reason_has("backing store does not exist");
    alpha.monitor(&grown).exit(8).writes(0).programs(0).logged("not finished");
    alpha.cluster().file("f0", 1 << 20);
    alpha.monitor(&grown).exit(8).programs(0).not_logged("ERROR");
    assert_eq!(alpha.tree().lines("lun 1 dummy_r0").len(), 2);
    // Without a state file nobody would finish it: no reason to stop what runs.
    std::fs::remove_file(&file).expect("the file can be removed");
    let device = format!("handler=vdisk_fileio,filename={},virtname=r0,export0=all:2", file.display());
    let moved = grown.param("device1", &device);
    let full = alpha.fill_rsctmp();
    alpha.run(&moved, "reload").kept().reason_has("backing store does not exist");
    drop(full);
}

/// The kernel carries out later what it did not answer in time, also when the device is not configured any more by then.
#[test]
fn a_device_that_comes_after_it_was_taken_out_of_the_configuration_is_removed() {
    for finisher in ["monitor", "reload", "stop"] {
        let alpha = sample::serving().into_node("alpha");
        alpha.control("fault op=write path=**/vdisk_nullio/mgmt action=hang");
        let brief = |resource| alpha.call(resource).timeout(Duration::from_secs(2));
        brief(&grown()).run("reload").unfinished().reason_has("no answer");
        alpha.control("disarm");
        alpha.run(&group(), "reload").exit(0);
        alpha.monitor(&group()).exit(8).writes(0).programs(0).not_logged("reload");
        alpha.control("release");
        assert!(alpha.exists("devices/dummy_lu1"), "the kernel has carried the addition out");
        match finisher {
            "monitor" => alpha.monitor(&group()).exit(8).programs(0),
            "reload" => alpha.run(&group(), "reload").exit(0),
            _ => alpha.run(&group(), "stop").exit(0),
        };
        assert!(!alpha.exists("devices/dummy_lu1"), "{finisher}");
        if finisher != "stop" {
            alpha.monitor(&group()).exit(8).writes(0);
            // What somebody else makes under that name later is not ours.
            alpha.write("handlers/vdisk_nullio/mgmt", "add_device dummy_lu1 dummy=1");
            alpha.monitor(&group()).exit(8).writes(0);
        }
    }
}

#[test]
fn a_reload_that_took_something_from_hosts_fails() {
    let alpha = sample::serving().into_node("alpha");
    // LUN 0 is another device from now on; the old one is unmapped, the new one cannot be mapped.
    let replaced = group().param("device0", &null("other", "export0=all:0"));
    alpha.control(&format!("fault op=write path={LUNS} at=3 repeat=true action=fail errno=EIO"));
    let reloaded = alpha.run(&replaced, "reload");
    assert!(
        reloaded.written().iter().any(|write| write.contains("< del 0") || write.contains("< clear")),
        "{reloaded:?}"
    );
    reloaded.exit(1).reason_has("EIO");
}

#[test]
fn a_monitor_that_takes_something_from_hosts_while_it_finishes_a_reload_fails() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control(&format!("fault op=write path={LUNS} repeat=true action=fail errno=EIO"));
    alpha.run(&grown(), "reload").unfinished();
    alpha.control("disarm");
    // The next configuration has another device at LUN 0: the old one is unmapped, the new one cannot be mapped.
    let replaced = group().param("device0", &null("other", "export0=all:0"));
    alpha.control(&format!("fault op=write path={LUNS} at=3 repeat=true action=fail errno=EIO"));
    alpha.monitor(&replaced).exit(1).reason_has("EIO");
    alpha.control("disarm");
    alpha.monitor(&replaced).exit(8);
    assert_eq!(alpha.tree().lines("lun 0 dummy_other").len(), 2);
}

#[test]
fn a_reload_that_is_killed_is_finished_by_the_next_monitor() {
    let alpha = sample::serving().into_node("alpha");
    let both = ports().param("initiators", &format!("vmwtest={};other={}", HOST[0], HOST[1]));
    let group = format!("targets/qla2x00t/{}/ini_groups/other/initiators/{}", ALPHA[1], HOST[1]);
    for (resource, code, done) in [(&both, 0, group.as_str()), (&grown(), 8, "device_groups/dummy/devices/dummy_lu1")] {
        alpha.control("fault op=write process=scst_* at=1 action=kill signal=KILL when=after");
        assert!(alpha.run(resource, "reload").was_killed());
        alpha.monitor(resource).exit(code).programs(0);
        assert!(alpha.exists(done), "{done}");
        alpha.monitor(resource).exit(code).writes(0);
    }
}

#[test]
fn an_initiator_group_that_is_held_is_deleted_when_it_is_free() {
    for finisher in ["monitor", "reload"] {
        let alpha = sample::with_ports().into_node("alpha");
        let both = ports().param("initiators", &format!("vmwtest={};other={}", HOST[0], HOST[1]));
        let one = ports().param("initiators", &format!("vmwtest={}", HOST[0]));
        alpha.run(&both, "reload").exit(0);
        alpha.control("fault op=write path=**/ini_groups/mgmt repeat=true action=fail errno=EBUSY");
        alpha.call(&one).timeout(Duration::from_secs(3)).run("reload").unfinished().reason_has("initiator group other");
        alpha
            .call(&one)
            .recurring()
            .timeout(Duration::from_secs(3))
            .run("monitor")
            .exit(0)
            .programs(0)
            .logged("not finished");
        alpha.control("disarm");
        match finisher {
            "monitor" => alpha.monitor(&one).exit(0).programs(0).not_logged("ERROR"),
            _ => alpha.run(&one, "reload").exit(0),
        };
        for port in ALPHA {
            assert!(!alpha.exists(&format!("targets/qla2x00t/{port}/ini_groups/other")), "{finisher}");
        }
        alpha.monitor(&one).exit(0).writes(0);
    }
}
