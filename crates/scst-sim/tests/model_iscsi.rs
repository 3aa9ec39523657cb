//! The daemon behind iSCSI targets, on the bare model: what recordings show one case of.

use std::path::Path;
use std::time::Duration;

use scst_sim::model::{DaemonSignal, Errno, IscsiInitiator, IscsiRefusal, Machine, Reading, Ticket, Written};
use scst_sim::scenario::Scenario;

const MGMT: &str = "mgmt";

/// A machine with the daemon and a target `t` that has a LUN; everything is enabled.
fn machine() -> Machine {
    let text = include_str!("data/iscsi-target.toml").replace("NAME", "t");
    Scenario::parse(Path::new("test.toml"), &text).expect("a scenario").build().expect("a machine").machine
}

fn below(file: &str) -> Vec<u8> {
    format!("kernel/scst_tgt/targets/iscsi/{file}").into_bytes()
}

fn begin(machine: &mut Machine, file: &str, data: &str) -> Written {
    let handle = machine.open(&below(file), false, true).expect("it opens for writing");
    machine.write(&handle, data.as_bytes())
}

fn write(machine: &mut Machine, file: &str, data: &str) -> Result<(), Errno> {
    match begin(machine, file, data) {
        Written::Done(result) => result.map(drop),
        Written::Waiting(_) => panic!("{data:?} to {file} waits"),
    }
}

fn waits(machine: &mut Machine, file: &str, data: &str) -> Ticket {
    match begin(machine, file, data) {
        Written::Waiting(ticket) => ticket,
        Written::Done(result) => panic!("{data:?} to {file}: {result:?}"),
    }
}

fn read(machine: &mut Machine, file: &str) -> Result<String, Errno> {
    let handle = machine.open(&below(file), true, false)?;
    machine.read(&handle).map(|content| String::from_utf8(content).expect("text"))
}

fn read_waits(machine: &mut Machine, file: &str) -> Ticket {
    let handle = machine.open(&below(file), true, false).expect("it opens for reading");
    match machine.start_read(&handle) {
        Reading::Waiting(ticket) => ticket,
        Reading::Done(answer) => panic!("{file}: {answer:?}"),
    }
}

fn pass(machine: &mut Machine, seconds: u64) {
    machine.advance(machine.now() + Duration::from_secs(seconds));
}

fn signal(machine: &mut Machine, signal: DaemonSignal) {
    machine.signal_iscsi_daemon(signal).expect("a daemon");
}

fn host(chap: Option<(&str, &str)>, chap_in: Option<(&str, &str)>) -> IscsiInitiator {
    let owned = |(user, secret): (&str, &str)| (user.to_owned(), secret.to_owned());
    IscsiInitiator {
        chap: chap.map(owned),
        chap_in: chap_in.map(owned),
        ..IscsiInitiator::local("iqn.2026-11.org.example:h")
    }
}

#[test]
fn names_of_targets_differ_by_more_than_case() {
    let mut machine = machine();
    assert_eq!(write(&mut machine, MGMT, "add_target T"), Err(Errno::EEXIST));
    assert_eq!(write(&mut machine, MGMT, "add_target_attribute T allowed_portal 10.0.0.1"), Ok(()));
    assert_eq!(write(&mut machine, MGMT, "del_target T"), Err(Errno::ENOENT), "the kernel compares letters");
    // The directory has that name already, as an attribute; the number is used up.
    assert_eq!(write(&mut machine, MGMT, "add_target open_state"), Err(Errno::EBUSY));
    assert_eq!(write(&mut machine, MGMT, "add_target u"), Ok(()));
    assert_eq!(read(&mut machine, "u/tid").as_deref(), Ok("3\n"));
}

#[test]
fn parameters_of_a_target_are_lines_of_a_configuration_file() {
    let mut machine = machine();
    assert_eq!(
        write(&mut machine, MGMT, "add_target u; queuedcommands=4;; #x; incominguser joe 12charsecret1"),
        Ok(())
    );
    assert_eq!(read(&mut machine, "u/QueuedCommands").as_deref(), Ok("4\n[key]\n\n"));
    assert_eq!(read(&mut machine, "u/incominguser").as_deref(), Ok("joe 12charsecret1\n[key]\n\n"), "as it was typed");
    for wrong in ["per_portal_acl=1", "DefaultTime2Wait=1", "IncomingUser joe 12charsecret1 more", "QueuedCommands 1 2"]
    {
        assert_eq!(write(&mut machine, MGMT, &format!("add_target v {wrong}")), Err(Errno::EINVAL), "{wrong}");
    }
}

#[test]
fn a_command_that_waits_when_its_session_ends_never_reaches_the_disk() {
    let mut machine = machine();
    let session = machine.login("iscsi", "t", "iqn.2026-11.org.example:h").unwrap();
    let by_hand = |machine: &mut Machine, times: &[u8]| {
        let handle = machine.open(b"kernel/scst_tgt/suspend", false, true).unwrap();
        assert!(matches!(machine.write(&handle, times), Written::Done(Ok(_))));
    };
    by_hand(&mut machine, b"5");
    let read = machine.start_io("iscsi", "t", &session, 0, Some(Duration::ZERO)).unwrap();
    assert!(!machine.io_done(read));
    signal(&mut machine, DaemonSignal::End);
    by_hand(&mut machine, b"-1");
    pass(&mut machine, 1);
    assert!(machine.io_done(read));
    assert_eq!(machine.reply(read), None);
}

#[test]
fn an_outgoing_user_of_another_file_name_mends_what_the_second_one_broke() {
    let mut machine = machine();
    let add = |machine: &mut Machine, user: &str| write(machine, MGMT, &format!("add_target_attribute t {user}"));
    add(&mut machine, "IncomingUser joe 12charsecret1").unwrap();
    add(&mut machine, "OutgoingUser one 12charsecret1").unwrap();
    let mutual = host(Some(("joe", "12charsecret1")), Some(("one", "12charsecret1")));
    machine.iscsi_login("t", &mutual).unwrap();
    assert_eq!(add(&mut machine, "OutgoingUser one 12charsecret1"), Err(Errno::EEXIST));
    assert_eq!(machine.iscsi_login("t", &mutual), Err(IscsiRefusal::Unauthorized));
    assert_eq!(add(&mut machine, "OutgoingUser1 one 12charsecret1"), Ok(()));
    assert_eq!(read(&mut machine, "t/OutgoingUser"), Err(Errno::EINVAL));
    machine.iscsi_login("t", &mutual).unwrap();
}

#[test]
fn what_is_asked_of_a_stopped_daemon_too_early_may_still_break_something() {
    let mut machine = machine();
    write(&mut machine, MGMT, "add_target_attribute t OutgoingUser one 12charsecret1").unwrap();
    signal(&mut machine, DaemonSignal::Stop);
    let user = waits(&mut machine, MGMT, "add_target_attribute t OutgoingUser two 12charsecret1");
    let target = waits(&mut machine, MGMT, "add_target u");
    let switch = waits(&mut machine, "t/enabled", "0");
    let key = waits(&mut machine, "t/MaxBurstLength", "4096");
    let deletion = waits(&mut machine, MGMT, "del_target t");
    pass(&mut machine, 30);
    for ticket in [user, target, switch, key, deletion] {
        assert_eq!(machine.poll(ticket), Some(Err(Errno::EBUSY)));
    }
    signal(&mut machine, DaemonSignal::Continue);
    assert_eq!(
        read(&mut machine, "t/OutgoingUser"),
        Err(Errno::EINVAL),
        "the daemon forgot it before it asked the kernel"
    );
    assert_eq!(machine.lookup(&below("u")).map(drop), Err(Errno::ENOENT));
    assert_eq!(read(&mut machine, "t/enabled").as_deref(), Ok("1\n"));
    assert_eq!(read(&mut machine, "t/MaxBurstLength").as_deref(), Ok("4096\n[key]\n\n"));
    // No number was used up for it.
    write(&mut machine, MGMT, "add_target v").unwrap();
    assert_eq!(read(&mut machine, "v/tid").as_deref(), Ok("2\n"));
}

#[test]
fn enabling_under_a_stopped_daemon_leaves_the_port_its_number() {
    let mut machine = machine();
    write(&mut machine, MGMT, "add_target u").unwrap();
    signal(&mut machine, DaemonSignal::Stop);
    let switch = waits(&mut machine, "u/enabled", "1");
    assert_eq!(read(&mut machine, "u/rel_tgt_id").as_deref(), Ok("2\n[key]\n"));
    pass(&mut machine, 31);
    assert_eq!(machine.poll(switch), Some(Err(Errno::EBUSY)));
    assert_eq!(read(&mut machine, "u/enabled").as_deref(), Ok("0\n"));
    assert_eq!(read(&mut machine, "u/rel_tgt_id").as_deref(), Ok("2\n[key]\n"));
}

#[test]
fn a_daemon_killed_while_somebody_waits_in_its_files_closes_slowly() {
    let mut machine = machine();
    machine.iscsi_login("t", &host(None, None)).unwrap();
    signal(&mut machine, DaemonSignal::Stop);
    pass(&mut machine, 1);
    let reader = read_waits(&mut machine, "t/alias");
    pass(&mut machine, 10);
    signal(&mut machine, DaemonSignal::End);
    assert_eq!(read(&mut machine, "open_state").as_deref(), Ok("closing\n"));
    assert_eq!(machine.list(&below("t/sessions")), Ok(Vec::new()), "connections end at once");
    assert_eq!(read(&mut machine, "t/QueuedCommands"), Err(Errno::EPERM));
    assert_eq!(write(&mut machine, MGMT, "add_target u"), Err(Errno::EPERM));
    assert_eq!(machine.iscsi_daemon(true), Err(Errno::EBUSY));
    pass(&mut machine, 20);
    assert_eq!(machine.poll_read(reader), Some(Err(Errno::EBUSY)));
    assert_eq!(read(&mut machine, "open_state").as_deref(), Ok("closed\n"));
    assert_eq!(machine.lookup(&below("t")).map(drop), Err(Errno::ENOENT));
    machine.iscsi_daemon(true).unwrap();
}

#[test]
fn what_nobody_has_seen_is_refused_aloud() {
    let mut machine = machine();
    write(&mut machine, MGMT, "add_target_attribute t IncomingUser joe 12charsecret1").unwrap();
    write(&mut machine, "t/IncomingUser", "joe").unwrap();
    assert_eq!(read(&mut machine, "t/IncomingUser").as_deref(), Ok("joe (null)\n[key]\n\n"));
    let login = machine.iscsi_login("t", &host(Some(("joe", "12charsecret1")), None));
    assert!(matches!(login, Err(IscsiRefusal::Unknown(_))), "{login:?}");
    assert_eq!(write(&mut machine, "iSNSServer", "server.example.org"), Err(Errno::ENOTSUP));
    assert_eq!(machine.unknowns().len(), 1);
}
