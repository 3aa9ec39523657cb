//! `scst-ha import`: what it makes of a running kernel and of files, and that the agents make the same kernel of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use scst_core::cluster::{Configuration, parse_configuration};
use snapbox::str;

use super::{data, serving, show};
use crate::fixture::sample::{ALPHA, BETA, HOST, group, nodes, with_ports};
use crate::fixture::{Cluster, Node, Outcome, Resource};

/// A file of scstadmin among the tests' data.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/scst-conf").join(name);
    std::fs::canonicalize(path).unwrap().to_str().unwrap().to_owned()
}

/// A file of scstadmin with this text, for a command line.
fn written(cluster: &Cluster, text: impl AsRef<[u8]>) -> String {
    let path = cluster.dir().join("scst.conf");
    std::fs::write(&path, text).unwrap();
    format!("--scst-conf {}", path.display())
}

/// What an import as XML says, as the tool itself reads a CIB.
#[track_caller]
pub(crate) fn configured(outcome: &Outcome) -> Configuration {
    parse_configuration(outcome.stdout()).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

/// The resources of an import, for the agents.
pub(crate) fn resources(configuration: &Configuration) -> Vec<Resource> {
    let resource = |found: &scst_core::cluster::Configured| {
        let made = match found.agent.as_str() {
            "scst_aluadg" => Resource::group(&found.id),
            "scst_target" => Resource::targets(&found.id, ""),
            _ => Resource::ports(&found.id),
        };
        found.params.iter().fold(made, |made, (name, value)| made.param(name, value))
    };
    configuration.resources.iter().map(resource).collect()
}

#[test]
fn a_tree_that_the_agents_made_gives_their_configuration() {
    let cluster = with_ports();
    let (disk, image) = (cluster.disk("disk", 1 << 30), cluster.file("image", 1 << 20));
    let device1 = format!(
        "virtname=vm1,filename={},is_ssd=1,naa_id=60014051a3f0c2d4e5b6a79881234567,export0=vmwtest:7",
        disk.display()
    );
    let device2 = format!(
        "virtname=iso,handler=vdisk_fileio,filename={},read_only=1,usn=my-serial,export0=vmwtest:8",
        image.display()
    );
    let group = group().param("device1", &device1).param("device2", &device2);
    cluster.serve(&group);
    let alpha = cluster.node("alpha");
    let imported = show(alpha, "import --format xml").code_is(0);
    let configuration = configured(&imported);
    // Nobody has configured anything so far: what is configured now is what was imported.
    let resources = resources(&configuration);
    cluster.configure(&resources.iter().collect::<Vec<_>>());
    show(alpha, "status").code_is(0);
    show(cluster.node("beta"), "status").code_is(0);
    let ports: BTreeMap<_, _> =
        configuration.nodes.0.iter().map(|node| (node.name.as_str(), node.targetports.clone())).collect();
    assert_eq!(ports["alpha"].as_deref(), Some(ALPHA.join(",").as_str()));
    assert_eq!(ports["beta"].as_deref(), Some(BETA.join(",").as_str()));
    // And a start over it does nothing.
    let group = resources.iter().find(|resource| resource.promotable()).unwrap().called("scst_dg_dummy");
    alpha.run(&group, "reload").exit(0).writes(0);
}

#[test]
fn the_sample_is_said_in_the_words_of_the_documentation() {
    let cluster = serving();
    show(cluster.node("alpha"), "import").code_is(0).printed(str![[r#"
node 1: alpha attributes targetports="21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11"
node 2: beta attributes targetports="21:00:00:1b:32:0b:52:75,21:01:00:1b:32:2b:52:75"

primitive scst_qla ocf:onesty:scst_qla2xtgt /
    params /
        initiators="vmwtest=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36" /
    op start interval=0s timeout=60s /
    op stop interval=0s timeout=360s /
    op monitor interval=10s timeout=20s
clone cl_scst_qla scst_qla /
    meta interleave=true

primitive scst_dg_dummy ocf:onesty:scst_aluadg /
    params /
        groupname="dummy" /
        tgtdriver="qla2x00t" /
        reload="0" /
        device0="virtname=lu0dummy,handler=vdisk_nullio,dummy=1,export0=all:0" /
    op start interval=0s timeout=120s /
    op stop interval=0s timeout=240s /
    op promote interval=0s timeout=30s /
    op demote interval=0s timeout=120s /
    op notify interval=0s timeout=30s /
    op monitor role=Promoted interval=10s timeout=30s /
    op monitor role=Unpromoted interval=11s timeout=30s
clone ms_scst_dg_dummy scst_dg_dummy /
    meta promotable=true notify=true interleave=true promoted-max=1 clone-max=2 clone-node-max=1 migration-threshold=3 failure-timeout=10min priority=10

order cl_scst_qla_before_ms_scst_dg_dummy Mandatory: cl_scst_qla ms_scst_dg_dummy
colocation ms_scst_dg_dummy_with_cl_scst_qla inf: ms_scst_dg_dummy cl_scst_qla

"#]]);
    show(cluster.node("alpha"), "import --format pcs").code_is(0).printed(str![[r#"
set -e
pcs cluster cib scst-import.xml
pcs -f scst-import.xml node attribute alpha targetports=21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11
pcs -f scst-import.xml node attribute beta targetports=21:00:00:1b:32:0b:52:75,21:01:00:1b:32:2b:52:75
pcs -f scst-import.xml resource create scst_qla ocf:onesty:scst_qla2xtgt initiators=vmwtest=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36 clone cl_scst_qla interleave=true
pcs -f scst-import.xml resource create scst_dg_dummy ocf:onesty:scst_aluadg groupname=dummy tgtdriver=qla2x00t reload=0 device0=virtname=lu0dummy,handler=vdisk_nullio,dummy=1,export0=all:0 promotable ms_scst_dg_dummy notify=true interleave=true promoted-max=1 clone-max=2 clone-node-max=1
pcs -f scst-import.xml resource meta ms_scst_dg_dummy migration-threshold=3 failure-timeout=10min priority=10
pcs -f scst-import.xml constraint order start cl_scst_qla then start ms_scst_dg_dummy
pcs -f scst-import.xml constraint colocation add ms_scst_dg_dummy with cl_scst_qla
pcs cluster cib-push scst-import.xml

"#]]);
}

#[test]
fn a_configuration_by_hand_is_started_over_without_a_step_that_hosts_notice_but_those_announced() {
    let cluster = with_ports();
    let alpha = cluster.node("alpha");
    let disk = cluster.disk("disk", 1 << 30);
    alpha.control("modprobe scst_vdisk");
    std::fs::create_dir_all(alpha.var_lib().join("pr")).unwrap();
    alpha.write("handlers/vdisk_blockio/mgmt", &format!("add_device dg_vm1 filename={}; nv_cache=1", disk.display()));
    alpha.write("devices/dg_vm1/t10_dev_id", "by-hand");
    for port in ALPHA {
        alpha.write(&format!("targets/qla2x00t/{port}/ini_groups/vmwtest/luns/mgmt"), "add dg_vm1 5");
    }
    alpha.write(&format!("targets/qla2x00t/{}/luns/mgmt", ALPHA[0]), "add dg_vm1 0");
    let session = alpha.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[0]));
    let imported = show(alpha, "import --format xml --node alpha").code_is(3);
    for announced in [
        "device group dg: its devices were in no device group",
        "hosts in no initiator group lose LUN 0 (device dg_vm1)",
    ] {
        assert!(imported.stderr().contains(announced), "{announced}: {imported:?}");
    }
    let group = resources(&configured(&imported)).into_iter().find(Resource::promotable).unwrap();
    let started = alpha.run(&group, "start").exit(0);
    // Of the device nothing is written; it and its LUNs stay.
    let written = started.written();
    assert!(written.iter().all(|line| !line.starts_with("devices/")), "{written:#?}");
    assert!(written.iter().all(|line| !line.contains("/luns/mgmt < ") && !line.contains("_device ")), "{written:#?}");
    assert!(alpha.exists(&format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns/5", ALPHA[0])), "{session}");
}

#[test]
fn groups_that_match_one_host_are_named_because_the_kernel_does_not_show_their_order() {
    let cluster = with_ports();
    let alpha = cluster.node("alpha");
    alpha.control("modprobe scst_vdisk");
    std::fs::create_dir_all(alpha.var_lib().join("pr")).unwrap();
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device dg_a");
    let groups = format!("targets/qla2x00t/{}/ini_groups", ALPHA[0]);
    for (group, initiator) in [("rest", "50:*"), ("db", "50:01:43:80:03:b0:23:99")] {
        alpha.write(&format!("{groups}/mgmt"), &format!("create {group}"));
        alpha.write(&format!("{groups}/{group}/initiators/mgmt"), &format!("add {initiator}"));
        alpha.write(&format!("{groups}/{group}/luns/mgmt"), "add dg_a 0");
    }
    let imported = show(alpha, "import --node alpha").code_is(3);
    for part in [
        "initiator group rest: initiator 50:* is matched by group db as well, which comes first from now on",
        "the kernel does not show: see to their order in `initiators`",
    ] {
        assert!(imported.stderr().contains(part), "{part}: {imported:?}");
    }
    assert!(imported.stdout().contains("db=50:01:43:80:03:b0:23:99;rest=50:*"), "{imported:?}");
}

/// Starts what an import of a file says, on a node that has its ports.
#[track_caller]
fn start(cluster: &Cluster, imported: &Outcome) -> Vec<Resource> {
    let resources = resources(&configured(imported));
    for resource in &resources {
        cluster.node("alpha").run(resource, "start").exit(0);
    }
    cluster.configure(&resources.iter().collect::<Vec<_>>());
    resources
}

#[test]
fn what_a_file_says_is_what_the_agents_make_of_it() {
    let cluster = nodes().up();
    let alpha = cluster.node("alpha");
    let (disk, image) = (cluster.disk("disk", 1 << 30), cluster.file("image", 1 << 20));
    let target = |port: &str| {
        format!(
            "\tTARGET {port} {{\n\t\tenabled 1\n\t\tGROUP ESX1 {{\n\t\t\tLUN 1 vol1\n\t\t\tLUN 2 iso\n\t\t\tINITIATOR {}\n\t\t\tINITIATOR {}\n\t\t}}\n\t}}\n",
            HOST[0], HOST[1]
        )
    };
    let conf = format!(
        "HANDLER vdisk_blockio {{\n\tDEVICE vol1 {{\n\t\tfilename {}\n\t\tusn abcd1234\n\t}}\n}}\nHANDLER vdisk_fileio {{\n\tDEVICE iso {{\n\t\tfilename {}\n\
         \t\tread_only 1\n\t}}\n}}\nTARGET_DRIVER qla2x00t {{\n{}{}}}\n",
        disk.display(),
        image.display(),
        target(ALPHA[0]),
        target(ALPHA[1]),
    );
    let imported = show(alpha, &format!("import --format xml --node alpha {}", written(&cluster, conf))).code_is(3);
    let warned = "<!-- The id of the next node is not known here.";
    assert_eq!(imported.stdout().contains(warned), !imported.stdout().contains("<node id=\"1\""), "{imported:?}");
    start(&cluster, &imported);
    assert_eq!(alpha.read("devices/dg_vol1/usn"), "abcd1234");
    // What the kernel would have made of the old name.
    assert_eq!(alpha.read("devices/dg_iso/t10_dev_id"), format!("{}-iso", alpha.read("devices/dg_iso/usn")));
    assert_eq!(alpha.read(&format!("targets/qla2x00t/{}/ini_groups/esx1/luns/2/read_only", ALPHA[1])), "1");
    show(alpha, "status").code_is(0);
    // The kernel that came of it gives the same.
    let again = show(alpha, "import --format xml");
    assert_eq!(resources(&configured(&again)).len(), 2, "{again:?}");
    // The kernel lists devices by their names, so they may have other numbers.
    let values = |found: &Configuration| {
        let mut values: Vec<String> =
            found.resources.iter().flat_map(|resource| resource.params.values().cloned()).collect();
        values.sort();
        values
    };
    assert_eq!(values(&configured(&again)), values(&configured(&imported)));
}

#[test]
fn every_kind_of_file_is_read_without_scst_and_without_a_cluster() {
    let alpha = nodes().up().into_node("alpha");
    for name in ["fc-groups", "default-luns", "alua", "iscsi", "empty-blocks", "nonkey", "windows"] {
        let path = file(&format!("{name}.conf"));
        // Hosts of a file that was made for two controllers notice nothing.
        let code = if name == "alua" { 0 } else { 3 };
        for format in ["crm", "pcs", "xml"] {
            let arguments = format!("import --node alpha --format {format} --scst-conf {path}");
            let imported = alpha.tool(&arguments).without_cluster().go().writes(0).code_is(code);
            assert!(imported.stdout().contains("ocf:onesty:scst_aluadg") || format == "xml", "{imported:?}");
        }
        let found = data(
            &alpha.tool(&format!("import --json --node alpha --scst-conf {path}")).without_cluster().go().code_is(code),
        );
        assert_eq!(found["version"], 1);
        assert!(found["resources"].as_array().is_some_and(|resources| !resources.is_empty()), "{found}");
    }
}

#[test]
fn secrets_go_to_a_file_of_their_own_and_nowhere_else() {
    let cluster = nodes().up();
    let path = cluster.dir().join("secrets");
    let arguments = format!("import --node alpha --scst-conf {} --secrets {}", file("iscsi.conf"), path.display());
    for form in ["", " --json", " --format xml"] {
        let imported = show(cluster.node("alpha"), &format!("{arguments}{form}")).code_is(3);
        for secret in ["verySecret12345", "otherSecret1234", "myOwnSecret12345", "discoverSecret1"] {
            assert!(!format!("{imported:?}").contains(secret), "{imported:?}");
        }
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let set = "cibsecret set scst_iscsi incoming_users 'joe verySecret12345;ann otherSecret1234'\n";
    assert!(
        text.contains(set) && text.contains("cibsecret set scst_iscsi outgoing_user 'me myOwnSecret12345'\n"),
        "{text}"
    );
    assert!(
        text.contains("# of driver iscsi, which no resource sets: IncomingUser discover discoverSecret1\n"),
        "{text}"
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_a_file_says_of_ports_groups_and_handlers_and_nobody_can_say_is_named() {
    let cluster = nodes().up();
    let port = ALPHA[0];
    let conf = format!(
        "HANDLER vdisk_nullio {{\ntrace_level all\nDEVICE dg_a\n}}\nTARGET_DRIVER qla2x00t {{\nTARGET {port} {{\nenabled 1\nHW_TARGET\n\
         node_name 20:00:00:24:ff:60:d0:10\nparent_host 21:00:00:24:ff:60:d0:11\nQueuedCommands 64\nGROUP g {{\nblack_hole 1\n\
         strange 1\nLUN 0 dg_a\nINITIATOR {}\n}}\n}}\n}}\nDEVICE_GROUP dg {{\nDEVICE dg_a\nanything 5\nTARGET_GROUP alpha {{\ngroup_id 1\n\
         preferred 1\nTARGET {port}\n}}\n}}\n",
        HOST[0]
    );
    let imported = show(cluster.node("alpha"), &format!("import --node alpha {}", written(&cluster, conf))).code_is(3);
    for part in [
        "parent_host=21:00:00:24:ff:60:d0:11 cannot be said: it is a virtual port of that adapter, which no agent makes",
        "node_name=20:00:00:24:ff:60:d0:10 cannot be said",
        "QueuedCommands=64 cannot be said",
        "black_hole=1 cannot be said",
        "strange=1 cannot be said",
        "trace_level all is of the handler vdisk_nullio, and no resource sets it",
        "anything 5 is of the device group dg, and no resource sets it",
        "target group alpha of device group dg: preferred=1 cannot be said",
    ] {
        assert!(imported.stderr().contains(part), "{part}: {imported:?}");
    }
    // The agent for Fibre Channel alone takes no attributes.
    let plain = format!(
        "HANDLER vdisk_nullio {{\nDEVICE dg_a\n}}\nTARGET_DRIVER qla2x00t {{\nTARGET {port} {{\nenabled 1\ncomment lab\nGROUP g {{\nLUN 0 dg_a\n\
         INITIATOR {}\n}}\n}}\n}}\n",
        HOST[0]
    );
    let imported = show(cluster.node("alpha"), &format!("import --node alpha {}", written(&cluster, plain)));
    assert!(imported.stderr().contains(&format!("port {port}: comment=lab cannot be said")), "{imported:?}");
}

#[test]
fn words_of_users_are_shown_nowhere_whatever_is_wrong_with_them() {
    let cluster = nodes().up();
    let users = "IncomingUser joe my verySecret12345\nOutgoingUser \"me verySecret12345\" }\n";
    let target = |name: &str, users: &str| {
        format!("TARGET iqn.x:{name} {{\nenabled 1\nGROUP g {{\nLUN 0 a\nINITIATOR iqn.x:y\n{users}}}\n")
    };
    let text = format!(
        "{0}HANDLER vdisk_nullio {{\nDEVICE a {{\nIncomingUser verySecret12345 joe\n}}\n}}\nTARGET_DRIVER iscsi {{\n{1}}}\n{2}\nIncomingUser \"joe verySecret12345\"",
        "IncomingUser \"joe verySecret12345\"\n",
        target("a", "IncomingUser \"joe verySecret12345\"\n"),
        users,
    );
    let file = written(&cluster, text);
    for form in ["", " --json", " --format xml"] {
        let imported = show(cluster.node("alpha"), &format!("import --node alpha {file}{form}")).code_is(3);
        assert!(!format!("{imported:?}").contains("verySecret12345"), "{imported:?}");
    }
}

#[test]
fn long_names_shared_reservations_and_texts_that_hosts_see_stay_as_they_were() {
    let cluster = nodes().up();
    let alpha = cluster.node("alpha");
    let group = "INITIATOR 50:01:43:80:03:b0:23:34\nLUN 0 production_vmfs-volume-number-7\n";
    let conf = format!(
        "HANDLER vdisk_blockio {{\nDEVICE production_vmfs-volume-number-7 {{\nfilename {}\ncluster_mode 1\nprod_id \"OLD BOX\"\nvend_specific_id box-7\n\
         eui64_id 0x0123456789abcdef\n}}\n}}\nTARGET_DRIVER qla2x00t {{\nTARGET {} {{\nenabled 1\nGROUP esx {{\n{group}}}\n}}\n}}\n\
         DEVICE_GROUP production {{\nDEVICE production_vmfs-volume-number-7\n}}\n",
        cluster.disk("disk", 1 << 30).display(),
        ALPHA[0],
    );
    let imported = show(alpha, &format!("import --format xml --node alpha {}", written(&cluster, conf)));
    let group = resources(&configured(&imported)).into_iter().find(Resource::promotable).unwrap();
    let param = |name: &str| group.params().iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!((param("groupname").as_str(), param("reservations").as_str()), ("production", "shared"));
    let device = param("device0");
    for part in [
        "virtname=vmfs-volume-number-7,",
        ",prod_id=OLD%20BOX,",
        ",vend_specific_id=box-7,",
        ",eui64_id=0x0123456789abcdef,",
    ] {
        assert!(device.contains(part), "{part}: {device}");
    }
    assert!(imported.stderr().contains("reservations=shared needs DLM"), "{imported:?}");
    // Without DLM the agents can take it with local ones.
    for resource in resources(&configured(&imported)).iter().filter(|resource| !resource.promotable()) {
        alpha.run(resource, "start").exit(0);
    }
    alpha.run(&group.param("reservations", "local"), "start").exit(0);
    let shown = ["prod_id", "vend_specific_id"]
        .map(|name| alpha.read(&format!("devices/production_vmfs-volume-number-7/{name}")));
    assert_eq!(shown, ["OLD BOX", "box-7"]);
}

#[test]
fn what_is_no_configuration_is_refused() {
    let cluster = nodes().up();
    let alpha = cluster.node("alpha");
    let refused = |node: &Node, arguments: &str, part: &str| {
        let outcome = show(node, arguments).code_is(1);
        assert!(outcome.stderr().contains(part), "{part}: {outcome:?}");
        assert_eq!(outcome.stdout(), "");
    };
    refused(alpha, "import", "SCST is not loaded, so the kernel has no configuration");
    alpha.control("modprobe qla2x00tgt");
    refused(alpha, "import", "there is nothing that the agents could serve");
    refused(alpha, "import --scst-conf /nonexistent", "/nonexistent cannot be read");
    refused(alpha, "import --scst-conf /", "/ cannot be read");
    let import = |text: &[u8]| format!("import {}", written(&cluster, text));
    refused(alpha, &import(b"[HANDLER vdisk]\nDEVICE a,/dev/a,\n"), "the format before SCST 2.0");
    refused(alpha, &import(b""), "it is no file of scstadmin");
    let random: Vec<u8> = (0..100_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    refused(alpha, &import(&random), "scst.conf: ");
}

#[test]
fn a_file_of_ten_megabytes_is_read_in_time() {
    let cluster = nodes().up();
    let device = |n: usize| format!("\tDEVICE disk{n} {{\n\t\tfilename /dev/vg/disk{n}\n\t\tread_only 0\n\t}}\n");
    let devices: String = (0..170_000).map(device).collect();
    let target = format!(
        "TARGET_DRIVER qla2x00t {{\n\tTARGET {} {{\n\t\tenabled 1\n\t\tGROUP g {{\n\t\t\tLUN 0 disk0\n\t\t\tINITIATOR {}\n}}\n}}\n}}\n",
        ALPHA[0], HOST[0]
    );
    let conf = written(&cluster, format!("HANDLER vdisk_blockio {{\n{devices}}}\n{target}"));
    let arguments = format!("import --timeout 60 --node alpha {conf}");
    show(cluster.node("alpha"), &arguments).code_is(3).within(Duration::from_secs(20));
}

#[test]
fn nothing_that_a_file_names_drives_the_terminal() {
    let cluster = nodes().up();
    let target = format!(
        "TARGET_DRIVER qla2x00t {{\nTARGET {} {{\nenabled 1\nGROUP \"g\u{1b}[2J\" {{\nLUN 0 \"a\u{1b}[2J\"\nINITIATOR {}\n}}\n}}\n}}\n",
        ALPHA[0], HOST[0]
    );
    let conf = format!("HANDLER vdisk_nullio {{\nDEVICE \"a\u{1b}[2J\" {{\nprod_id \"\u{1b}[2J\"\n}}\n}}\n{target}");
    let arguments = format!("import --node alpha {}", written(&cluster, conf));
    let imported = show(cluster.node("alpha"), &arguments).code_is(3);
    assert!(!imported.stdout().contains('\u{1b}') && !imported.stderr().contains('\u{1b}'), "{imported:?}");
}
