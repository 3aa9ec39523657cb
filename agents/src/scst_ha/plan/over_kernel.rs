//! Property: what is imported from a kernel that somebody has set up by hand is started over it without a step that hosts notice, but those that
//! the import has announced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use scst_core::error::Verb;
use scst_core::system::{Ended, Entry, EntryKind, Locked, Operation, Output, Pending, StoreKind, System};
use scst_sim::host::Files;
use scst_sim::model::{FcPort, Kind, Machine, ScstVersion, Written};

use super::resource::{What, planned};
use super::state::Past;
use crate::scst_ha::cib::Cib;
use crate::scst_ha::import::of_kernel;
use crate::scst_ha::node::Node;
use crate::scst_ha::snapshot::replay::There;

const PORTS: [&str; 2] = ["21:00:00:24:ff:60:d0:10", "21:00:00:24:ff:60:d0:11"];

/// A simulated machine in this process, which is only looked at.
struct Kernel(Mutex<Machine>);

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a simulated kernel")
    }
}

impl System for Kernel {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}

    fn boot(&self) -> String {
        "one".to_owned()
    }

    fn begin(&self, operation: Operation) -> io::Result<Box<dyn Pending>> {
        let mut machine = self.0.lock().unwrap();
        let path = operation.path.strip_prefix("/sys").unwrap_or(&operation.path).as_os_str().as_encoded_bytes();
        let text = |bytes: Vec<u8>| Output::Text(String::from_utf8_lossy(&bytes).into_owned());
        let answer = match operation.verb {
            Verb::Read => machine.open(path, true, false).and_then(|handle| machine.read(&handle)).map(text),
            Verb::Link => machine.readlink(path).map(text),
            Verb::List => machine.list(path).map(|entries| Output::Entries(entries.into_iter().map(entry).collect())),
            Verb::Look => Ok(Output::Store(StoreKind::Other)),
            Verb::Write | Verb::OpenToRead | Verb::OpenToWrite => panic!("a plan changes nothing: {operation:?}"),
        };
        Ok(Box::new(There(Some(answer.map_err(io::Error::from)))))
    }

    fn find_program(&self, _: &[PathBuf], _: &str) -> Option<PathBuf> {
        None
    }

    fn run_program(&self, _: &Path, _: &[&str], _: Duration) -> io::Result<Ended> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn run_daemon(&self, _: &Path, _: Duration) -> io::Result<Ended> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn read_file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn replace_file(&self, path: &Path, _: &str) -> io::Result<()> {
        panic!("a plan changes nothing: {}", path.display())
    }

    fn keep_file(&self, path: &Path, _: &str) -> io::Result<()> {
        panic!("a plan changes nothing: {}", path.display())
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        panic!("a plan changes nothing: {}", path.display())
    }

    fn is_directory(&self, _: &Path) -> bool {
        true
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        panic!("a plan changes nothing: {}", path.display())
    }

    fn list_files(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn lock_file(&self, _: &Path, _: bool) -> io::Result<Locked> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn entry((name, kind): (Vec<u8>, Kind)) -> Entry {
    let kind = match kind {
        Kind::Dir => EntryKind::Dir,
        Kind::Link => EntryKind::Link,
        Kind::File => EntryKind::File,
    };
    Entry { name: String::from_utf8(name).unwrap(), kind }
}

/// What somebody has set up by hand.
#[derive(Debug, Clone)]
struct ByHand {
    /// The attributes of each device, which is LUN 0, 1, … where it is seen.
    devices: Vec<Vec<(&'static str, String)>>,
    /// By initiator group and port, who sees which device.
    seen: Vec<[Vec<bool>; 2]>,
    /// Hosts in no group see the first device.
    by_default: bool,
    /// There is a device group, with the ports of this node.
    grouped: bool,
    /// The numbers of the ports are those that the agents give.
    numbered: bool,
}

impl ByHand {
    fn set_up(&self) -> Machine {
        let mut machine = Machine::new(ScstVersion::V3_11, Box::new(Files::new()));
        PORTS.iter().zip(1..).for_each(|(port, host)| machine.plug(FcPort::online(host, (*port).to_owned())));
        ["qla2x00tgt", "scst_vdisk"].into_iter().for_each(|module| machine.modprobe(module, "").unwrap());
        let mut write = |path: &str, data: &str| {
            let handle = machine.open(format!("kernel/scst_tgt/{path}").as_bytes(), false, true).unwrap();
            let written = machine.write(&handle, format!("{data}\n").as_bytes());
            assert!(matches!(written, Written::Done(Ok(_))), "{data} to {path}");
        };
        for (number, attributes) in self.devices.iter().enumerate() {
            write("handlers/vdisk_nullio/mgmt", &format!("add_device dg_d{number}"));
            attributes.iter().for_each(|(name, value)| write(&format!("devices/dg_d{number}/{name}"), value));
        }
        for (place, port) in PORTS.iter().enumerate() {
            let target = format!("targets/qla2x00t/{port}");
            write(&format!("{target}/rel_tgt_id"), &(if self.numbered { 101 + place } else { 5 + place }).to_string());
            for (number, seen) in self.seen.iter().enumerate() {
                let group = format!("{target}/ini_groups/g{number}");
                write(&format!("{target}/ini_groups/mgmt"), &format!("create g{number}"));
                write(&format!("{group}/initiators/mgmt"), &format!("add 50:01:43:80:03:b0:23:{number:02x}"));
                for (device, _) in self.devices.iter().enumerate().filter(|(device, _)| seen[place][*device]) {
                    write(&format!("{group}/luns/mgmt"), &format!("add dg_d{device} {device}"));
                }
            }
            if self.by_default {
                write(&format!("{target}/luns/mgmt"), "add dg_d0 0");
            }
            write(&format!("{target}/enabled"), "1");
        }
        if self.grouped {
            write("device_groups/mgmt", "create dg");
            (0..self.devices.len())
                .for_each(|device| write("device_groups/dg/devices/mgmt", &format!("add dg_d{device}")));
            write("device_groups/dg/target_groups/mgmt", "create alpha");
            write("device_groups/dg/target_groups/alpha/group_id", "1");
            PORTS.iter().for_each(|port| write("device_groups/dg/target_groups/alpha/mgmt", &format!("add {port}")));
        }
        machine
    }
}

fn by_hand() -> impl Strategy<Value = ByHand> {
    let attributes = |number: usize| {
        let all = vec![
            ("usn", format!("serial{number}")),
            ("t10_dev_id", format!("t10-{number}")),
            ("prod_id", format!("OLD BOX {number}")),
            ("vend_specific_id", format!("box,{number}")),
            ("naa_id", format!("0x600140500000000{number}0000000000000000")),
        ];
        proptest::sample::subsequence(all, 0..=5)
    };
    (1..4_usize, 1..4_usize).prop_flat_map(move |(devices, groups)| {
        let seen = proptest::collection::vec(proptest::bool::weighted(0.8), devices);
        let seen = (seen.clone(), seen, any::<bool>())
            .prop_map(|(one, other, same)| [one.clone(), if same { one } else { other }]);
        let devices: Vec<_> = (0..devices).map(attributes).collect();
        (devices, proptest::collection::vec(seen, groups), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(devices, seen, by_default, grouped, numbered)| ByHand { devices, seen, by_default, grouped, numbered },
        )
    })
}

proptest! {
    #[test]
    fn what_hosts_notice_of_a_start_over_it_was_announced(by_hand in by_hand()) {
        let node = Node::on(Arc::new(Kernel(Mutex::new(by_hand.set_up()))));
        let (xml, announced) = of_kernel(&node);
        let cib = Cib::parse(&xml).unwrap();
        let about = |sentence: &str| {
            let words = sentence.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
            let words = words.map(|word| word.trim_end_matches(':').to_owned());
            words.filter(|word| PORTS.contains(&word.as_str()) || word.starts_with("dg_d")
                || (word.starts_with('g') && word[1..].parse::<usize>().is_ok())).collect::<Vec<String>>()
        };
        let past = Past { node: "alpha".to_owned(), old: cib.configuration.clone(), machine: node, replay: None };
        for resource in &cib.configuration.resources {
            let plan = planned(&past, resource, None, &cib);
            let other_lun = announced.iter().any(|sentence| sentence.contains("the resource does not start"));
            prop_assert!(plan.what == What::Start || (other_lun && plan.what == What::Refused), "{plan:#?}");
            for notice in plan.hosts.iter().filter(|notice| !notice.starts_with("the paths ")) {
                let said = announced.iter().any(|sentence| about(notice).iter().any(|word| about(sentence).contains(word)));
                prop_assert!(said, "{notice} was not announced: {announced:#?}\n{:#?}", plan.steps);
            }
        }
    }
}
