//! Commands that have to wait: for each other, for commands of initiators, for a file; and their writers.

use std::time::Duration;

use scst_sim::model::{Errno, FileKind, Handle, Host, HostFile, Machine, ScstVersion, Slow, Ticket, Written};

const PORT: &str = "50:01:43:80:00:00:00:01";
const INITIATOR: &str = "21:00:00:24:ff:00:00:01";

/// One disk that is always there.
struct OneDisk;

impl Host for OneDisk {
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        let kind = match path {
            b"/disk" => FileKind::Block,
            b"/var/lib/scst/pr" => FileKind::Dir,
            _ => return Err(Errno::ENOENT),
        };
        Ok(HostFile::plain(kind, 1 << 30, path))
    }
}

struct Fixture(Machine);

impl Fixture {
    /// A port with LUN 0 on a disk, and an initiator that is logged in.
    fn new() -> Self {
        Self::of(ScstVersion::V3_11)
    }

    fn of(version: ScstVersion) -> Self {
        let mut machine = Machine::new(version, Box::new(OneDisk));
        for module in ["scst_vdisk", "qla2x00tgt"] {
            machine.modprobe(module, "").unwrap();
        }
        let mut fixture = Self(machine);
        fixture.ok("handlers/vdisk_blockio/mgmt", "add_device d1 filename=/disk");
        fixture.ok("targets/qla2x00t/mgmt", &format!("add_target {PORT}"));
        fixture.ok(&format!("targets/qla2x00t/{PORT}/luns/mgmt"), "add d1 0");
        assert_eq!(fixture.0.login("qla2x00t", PORT, INITIATOR).unwrap(), INITIATOR);
        fixture
    }

    fn open(&self, path: &str, write: bool) -> Handle {
        self.0.open(format!("kernel/scst_tgt/{path}").as_bytes(), !write, write).unwrap()
    }

    fn write(&mut self, path: &str, data: &str) -> Written {
        let handle = self.open(path, true);
        self.0.write(&handle, data.as_bytes())
    }

    fn ok(&mut self, path: &str, data: &str) {
        assert_eq!(self.write(path, data), Written::Done(Ok(data.len())), "{data:?} to {path}");
    }

    fn waits(&mut self, path: &str, data: &str) -> Ticket {
        match self.write(path, data) {
            Written::Waiting(ticket) => ticket,
            Written::Done(result) => panic!("{data:?} to {path} was answered: {result:?}"),
        }
    }

    fn read(&mut self, path: &str) -> Result<String, Errno> {
        let handle = self.open(path, false);
        self.0.read(&handle).map(|content| String::from_utf8(content).unwrap())
    }

    fn pass(&mut self, seconds: u64) {
        self.0.advance(self.0.now() + Duration::from_secs(seconds));
    }

    fn start_io(&mut self, seconds: u64) -> u64 {
        self.0.start_io("qla2x00t", PORT, INITIATOR, 0, Some(Duration::from_secs(seconds))).unwrap()
    }

    /// A write that waits for a command of the initiator, which takes that long.
    fn behind_io(seconds: u64, path: &str, data: &str) -> (Self, Ticket) {
        let mut fixture = Self::new();
        fixture.start_io(seconds);
        let ticket = fixture.waits(path, data);
        (fixture, ticket)
    }

    fn has(&self, path: &str) -> bool {
        self.0.lookup(format!("kernel/scst_tgt/{path}").as_bytes()).is_ok()
    }
}

#[test]
fn a_slow_command_with_the_mutex_costs_its_writer_patience_but_is_carried_out() {
    let mut fixture = Fixture::new();
    fixture.0.slow_down(Slow {
        path: b"*/ini_groups/mgmt".to_vec(),
        data: b"create *".to_vec(),
        takes: Duration::from_secs(40),
        holds_mutex: true,
        times: Some(1),
    });
    let groups = format!("targets/qla2x00t/{PORT}/ini_groups");
    let slow = fixture.waits(&format!("{groups}/mgmt"), "create g1");
    let behind = fixture.waits(&format!("targets/qla2x00t/{PORT}/luns/mgmt"), "add d1 1");
    fixture.ok("device_groups/mgmt", "create dg1");
    assert_eq!(fixture.read("last_sysfs_mgmt_res"), Err(Errno::EAGAIN));
    fixture.pass(14);
    assert_eq!(fixture.0.poll(slow), None);
    fixture.pass(1);
    assert_eq!(fixture.0.poll(slow), Some(Err(Errno::EAGAIN)));
    assert_eq!(fixture.0.poll(behind), Some(Err(Errno::EAGAIN)));
    assert!(!fixture.has(&format!("{groups}/g1")));
    fixture.pass(25);
    assert!(fixture.has(&format!("{groups}/g1")) && fixture.has(&format!("targets/qla2x00t/{PORT}/luns/1")));
    assert_eq!(fixture.read("last_sysfs_mgmt_res").unwrap(), "0\n");
    fixture.ok(&format!("{groups}/mgmt"), "create g2");
}

#[test]
fn without_the_mutex_a_writer_waits_as_long_as_it_takes() {
    let mut fixture = Fixture::new();
    fixture.0.slow_down(Slow {
        path: b"*/devices/d1/resync_size".to_vec(),
        data: b"*".to_vec(),
        takes: Duration::from_secs(100),
        holds_mutex: false,
        times: None,
    });
    let slow = fixture.waits("devices/d1/resync_size", "1\n");
    fixture.pass(99);
    assert_eq!(fixture.0.poll(slow), None);
    fixture.pass(1);
    assert_eq!(fixture.0.poll(slow), Some(Ok(2)));
    assert_eq!(fixture.0.next_event(), None);
}

#[test]
fn a_block_waits_for_commands_in_flight_and_holds_later_ones() {
    let mut fixture = Fixture::new();
    let first = fixture.start_io(4);
    let block = fixture.waits("devices/d1/block", "1\n");
    assert_eq!(fixture.read("devices/d1/block").unwrap(), "1 1\n");
    let held = fixture.start_io(4);
    fixture.pass(4);
    assert!(fixture.0.io_done(first));
    assert_eq!(fixture.0.poll(block), Some(Ok(2)));
    assert_eq!(fixture.read("devices/d1/block").unwrap(), "1 0\n");
    fixture.pass(60);
    assert!(!fixture.0.io_done(held), "the device is blocked");
    fixture.ok("devices/d1/block", "0\n");
    fixture.pass(4);
    assert!(fixture.0.io_done(held));
}

/// A command hangs in the disk while `block` is written. `NAME=DATA?` is a write that waits, `NAME=DATA.` one that is
/// answered at once, `-NAME` a signal to its writer; then what `block` reads after each, and after the disk has answered: in
/// 3.11, in 3.7.
const BLOCKS: &[(&str, &str, &str, &str)] = &[
    ("a=1? -a b=0? c=1? d=0.", "1 1,1 1,1 1,2 1,1 1", "0 0", "0 0"),
    ("a=1? b=0? c=1? d=0.", "1 1,1 1,2 1,1 1", "0 0", "0 0"),
    ("a=11. b=0? c=11. d=0. e=11.", "1 1,1 1,2 1,1 1,2 1", "1 0", "1 0"),
    ("a=11. b=0? -b", "1 1,1 1,1 1", "1 0", "0 0"),
    ("a=11. b=0? -b c=0? -c d=11. e=0.", "1 1,1 1,1 1,1 1,1 1,2 1,1 1", "1 0", "0 0"),
    ("a=1? -a b=0? -b c=1? d=0.", "1 1,1 1,1 1,1 1,2 1,1 1", "1 0", "0 0"),
    ("a=11. b=0? -b c=0?", "1 1,1 1,1 1,1 1", "0 0", "0 0"),
    ("a=1? b=1? c=0. d=0?", "1 1,2 1,1 1,1 1", "0 0", "0 0"),
    ("a=11. b=11. c=0. d=0? e=0?", "1 1,2 1,1 1,1 1,1 1", "0 0", "0 0"),
    ("a=0. b=1?", "0 0,1 1", "1 0", "1 0"),
    // Unrecorded, by the same rule: a second signal changes nothing, and who does not wait has nothing to lose.
    ("a=11. b=0? -b -b", "1 1,1 1,1 1,1 1", "1 0", "0 0"),
    ("a=11. b=11. c=11. d=0. e=0. f=0? -f g=11.", "1 1,2 1,3 1,2 1,1 1,1 1,1 1,2 1", "2 0", "1 0"),
];

#[test]
fn blocks_taken_and_given_back_while_a_command_hangs_are_counted_as_recorded() {
    for (version, after) in [(ScstVersion::V3_11, 2), (ScstVersion::V3_7, 3)] {
        for row in BLOCKS {
            let (steps, reads) = (row.0, row.1.split(','));
            let mut fixture = Fixture::of(version);
            let hanging = fixture.0.start_io("qla2x00t", PORT, INITIATOR, 0, None).unwrap();
            let mut tickets = std::collections::BTreeMap::new();
            for (step, wanted) in steps.split(' ').zip(reads) {
                if let Some(signalled) = step.strip_prefix('-') {
                    fixture.0.interrupt(tickets[signalled]);
                } else {
                    let (name, data) = step.split_once('=').unwrap();
                    let (data, how) = data.split_at(data.len() - 1);
                    if how == "?" {
                        tickets.insert(name, fixture.waits("devices/d1/block", data));
                    } else {
                        fixture.ok("devices/d1/block", data);
                    }
                }
                assert_eq!(fixture.read("devices/d1/block").unwrap().trim(), wanted, "{version:?} {steps} at {step}");
            }
            let held = fixture.start_io(1);
            fixture.0.finish_io(hanging);
            let wanted = if after == 2 { row.2 } else { row.3 };
            assert_eq!(fixture.read("devices/d1/block").unwrap().trim(), wanted, "{version:?} {steps}");
            for (name, ticket) in tickets {
                let leaves = version == ScstVersion::V3_11
                    && steps.contains(&format!("{name}=1?"))
                    && steps.contains(&format!("-{name}"));
                let answer = if leaves { Err(Errno::EINTR) } else { Ok(1) };
                assert_eq!(fixture.0.poll(ticket), Some(answer), "{version:?} {steps}: {name}");
            }
            fixture.pass(1);
            assert_eq!(fixture.0.io_done(held), wanted == "0 0", "{version:?} {steps}: hosts go on");
        }
    }
}

#[test]
fn groups_wait_for_all_commands_and_give_up_after_90_seconds() {
    let mut fixture = Fixture::new();
    fixture.start_io(3);
    let groups = format!("targets/qla2x00t/{PORT}/ini_groups/mgmt");
    let create = fixture.waits(&groups, "create g1");
    fixture.pass(3);
    assert_eq!(fixture.0.poll(create), Some(Ok(9)));

    let endless = fixture.0.start_io("qla2x00t", PORT, INITIATOR, 0, None).unwrap();
    let create = fixture.waits(&groups, "create g2");
    fixture.pass(89);
    assert_eq!(fixture.0.poll(create), None);
    fixture.pass(1);
    assert_eq!(fixture.0.poll(create), Some(Err(Errno::EBUSY)));
    fixture.0.finish_io(endless);
    assert!(fixture.0.io_done(endless));
    fixture.ok(&groups, "create g2");
}

#[test]
fn a_lun_goes_at_once_but_its_deletion_waits_for_its_commands() {
    let luns = format!("targets/qla2x00t/{PORT}/luns");
    let (mut fixture, delete) = Fixture::behind_io(4, &format!("{luns}/mgmt"), "del 0");
    assert!(!fixture.has(&format!("{luns}/0")));
    fixture.pass(4);
    assert_eq!(fixture.0.poll(delete), Some(Ok(5)));
}

#[test]
fn a_device_waits_for_the_commands_of_a_lun_that_was_removed_before() {
    let (mut fixture, lun) = Fixture::behind_io(4, &format!("targets/qla2x00t/{PORT}/luns/mgmt"), "del 0");
    let device = fixture.waits("handlers/vdisk_blockio/mgmt", "del_device d1");
    fixture.pass(4);
    assert_eq!(fixture.0.poll(lun), Some(Ok(5)));
    assert!(fixture.0.poll(device).is_some_and(|answer| answer.is_ok()) && !fixture.has("devices/d1"));
}

#[test]
fn deleting_a_blocked_device_with_a_waiting_command_hangs_until_it_is_unblocked() {
    let mut fixture = Fixture::new();
    fixture.ok("devices/d1/block", "11\n");
    fixture.start_io(1);
    let delete = fixture.waits("handlers/vdisk_blockio/mgmt", "del_device d1");
    let add = fixture.waits("handlers/vdisk_nullio/mgmt", "add_device d2");
    fixture.pass(300);
    assert_eq!(
        (fixture.0.poll(delete), fixture.0.poll(add)),
        (None, None),
        "the main mutex is free, so nobody gives up"
    );
    assert!(fixture.has("devices/d1") && !fixture.has(&format!("targets/qla2x00t/{PORT}/luns/0")));
    fixture.ok(&format!("targets/qla2x00t/{PORT}/luns/mgmt"), "clear");
    let luns = format!("targets/qla2x00t/{PORT}/luns/mgmt");
    assert_eq!(fixture.write(&luns, "add d1 0"), Written::Done(Err(Errno::EINVAL)), "it cannot be used any more");
    fixture.ok("devices/d1/block", "0\n");
    fixture.pass(1);
    assert_eq!(fixture.0.poll(delete), Some(Ok(13)));
    assert_eq!(fixture.0.poll(add), Some(Ok(13)));
    assert!(!fixture.has("devices/d1") && fixture.has("devices/d2"));
}

#[test]
fn a_signal_ends_the_waiting_but_not_the_command() {
    let groups = format!("targets/qla2x00t/{PORT}/ini_groups");
    let (mut fixture, create) = Fixture::behind_io(3, &format!("{groups}/mgmt"), "create g1");
    fixture.0.interrupt(create);
    assert_eq!(fixture.0.poll(create), Some(Err(Errno::EINTR)));
    assert_eq!(fixture.0.poll(create), None, "a ticket is answered once");
    fixture.pass(3);
    assert!(fixture.has(&format!("{groups}/g1")));
}

#[test]
fn a_session_with_a_command_logs_out_when_it_is_answered() {
    let mut fixture = Fixture::new();
    fixture.start_io(3);
    let session = format!("targets/qla2x00t/{PORT}/sessions/{INITIATOR}");
    fixture.ok(&format!("{session}/force_close"), "1\n");
    assert!(fixture.has(&session));
    fixture.pass(3);
    assert!(!fixture.has(&session));
}

#[test]
fn suspending_by_hand_puts_commands_off_until_it_is_taken_back() {
    let mut fixture = Fixture::new();
    fixture.ok("suspend", "5\n");
    let io = fixture.start_io(1);
    fixture.pass(10);
    assert!(!fixture.0.io_done(io));
    fixture.ok(&format!("targets/qla2x00t/{PORT}/ini_groups/mgmt"), "create g1");
    fixture.ok("suspend", "-1\n");
    fixture.pass(1);
    assert!(fixture.0.io_done(io));
}

#[test]
fn an_open_file_of_something_deleted_is_stale_even_if_the_name_comes_back() {
    let mut fixture = Fixture::new();
    let old = fixture.open("devices/d1/prod_id", true);
    fixture.ok("handlers/vdisk_blockio/mgmt", "del_device d1");
    assert_eq!(fixture.0.write(&old, b"x"), Written::Done(Err(Errno::ENODEV)));
    fixture.ok("handlers/vdisk_blockio/mgmt", "add_device d1 filename=/disk");
    assert_eq!(fixture.0.write(&old, b"x"), Written::Done(Err(Errno::ENODEV)));
    assert_eq!(fixture.0.read(&old), Err(Errno::ENODEV));
}

#[test]
fn a_large_configuration_stays_quick() {
    let mut fixture = Fixture::new();
    for device in 0..64 {
        fixture.ok("handlers/vdisk_nullio/mgmt", &format!("add_device n{device}"));
    }
    for port in 0..4 {
        let port = format!("50:00:00:00:00:00:00:0{port}");
        fixture.ok("targets/qla2x00t/mgmt", &format!("add_target {port}"));
        for group in 0..50 {
            let groups = format!("targets/qla2x00t/{port}/ini_groups");
            fixture.ok(&format!("{groups}/mgmt"), &format!("create g{group}"));
            for device in 0..64 {
                fixture.ok(&format!("{groups}/g{group}/luns/mgmt"), &format!("add n{device} {device}"));
            }
        }
    }
    assert_eq!(fixture.0.list(b"kernel/scst_tgt/devices/n1/exported").unwrap().len(), 201);
    fixture.ok("handlers/vdisk_nullio/mgmt", "del_device n1");
    assert!(!fixture.has("targets/qla2x00t/50:00:00:00:00:00:00:03/ini_groups/g49/luns/1"));
}
