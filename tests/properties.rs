//! The properties that the fuzz targets look for a breach of, for generated texts, in every test run: whatever comes from outside,
//! nothing panics, and no command or path has other words than were meant.
//!
//! The properties themselves are in `tests/fuzz/src`, which both share. They need neither root nor a mount.

#[path = "fuzz/src/properties.rs"]
mod properties;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// One kind of input.
type Property = fn(&[u8]);

/// The seeds of the fuzz targets hold the properties: among them is every input that once broke one.
#[test]
fn the_seeds_hold_the_properties_and_make_commands() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds");
    let targets: [(&str, Property); 6] = [
        ("initiators", properties::initiators),
        ("device", properties::device),
        ("cluster", properties::cluster),
        ("record", properties::record),
        ("sysfs", properties::sysfs),
        ("scst_conf", properties::scst_conf),
    ];
    for (name, property) in targets {
        let before = properties::commands_seen();
        for seed in fs::read_dir(seeds.join(name)).expect("a directory of seeds") {
            property(&fs::read(seed.expect("a seed").path()).expect("a seed can be read"));
        }
        assert!(properties::commands_seen() > before, "no seed of {name} leads to a command");
    }
}

/// What every one of the grammars stumbles over, and what it is made of.
const PIECES: &str =
    "(,|;|=|/|\\.\\.|:|\"| |\n|\t|\u{a0}|\u{e0}|\u{2028}|\u{0}|\u{1b}|x|7|-|_|all|[0-9a-f]{2}|[A-Za-z0-9]{1,9})";

fn any_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(words).prop_map(str::to_owned),
        2 => PIECES.prop_map(|piece| piece),
        1 => Just(";".to_owned()),
    ];
    let bytes = proptest::collection::vec(any::<u8>(), 0..3);
    proptest::collection::vec((piece, bytes, proptest::bool::weighted(0.1)), 0..24).prop_map(|pieces| {
        let mut data = Vec::new();
        for (piece, bytes, garbled) in pieces {
            data.extend_from_slice(piece.as_bytes());
            if garbled {
                data.extend(bytes);
            }
        }
        data
    })
}

proptest! {
    #[test]
    fn no_initiators_make_another_command(
        data in any_of(&["esx1=", "LINUX=", "50:01:43:80:03:b0:23:34", "50:01:43:80:03:B0:23:36", ",", ";", " "]),
    ) {
        properties::initiators(&data);
    }

    #[test]
    fn no_device_makes_another_command(
        data in any_of(&[
            "virtname=a", "handler=vdisk_nullio", "handler=vdisk_fileio", "filename=/dev/a", "filename=/", "export0=all:0",
            "export1=esx1:", "export255=LINUX:16383", "t10devid=", "usn=a", "naa_id=5000000000000001", "dummy=1", "read_only=1",
            "nv_cache=1", "write_through=1", ",", ",", ",", "\u{0}", "\u{0}ssd\u{0}iscsi",
        ]),
    ) {
        properties::device(&data);
    }

    #[test]
    fn no_answer_of_the_cluster_makes_another_command(
        data in any_of(&[
            "<nodes>", "</nodes>", "<node id=\"1\" uname=\"alpha\">", "<node id=\"7\" uname=\"x y\">", "</node>", "\"/>",
            "<instance_attributes>", "</instance_attributes>", "<nvpair name=\"targetports\" value=\"", ",", "&#10;",
            "21:00:00:24:ff:60:d0:10", "21:00:00:24:FF:60:D0:12", "iqn.2020-01.org.example:a", "fe80:0000:0000:0001",
        ]),
    ) {
        properties::cluster(&data);
    }

    #[test]
    fn no_record_makes_another_command(
        data in any_of(&[
            "scst-ocf record 1\n", "end\n", "\n", "node alpha\n", "group dg\n", "device dg_a\n", "block dg_a 1\n", "boot b\n",
            "ini_group esx1\n", "port 21:00:00:24:ff:60:d0:10 101\n", "peer beta active 7\n", "starting\n", "device ", "port ",
        ]),
    ) {
        properties::record(&data);
    }

    #[test]
    fn nothing_that_the_kernel_shows_makes_another_command(
        data in any_of(&[
            "\u{0}", "\u{0}", "\u{0}", "active", "standby", "1", "0 0", "dg_lu0", "beta", "/dev/loop0", "esx1",
            "../../handlers/vdisk_nullio", "../../../targets/qla2x00t/21:00:00:24:ff:60:d0:10/ini_groups/esx1/luns/3",
        ]),
    ) {
        properties::sysfs(&data);
    }
}
