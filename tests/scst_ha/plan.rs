//! `scst-ha plan`: what it prints is what the agents then do.

use std::path::PathBuf;
use std::time::Duration;

use super::{data, serving, show};
use crate::fixture::sample::{self, HOST, group, ports};
use crate::fixture::{Cluster, Fixture, Node, Outcome, Resource};

/// A CIB as a shadow has it: the cluster's, with these resources in the place of theirs.
fn changed(cluster: &Cluster, name: &str, resources: &[&Resource]) -> PathBuf {
    let path = cluster.dir().join(name);
    std::fs::copy(cluster.cib().path(), &path).unwrap();
    let cib = scst_sim::stand_in::cib::CibFile::at(&path);
    for resource in resources {
        cib.set_primitive(resource.id(), &format!("ocf:onesty:{}", resource.agent()), resource.params()).unwrap();
    }
    path
}

/// The plan of one resource on the node.
#[track_caller]
fn planned(outcome: &Outcome, id: &str) -> serde_json::Value {
    let plan = data(outcome);
    assert_eq!(plan["version"], 1);
    let resources = plan["nodes"][0]["resources"].as_array().unwrap();
    resources.iter().find(|resource| resource["id"] == id).unwrap_or_else(|| panic!("{plan:#}")).clone()
}

/// The plan for a changed configuration on a node.
#[track_caller]
fn plan(cluster: &Cluster, node: &Node, resources: &[&Resource]) -> Outcome {
    let path = changed(cluster, "changed.xml", resources);
    show(node, &format!("plan --json --cib {}", path.display()))
}

fn words(value: &serde_json::Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The steps of a plan are what the action then does: they are those of its dry run, what it logs are some of them in their order, and it
/// writes as often as they say.
#[track_caller]
fn same(plan: &serde_json::Value, node: &Node, resource: &Resource, action: &str) {
    let planned = words(&plan["steps"]);
    assert!(!planned.is_empty(), "{plan:#}");
    let dry = node.call(resource).dry_run().run(action).exit(0);
    // The score is the cluster's, and no step of the kernel.
    let steps = dry.stdout().lines().map(str::trim).filter(|line| !line.starts_with("set the promotion score"));
    let printed: Vec<&str> = steps.collect();
    assert_eq!(printed, planned);
    let done = node.run(resource, action).exit(0);
    let mark = format!("INFO: {action}: ");
    let mut rest = planned.iter();
    for line in done.log().lines().filter_map(|line| Some(line.split_once(&mark)?.1)) {
        assert!(rest.any(|step| step == line), "{line:?} was not planned in its place: {planned:#?}");
    }
    let waits = planned.iter().filter(|step| step.starts_with("wait")).count();
    assert_eq!(done.written().len(), planned.len() - waits, "{planned:#?} {:#?}", done.written());
}

#[test]
fn what_is_as_configured_needs_nothing() {
    let cluster = serving();
    for node in ["alpha", "beta"] {
        let told = show(cluster.node(node), "plan --json");
        let plan = data(&told);
        for resource in plan["nodes"][0]["resources"].as_array().unwrap() {
            assert_eq!(
                (&resource["what"], &resource["steps"]),
                (&"nothing".into(), &serde_json::json!([])),
                "{plan:#}"
            );
        }
        assert_eq!(plan["nodes"][0]["node"], node);
    }
}

#[test]
fn a_reload_is_planned_step_by_step_as_it_is_then_done() {
    let cluster = serving();
    let more = group().param("device1", "handler=vdisk_nullio,virtname=new,export0=all:1");
    for name in ["alpha", "beta"] {
        let node = cluster.node(name);
        let told = planned(&plan(&cluster, node, &[&more]).code_is(3), "scst_dg_dummy");
        assert_eq!((&told["what"], &told["because"]), (&"reload".into(), &serde_json::json!(["device1 is new"])));
        assert_eq!(words(&told["hosts"]), ["hosts of vmwtest get LUN 1 (dummy_new)"]);
        cluster.configure(&[&ports(), &group()]);
        same(&told, node, &more, "reload");
    }
    let fewer = ports().param("initiators", &format!("vmwtest={}", HOST[0]));
    let alpha = cluster.node("alpha");
    let told = planned(&plan(&cluster, alpha, &[&fewer]).code_is(3), "scst_qla");
    assert_eq!(words(&told["hosts"]), [format!("{} loses the LUNs of vmwtest", HOST[1])]);
    same(&told, alpha, &fewer, "reload");
}

#[test]
fn a_start_of_what_is_new_is_planned_as_it_is_then_done() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let second = Resource::device_group("second", "handler=vdisk_nullio,virtname=a,export0=vmwtest:5");
    let told = planned(&plan(&cluster, alpha, &[&second]).code_is(3), "scst_dg_second");
    assert_eq!((&told["what"], &told["because"]), (&"start".into(), &serde_json::json!(["it is new"])));
    same(&told, alpha, &second, "start");
}

#[test]
fn what_restarts_stops_or_is_refused_is_said_with_its_reason() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let renamed = planned(&plan(&cluster, alpha, &[&group().param("groupname", "other")]).code_is(3), "scst_dg_dummy");
    assert_eq!((&renamed["what"], &renamed["because"][0]), (&"restart".into(), &"groupname changes".into()));
    // Another resource has the LUN.
    let taken = Resource::device_group("taken", "handler=vdisk_nullio,virtname=a,export0=vmwtest:0");
    let refused = planned(&plan(&cluster, alpha, &[&taken]).code_is(3), "scst_dg_taken");
    assert_eq!((&refused["what"], &refused["exit_code"]), (&"refused".into(), &1.into()), "{refused:#}");
    assert!(
        words(&refused["because"]).contains(&alpha.run(&taken, "start").exit(1).exit_reason().to_owned()),
        "{refused:#}"
    );
    let moved = planned(&plan(&cluster, alpha, &[&group().param("tgtdriver", "iscsi")]).code_is(3), "scst_dg_dummy");
    assert_eq!((&moved["what"], &moved["exit_code"]), (&"refused".into(), &5.into()), "{moved:#}");
    // What the new configuration does not have.
    let path = cluster.dir().join("fewer.xml");
    let text = std::fs::read_to_string(changed(&cluster, "changed.xml", &[])).unwrap();
    std::fs::write(&path, text.replace("type=\"scst_aluadg\"", "type=\"another\"")).unwrap();
    let told = planned(&show(alpha, &format!("plan --json --cib {}", path.display())).code_is(1), "scst_dg_dummy");
    assert_eq!(
        (&told["what"], words(&told["hosts"])),
        (&"stop".into(), vec!["hosts of vmwtest lose LUN 0 (dummy_lu0dummy)".to_owned()])
    );
}

#[test]
fn a_refused_reload_is_planned_as_it_is_answered_and_a_refused_start_with_its_code() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let looping = cluster.dir().join("looping");
    std::os::unix::fs::symlink(&looping, &looping).unwrap();
    let on = |store: &str| group().param("device1", &format!("filename={store},virtname=b,export0=all:4"));
    let monitor = "a monitor finishes the reload when the stores are there";
    let goes_on = "the reload changes nothing, and what runs goes on";
    for (changed, id, code, reason, more) in [
        (on("/nonexistent"), "scst_dg_dummy", 5, "backing store does not exist: ", Some(monitor)),
        (on(looping.to_str().unwrap()), "scst_dg_dummy", 5, "backing store cannot be used: ", Some(monitor)),
        (group().param("device0", "virtname=x"), "scst_dg_dummy", 6, "device0: ", None),
        (ports().param("initiators", "=x"), "scst_qla", 6, "initiators: ", None),
    ] {
        let told = planned(&plan(&cluster, alpha, &[&changed]).code_is(3), id);
        assert_eq!((&told["what"], &told["exit_code"]), (&"refused".into(), &0.into()), "{told:#}");
        let remarks = words(&told["remarks"]);
        assert!(remarks.iter().any(|remark| remark == goes_on), "{told:#}");
        assert_eq!(remarks.iter().find(|remark| *remark == monitor).map(String::as_str), more, "{told:#}");
        let reloaded = alpha.run(&changed, "reload").writes(0);
        let reloaded = if more.is_some() { reloaded.unfinished() } else { reloaded.kept() };
        let because = words(&told["because"]);
        let because = because.iter().find(|because| because.starts_with(reason)).unwrap_or_else(|| panic!("{told:#}"));
        assert!(reloaded.exit_reason().starts_with(because), "{because}: {reloaded:?}");
        // Where it does not run the same configuration does not start.
        alpha.run(&changed, "stop").exit(0);
        let told = planned(&plan(&cluster, alpha, &[&changed]).code_is(3), id);
        assert_eq!((&told["what"], &told["exit_code"]), (&"refused".into(), &code.into()), "{told:#}");
        assert!(!words(&told["remarks"]).iter().any(|remark| remark == goes_on || remark == monitor), "{told:#}");
        alpha.run(&changed, "start").exit(code);
        alpha.run(&if id == "scst_qla" { ports() } else { group() }, "start").exit(0);
    }
}

#[test]
fn elsewhere_the_state_of_a_node_is_enough() {
    let cluster = serving();
    let states: Vec<PathBuf> = ["alpha", "beta"]
        .iter()
        .map(|name| {
            let path = cluster.dir().join(format!("{name}.json"));
            std::fs::write(&path, show(cluster.node(name), "status --json").stdout()).unwrap();
            path
        })
        .collect();
    let more = group().param("device1", "handler=vdisk_nullio,virtname=new,export0=all:1");
    let cib = changed(&cluster, "changed.xml", &[&more]);
    let live = planned(&show(cluster.node("alpha"), &format!("plan --json --cib {}", cib.display())), "scst_dg_dummy");
    // A machine without SCST and without a cluster.
    let laptop = sample::nodes().up();
    let arguments = format!(
        "plan --json --node all --cib {} --state {} --state {}",
        cib.display(),
        states[0].display(),
        states[1].display()
    );
    let told = laptop.node("alpha").tool(&arguments).without_cluster().go().writes(0).code_is(3);
    assert_eq!(planned(&told, "scst_dg_dummy"), live);
    assert_eq!(data(&told)["nodes"].as_array().unwrap().len(), 2);
    // A store that nobody has looked at is said to be so.
    let unseen = group().param("device1", "filename=/dev/unseen,virtname=b,export0=all:4");
    let cib = changed(&cluster, "changed.xml", &[&unseen]);
    let told = laptop
        .node("alpha")
        .tool(&format!("plan --cib {} --state {}", cib.display(), states[0].display()))
        .without_cluster()
        .go()
        .code_is(1);
    assert!(told.stdout().contains("the state does not say what is at /dev/unseen"), "{told:?}");
}

#[test]
fn a_configuration_with_mistakes_is_told_so() {
    let cluster = serving();
    let second = Resource::device_group("second", "handler=vdisk_nullio,virtname=a,export0=nobody:5,export1=vmwtest:0");
    let path = changed(&cluster, "changed.xml", &[&second]);
    let told = show(cluster.node("alpha"), &format!("plan --cib {}", path.display())).code_is(3);
    for part in [
        "device0 at vmwtest:0 is where device0 of resource scst_dg_dummy is",
        "exports to initiator group nobody, which no resource makes",
        "there is no fence device",
    ] {
        assert!(told.stdout().contains(part), "{part}: {told:?}");
    }
}

#[test]
fn bad_input_is_refused_with_its_reason() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let path = cluster.dir().join("input");
    let refused = |text: &str, option: &str, part: &str| {
        std::fs::write(&path, text).unwrap();
        let outcome = show(alpha, &format!("plan {option} {}", path.display())).code_is(1);
        assert!(outcome.stderr().contains(part) && outcome.stdout().is_empty(), "{part}: {outcome:?}");
    };
    refused("", "--cib", "is no CIB");
    refused("{}", "--cib", "is no CIB");
    refused("<cib/>", "--cib", "is no CIB");
    refused(
        "<configuration><nodes/><resources/></configuration>",
        "--cib",
        "has no resource of ocf:onesty:scst_qla2xtgt, ocf:onesty:scst_target, ocf:onesty:scst_aluadg",
    );
    refused("", "--state", "is no state of a node");
    refused("{\"version\": 99}", "--state", "its version is 99, and this program reads 1");
    refused("{}", "--state", "its version is none");
    refused("{\"version\": 1}", "--state", "the node did not know its name");
    show(alpha, "plan --node gamma").code_is(1);
    let lost = alpha.tool("plan").without_cluster().go().code_is(1);
    assert!(lost.stderr().contains("cluster could not be asked"), "{lost:?}");
}

#[test]
fn an_identifier_that_is_made_of_the_clusters_name_is_planned_as_it_is_then_made() {
    let cluster = serving();
    cluster.cib().set_option("cluster-name", "san-7").unwrap();
    let alpha = cluster.node("alpha");
    let disk = "virtname=a,naa_id=auto,handler=vdisk_nullio,export0=vmwtest:5";
    let second = Resource::device_group("second", disk);
    let state = cluster.dir().join("state.json");
    std::fs::write(&state, show(alpha, "status --json").stdout()).unwrap();
    let live = planned(&plan(&cluster, alpha, &[&second]).code_is(3), "scst_dg_second");
    assert_eq!(live["what"], "start", "{live:#}");
    same(&live, alpha, &second, "start");
    assert!(alpha.read("devices/second_a/naa_id").starts_with("0x3"));
    // Elsewhere, too, the name is in the configuration.
    let arguments =
        format!("plan --json --cib {} --state {}", cluster.dir().join("changed.xml").display(), state.display());
    let laptop = alpha.tool(&arguments).without_cluster().go().writes(0);
    assert_eq!(planned(&laptop, "scst_dg_second")["what"], "start", "{laptop:?}");
}

/// A state of a node with more of the same: what has any of these names in it is there under the names for each of the numbers as well.
fn multiplied(state: &mut serde_json::Value, one: &[(&str, &str)], numbers: std::ops::Range<usize>) {
    let named = |text: &str, number: usize| {
        let number = number.to_string();
        one.iter().fold(text.to_owned(), |text, (one, name)| text.replace(one, &name.replace('#', &number)))
    };
    let has = |text: &str| one.iter().any(|(one, _)| text.contains(one));
    let machine = &mut state["state"]["machine"];
    let mut beside: Vec<(String, String)> = Vec::new();
    for kind in ["read", "linked", "listed"] {
        let answers = machine[kind].as_object_mut().unwrap();
        let mut more = Vec::new();
        for (path, answer) in answers.iter_mut() {
            // What lists one lists all.
            let of_one = |name: &&str| !has(path) && has(&format!("{path}/{name}"));
            if let Some(names) = answer.get_mut("Ok").and_then(serde_json::Value::as_array_mut) {
                let found: Vec<String> =
                    names.iter().filter_map(|name| name.as_str()).filter(of_one).map(str::to_owned).collect();
                for name in found {
                    let full = |number| named(&format!("{path}/{name}"), number);
                    names.extend(numbers.clone().map(|number| full(number)[path.len() + 1..].into()));
                }
            }
            let text = answer.to_string();
            if has(path) {
                more.extend(numbers.clone().map(|number| (named(path, number), named(&text, number))));
            } else if kind == "linked" && has(&text) {
                let (directory, name) = path.rsplit_once('/').unwrap();
                beside.extend(numbers.clone().map(|number| (directory.to_owned(), format!("{name}-{number}@"))));
                more.extend(numbers.clone().map(|number| (format!("{path}-{number}"), named(&text, number))));
            }
        }
        answers.extend(more.into_iter().map(|(path, answer)| (path, serde_json::from_str(&answer).unwrap())));
    }
    for (directory, name) in beside {
        machine["listed"][directory]["Ok"].as_array_mut().unwrap().push(name.into());
    }
}

/// A group of so many devices, which every initiator group sees.
fn devices(count: usize) -> Resource {
    (1..=count).fold(group(), |group, number| {
        group.param(
            &format!("device{}", number - 1),
            &format!("handler=vdisk_nullio,virtname=d{number}e,export0=all:{number}"),
        )
    })
}

/// A node with all that can be: eight ports with 99 initiator groups each, and 256 devices, each of which all of them see. The plans are made of what
/// such a node answers: a machine of that size would take longer than all other tests. Of the devices that it has already a quarter will do.
#[test]
fn the_largest_node_is_planned_from_its_state() {
    let wwpns = (0..8).map(|port| format!("21:00:00:24:ff:60:d1:0{port}"));
    let cluster = wwpns.fold(Fixture::new().node("alpha", 1), |fixture, wwpn| fixture.port(&wwpn)).up();
    let alpha = cluster.node("alpha");
    let groups = (0..99).map(|number| format!("g{number}h=50:01:43:80:03:b0:{:02x}:{number:02x}", number / 2));
    let all = ports().param("initiators", &groups.collect::<Vec<_>>().join(";"));
    let few = ports().param("initiators", "g0h=50:01:43:80:03:b0:00:00");
    alpha.run(&few, "start").exit(0);
    alpha.run(&devices(1), "start").exit(0);
    alpha.run(&devices(1), "promote").exit(0);
    cluster.configure(&[&few, &devices(1)]);
    let mut state = data(&show(alpha, "status --json"));
    multiplied(&mut state, &[("/ini_groups/g0h", "/ini_groups/g#h")], 1..99);
    let path = cluster.dir().join("state.json");
    let with = |state: &serde_json::Value, resource: &Resource| {
        std::fs::write(&path, state.to_string()).unwrap();
        let cib = changed(&cluster, "changed.xml", &[&all, resource]);
        let arguments = format!("plan --timeout 300 --json --cib {} --state {}", cib.display(), path.display());
        // Far from what it takes: what grows with the square of the LUNs takes hours.
        let told = alpha.tool(&arguments).without_cluster().go().within(Duration::from_mins(1));
        let told = planned(&told, "scst_dg_dummy");
        assert_ne!(told["what"], "unknown", "{}", told["remarks"]);
        words(&told["steps"])
    };
    let count = |steps: &[String], beginning: &str| steps.iter().filter(|step| step.starts_with(beginning)).count();
    let more = with(&state, &devices(256));
    assert_eq!(count(&more, "map device"), 255 * 99 * 8);
    multiplied(&mut state, &[("dummy_d1e", "dummy_d#e"), ("/luns/1", "/luns/#")], 2..65);
    let fewer = with(&state, &devices(63));
    assert_eq!(
        (count(&fewer, "unmap device dummy_d64e"), count(&fewer, "map device")),
        (99 * 8, 0),
        "{:#?}",
        &fewer[..20]
    );
}
