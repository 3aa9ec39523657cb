//! `scst-ha status`: what a node does, and what differs from its configuration.

use std::time::Duration;

use scst_sim::stand_in::cib::Cib;
use scst_sim::stand_in::xml::Element;
use snapbox::str;

use super::{INITIATOR, data, serving, show};
use crate::fixture::sample::{self, ALPHA, HOST, group, ports};

/// The ports of alpha, without a session.
const PORTS: &str = "\
port                     driver    id   enabled  link             sessions
21:00:00:24:ff:60:d0:10  qla2x00t  101  yes      Online, 16 Gbit  0
21:00:00:24:ff:60:d0:11  qla2x00t  102  yes      Online, 16 Gbit  0

";
/// The initiators of alpha, of which none is logged in.
const INITIATORS: &str = "\
initiator                group    I/O group  logged in on  in flight
50:01:43:80:03:b0:23:34  vmwtest  101        -             -
50:01:43:80:03:b0:23:36  vmwtest  101        -             -

";
/// The group on alpha: it is promoted, and beta is not.
const PROMOTED: &str = "\
device group dummy: promoted, resource scst_dg_dummy
  target group  id  state    cluster     ports
  alpha (here)  1   active   promoted    21:00:00:24:ff:60:d0:10 101, 21:00:00:24:ff:60:d0:11 102
  beta          2   standby  unpromoted  21:00:00:1b:32:0b:52:75 201, 21:01:00:1b:32:2b:52:75 202

";
/// Its device.
const DEVICE: &str = "  device          handler       filename  store  blocked
  dummy_lu0dummy  vdisk_nullio  -         -      no

  device          known as              product  serial    reservations
  dummy_lu0dummy  eui.3737303736616564  SCST     77076aed  local

";
/// Its LUNs.
const LUNS: &str = "  LUN  vmwtest
  0    dummy_lu0dummy
";
/// What the nodes have told of its device.
const TOLD: &str = "  as told by  device          size  blocks  known as              same as here
  alpha       dummy_lu0dummy  -     512     eui.3737303736616564  yes
  beta        dummy_lu0dummy  -     512     eui.3737303736616564  yes
";

#[test]
fn a_serving_node_and_its_peer() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    sample::log_in(alpha);
    alpha.control(&format!("login qla2x00t {} {INITIATOR}", ALPHA[1]));
    let io = sample::send(alpha, "0");
    show(alpha, "status").code_is(0).ran(&["cibadmin", "crm_node", "crm_mon"]).shown(&format!(
        "\
node alpha: SCST 3.11.0-pre

port                     driver    id   enabled  link             sessions
21:00:00:24:ff:60:d0:10  qla2x00t  101  yes      Online, 16 Gbit  1
21:00:00:24:ff:60:d0:11  qla2x00t  102  yes      Online, 16 Gbit  1

initiator                group      I/O group  logged in on  in flight
21:00:00:24:ff:60:d0:99  (default)  -          port 102      0
50:01:43:80:03:b0:23:34  vmwtest    101        port 101      1
50:01:43:80:03:b0:23:36  vmwtest    101        -             -

ports of resource scst_qla: running

{PROMOTED}{DEVICE}{LUNS}
  in flight from           on        LUN  device          commands
  50:01:43:80:03:b0:23:34  port 101  0    dummy_lu0dummy  1

{TOLD}"
    ));
    show(cluster.node("beta"), "status --group dummy").code_is(0).shown(&format!(
        "\
node beta: SCST 3.11.0-pre

port                     driver    id   enabled  link             sessions
21:00:00:1b:32:0b:52:75  qla2x00t  201  yes      Online, 16 Gbit  0
21:01:00:1b:32:2b:52:75  qla2x00t  202  yes      Online, 16 Gbit  0

initiator                group    I/O group  logged in on  in flight
50:01:43:80:03:b0:23:34  vmwtest  201        -             -
50:01:43:80:03:b0:23:36  vmwtest  201        -             -

device group dummy: unpromoted, resource scst_dg_dummy
  target group  id  state    cluster     ports
  alpha         1   active   promoted    21:00:00:24:ff:60:d0:10 101, 21:00:00:24:ff:60:d0:11 102
  beta (here)   2   standby  unpromoted  21:00:00:1b:32:0b:52:75 201, 21:01:00:1b:32:2b:52:75 202

{DEVICE}{LUNS}
{TOLD}"
    ));
    sample::finish(alpha, &io);
}

#[test]
fn what_differs_is_the_plan_of_a_reload() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let more = group().param("device1", "handler=vdisk_nullio,virtname=new,export0=all:1,export1=nobody:2");
    let more = more.param("device2", "handler=vdisk_nullio,virtname=too.longname,export0=all:3");
    cluster.configure(&[&more.param("device0", "handler=vdisk_nullio,virtname=lu0dummy,export0=all:0")]);
    cluster.configure(&[&ports().param("initiators", &format!("vmwtest={}", HOST[0]))]);
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns/mgmt", ALPHA[1]), "del 0");
    show(alpha, "status").code_is(3).shown(&format!(
        "\
node alpha: SCST 3.11.0-pre

{PORTS}{INITIATORS}ports of resource scst_qla: running
  differs from the configuration
    remove initiator 50:01:43:80:03:b0:23:36 from initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
    remove initiator 50:01:43:80:03:b0:23:36 from initiator group vmwtest of port 21:00:00:24:ff:60:d0:11

{PROMOTED}{DEVICE}  LUN  vmwtest
  0    dummy_lu0dummy on port 101

{TOLD}
  differs from the configuration
    device dummy_new: no initiator group for export nobody:2 on the local ports
    add device dummy_new through vdisk_nullio
    set prod_id SCST on device dummy_new
    put device dummy_new into device group dummy
    map device dummy_new as LUN 1 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
    map device dummy_lu0dummy as LUN 0 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
    map device dummy_new as LUN 1 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
    device dummy_lu0dummy: dummy is 1, configured is 0: it takes effect when the device is removed and added, or the resource restarted

  to be known
    device2: virtname \"too.longname\": character '.' is not possible here, device left out
"
    ));
}

#[test]
fn a_store_that_fails_is_told_with_its_error_and_not_as_one_that_is_gone() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let file = cluster.file("f0", 1 << 20);
    let device = format!("handler=vdisk_fileio,filename={},virtname=f0,export0=all:1", file.display());
    cluster.configure(&[&group().param("device1", &device)]);
    std::fs::remove_file(&file).unwrap();
    let store = format!("device dummy_f0: its store {}", file.display());
    let shown = show(alpha, "status").code_is(3);
    assert!(shown.stdout().contains(&format!("{store} does not exist")), "{shown:?}");
    std::os::unix::fs::symlink(&file, &file).unwrap();
    let shown = show(alpha, "status").code_is(3);
    assert!(shown.stdout().contains(&format!("{store} cannot be looked at: ELOOP")), "{shown:?}");
    assert!(!shown.stdout().contains("does not exist"), "{shown:?}");
}

#[test]
fn a_group_that_is_held_up_says_by_whom() {
    let (alpha, io) = sample::busy();
    alpha.cluster().configure(&[&ports(), &group()]);
    let demote = alpha.call(&group()).begin("demote");
    crate::fixture::eventually("it is blocked", || alpha.read(sample::BLOCK) == "1 1");
    // While the action is at it, nothing is wrong.
    let found = data(&show(&alpha, "status --json").code_is(0));
    let shown = &found["groups"][0];
    assert_eq!((&shown["devices"][0]["blocked"], &shown["devices"][0]["pending"]), (&1.into(), &true.into()));
    assert_eq!(shown["in_flight"][0]["initiator"], HOST[0]);
    demote.signal(nix::sys::signal::Signal::SIGKILL);
    drop(demote.end());
    show(&alpha, "status --group dummy").code_is(3).shown(&format!(
        "\
node alpha: SCST 3.11.0-pre

port                     driver    id   enabled  link             sessions
21:00:00:24:ff:60:d0:10  qla2x00t  101  yes      Online, 16 Gbit  1
21:00:00:24:ff:60:d0:11  qla2x00t  102  yes      Online, 16 Gbit  0

initiator                group    I/O group  logged in on  in flight
50:01:43:80:03:b0:23:34  vmwtest  101        port 101      1
50:01:43:80:03:b0:23:36  vmwtest  101        -             -

{PROMOTED}  device          handler       filename  store  blocked
  dummy_lu0dummy  vdisk_nullio  -         -      once, waits for commands

  device          known as              product  serial    reservations
  dummy_lu0dummy  eui.3737303736616564  SCST     77076aed  local

{LUNS}
  in flight from           on        LUN  device          commands
  50:01:43:80:03:b0:23:34  port 101  0    dummy_lu0dummy  1

{TOLD}
  not as it must be
    device dummy_lu0dummy: left blocked by an action that died
"
    ));
    sample::finish(&alpha, &io);
}

#[test]
fn what_others_made_is_shown_and_said_to_be_nobodys() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device foreign dummy=1");
    alpha.write("device_groups/mgmt", "create a-foreign-group");
    alpha.write("device_groups/a-foreign-group/devices/mgmt", "add foreign");
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/mgmt", ALPHA[0]), "create others");
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/others/luns/mgmt", ALPHA[0]), "add foreign 7");
    alpha.write(&format!("targets/qla2x00t/{}/luns/mgmt", ALPHA[0]), "add dummy_lu0dummy 9");
    show(alpha, "status").code_is(3).shown(&format!(
        "\
node alpha: SCST 3.11.0-pre

{PORTS}initiator                group    I/O group  logged in on  in flight
-                        others   auto       -             -
50:01:43:80:03:b0:23:34  vmwtest  101        -             -
50:01:43:80:03:b0:23:36  vmwtest  101        -             -

ports of resource scst_qla: running

device group a-foreign-group: half there
  device   handler       filename  store  blocked
  foreign  vdisk_nullio  -         -      no

  device   known as              product  serial    reservations
  foreign  eui.6135383865366631  foreign  a588e6f1  local

  LUN  others
  7    foreign

  to be known
    no resource of the cluster configures it
    there is no target group of this node

{PROMOTED}{DEVICE}  LUN  (default)                   vmwtest
  0    -                           dummy_lu0dummy
  9    dummy_lu0dummy on port 101  -

{TOLD}
  differs from the configuration
    map device dummy_lu0dummy as LUN 0 of initiator group others of port 21:00:00:24:ff:60:d0:10
"
    ));
}

#[test]
fn a_node_on_which_nothing_runs_is_no_difference() {
    let cluster = sample::nodes().up();
    cluster.configure(&[&ports(), &group()]);
    let alpha = cluster.node("alpha");
    show(alpha, "status").code_is(0).printed(str![[r#"
node alpha: SCST is not loaded

ports of resource scst_qla: stopped

device group dummy: stopped, resource scst_dg_dummy

"#]]);
    // Nor is one that cannot run it.
    cluster.set_targetports("alpha", None);
    alpha.control("modprobe qla2x00tgt");
    show(alpha, "status --group dummy").code_is(0).printed(str![[r#"
node alpha: SCST 3.11.0-pre

port                     driver    id  enabled  link             sessions
21:00:00:24:ff:60:d0:10  qla2x00t  0   no       Online, 16 Gbit  0
21:00:00:24:ff:60:d0:11  qla2x00t  0   no       Online, 16 Gbit  0

device group dummy: stopped, resource scst_dg_dummy
  to be known
    node alpha has no targetports attribute

"#]]);
    let unknown = show(alpha, "status --group nothing").code_is(1);
    assert_eq!(unknown.stderr(), "scst-ha: device group nothing is neither here nor configured\n");
}

#[test]
fn without_a_cluster_the_kernel_and_the_record_tell() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    alpha.tool("status").without_cluster().go().writes(0).code_is(0).shown(&format!(
        "\
this node: SCST 3.11.0-pre
cluster could not be asked: cibadmin ended with exit code 102: Could not connect to the CIB: Transport endpoint is not connected Init failed, could not perform requested operations

{PORTS}{INITIATORS}device group dummy: promoted
  target group  id  state    cluster  ports
  alpha (here)  1   active   -        21:00:00:24:ff:60:d0:10 101, 21:00:00:24:ff:60:d0:11 102
  beta          2   standby  -        21:00:00:1b:32:0b:52:75 201, 21:01:00:1b:32:2b:52:75 202

{DEVICE}{LUNS}"
    ));
    // Without a record the ports tell which node this is.
    std::fs::remove_dir_all(alpha.rsctmp()).unwrap();
    let found = data(&alpha.tool("status --json").without_cluster().go().code_is(0));
    assert_eq!((&found["groups"][0]["role"], &found["node"]), (&"promoted".into(), &serde_json::Value::Null));
}

#[test]
fn a_cluster_that_does_not_answer_costs_its_share_of_the_time_and_no_more() {
    let alpha = serving().into_node("alpha");
    for command in ["cibadmin", "crm_node"] {
        let asked = alpha.tool("status --timeout 2").env("STAND_IN_FAIL", &format!("{command}:hang")).go();
        let asked = asked.writes(0).code_is(0).within(Duration::from_secs(2));
        assert!(asked.stdout().contains(&format!("cluster could not be asked: {command} did not answer")), "{asked:?}");
        assert!(asked.stdout().contains("device group dummy: promoted"), "{asked:?}");
    }
}

#[test]
fn a_large_cluster_is_no_hurdle() {
    let cluster = serving();
    let many = |cib: &mut Cib| {
        let configuration = cib.root.child_made("configuration");
        for id in 3..=64 {
            let ports = Element::new("nvpair").with("id", format!("p{id}")).with("name", "targetports");
            let ports = ports.with("value", format!("21:00:00:24:ff:61:00:{id:02x}"));
            let attributes = Element::new("instance_attributes").with("id", format!("a{id}")).and(ports);
            let node = Element::new("node").with("id", id.to_string()).with("uname", format!("node{id}"));
            configuration.child_made("nodes").children.push(node.and(attributes));
        }
        for number in 0..256 {
            let meta = Element::new("nvpair").with("id", format!("x{number}")).with("value", "x".repeat(4096));
            let foreign = Element::new("primitive").with("id", format!("f{number}")).with("class", "systemd");
            let foreign = foreign.and(Element::new("meta_attributes").with("id", format!("m{number}")).and(meta));
            configuration.child_made("resources").children.push(foreign);
        }
    };
    cluster.cib().change(many).unwrap();
    let alpha = cluster.node("alpha");
    let status = show(alpha, "status").code_is(3).within(Duration::from_secs(3));
    // They came after the start: a reload would make their target groups.
    for id in [3, 64] {
        assert!(status.stdout().contains(&format!("create target group node{id} of device group dummy")), "{status:?}");
    }
    show(alpha, "discover").code_is(0).within(Duration::from_secs(3));
}

#[test]
fn an_older_scst_is_shown_alike() {
    let cluster = sample::with_ports_of(scst_sim::model::ScstVersion::V3_7);
    let file = cluster.file("file", 1 << 20);
    let device = format!("handler=vdisk_fileio,filename={},virtname=file,export0=all:1", file.display());
    let group = group().param("device1", &device);
    cluster.serve(&group);
    cluster.configure(&[&ports(), &group]);
    let found = data(&show(cluster.node("alpha"), "status --json").code_is(0));
    let devices = &found["groups"][0]["devices"];
    assert_eq!((&devices[0]["name"], &devices[0]["open"]), (&"dummy_file".into(), &serde_json::Value::Null));
    assert_eq!(devices[0]["filename"], file.to_str().unwrap());
    assert_eq!(found["groups"][0]["differences"], serde_json::json!([]));
}

#[test]
fn a_kernel_that_does_not_answer_is_told_and_the_rest_is_shown() {
    let alpha = serving().into_node("alpha");
    alpha.control("fault op=read action=hang path=kernel/scst_tgt/devices/dummy_lu0dummy/block repeat=true");
    let outcome = show(&alpha, "status --timeout 2").code_is(1).within(Duration::from_secs(2));
    assert!(outcome.stdout().contains("could not be read\n  device group dummy: no answer within"), "{outcome:?}");
    assert!(outcome.stdout().contains(HOST[0]), "{outcome:?}");
    alpha.control("release");
}

#[test]
fn a_watch_shows_it_again_until_it_is_interrupted() {
    let alpha = serving().into_node("alpha");
    let watch = alpha.tool("status --watch 1").begin("");
    // Several looks on a machine that is busy with other tests.
    std::thread::sleep(Duration::from_secs(8));
    watch.signal(nix::sys::signal::Signal::SIGTERM);
    let shown = watch.end().writes(0);
    assert!(shown.stdout().matches("device group dummy: promoted").count() >= 2, "{shown:?}");
}
