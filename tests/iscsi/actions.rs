//! Each action with a daemon that does what it should.

use std::time::Duration;

use snapbox::str;

use super::{
    ALPHA, BETA, ESX, LAB, SECRET, SHOWN, SHOWN_BESIDES, call, group, login, nodes, port, run, serving, stops, targets,
};
use crate::fixture::{Fixture, Node, Outcome, eventually};

#[test]
fn targets_come_up_from_nothing_and_leave_nothing() {
    let alpha = nodes().into_node("alpha");
    run(&alpha, &targets(), "monitor").exit(7).programs(0);
    run(&alpha, &targets(), "start").exit(0).logged("start daemon iscsi-scstd");
    alpha.tree().is(&format!(
        "\
modules iscsi_scst scst
{}",
        port(SHOWN, "", "")
    ));
    assert_eq!(alpha.read("targets/iscsi/enabled"), "1");
    run(&alpha, &targets(), "monitor").exit(0).programs(0);
    call(&alpha, &targets()).level(10).run("monitor").exit(0);
    run(&alpha, &targets(), "start").exit(0).writes(0);
    run(&alpha, &targets(), "reload").exit(0).writes(0);
    run(&alpha, &targets(), "stop").exit(0).programs(0);
    alpha.tree().eq(str![[r#"
modules iscsi_scst scst

"#]]);
    run(&alpha, &targets(), "monitor").exit(7);
    run(&alpha, &targets(), "stop").exit(0).writes(0);
    assert!(alpha.mount().unknowns().is_empty());
}

#[test]
fn hosts_log_in_as_configured_and_are_gone_after_a_stop() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    for node in ["alpha", "beta"] {
        run(cluster.node(node), &targets(), "start").exit(0);
    }
    cluster.serve(&group());
    let at = |portal: &str, rest: &str| format!("{ALPHA} {ESX} portal={portal} {rest}");
    let proved = format!("user=esx secret={SECRET}");
    assert!(login(alpha, &at("10.0.3.1", &proved)).unwrap_err().contains("exit 19"));
    assert!(login(alpha, &at("10.0.1.1", "")).unwrap_err().contains("exit 24"));
    assert!(login(alpha, &at("10.0.1.1", "user=esx secret=wrongsecret12")).unwrap_err().contains("exit 24"));
    assert!(
        login(alpha, &format!("{ALPHA} iqn.2000-01.org.other:x portal=10.0.1.1 {proved}"))
            .unwrap_err()
            .contains("exit 19")
    );
    login(alpha, &at("10.0.1.1", &proved)).unwrap();
    login(alpha, &format!("{ALPHA} {LAB} portal=10.0.2.1 user=lab secret=othersecret567")).unwrap();
    cluster.switchover(&group()).carry_out();
    // Hosts try again at once: the target must not answer while their sessions are closed.
    run(alpha, &targets(), "stop").exit(0).logged("close all sessions of target");
    assert!(!alpha.exists(&format!("targets/iscsi/{ALPHA}")));
    assert!(login(alpha, &at("10.0.1.1", &proved)).unwrap_err().contains("exit 19"));
    assert_eq!(cluster.node("beta").state("vm", "beta"), "active");
    assert!(cluster.node("beta").exists(&format!("targets/iscsi/{BETA}/ini_groups/esx1/luns/0")));
}

/// A stop in which logins end that had begun before the target was disabled: each after the sessions were closed, and before its initiator
/// group is emptied.
fn stop_with_late_logins(alpha: &Node, hosts: &[&str]) -> Outcome {
    let enabled = format!("targets/iscsi/{ALPHA}/enabled");
    for at in 1..=hosts.len() {
        alpha.control(&format!("fault op=write path=**/initiators/mgmt at={at} action=hang"));
    }
    let stop = call(alpha, &targets()).timeout(Duration::from_secs(8)).begin("stop");
    for host in hosts {
        eventually("the write to the group", || alpha.mount().waiting() == 1);
        alpha.write(&enabled, "1");
        login(alpha, &format!("{ALPHA} {host} portal=10.0.1.1 user=esx secret={SECRET}")).unwrap();
        alpha.write(&enabled, "0");
        alpha.control("release");
        eventually("the answer", || alpha.mount().waiting() == 0);
    }
    stop.wait()
}

#[test]
fn a_login_that_ends_late_does_not_keep_a_target_from_being_deleted() {
    let alpha = serving();
    alpha.run(&group(), "demote").exit(0);
    let mut stopped = stop_with_late_logins(&alpha, &[ESX, LAB]).exit(0);
    for host in [ESX, LAB] {
        stopped = stopped.logged(&format!("closing session {host}, which keeps target {ALPHA}"));
    }
    assert_eq!(alpha.tree().lines("port"), [""; 0]);
}

#[test]
fn a_stop_that_fails_names_who_is_still_logged_in() {
    let alpha = serving();
    alpha.run(&group(), "demote").exit(0);
    alpha.control("fault op=write path=**/force_close repeat=true action=fail errno=EIO");
    let stopped = stop_with_late_logins(&alpha, &[ESX]).exit(1);
    stopped.reason_has("delete failed: EBUSY").reason_has(&format!("(held by {ESX})"));
    alpha.control("disarm");
    stops(&alpha);
}

#[test]
fn a_reload_changes_everything_live_and_touches_nothing_else() {
    let alpha = nodes().into_node("alpha");
    run(&alpha, &targets().param("outgoing_user", "alpha mutualsecret1"), "start").exit(0);
    let tid = alpha.read(&format!("targets/iscsi/{ALPHA}/tid"));
    let changed = targets()
        .param("portals", "10.0.2.*,10.0.3.*")
        .param("incoming_users", "esx changedsecret1;new newsecret12345")
        .param("outgoing_user", "alpha2 mutualsecret2")
        .param("attributes", "QueuedCommands=32,ImmediateData=No")
        .param("alias", "two words");
    run(&alpha, &changed, "reload").exit(0).logged("hold for the next login").wrote(&[
        &format!("targets/iscsi/{ALPHA}/ImmediateData < No"),
        &format!("targets/iscsi/{ALPHA}/NopInInterval < 30"),
        &format!("targets/iscsi/{ALPHA}/QueuedCommands < 32"),
        &format!("targets/iscsi/{ALPHA}/alias < two words"),
        &format!("targets/iscsi/{ALPHA}/IncomingUser < esx changedsecret1"),
        &format!("targets/iscsi/mgmt < add_target_attribute {ALPHA} IncomingUser new newsecret12345"),
        &format!("targets/iscsi/{ALPHA}/OutgoingUser < alpha2 mutualsecret2"),
        &format!("targets/iscsi/mgmt < add_target_attribute {ALPHA} allowed_portal 10.0.3.*"),
        &format!("targets/iscsi/mgmt < del_target_attribute {ALPHA} allowed_portal 10.0.1.*"),
        &format!("targets/iscsi/mgmt < del_target_attribute {ALPHA} IncomingUser lab"),
    ]);
    run(&alpha, &changed, "reload").exit(0).writes(0);
    assert_eq!(alpha.read(&format!("targets/iscsi/{ALPHA}/NopInInterval")), "30");
    run(&alpha, &targets(), "reload").exit(0);
    assert_eq!(alpha.read(&format!("targets/iscsi/{ALPHA}/alias")), "");
    run(&alpha, &targets(), "start").exit(0).writes(0);
    assert_eq!(alpha.read(&format!("targets/iscsi/{ALPHA}/tid")), tid);
    run(&alpha, &targets(), "stop").exit(0);
}

#[test]
fn a_target_that_was_made_by_hand_is_adopted_and_stays() {
    let alpha = nodes().into_node("alpha");
    for command in ["modprobe scst", "modprobe iscsi_scst", "iscsi-daemon start"] {
        alpha.control(command);
    }
    alpha.write("targets/iscsi/mgmt", &format!("add_target {ALPHA}"));
    for attribute in ["allowed_portal 10.9.9.9", "IncomingUser old oldsecret12345", "OutgoingUser out outsecret12345"] {
        alpha.write("targets/iscsi/mgmt", &format!("add_target_attribute {ALPHA} {attribute}"));
    }
    alpha.write(&format!("targets/iscsi/{ALPHA}/ini_groups/mgmt"), "create theirs");
    alpha.write(&format!("targets/iscsi/{ALPHA}/enabled"), "1");
    alpha.run(&targets(), "start").exit(0).ran(&["cibadmin"]);
    alpha.tree().is(&format!(
        "\
modules iscsi_scst scst
{}  group theirs
",
        port(SHOWN_BESIDES, "", "")
    ));
    alpha.run(&targets(), "start").exit(0).writes(0);
    alpha.run(&targets(), "stop").exit(0);
    alpha.tree().eq(str![[r#"
modules iscsi_scst scst
port iscsi/iqn.2026-01.org.example:alpha enabled=0 rel_tgt_id=101 IncomingUser1=esx *** IncomingUser2=lab *** NopInInterval=10 QueuedCommands=64 allowed_portal1=10.0.1.* allowed_portal2=10.0.2.*
  group theirs

"#]]);
}

#[test]
fn a_failed_start_undoes_its_own_steps() {
    let alpha = Fixture::new().node("alpha", 1).targetports(&format!("{ALPHA},{BETA}")).up().into_node("alpha");
    for command in ["modprobe scst", "modprobe iscsi_scst", "iscsi-daemon start"] {
        alpha.control(command);
    }
    // Somebody's enabled target has the number of the second one.
    alpha.write("targets/iscsi/mgmt", "add_target iqn.2026-01.org.example:theirs");
    alpha.write("targets/iscsi/iqn.2026-01.org.example:theirs/rel_tgt_id", "102");
    alpha.write("targets/iscsi/iqn.2026-01.org.example:theirs/enabled", "1");
    let before = alpha.tree();
    alpha.run(&targets(), "start").exit(1).reason_has("enable failed: EBADSLT");
    assert_eq!(alpha.tree(), before);
    assert_eq!(alpha.record(&targets()), None);
    alpha.run(&targets(), "monitor").exit(7);
    alpha.run(&targets(), "stop").exit(0).writes(0);
}

#[test]
fn a_dry_run_prints_the_plan_and_no_secret() {
    let alpha = nodes().into_node("alpha");
    call(&alpha, &targets()).dry_run().run("start").exit(0).writes(0).printed(str![[r#"
load module scst
load module iscsi-scst
start daemon iscsi-scstd
create target iqn.2026-01.org.example:alpha
set NopInInterval 10 on target iqn.2026-01.org.example:alpha
set QueuedCommands 64 on target iqn.2026-01.org.example:alpha
add incoming user esx to target iqn.2026-01.org.example:alpha
add incoming user lab to target iqn.2026-01.org.example:alpha
add portal 10.0.1.* to target iqn.2026-01.org.example:alpha
add portal 10.0.2.* to target iqn.2026-01.org.example:alpha
create initiator group esx1 of port iqn.2026-01.org.example:alpha
set I/O group 101 on initiator group esx1 of port iqn.2026-01.org.example:alpha
add initiator iqn.1998-01.com.vmware:esx1-4c5d to initiator group esx1 of port iqn.2026-01.org.example:alpha
create initiator group lab of port iqn.2026-01.org.example:alpha
set I/O group 102 on initiator group lab of port iqn.2026-01.org.example:alpha
add initiator iqn.1993-08.org.debian:01:* to initiator group lab of port iqn.2026-01.org.example:alpha
set relative target id 101 on port iqn.2026-01.org.example:alpha
enable port iqn.2026-01.org.example:alpha

"#]]);
}
