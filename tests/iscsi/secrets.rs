//! Secrets stand in no log, no reason, no plan, no argument and no status.

use super::{ALPHA, SECRET, call, nodes, run, started, stops, targets, thorough};
use crate::fixture::Outcome;

const OUTGOING: &str = "mutualsecret12";

/// Neither secret is in anything that a run has said.
#[track_caller]
fn silent(outcome: &Outcome) {
    for text in [outcome.log(), outcome.stdout(), outcome.stderr()] {
        for secret in [SECRET, OUTGOING, "othersecret567"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn no_action_shows_a_secret_whatever_becomes_of_it() {
    let alpha = nodes().into_node("alpha");
    let resource = targets().param("outgoing_user", &format!("alpha {OUTGOING}"));
    let debug = |resource: &_| call(&alpha, resource).env("HA_debug", "1").env("OCF_TRACE_RA", "1");
    silent(&debug(&resource).dry_run().run("start").exit(0));
    silent(&debug(&resource).run("start").exit(0));
    silent(&debug(&resource).level(10).run("monitor").exit(0));
    silent(&debug(&resource.param("outgoing_user", &format!("beta {OUTGOING}"))).run("reload").exit(0));
    for errno in ["EINVAL", "EIO"] {
        alpha.control(&format!("fault op=write path=**/iscsi/mgmt action=fail errno={errno}"));
        silent(&debug(&resource.param("incoming_users", &format!("new {SECRET}"))).run("reload"));
    }
    silent(&run(&alpha, &resource, "stop").exit(0));
}

#[test]
fn a_command_that_the_kernel_queues_and_then_refuses_shows_none_either() {
    let alpha = started();
    alpha.control("fault op=write path=**/iscsi/mgmt action=queue after=200ms errno=ENOMEM");
    let reload = run(&alpha, &targets().param("incoming_users", &format!("new {SECRET}")), "reload");
    silent(&reload.unfinished().reason_has("ENOMEM").reason_has("IncomingUser new ***"));
    run(&alpha, &targets(), "stop").exit(0);
}

#[test]
fn a_target_is_never_opened_to_everybody_by_a_user_or_a_portal_that_could_not_be_added() {
    let alpha = started();
    for at in [1, 2] {
        alpha.control(&format!("fault op=write path=**/iscsi/mgmt at={at} action=fail errno=EINVAL"));
    }
    let changed = targets().param("incoming_users", "new newsecret12345").param("portals", "10.0.3.*");
    run(&alpha, &changed, "reload").unfinished();
    let port = alpha.tree().lines("port").join("");
    for kept in ["IncomingUser=esx", "IncomingUser1=lab", "allowed_portal=10.0.1.*", "allowed_portal1=10.0.2.*"] {
        assert!(port.contains(kept), "{kept}: {port}");
    }
    alpha.control("disarm");
    run(&alpha, &changed, "reload").exit(0);
    let port = alpha.tree().lines("port").join("");
    assert!(!port.contains("esx") && !port.contains("10.0.1.*"), "{port}");
    run(&alpha, &changed, "stop").exit(0);
}

#[test]
fn a_mistake_is_told_by_parameter_and_place() {
    let alpha = nodes().into_node("alpha");
    for (name, value, reason) in [
        (
            "incoming_users",
            format!("esx {SECRET};lab {OUTGOING} x"),
            "incoming_users: user 2: not a name and a secret with a blank between",
        ),
        (
            "incoming_users",
            format!("esx {SECRET}=x"),
            "incoming_users: user 1: bad secret: not a secret without blank, =, ; and quotes",
        ),
        ("outgoing_user", format!("{SECRET}=1 x"), "outgoing_user: a bad name, or the secret stands before it"),
    ] {
        let outcome = run(&alpha, &targets().param(name, &value), "start").exit(6).reason(reason).writes(0);
        silent(&outcome);
    }
    // A parameter whose name has a typing mistake is told without its value.
    let outcome = run(&alpha, &targets().param("incoming_user", &format!("esx {SECRET}")), "validate-all").exit(6);
    silent(&outcome);
}

#[test]
fn the_operators_tool_shows_users_by_name_only() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    let resource = targets().param("outgoing_user", &format!("alpha {OUTGOING}"));
    cluster.configure(&[&resource]);
    run(alpha, &resource, "start").exit(0);
    cluster.configure(&[&resource.param("incoming_users", "esx changedsecret1;lab othersecret567")]);
    for arguments in ["status", "status --json"] {
        let outcome = alpha.tool(arguments).go().code_is(3);
        silent(&outcome);
        assert!(
            outcome.stdout().contains("set incoming user esx on target")
                && !outcome.stdout().contains("changedsecret1")
        );
    }
    let names = std::fs::read_to_string(alpha.record_path(&resource)).unwrap();
    assert!(names.contains(&format!("made {ALPHA}\n")) && !names.contains(SECRET));
}

#[test]
fn a_parameter_of_separators_alone_never_opens_a_target() {
    let alpha = started();
    let serving = alpha.tree();
    let named = targets().param("outgoing_user", &format!("alpha {OUTGOING}"));
    for (name, value) in [
        ("incoming_users", ";"),
        ("incoming_users", " ;\n;"),
        ("outgoing_user", ";"),
        ("portals", ","),
        ("attributes", ","),
    ] {
        let nothing = named.param(name, value);
        let reason = format!("{name}: is set and names nothing");
        run(&alpha, &nothing, "validate-all").exit(6).reason(&reason);
        run(&alpha, &nothing, "start").exit(6).writes(0).reason(&reason);
        run(&alpha, &nothing, "reload").kept().reason(&reason);
        thorough(&alpha, &nothing).exit(0).writes(0).logged(&reason);
        assert_eq!(alpha.tree(), serving, "{name}");
    }
    stops(&alpha);
}
