//! `scst-ha discover`: the ports of a node, and what becomes of `targetports`.

use snapbox::str;

use super::{INITIATOR, data, show};
use crate::fixture::Fixture;
use crate::fixture::sample::{self, ALPHA, BETA, HOST, ports};

/// The ports of alpha after its driver was loaded.
const TWO_PORTS: &str = "\
target ports of driver qla2x00t, qlini_mode exclusive
  port                     host   state   speed    enabled  id  logged in
  21:00:00:24:ff:60:d0:10  host1  Online  16 Gbit  no       0   -
  21:00:00:24:ff:60:d0:11  host2  Online  16 Gbit  no       0   -

";

#[test]
fn a_node_that_is_right_is_shown_with_its_ports_and_who_is_logged_in() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control(&format!("plug wwpn={INITIATOR} target_capable=false host=10"));
    alpha.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[0]));
    alpha.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[1]));
    alpha.control(&format!("port-state {} Linkdown", ALPHA[1]));
    show(&alpha, "discover").code_is(0).ran(&["cibadmin", "crm_node"]).printed(str![[r#"
target ports of driver qla2x00t, qlini_mode exclusive
  port                     host   state     speed    enabled  id   logged in
  21:00:00:24:ff:60:d0:10  host1  Online    16 Gbit  yes      101  50:01:43:80:03:b0:23:34, 50:01:43:80:03:b0:23:36
  21:00:00:24:ff:60:d0:11  host2  Linkdown  16 Gbit  yes      102  -

  no target port           host    state   speed
  21:00:00:24:ff:60:d0:99  host10  Online  16 Gbit

targetports of node alpha
  is         "21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11"
  should be  "21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11"

"#]]);
    show(&alpha, "discover --set").code_is(0).ran(&["cibadmin", "crm_node"]);
}

#[test]
fn a_missing_attribute_is_made_of_the_ports_in_their_order() {
    let fixture = Fixture::new().node("alpha", 1).without_targetports().port(ALPHA[0]).port(ALPHA[1]);
    let cluster = fixture.node("beta", 2).port(BETA[0]).node("quorum", 9).without_targetports().up();
    let alpha = cluster.node("alpha");
    alpha.control("modprobe qla2x00tgt");
    let missing = format!(
        "{TWO_PORTS}\
targetports of node alpha
  is         not set
  should be  \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11\"

  place  id   is  should be
  1      101  -   21:00:00:24:ff:60:d0:10
  2      102  -   21:00:00:24:ff:60:d0:11

to be known
  node quorum has no targetports: it serves no targets
"
    );
    show(alpha, "discover").code_is(3).shown(&missing);
    show(alpha, "discover --set").code_is(0).shown(&format!("{missing}\ntargetports is set\n"));
    assert_eq!(cluster.cib().load().unwrap().permanent("alpha", "targetports"), Some(&*ALPHA.join(",")));
    show(alpha, "discover").code_is(0);
    alpha.run(&ports(), "start").exit(0);
}

#[test]
fn an_order_that_somebody_chose_stays_and_an_exchanged_port_takes_the_place_of_the_old_one() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    alpha.control("modprobe qla2x00tgt");
    let listed = format!("{}, {}", ALPHA[1], ALPHA[0]);
    cluster.set_targetports("alpha", Some(&listed));
    show(alpha, "discover").code_is(0);
    let gone = "21:00:00:24:ff:60:d0:77";
    cluster.set_targetports("alpha", Some(&format!("{gone},{}", ALPHA[0])));
    show(alpha, "discover").code_is(3).shown(&format!(
        "{TWO_PORTS}\
targetports of node alpha
  is         \"21:00:00:24:ff:60:d0:77,21:00:00:24:ff:60:d0:10\"
  should be  \"21:00:00:24:ff:60:d0:11,21:00:00:24:ff:60:d0:10\"

  place  id   is                       should be
  1      101  21:00:00:24:ff:60:d0:77  21:00:00:24:ff:60:d0:11
  2      102  21:00:00:24:ff:60:d0:10  21:00:00:24:ff:60:d0:10

to be known
  entry 21:00:00:24:ff:60:d0:77 is no target port of this machine
"
    ));
    // Nothing to put in its place: the port behind it keeps its number until somebody says otherwise.
    cluster.set_targetports("alpha", Some(&format!("{},{gone},{}", ALPHA[0], ALPHA[1])));
    show(alpha, "discover --set").code_is(3);
    show(alpha, "discover").code_is(3).shown(&format!(
        "{TWO_PORTS}\
targetports of node alpha
  is         \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:77,21:00:00:24:ff:60:d0:11\"
  should be  \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:77,21:00:00:24:ff:60:d0:11\"

to be known
  entry 21:00:00:24:ff:60:d0:77 is no target port of this machine
  entry 21:00:00:24:ff:60:d0:77 stays, so that the ports behind it keep their numbers; while it is there no start on this node succeeds: --renumber takes it out
"
    ));
    show(alpha, "discover --renumber --set").code_is(0).shown(&format!(
        "{TWO_PORTS}\
targetports of node alpha
  is         \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:77,21:00:00:24:ff:60:d0:11\"
  should be  \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11\"

  place  id   is                       should be
  1      101  21:00:00:24:ff:60:d0:10  21:00:00:24:ff:60:d0:10
  2      102  21:00:00:24:ff:60:d0:77  21:00:00:24:ff:60:d0:11
  3      103  21:00:00:24:ff:60:d0:11  -

to be known
  entry 21:00:00:24:ff:60:d0:77 is no target port of this machine
  entry 21:00:00:24:ff:60:d0:77 is taken out: the ports behind it get other numbers

targetports is set
"
    ));
    assert_eq!(cluster.cib().load().unwrap().permanent("alpha", "targetports"), Some(&*ALPHA.join(",")));
}

#[test]
fn what_a_start_would_refuse_is_not_written() {
    let cluster =
        Fixture::new().node("alpha", 1).without_targetports().port(ALPHA[0]).node("beta", 2).targetports(ALPHA[0]).up();
    let alpha = cluster.node("alpha");
    let refused = show(alpha, "discover --set").code_is(1);
    assert_eq!(refused.stderr(), "scst-ha: targetports is not set: driver qla2x00t is not loaded\n");
    alpha.control("modprobe qla2x00tgt");
    let refused = show(alpha, "discover --set").code_is(1);
    assert_eq!(
        refused.stderr().lines().next(),
        Some(&*format!(
            "scst-ha: targetports is not set: port {} is listed in targetports of node alpha and of node beta",
            ALPHA[0]
        ))
    );
    // Nor is what is there taken for right.
    cluster.set_targetports("alpha", Some(ALPHA[0]));
    show(alpha, "discover").code_is(3);
    cluster.set_targetports("beta", Some(BETA[0]));
    show(alpha, "discover").code_is(0);
    alpha.control(&format!("unplug {}", ALPHA[0]));
    cluster.set_targetports("alpha", Some(ALPHA[1]));
    let refused = show(alpha, "discover --set").code_is(1);
    assert_eq!(refused.stderr(), "scst-ha: targetports is not set: no port of driver qla2x00t is there\n");
    let refused = alpha.tool("discover --set").without_cluster().go().code_is(1);
    assert!(refused.stderr().starts_with("scst-ha: targetports is not set: cluster could not be asked: cibadmin"));
    assert_eq!(cluster.cib().load().unwrap().permanent("alpha", "targetports"), Some(ALPHA[1]));
}

#[test]
fn a_write_that_fails_is_told() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    alpha.control("modprobe qla2x00tgt");
    cluster.set_targetports("alpha", Some(ALPHA[0]));
    let failed = alpha.tool("discover --set").env("STAND_IN_FAIL", "crm_attribute:124").go().code_is(1);
    assert!(failed.stderr().starts_with("scst-ha: targetports is not set: cluster could not be asked: crm_attribute"));
    // What would have been written was shown before.
    assert!(failed.stdout().contains(&format!("should be  \"{}\"", ALPHA.join(","))), "{failed:?}");
}

#[test]
fn without_scst_and_without_a_cluster_there_is_something_to_see_all_the_same() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    let unknown = show(alpha, "discover").code_is(0);
    assert!(unknown.stdout().contains("  should be  not known\n"), "{unknown:?}");
    alpha.tool("discover").without_cluster().go().writes(0).code_is(0).printed(str![[r#"
target ports of driver qla2x00t: none

  FC port                  host   state   speed
  21:00:00:24:ff:60:d0:10  host1  Online  16 Gbit
  21:00:00:24:ff:60:d0:11  host2  Online  16 Gbit

cluster could not be asked: cibadmin ended with exit code 102: Could not connect to the CIB: Transport endpoint is not connected Init failed, could not perform requested operations

to be known
  driver qla2x00t is not loaded, so nobody knows which ports can be targets: modprobe qla2x00tgt

"#]]);
    alpha.control("modprobe qla2x00tgt");
    alpha.tool("discover").without_cluster().go().writes(0).code_is(0).shown(&format!(
        "{TWO_PORTS}\
cluster could not be asked: cibadmin ended with exit code 102: Could not connect to the CIB: Transport endpoint is not connected Init failed, could not perform requested operations

targetports
  should be  \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11\"
"
    ));
    alpha.tool("status").without_cluster().go().writes(0).code_is(0).printed(str![[r#"
this node: SCST 3.11.0-pre
cluster could not be asked: cibadmin ended with exit code 102: Could not connect to the CIB: Transport endpoint is not connected Init failed, could not perform requested operations

port                     driver    id  enabled  link             sessions
21:00:00:24:ff:60:d0:10  qla2x00t  0   no       Online, 16 Gbit  0
21:00:00:24:ff:60:d0:11  qla2x00t  0   no       Online, 16 Gbit  0

"#]]);
}

#[test]
fn ports_of_another_driver_are_asked_for_by_its_name() {
    let alpha = Fixture::new().node("alpha", 1).targetports(ALPHA[0]).port(ALPHA[0]).up().into_node("alpha");
    alpha.control("modprobe scst_local");
    alpha.write("targets/scst_local/mgmt", "add_target disks");
    let found = data(&show(&alpha, "discover --driver scst_local --json").code_is(3));
    assert_eq!(found["should_be"], format!("{},disks", ALPHA[0]));
    assert_eq!(found["ports"][0]["name"], "disks");
    let wrong = show(&alpha, "discover --driver qla2xxx").code_is(2);
    assert!(wrong.stderr().contains("not one of qla2x00t, iscsi, ib_srpt, scst_local, fcst"), "{wrong:?}");
}
