//! `scst-ha` on targets of iSCSI: what it proposes, and what it shows.

use nix::sys::signal::Signal;

use super::{ALPHA, ESX, SECRET, group, login, nodes, run, signal, targets};
use crate::fixture::Fixture;

#[test]
fn a_name_is_proposed_under_the_authority_and_set() {
    let cluster = Fixture::new().node("Alpha", 1).without_targetports().node("beta", 2).targetports("x").up();
    let alpha = cluster.node("Alpha");
    let discover = "discover --driver iscsi --authority iqn.2026-01.org.example";
    alpha.tool("discover --driver iscsi --set").go().code_is(1);
    let shown = alpha.tool(discover).go().code_is(3);
    assert!(shown.stdout().contains(&format!("should be  \"{ALPHA}\"")), "{shown:?}");
    alpha.tool(&format!("{discover} --set")).go().code_is(0);
    // What is listed keeps its name, whatever the authority.
    let again = alpha.tool("discover --driver iscsi --authority iqn.2000-01.org.other").go().code_is(0);
    assert!(again.stdout().contains(&format!("is         \"{ALPHA}\"")), "{again:?}");
    run(&cluster, alpha, &targets(), "start").exit(0);
    let shown = alpha.tool("discover --driver iscsi --json").go().code_is(0);
    assert!(shown.stdout().contains("\"portals\": [\n        \"10.0.1.*\""), "{shown:?}");
}

#[test]
fn status_shows_portals_users_and_where_sessions_come_from() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    let resource = targets().param("outgoing_user", "alpha mutualsecret12");
    cluster.configure(&[&resource]);
    run(&cluster, alpha, &resource, "start").exit(0);
    cluster.transition(&group()).start(&["alpha"]).promote(&["alpha"]).carry_out();
    let from = format!("{ALPHA} {ESX} portal=10.0.1.1 from=10.0.1.50 user=esx secret={SECRET}");
    login(alpha, &from).unwrap();
    let shown = alpha.tool("status").go();
    for line in [
        "port 101  10.0.1.*, 10.0.2.*  esx, lab, (alpha)",
        "iqn.1998-01.com.vmware:esx1-4c5d  esx1   101        port 101 from 10.0.1.50  0",
        "ports of resource scst_iscsi: running",
    ] {
        assert!(shown.stdout().contains(line), "{line}: {shown:?}");
    }
    let json = alpha.tool("status --json").go();
    assert!(json.stdout().contains("\"users\": [") && json.stdout().contains("10.0.1.50"), "{json:?}");
    // A value that cibsecret keeps is not in the configuration.
    cluster.configure(&[&resource.param("incoming_users", "lrm://")]);
    let shown = alpha.tool("status").go();
    assert!(
        shown.stdout().contains("incoming_users is kept by cibsecret")
            && !shown.stdout().contains("remove incoming user")
    );
    signal(&cluster, alpha, Signal::SIGSTOP);
    let shown = alpha.tool("status --timeout 4").go().code_is(1);
    assert!(
        shown.stdout().contains("users and portals of target") && shown.stdout().contains("device group vm"),
        "{shown:?}"
    );
    signal(&cluster, alpha, Signal::SIGCONT);
}
