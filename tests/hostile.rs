//! Hostile parameters through the real binaries: texts as long as the kernel lets a variable be, bytes that are no text, words
//! with a meaning for the kernel or for a path. `properties` has the same for generated texts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Node, Resource};

/// As long as a variable of the environment can be in good company.
const LONG: usize = 64 << 10;

/// Values that nobody means, of a parameter that takes names and of one that takes lists.
fn hostile() -> Vec<Vec<u8>> {
    vec![
        vec![b'x'; LONG],
        b"x=1,".repeat(LONG / 4),
        b"; \n".repeat(LONG / 3),
        "\u{e0}".repeat(LONG / 2).into_bytes(),
        b"esx1=".iter().chain(&b"50:01:43:80:03:b0:23:34,".repeat(LONG / 24)).copied().collect(),
        vec![0xff, 0xfe, b'='],
        b"virtname=\xc3\x28,export0=all:0,handler=vdisk_nullio".to_vec(),
        b"dg\xa0add".to_vec(),
    ]
}

/// Words that mean something to the kernel, to a path or to the agents' own grammars, in the place of a name.
const NAMES: [&str; 12] =
    ["a;b", "a=b", "a b", "a\nb", "a\tb", ".", "..", "../dummy", "a/b", "/", "mgmt", "dummy\ndel dummy"];

/// Devices with such a word somewhere, so that nothing of the list can be used.
const DEVICES: [&str; 9] = [
    "virtname=a;b,handler=vdisk_nullio,export0=all:7",
    "virtname=..,handler=vdisk_nullio,export0=all:7",
    "virtname=a/b,handler=vdisk_nullio,export0=all:7",
    "virtname=a=1,handler=vdisk_nullio,export0=all:7",
    "virtname=a,handler=vdisk_nullio/../x,export0=all:7",
    "virtname=a,handler=vdisk_nullio;,export0=all:7",
    "virtname=a,handler=vdisk_fileio,filename=/dev/null;read_only=1,export0=all:7",
    "virtname=a,handler=vdisk_fileio,filename=/dev/../dev/null,export0=all:7",
    "virtname=a,handler=vdisk_fileio,filename=null,export0=all:7",
];

/// Exports with such a word: a device is mapped without them.
const EXPORTS: [&str; 5] = ["../vmwtest:7", "vmwtest/../x:7", "all:7;8", "all;:7", "vmw=test:7"];

/// A second device group, beside the one that runs.
fn other() -> Resource {
    Resource::device_group("other", "handler=vdisk_nullio,virtname=lu,export0=all:7")
}

/// Runs every action with the value, on a node where something else runs, and sees nothing of it change.
#[track_caller]
fn nothing_happens(node: &Node, resource: &Resource, parameter: &str, value: &[u8]) {
    let before = node.tree();
    for action in ["validate-all", "start", "monitor", "reload", "promote", "notify", "demote", "stop"] {
        if !resource.promotable() && matches!(action, "promote" | "notify" | "demote") {
            continue;
        }
        let value = OsString::from_vec(value.to_vec());
        let run = node.call(resource).env_raw(&format!("OCF_RESKEY_{parameter}"), value).run(action);
        let what = format!("{action} with {parameter}");
        assert!(run.code().is_some_and(|code| code < 9), "{what}: {run:?}");
        assert!(!run.stderr().contains("internal error") && !run.log().contains("internal error"), "{what}");
        assert!(run.stderr().len() < 1000 && run.stderr().lines().count() <= 1, "{what}: {}", run.stderr());
        for write in run.written() {
            assert!(write.len() < 4096 && write.is_ascii(), "{what}: {write}");
        }
    }
    assert_eq!(node.tree(), before, "{parameter}");
}

#[test]
fn values_of_64_kib_and_bytes_that_are_no_text_change_nothing() {
    let alpha = sample::started();
    for value in hostile() {
        for parameter in ["groupname", "tgtdriver", "device0", "device255"] {
            nothing_happens(&alpha, &other(), parameter, &value);
        }
    }
}

#[test]
fn words_with_a_meaning_of_their_own_are_refused_and_nothing_is_written() {
    let alpha = sample::started();
    let before = alpha.tree();
    let names = NAMES.iter().flat_map(|value| [("groupname", value), ("tgtdriver", value), ("device0", value)]);
    for (parameter, value) in names.chain(DEVICES.iter().map(|value| ("device0", value))) {
        for (action, code) in [("validate-all", 6), ("start", 6), ("stop", 0)] {
            let what = format!("{action} with {parameter} {value:?}");
            let run = alpha.call(&other()).param(parameter, value).run(action);
            assert_eq!(run.code(), Some(code), "{what}: {run:?}");
            assert_eq!(run.stderr().lines().count(), usize::from(code != 0), "{what}: {run:?}");
            assert_eq!(run.written(), [""; 0], "{what}");
        }
    }
    assert_eq!(alpha.tree(), before);
    for export in EXPORTS {
        let device = format!("virtname=lu,handler=vdisk_nullio,export0={export}");
        let call = || alpha.call(&other()).param("device0", &device);
        assert_eq!(call().run("validate-all").code(), Some(6), "{export}");
        let start = call().run("start").exit(6);
        assert!(start.written().iter().all(|write| !write.contains("/luns/")), "{export}: {start:?}");
        call().run("stop").exit(0);
        assert_eq!(alpha.tree(), before, "{export}");
    }
}

#[test]
fn the_same_of_the_parameter_of_the_ports() {
    let alpha = sample::nodes().up().into_node("alpha");
    // Once, because ports keep the ids they were given.
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&ports(), "stop").exit(0);
    let named = NAMES.iter().map(|name| format!("{name}=50:01:43:80:03:b0:23:34;x/y={name}").into_bytes());
    for value in hostile().into_iter().chain(named) {
        nothing_happens(&alpha, &ports(), "initiators", &value);
    }
}

#[test]
fn what_pacemaker_never_says_is_survived() {
    let alpha = sample::serving().into_node("alpha");
    let before = alpha.tree();
    let variables = [
        "OCF_RESOURCE_INSTANCE",
        "OCF_CHECK_LEVEL",
        "OCF_EXIT_REASON_PREFIX",
        "OCF_RESKEY_CRM_meta_timeout",
        "OCF_RESKEY_CRM_meta_interval",
        "OCF_RESKEY_CRM_meta_on_node_uuid",
        "OCF_RESKEY_CRM_meta_clone_node_max",
        "OCF_RESKEY_CRM_meta_notify_type",
        "OCF_RESKEY_CRM_meta_notify_operation",
        "OCF_RESKEY_CRM_meta_notify_promoted_uname",
        "HA_LOGFACILITY",
        "TZ",
    ];
    for variable in variables {
        for value in [vec![b'9'; LONG], vec![b'/'; LONG], b"../../x\n;".to_vec(), vec![0xff, 0xfe], b"-1".to_vec()] {
            for action in ["monitor", "notify"] {
                let run = alpha.call(&group()).env_raw(variable, OsString::from_vec(value.clone())).run(action);
                let what = format!("{action} with {variable} of {} bytes", value.len());
                let code = if action == "monitor" { 8 } else { 0 };
                assert_eq!(run.code(), Some(code), "{what}: {run:?}");
                assert!(!run.log().contains("internal error"), "{what}");
            }
        }
    }
    assert_eq!(alpha.tree(), before);
}

#[test]
fn what_a_start_takes_away_and_cannot_replace_is_put_back_as_the_kernel_showed_it() {
    let alpha = sample::with_ports().into_node("alpha");
    // The modules stay, and the directory without which the kernel adds no device.
    alpha.run(&other(), "start").exit(0);
    alpha.run(&other(), "stop").exit(0);
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device other_lu read_only=1; removable=1");
    alpha.write("devices/other_lu/t10_dev_id", "a disk;x=1");
    alpha.write("devices/other_lu/prod_id", "two words");
    alpha.write("devices/other_lu/usn", "a=1");
    let before = alpha.tree();
    // The device is deleted, and cannot be added with what is configured.
    alpha.control("fault op=write path=**/vdisk_nullio/mgmt at=2 action=fail errno=ENOMEM");
    let start = alpha.run(&other(), "start").exit(1).reason_has("ENOMEM");
    let written = start.written();
    assert!(
        written.iter().any(|write| write.ends_with("< add_device other_lu read_only=1; removable=1")),
        "{written:?}"
    );
    assert_eq!(alpha.read("devices/other_lu/t10_dev_id"), "a disk;x=1");
    assert_eq!(alpha.read("devices/other_lu/prod_id"), "two words");
    assert_eq!(alpha.tree(), before);
}
