//! Properties: what the agents made of a configuration is imported as that configuration.

use proptest::prelude::*;
use scst_core::ocf::env::Env;
use scst_core::ocf::param::Severity;
use scst_core::scst::identity;
use scst_core::scst::names::{InitiatorGroup, InitiatorName};

use super::super::source::{self, Device, IniGroup, Lun, Source, Target};
use super::tests::{PORT, env, resource};
use super::*;
use crate::scst_aluadg::device::{DeviceParams, ExportGroup};
use crate::scst_aluadg::params::Params;
use crate::target;

/// What the kernel has of these parameters.
fn made(params: &Params) -> Source {
    let flag = |on: bool| u8::from(on).to_string();
    let device = |device: &DeviceParams| {
        let made = identity::t10_dev_id(&device.name);
        let usn = device.usn.as_ref().map_or_else(|| identity::usn(&device.name), ToString::to_string);
        let mut attributes = source::Attributes::new();
        let mut set = |name: &str, value: String| _ = attributes.insert(name.to_owned(), value);
        set("read_only", flag(device.read_only));
        set("removable", flag(device.removable));
        set("rotational", flag(device.rotational));
        set("dummy", flag(device.dummy));
        set("usn", usn);
        set("t10_dev_id", device.t10devid.as_ref().map_or(made.clone(), ToString::to_string));
        set("vend_specific_id", device.vend_specific_id.clone().unwrap_or(made));
        set("prod_id", device.prod_id.clone().unwrap_or_else(|| "SCST".to_owned()));
        set("prod_rev_lvl", device.prod_rev_lvl.clone().unwrap_or_else(|| " 311".to_owned()));
        set("cluster_mode", flag(device.shared));
        device.inq_vend_specific.iter().for_each(|text| set("inq_vend_specific", text.clone()));
        device.eui64_id.iter().for_each(|eui| set("eui64_id", format!("0x{eui}")));
        set("blocksize", device.blocksize.map_or("512".to_owned(), |size| size.to_string()));
        set("bind_alua_state", "1".to_owned());
        device.naa_id.iter().for_each(|naa| set("naa_id", format!("0x{naa}")));
        device.threads_num.iter().for_each(|number| set("threads_num", number.to_string()));
        device.thin_provisioned.iter().for_each(|thin| set("thin_provisioned", flag(*thin)));
        device.filename.iter().for_each(|path| set("filename", path.to_string()));
        set("nv_cache", flag(device.nv_cache));
        set("write_through", flag(device.effective_write_through() == Some(true)));
        Device { name: device.name.to_string(), handler: device.handler.to_string(), attributes }
    };
    let mut group = IniGroup { name: "g".to_owned(), ..IniGroup::default() };
    for device in &params.devices {
        for export in &device.exports {
            let lun =
                Lun { number: export.lun.to_string(), device: device.name.to_string(), read_only: device.read_only };
            assert!(matches!(&export.group, ExportGroup::Named(name) if name.as_str() == "g"));
            group.luns.push(lun);
        }
    }
    let on =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let member = |name: &str, id: &str| (name.to_owned(), Some(id.to_owned()));
    Source {
        devices: params.devices.iter().map(device).collect(),
        targets: vec![Target {
            driver: params.driver.to_string(),
            name: PORT.to_owned(),
            attributes: on(&[("enabled", "1"), ("rel_tgt_id", "101")]),
            groups: vec![group],
            ..Target::default()
        }],
        groups: vec![source::DeviceGroup {
            name: params.group.to_string(),
            devices: params.devices.iter().map(|device| device.name.to_string()).collect(),
            target_groups: vec![source::TargetGroup {
                name: "alpha".to_owned(),
                attributes: on(&[("group_id", "1")]),
                targets: vec![member(PORT, "101")],
            }],
        }],
        ..Source::default()
    }
}

fn device_text(number: usize) -> impl Strategy<Value = String> {
    let flags = proptest::sample::subsequence(vec!["read_only=1", "removable=1", "is_ssd=1"], 0..=3);
    let ids = proptest::sample::subsequence(
        vec!["usn=abc12", "t10devid=a-b_c0", "naa_id=60014051a3f0c2d4e5b6a79881234567"],
        0..=3,
    );
    let shown = proptest::sample::subsequence(
        vec![
            "prod_id=MY%20DISK",
            "vend_specific_id=a%2cb%25",
            "prod_rev_lvl=1.0b",
            "inq_vend_specific=x:y%3d",
            "eui64_id=0123456789abcde0",
        ],
        0..=5,
    );
    let handler = prop_oneof![
        Just("handler=vdisk_nullio".to_owned()),
        Just(format!("handler=vdisk_blockio,filename=/dev/d{number}")),
        Just(format!("handler=vdisk_blockio,filename=/dev/d{number},nv_cache=1,blocksize=4096,thin_provisioned=1")),
        Just(format!("handler=vdisk_blockio,filename=/dev/d{number},write_through=1,threads_num=7")),
        Just(format!("handler=vdisk_fileio,filename=/srv/d{number}")),
        Just(format!("handler=vdisk_fileio,filename=/srv/d{number},write_through=0")),
    ];
    (handler, flags, ids, shown).prop_map(move |(handler, flags, ids, shown)| {
        let words = flags.iter().chain(&ids).chain(&shown).map(|word| {
            let serial = word.replace("abc12", &format!("abc{number}")).replace("a-b_c0", &format!("a-b_c{number}"));
            format!(
                ",{}",
                serial.replace("81234567", &format!("8123456{number}")).replace("abcde0", &format!("abcde{number}"))
            )
        });
        let file = handler.contains("write_through=0") && flags.contains(&"read_only=1");
        let handler = if file { handler.replace(",write_through=0", "") } else { handler };
        format!("virtname=v{number},{handler}{},export0=g:{number}", words.collect::<String>())
    })
}

proptest! {
    /// What the agents made of a configuration is imported as that configuration, and hosts notice nothing.
    #[test]
    fn what_the_agents_made_is_their_configuration(texts in (0..4_usize).prop_flat_map(|count| (0..=count).map(device_text).collect::<Vec<_>>()), shared in any::<bool>(), name in "[a-z][a-z0-9-]{0,15}") {
        let param = |name: &str, value: &str| (format!("OCF_RESKEY_{name}"), value.to_owned());
        let reservations = if shared { "shared" } else { "local" };
        let fixed = [param("groupname", &name), param("tgtdriver", "iscsi"), param("reservations", reservations)];
        let devices = texts.iter().enumerate().map(|(index, text)| (format!("OCF_RESKEY_device{index}"), text.clone()));
        let (params, findings) = Params::parse(&Env::from_pairs(fixed.into_iter().chain(devices)));
        prop_assert!(findings.iter().all(|finding| finding.severity < Severity::Warning), "{findings:?}");
        let params = params.unwrap();
        let place = Place { node: "alpha".to_owned(), ids: [("alpha".to_owned(), 1)].into(), written: false };
        let proposal = propose(&made(&params), &place);
        prop_assert!(!proposal.differs(), "{:#?}", proposal.remarks);
        let again = Params::parse(&env(resource(&proposal, "scst_aluadg"))).0.unwrap();
        // The agents write the default out where the kernel must not choose another one.
        let plain = |mut params: Params| {
            for device in &mut params.devices {
                device.write_through = device.effective_write_through().filter(|on| *on);
            }
            params
        };
        prop_assert_eq!(plain(again), plain(params));
    }

    /// The same of targets: their agent's parameters come back, with place holders for the secrets.
    #[test]
    fn targets_that_the_agent_made_are_its_configuration(
        groups in proptest::collection::vec(proptest::collection::btree_set("iqn\\.2026-01\\.org\\.example:[a-z]{1,6}\\*?", 0..3), 1..4),
        portals in proptest::collection::btree_set("10\\.[0-9]\\.[1-9]\\.\\*|192\\.0\\.2\\.[1-9]", 0..3),
        users in proptest::collection::btree_map("[a-z]{1,5}", "[a-zA-Z0-9]{12,16}", 0..3),
        outgoing in proptest::option::of("[a-zA-Z0-9]{12,16}"),
        attributes in proptest::sample::subsequence(vec!["QueuedCommands=64", "HeaderDigest=None,CRC32C", "per_portal_acl=1", "addr_method=FLAT", "comment=a-b"], 0..=5),
    ) {
        let words: Vec<String> = groups.iter().enumerate().map(|(n, group)| {
            format!("g{n}={}", group.iter().map(|name| format!("{name}{n}")).collect::<Vec<_>>().join(","))
        }).collect();
        let said = users.iter().map(|(name, secret)| format!("{name} {secret}")).collect::<Vec<_>>().join(";");
        let mut params = vec![("tgtdriver", "iscsi".to_owned()), ("initiators", words.join(";"))];
        params.extend(Some(("portals", portals.iter().cloned().collect::<Vec<_>>().join(","))).filter(|_| !portals.is_empty()));
        params.extend(Some(("incoming_users", said)).filter(|_| !users.is_empty()));
        params.extend(outgoing.iter().filter(|_| !users.is_empty()).map(|secret| ("outgoing_user", format!("me {secret}"))));
        params.extend(Some(("attributes", attributes.join(","))).filter(|_| !attributes.is_empty()));
        let parse = |params: &[(&str, String)]| {
            let pairs = params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value));
            target::params::Params::parse(&crate::scst_target::AGENT, &Env::from_pairs(pairs)).0.unwrap()
        };
        let wanted = parse(&params);
        let (source, users) = (with_targets(&wanted), wanted.settings.clone());
        let place = Place { node: "alpha".to_owned(), ids: [("alpha".to_owned(), 1)].into(), written: false };
        let proposal = propose(&source, &place);
        prop_assert!(proposal.remarks.iter().all(|remark| !remark.about.starts_with("port")), "{:#?}", proposal.remarks);
        let shown = |proposal: &Proposal| format!("{proposal:?}");
        prop_assert!(users.incoming.values().all(|user| !shown(&proposal).contains(user.secret.reveal())));
        // What the file of secrets puts in the place of the place holders.
        let commands = commands(&source, &proposal.resources);
        let again = resource(&proposal, "scst_target").params.iter().map(|(name, value)| {
            let set = commands.lines().find_map(|line| line.strip_prefix(&format!("cibsecret set scst_iscsi {name} '")));
            (name.as_str(), set.map_or_else(|| value.clone(), |set| set.trim_end_matches('\'').to_owned()))
        });
        prop_assert_eq!(parse(&again.collect::<Vec<_>>()), wanted);
    }
}

/// What the kernel has of targets with these parameters.
fn with_targets(params: &target::params::Params) -> Source {
    let name = "iqn.2026-01.org.example:alpha";
    let settings = &params.settings;
    let group = |(place, (group, initiators)): (usize, &(InitiatorGroup, Vec<InitiatorName>))| IniGroup {
        name: group.to_string(),
        initiators: initiators.iter().map(ToString::to_string).collect(),
        attributes: [("io_grouping_type".to_owned(), (101 + place).to_string())].into(),
        ..IniGroup::default()
    };
    let mut attributes: source::Attributes = [
        ("enabled", "1"),
        ("rel_tgt_id", "101"),
        ("RspTimeout", "90"),
        ("addr_method", "PERIPHERAL"),
        ("cpu_mask", "f"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    attributes.extend(settings.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut source = Source::default();
    let users = settings.incoming.iter().map(|(name, user)| ("IncomingUser", name, user));
    for (kind, user, credential) in
        users.chain(settings.outgoing.iter().map(|(name, user)| ("OutgoingUser", name, user)))
    {
        source.user("iscsi", Some(name), kind, &format!("{user} {}", credential.secret.reveal()));
    }
    source.targets.push(Target {
        driver: "iscsi".to_owned(),
        name: name.to_owned(),
        attributes,
        portals: settings.portals.iter().map(ToString::to_string).collect(),
        groups: params.groups.iter().enumerate().map(group).collect(),
        luns: Vec::new(),
    });
    source
}
