//! `scst-ha` on targets of iSCSI: what it proposes, and what it shows.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::{ALPHA, ESX, SECRET, call, group, login, nodes, run, signal, targets};
use crate::fixture::{Cluster, Fixture, Node, Resource};
use crate::scst_ha::check::{check, told};
use crate::scst_ha::{data, import};

/// A cluster that is configured with targets which prove themselves as well.
fn mutual() -> (Cluster, Resource) {
    let cluster = nodes();
    let resource = targets().param("outgoing_user", "alpha mutualsecret12");
    cluster.configure(&[&resource]);
    (cluster, resource)
}

#[test]
fn a_name_is_proposed_under_the_authority_and_set() {
    let alpha =
        Fixture::new().node("Alpha", 1).without_targetports().node("beta", 2).targetports("x").up().into_node("Alpha");
    let discover = "discover --driver iscsi --authority iqn.2026-01.org.example";
    alpha.tool("discover --driver iscsi --set").go().code_is(1);
    let shown = alpha.tool(discover).go().code_is(3);
    assert!(shown.stdout().contains(&format!("should be  \"{ALPHA}\"")), "{shown:?}");
    alpha.tool(&format!("{discover} --set")).go().code_is(0);
    // What is listed keeps its name, whatever the authority.
    let again = alpha.tool("discover --driver iscsi --authority iqn.2000-01.org.other").go().code_is(0);
    assert!(again.stdout().contains(&format!("is         \"{ALPHA}\"")), "{again:?}");
    run(&alpha, &targets(), "start").exit(0);
    let shown = alpha.tool("discover --driver iscsi --json").go().code_is(0);
    assert!(shown.stdout().contains("\"portals\": [\n        \"10.0.1.*\""), "{shown:?}");
}

#[test]
fn status_shows_portals_users_and_where_sessions_come_from() {
    let (cluster, resource) = mutual();
    let alpha = cluster.node("alpha");
    run(alpha, &resource, "start").exit(0);
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
    signal(alpha, Signal::SIGSTOP);
    let shown = alpha.tool("status --timeout 4").go().code_is(1);
    assert!(
        shown.stdout().contains("users and portals of target") && shown.stdout().contains("device group vm"),
        "{shown:?}"
    );
    signal(alpha, Signal::SIGCONT);
}

/// What `check` says of one thing: its level.
#[track_caller]
fn checked(cluster: &Cluster, about: &str, part: &str) -> String {
    told(&check(cluster.node("alpha"), cluster.dir(), "--json"), about, part)
}

#[test]
fn check_tries_the_portals_from_here_and_names_the_users() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    // Addresses of this machine that no other test has; at the first one somebody listens.
    let _listens = std::net::TcpListener::bind("127.83.67.1:3260").unwrap();
    let resource = targets().param("portals", "127.83.67.1,127.83.67.2");
    cluster.configure(&[&resource]);
    run(alpha, &resource, "start").exit(0);
    assert_eq!(checked(&cluster, "iscsi-scstd", "runs"), "fine");
    assert_eq!(checked(&cluster, "portals", "127.83.67.1:3260 can be reached"), "fine");
    assert_eq!(checked(&cluster, "portals", "127.83.67.2:3260, an address of this node, does not answer"), "wrong");
    let port = format!("port {ALPHA}");
    assert_eq!(checked(&cluster, &port, "its users are esx, lab"), "fine");
    // An address that the documentation of networks gives to nobody, and patterns that no address of this machine fits.
    let resource = resource.param("portals", "192.0.2.1").without("incoming_users");
    cluster.configure(&[&resource]);
    run(alpha, &resource, "reload").exit(0);
    assert_eq!(checked(&cluster, "portals", "192.0.2.1:3260 cannot be reached from here"), "attention");
    assert_eq!(checked(&cluster, "portals", "no address of this node is one of 192.0.2.1"), "wrong");
    assert_eq!(checked(&cluster, &port, "has no user"), "attention");
    let resource = resource.param("portals", "198.51.100.*");
    run(alpha, &resource, "reload").exit(0);
    assert_eq!(checked(&cluster, "portals", "the addresses of other nodes are configured nowhere"), "unknown");
    signal(alpha, Signal::SIGSTOP);
    assert_eq!(checked(&cluster, &port, "its users and portals are not known"), "unknown");
    signal(alpha, Signal::SIGCONT);
}

#[test]
fn what_runs_is_imported_with_users_whose_secrets_stand_in_a_file_of_their_own() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    let configured = targets().param("outgoing_user", "alpha mutualsecret12").param("alias", "store of alpha");
    run(alpha, &configured, "start").exit(0);
    cluster.transition(&group()).start(&["alpha"]).promote(&["alpha"]).carry_out();
    let path = cluster.dir().join("secrets");
    let imported = alpha.tool(&format!("import --format xml --secrets {}", path.display())).go().code_is(0).writes(0);
    for secret in [SECRET, "othersecret567", "mutualsecret12"] {
        assert!(!format!("{imported:?}").contains(secret), "{imported:?}");
    }
    let commands = std::fs::read_to_string(&path).unwrap();
    let resources = import::resources(&import::configured(&imported));
    let set = |resource: Resource, name: &str| {
        let beginning = format!("cibsecret set {} {name} '", resource.id());
        let value = commands.lines().find_map(|line| line.strip_prefix(&beginning)?.strip_suffix('\''));
        value.map_or(resource.clone(), |value| resource.param(name, value))
    };
    let with_secrets = resources.into_iter().map(|resource| set(set(resource, "incoming_users"), "outgoing_user"));
    let with_secrets: Vec<Resource> = with_secrets.collect();
    assert_eq!(with_secrets.len(), 2);
    cluster.configure(&with_secrets.iter().collect::<Vec<_>>());
    // What is imported is what runs.
    alpha.tool("status").go().code_is(0);
    for resource in &with_secrets {
        let id = if resource.promotable() { "scst_dg_vm" } else { "scst_iscsi" };
        run(alpha, &resource.called(id), "reload").exit(0).writes(0);
    }
    // What no resource sets, the kernel's own and what the daemon answers.
    for (attribute, value) in [("redirect", "10.0.0.1 temp"), ("ini_groups/lab/per_sess_dedicated_tgt_threads", "1")] {
        alpha.write(&format!("targets/iscsi/{ALPHA}/{attribute}"), value);
    }
    let told = alpha.tool("import").go().code_is(3);
    for part in ["redirect=10.0.0.1 temp cannot be said", "per_sess_dedicated_tgt_threads=1 cannot be said"] {
        assert!(told.stderr().contains(part), "{part}: {told:?}");
    }
    alpha.write(&format!("targets/iscsi/{ALPHA}/redirect"), "\n");
    alpha.write(&format!("targets/iscsi/{ALPHA}/ini_groups/lab/per_sess_dedicated_tgt_threads"), "0");
    // A target that is not enabled is left out, and so are the users that only it lets in, and its secrets of the others.
    let off = "iqn.2000-01.org.example:off";
    alpha.write("targets/iscsi/mgmt", &format!("add_target {off}"));
    for user in ["aaa guestsecret123", "esx offsecret12345"] {
        alpha.write("targets/iscsi/mgmt", &format!("add_target_attribute {off} IncomingUser {user}"));
    }
    alpha.tool(&format!("import --secrets {}", path.display())).go().code_is(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), commands);
    for format in ["crm", "pcs"] {
        let text = alpha.tool(&format!("import --format {format}")).go().code_is(0);
        assert!(text.stdout().contains("ocf:onesty:scst_target") && text.stdout().contains("esx SECRET"), "{text:?}");
    }
    // Its daemon does not answer: that is said, and nothing hangs.
    signal(alpha, Signal::SIGSTOP);
    alpha.tool("import --timeout 4").go().code_is(1).within(std::time::Duration::from_secs(4));
    signal(alpha, Signal::SIGCONT);
}

/// A CIB with this resource, which the cluster does not have yet.
fn new_cib(cluster: &Cluster, resource: &Resource) -> PathBuf {
    let path = cluster.dir().join("new.xml");
    std::fs::copy(cluster.cib().path(), &path).unwrap();
    let cib = scst_sim::stand_in::cib::CibFile::at(&path);
    cib.set_primitive(resource.id(), "ocf:onesty:scst_target", resource.params()).unwrap();
    path
}

/// The plan for this resource on alpha: what happens to it, the steps, and the remarks.
#[track_caller]
fn planned(alpha: &Node, arguments: &str) -> (String, Vec<String>, Vec<String>) {
    let told = alpha.tool(&format!("plan --json {arguments}")).go();
    for secret in [SECRET, "othersecret567", "mutualsecret12"] {
        assert!(!format!("{told:?}").contains(secret), "{told:?}");
    }
    let plan = data(&told);
    // Neither is it a mistake of the configuration.
    assert!(!plan["configuration"].to_string().contains("user"), "{plan:#}");
    let resource = plan["nodes"][0]["resources"][0].clone();
    let words = |name: &str| {
        let words = resource[name].as_array().unwrap_or_else(|| panic!("{told:?}"));
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    (resource["what"].as_str().unwrap().to_owned(), words("steps"), words("remarks"))
}

#[test]
fn users_that_cibsecret_keeps_are_no_part_of_a_plan_and_no_mistake() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    let kept = targets().param("incoming_users", "lrm://").param("outgoing_user", "lrm://");
    let cib = |resource: &Resource| format!("--cib {}", new_cib(&cluster, resource).display());
    let (what, steps, _) = planned(alpha, &cib(&kept));
    assert!(what == "start" && steps.iter().all(|step| !step.contains("user")) && steps.len() > 5, "{what} {steps:#?}");
    run(alpha, &targets(), "start").exit(0);
    cluster.configure(&[&kept]);
    let remarks =
        ["incoming_users", "outgoing_user"].map(|name| format!("{name} is kept by cibsecret: users are not compared"));
    assert_eq!(planned(alpha, ""), ("nothing".to_owned(), Vec::new(), remarks.to_vec()));
    let changed = planned(alpha, &cib(&kept.param("portals", "10.0.1.*")));
    assert_eq!((changed.0.as_str(), changed.2), ("reload", remarks.to_vec()));
    assert!(matches!(changed.1.as_slice(), [step] if step.contains("10.0.2.*")), "{:?}", changed.1);
    // Who moves the secrets there reloads the resource, and its users stay.
    cluster.configure(&[&targets()]);
    assert_eq!(planned(alpha, &cib(&kept)), ("reload".to_owned(), Vec::new(), remarks.to_vec()));
    assert_eq!(planned(alpha, &cib(&kept.param("daemon", "/usr/sbin/iscsi-scstd"))).0, "restart");
    // What else it may keep nobody can compare.
    let initiators = kept.param("initiators", "lrm://");
    let (what, steps, remarks) = planned(alpha, &cib(&initiators));
    assert_eq!((what.as_str(), steps.len()), ("unknown", 0));
    assert!(remarks.contains(&"initiators is kept by cibsecret: nothing is compared".to_owned()), "{remarks:?}");
}

#[test]
fn elsewhere_the_state_of_a_node_is_enough_for_everything_but_users_and_holds_no_secret() {
    let (cluster, resource) = mutual();
    let alpha = cluster.node("alpha");
    let path = cluster.dir().join("state.json");
    let keep = || {
        let state = alpha.tool("status --json").go();
        for secret in [SECRET, "othersecret567", "mutualsecret12", "discoversecret1"] {
            assert!(!format!("{state:?}").contains(secret), "{state:?}");
        }
        std::fs::write(&path, state.stdout()).unwrap();
    };
    // What is planned live, but for users.
    let live = |cib: &str| {
        let (what, mut steps, _) = planned(alpha, cib);
        steps.retain(|step| !step.contains(" user "));
        (what, steps)
    };
    let laptop = crate::fixture::sample::nodes().up();
    let remark = "users are not compared: the state of a node has none";
    let there = |resource: &Resource| {
        let cib = format!("--cib {}", new_cib(&cluster, resource).display());
        let arguments = format!("plan --json {cib} --state {}", path.display());
        let told = data(&laptop.node("alpha").tool(&arguments).without_cluster().go().writes(0));
        let (node, resource) = (&told["nodes"][0], &told["nodes"][0]["resources"][0]);
        assert_eq!(node["unknown"], serde_json::json!([]), "{told:#}");
        assert!(resource["remarks"].as_array().unwrap().contains(&remark.into()), "{told:#}");
        assert!(!resource["because"].to_string().contains("user"), "{told:#}");
        let steps = resource["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap().to_owned());
        ((resource["what"].as_str().unwrap().to_owned(), steps.collect::<Vec<_>>()), cib)
    };
    keep();
    let (planned, cib) = there(&resource);
    assert_eq!(planned, live(&cib));
    run(alpha, &resource, "start").exit(0);
    alpha.write("targets/iscsi/mgmt", "add_attribute IncomingUser joe discoversecret1");
    keep();
    assert_eq!(there(&resource).0, ("nothing".to_owned(), Vec::new()));
    // Also attributes that nobody has configured so far.
    let changed =
        resource.param("portals", "10.0.3.*").param("attributes", "MaxSessions=2,comment=lab").param("alias", "a");
    let (planned, cib) = there(&changed);
    assert!(planned.0 == "reload" && planned.1.len() > 6, "{planned:?}");
    assert_eq!(planned, live(&cib));
    // Which users there are nobody knows there.
    assert_eq!(there(&resource.param("incoming_users", "new longsecret1234")).0, ("nothing".to_owned(), Vec::new()));
    assert_eq!(there(&resource.without("outgoing_user")).0, ("nothing".to_owned(), Vec::new()));
    // Disabled as a whole; a daemon that does not answer is said to be so.
    alpha.write("targets/iscsi/enabled", "0");
    alpha.write(&format!("targets/iscsi/{ALPHA}/enabled"), "0");
    keep();
    let (planned, cib) = there(&resource);
    assert_eq!(planned, live(&cib));
}

#[test]
fn the_plan_of_a_start_is_what_its_dry_run_prints() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    run(alpha, &targets(), "start").exit(0);
    // Disabled as a whole, and below a name that is not listed any more.
    alpha.write("targets/iscsi/enabled", "0");
    alpha.write(&format!("targets/iscsi/{ALPHA}/enabled"), "0");
    alpha.write(&format!("targets/iscsi/{ALPHA}/ini_groups/mgmt"), "del esx1");
    alpha.write(&format!("targets/iscsi/{ALPHA}/ini_groups/mgmt"), "del lab");
    cluster.set_targetports("alpha", Some(&format!("{ALPHA}2")));
    let path = new_cib(&cluster, &targets());
    let plan = data(&alpha.tool(&format!("plan --json --cib {}", path.display())).go().code_is(3));
    let resource = &plan["nodes"][0]["resources"][0];
    let steps: Vec<&str> = resource["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    let dry = call(alpha, &targets()).dry_run().run("start").exit(0);
    assert_eq!(steps, dry.stdout().lines().collect::<Vec<_>>());
    assert!(steps.contains(&"enable driver iscsi"), "{steps:#?}");
}
