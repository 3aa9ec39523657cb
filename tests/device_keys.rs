//! What a device is told to be beyond the store it stands on, and what the node makes of it: block sizes, thin provisioning,
//! threads, LUNs, caches, identifiers.

use scst_sim::model::ScstVersion;

use crate::fixture::sample::{self, ALPHA, group, ports};
use crate::fixture::{Cluster, Fixture, OneNode, Resource};

const VERSIONS: [ScstVersion; 2] = [ScstVersion::V3_7, ScstVersion::V3_11];

/// The sample group with a disk at LUN 1, and with these words about it.
fn disk(cluster: &Cluster, words: &str) -> Resource {
    sample::above(&cluster.disk("d0", 1 << 20), words)
}

/// Alpha with its ports up, and that group.
fn on_disk(words: &str) -> (OneNode, Resource) {
    let alpha = sample::with_ports().into_node("alpha");
    let group = disk(alpha.cluster(), words);
    (alpha, group)
}

/// The sample group with a file at LUN 1, and with these words about it.
fn file(cluster: &Cluster, words: &str) -> Resource {
    sample::above(&cluster.file("f0", 1 << 20), &format!("handler=vdisk_fileio,{words}"))
}

#[test]
fn block_size_thin_provisioning_and_threads_are_what_was_said() {
    let (alpha, resource) = on_disk("blocksize=4096,thin_provisioned=0,threads_num=5");
    alpha.run(&resource, "validate-all").exit(0);
    alpha.run(&resource, "start").exit(0);
    for (attribute, value) in [("blocksize", "4096"), ("thin_provisioned", "0"), ("threads_num", "5")] {
        assert_eq!(alpha.read(&format!("devices/dummy_r0/{attribute}")), value, "{attribute}");
    }
    alpha.run(&resource, "promote").exit(0);
    alpha.has_nothing_to_do(&resource, 8);
    // Threads are changed under hosts, and nothing else with them.
    let more = disk(alpha.cluster(), "blocksize=4096,thin_provisioned=0,threads_num=6");
    alpha.run(&more, "reload").exit(0).wrote(&["devices/dummy_r0/threads_num < 6"]);
}

/// The sample group with a 4Kn disk at LUN 1, and with these words about it.
fn large(cluster: &Cluster, words: &str) -> Resource {
    let resource = disk(cluster, words);
    let path = cluster.dir().join("d0");
    for node in ["alpha", "beta"] {
        cluster.node(node).control(&format!("store {} logical_block=4096", path.display()));
    }
    resource
}

#[test]
fn a_device_has_the_blocks_of_its_store_in_every_generation() {
    for version in VERSIONS {
        let cluster = sample::with_ports_of(version);
        let (alpha, plain) = (cluster.node("alpha"), large(&cluster, ""));
        alpha.run(&plain, "start").exit(0);
        alpha.run(&plain, "promote").exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "4096", "{version:?}");
        assert_eq!(alpha.read("devices/dummy_r0/active"), "1", "{version:?}");
        alpha.has_nothing_to_do(&plain, 8);
        alpha.run(&plain, "stop").exit(0);
        // A file has none: it is served as ever, and so is a disk behind the page cache whose blocks somebody chose.
        alpha.run(&file(&cluster, ""), "start").exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "512", "{version:?}");
        alpha.run(&file(&cluster, ""), "stop").exit(0);
        let cached = large(&cluster, "handler=vdisk_fileio,blocksize=512");
        alpha.run(&cached, "start").exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "512", "{version:?}");
    }
}

#[test]
fn a_block_size_that_the_store_cannot_have_leaves_the_device_out_and_the_others_run() {
    for version in VERSIONS {
        let cluster = sample::with_ports_of(version);
        let (alpha, small) = (cluster.node("alpha"), large(&cluster, "blocksize=512"));
        let why = "its store has logical blocks of 4096 bytes, more than its blocksize 512";
        alpha.run(&small, "start").exit(0).logged(&format!("device dummy_r0 is left out: {why}"));
        assert!(!alpha.exists("devices/dummy_r0"), "{version:?}");
        assert_eq!(alpha.tree().lines("lun"), ["lun 0 dummy_lu0dummy"; 2]);
        alpha.run(&small, "promote").exit(0);
        alpha.thorough(&small).exit(1).reason("device dummy_r0 is missing");
        alpha.run(&small, "stop").exit(0);
        // Without its first device a group does not start here, and may elsewhere.
        let only = small.without("device0").without("device1");
        let path = cluster.dir().join("d0");
        let only =
            only.param("device0", &format!("filename={},virtname=r0,export0=all:0,blocksize=512", path.display()));
        let started = alpha.run(&only, "start").exit(5).writes(0);
        started.reason(&format!("device dummy_r0 cannot be added: {why}"));
    }
}

#[test]
fn a_block_size_that_was_guessed_without_the_store_is_looked_at_before_the_group_opens() {
    for version in VERSIONS {
        let cluster = sample::with_ports_of(version);
        let alpha = cluster.node("alpha");
        let path = cluster.dir().join("d0");
        let control = |words: &str| alpha.control(&format!("store {} {words}", path.display()));
        let absent = disk(&cluster, "absent_in_standby=1,size=1M");
        alpha.run(&absent, "validate-all").exit(0).logged("device1: without its store nobody knows the block size");
        control("present=false");
        alpha.run(&absent, "start").exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "512", "{version:?}");
        control("present=true");
        control("logical_block=4096");
        let promote = alpha.run(&absent, "promote").exit(1);
        let promote = promote
            .reason_has("device dummy_r0: its store has logical blocks of 4096 bytes, more than its blocksize 512");
        let written = promote.written();
        assert!(written.iter().all(|write| !write.contains("target_groups/alpha/state")), "{version:?}: {written:#?}");
        // With the store in place, or told, the next start makes it right.
        alpha.run(&absent, "stop").exit(0);
        let told = disk(&cluster, "absent_in_standby=1,size=1M,blocksize=4096");
        alpha.run(&told, "validate-all").exit(0).not_logged("nobody knows the block size");
        control("present=false");
        alpha.run(&told, "start").exit(0);
        control("present=true");
        alpha.run(&told, "promote").exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "4096", "{version:?}");
    }
}

/// Hosts know the disk by the blocks that it had when its store was there.
#[test]
fn a_start_over_a_device_whose_store_is_absent_keeps_its_blocks() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let resource = large(&cluster, "absent_in_standby=1,size=1M");
    alpha.run(&resource, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "4096");
    alpha.control(&format!("store {} present=false", cluster.dir().join("d0").display()));
    alpha.has_nothing_to_do(&resource, 0);
    assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "4096");
}

#[test]
fn another_block_size_waits_until_the_device_is_added_again() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let (plain, large) = (disk(&cluster, ""), disk(&cluster, "blocksize=4096"));
    alpha.run(&plain, "reload").exit(0);
    let named = "device dummy_r0: blocksize is 512, configured is 4096";
    alpha.run(&large, "reload").exit(0).writes(0).logged(named);
    alpha.thorough(&large).exit(8).logged(named);
    alpha.run(&large, "stop").exit(0);
    alpha.run(&large, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/blocksize"), "4096");
    // The other way round as well: what nobody says any more is the kernel's own.
    let named = "device dummy_r0: blocksize is 4096, configured is 512";
    alpha.run(&large, "promote").exit(0);
    alpha.run(&plain, "reload").exit(0).writes(0).logged(named);
}

#[test]
fn thin_provisioning_that_the_store_cannot_do_does_not_make_a_device_anew() {
    let (alpha, thin) = on_disk("thin_provisioned=1");
    alpha.run(&thin, "start").exit(0);
    alpha.run(&thin, "promote").exit(0);
    alpha.run(&thin, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/thin_provisioned"), "0");
    alpha.run(&thin, "start").exit(0).writes(0).logged("thin_provisioned is 0, configured is 1");
}

#[test]
fn what_a_handler_does_not_know_leaves_the_device_out_and_the_others_run() {
    let alpha = sample::with_ports().into_node("alpha");
    let device = "handler=vdisk_nullio,virtname=a,export0=all:1,thin_provisioned=1";
    let named = "device1: thin_provisioned: is not known to vdisk_nullio, device left out";
    alpha.run(&group().param("device1", device), "validate-all").exit(6).reason(named);
    alpha.run(&group().param("device1", device), "start").exit(0).logged(named);
    assert!(alpha.exists("devices/dummy_lu0dummy") && !alpha.exists("devices/dummy_a"));
    let first = group().param("device0", device);
    alpha.run(&first, "stop").exit(0);
    alpha.run(&first, "start").exit(6).reason_has("thin_provisioned").writes(0);
}

#[test]
fn a_file_whose_flushed_writes_would_be_lost_is_left_out_unless_that_is_wanted() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    for words in ["nv_cache=1", "nv_cache=1,write_through=1"] {
        let resource = file(&cluster, words);
        let named = "device1: nv_cache: loses flushed writes with a writable vdisk_fileio";
        alpha.run(&resource, "validate-all").exit(6).reason_has(named);
        alpha.run(&resource, "start").exit(0).logged(named);
        assert!(!alpha.exists("devices/dummy_r0"));
        alpha.run(&resource, "stop").exit(0);
    }
    let wanted = file(&cluster, "nv_cache=1,write_through=0");
    alpha.run(&wanted, "validate-all").exit(0);
    alpha.run(&wanted, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/nv_cache"), "1");
    assert_eq!(alpha.read("devices/dummy_r0/write_through"), "0");
    alpha.run(&wanted, "stop").exit(0);
    // A block device answers a flush truly.
    let block = disk(&cluster, "nv_cache=1");
    alpha.run(&block, "validate-all").exit(0);
    alpha.run(&block, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/nv_cache"), "1");
}

#[test]
fn luns_go_up_to_16383_and_those_that_hosts_may_not_find_are_advice() {
    let alpha = sample::with_ports().into_node("alpha");
    let with = |export: &str| group().param("device1", &format!("handler=vdisk_nullio,virtname=a,{export}"));
    let far = with("export0=all:16383");
    let advice = "device1: export0 \"all:16383\": many hosts do not look at a LUN over 255";
    alpha.run(&far, "validate-all").exit(0).logged(advice);
    alpha.run(&far, "start").exit(0).not_logged(advice);
    assert_eq!(alpha.tree().lines("lun 16383"), ["lun 16383 dummy_a"; 2]);
    alpha.run(&far, "stop").exit(0);
    alpha.run(&with("export0=all:255"), "validate-all").exit(0).not_logged("LUN over 255");
    let nowhere = with("export0=all:16384,export1=esx1:x");
    let named = "device1: exports: none of them can be used, device left out";
    alpha.run(&nowhere, "validate-all").exit(6).logged(named);
    alpha.run(&nowhere, "start").exit(0).logged(named);
    assert!(!alpha.exists("devices/dummy_a"));
    alpha.run(&nowhere, "stop").exit(0);
    let first = group().param("device0", "handler=vdisk_nullio,virtname=a,export0=all:16384");
    alpha.run(&first, "start").exit(6).reason("device0: exports: none of them can be used").writes(0);
    alpha.run(&first, "validate-all").exit(6);
    let late = group().param("device0", "handler=vdisk_nullio,virtname=a,export0=all:1");
    alpha.run(&late, "validate-all").exit(0).logged("no device of this group is at LUN 0");
    alpha.run(&group(), "validate-all").exit(0).not_logged("LUN 0");
}

#[test]
fn a_group_that_two_nodes_would_serve_is_refused() {
    let cluster = sample::serving();
    let (alpha, beta) = (cluster.node("alpha"), cluster.node("beta"));
    for words in ["promoted_max", "master_max"] {
        let two = || alpha.call(&group()).unset("OCF_RESKEY_CRM_meta_promoted_max").meta(words, "2");
        two().run("start").exit(6).reason_has("promoted-max is over 1").writes(0);
        two().run("validate-all").exit(6).reason_has("promoted-max is over 1");
        two().run("reload").kept().logged("promoted-max is over 1");
        // What runs goes on, and can be taken down.
        two().run("monitor").exit(8);
    }
    alpha.call(&group()).meta("clone_node_max", "2").run("validate-all").exit(6).reason_has("clone-node-max");
    beta.call(&group()).meta("promoted_max", "2").run("stop").exit(0);
    alpha.call(&group()).meta("promoted_max", "2").run("stop").exit(0);
}

#[test]
fn a_disk_that_another_cluster_may_have_as_well_is_advice() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let advice = "device1: is known to hosts by its name";
    alpha.run(&disk(&cluster, ""), "validate-all").exit(0).logged(advice);
    alpha.run(&disk(&cluster, "usn=1"), "validate-all").exit(0).logged(advice);
    for words in ["naa_id=5000000000000001", "usn=1,t10devid=2"] {
        alpha.run(&disk(&cluster, words), "validate-all").exit(0).not_logged(advice);
    }
    // A place holder is nobody's disk.
    alpha.run(&group(), "validate-all").exit(0).not_logged("known to hosts");
}

#[test]
fn hosts_know_a_disk_by_the_same_identifiers_whatever_the_node_calls_itself() {
    let cluster = sample::with_ports();
    let (alpha, beta) = (cluster.node("alpha"), cluster.node("beta"));
    beta.write("setup_id", "0x77");
    let resource = disk(&cluster, "");
    cluster.serve(&resource);
    for device in ["dummy_r0", "dummy_lu0dummy"] {
        for attribute in ["usn", "t10_dev_id", "vend_specific_id"] {
            let path = format!("devices/{device}/{attribute}");
            assert_eq!(alpha.read(&path), beta.read(&path), "{path}");
        }
    }
    let usn = alpha.read("devices/dummy_r0/usn");
    assert_eq!(alpha.read("devices/dummy_r0/t10_dev_id"), format!("{usn}-dummy_r0"));
    beta.has_nothing_to_do(&resource, 0);
    // What somebody chose is what hosts see.
    for node in [alpha, beta] {
        node.run(&resource, "stop").exit(0);
    }
    let own = disk(&cluster, "usn=serial,t10devid=vendor");
    beta.run(&own, "start").exit(0);
    assert_eq!(beta.read("devices/dummy_r0/usn"), "serial");
    assert_eq!(beta.read("devices/dummy_r0/t10_dev_id"), "vendor");
    assert_eq!(beta.read("devices/dummy_r0/vend_specific_id"), format!("{usn}-dummy_r0"));
}

#[test]
fn a_disk_that_hosts_know_by_the_node_already_is_named_and_left_as_it_is() {
    let alpha = sample::serving().into_node("alpha");
    let before = alpha.read("devices/dummy_lu0dummy/usn");
    alpha.write("devices/dummy_lu0dummy/usn", &format!("77{before}"));
    alpha.write("setup_id", "0x77");
    let named = format!("device dummy_lu0dummy: usn is 77{before}, configured is {before}");
    alpha.run(&group(), "reload").exit(0).writes(0).logged(&named);
}

/// What a stop of the group unmapped, by the tail of each command.
fn unmapped(written: &[String]) -> Vec<String> {
    let commands = written.iter().filter(|write| write.contains("/luns/mgmt < "));
    commands.map(|write| write.rsplit(" < ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_table_that_is_wholly_ours_goes_by_one_command() {
    let alpha = sample::with_ports().into_node("alpha");
    let null = |name: &str, lun: u8| format!("handler=vdisk_nullio,virtname={name},export0=all:{lun}");
    let three = group().param("device1", &null("a", 1)).param("device2", &null("b", 2));
    alpha.run(&three, "start").exit(0);
    let plan = alpha.call(&three).dry_run().run("stop").exit(0).stdout().to_owned();
    assert_eq!(plan.matches("unmap at once LUN 0, 1, 2 of initiator group vmwtest of port").count(), 2, "{plan}");
    let stopped = alpha.run(&three, "stop").exit(0).written();
    assert_eq!(unmapped(&stopped), ["clear"; 2], "{stopped:#?}");
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    // A LUN of somebody else is in one of the two tables.
    alpha.run(&three, "start").exit(0);
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device stranger");
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns/mgmt", ALPHA[1]), "add stranger 77");
    let stopped = alpha.run(&three, "stop").exit(0).written();
    assert_eq!(unmapped(&stopped), ["clear", "del 0", "del 1", "del 2"], "{stopped:#?}");
    assert_eq!(alpha.tree().lines("lun"), ["lun 77 stranger"]);
}

#[test]
fn a_reload_clears_a_table_that_goes_entirely() {
    let alpha =
        Fixture::new().node("alpha", 1).port(ALPHA[0]).node("beta", 2).port(sample::BETA[0]).up().into_node("alpha");
    let hosts = "esx=50:01:43:80:03:b0:23:34;linux=50:01:43:80:03:b0:23:40";
    alpha.run(&ports().param("initiators", hosts), "start").exit(0);
    let with = |group_name: &str| {
        let export = |name: &str, lun: u8| format!("handler=vdisk_nullio,virtname={name},export0={group_name}:{lun}");
        group().param("device0", &export("a", 0)).param("device1", &export("b", 1))
    };
    alpha.run(&with("esx"), "start").exit(0);
    let reloaded = alpha.run(&with("linux"), "reload").exit(0).written();
    assert_eq!(unmapped(&reloaded), ["clear", "add dummy_a 0", "add dummy_b 1"], "{reloaded:#?}");
    // One of two goes: the other one is not touched.
    let one = with("linux").without("device1");
    assert_eq!(unmapped(&alpha.run(&one, "reload").exit(0).written()), ["del 1"]);
}

#[test]
fn damaged_reservations_are_named_with_both_files() {
    let (alpha, resource) = on_disk("");
    let dir = alpha.var_lib().join("pr");
    std::fs::create_dir_all(&dir).unwrap();
    let files = ["dummy_r0", "dummy_r0.1"].map(|name| dir.join(name));
    for file in &files {
        std::fs::write(file, "rubbish").unwrap();
    }
    let started = alpha.run(&resource, "start").exit(1);
    let started = started.reason_has("device dummy_r0: add failed: persistent reservations damaged in ");
    let started = files.iter().fold(started, |started, file| started.reason_has(file.to_str().unwrap()));
    started.logged("delete both");
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    // Where one of them is right, something else is the cause.
    let whole = [0xBBEE_EEAA_EEBB_DD77_u64.to_ne_bytes(), 1_u64.to_ne_bytes(), [1; 8]].concat();
    std::fs::write(&files[1], whole).unwrap();
    alpha.control("fault op=write path=**/vdisk_blockio/mgmt action=fail errno=EINVAL");
    let reason = "device dummy_r0: add failed: EINVAL writing";
    alpha.run(&resource, "start").exit(1).reason_has(reason);
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    alpha.run(&resource, "start").exit(0);
}
