//! Configurations with one mistake each.

use proptest::prelude::*;

use super::*;

const SAMPLE: &str = include_str!("../../../../tests/data/cib/sample.xml");

/// A configuration that is as advised, with these changes of its text.
fn findings_of(changes: &[(&str, &str)]) -> Vec<String> {
    let mut xml = SAMPLE.to_owned();
    for (from, to) in changes {
        assert!(xml.contains(from), "{from}");
        xml = xml.replace(from, to);
    }
    let found = findings(&Cib::parse(&xml).unwrap());
    let bad = found.into_iter().filter(|finding| finding.level >= Level::Attention);
    bad.map(|finding| format!("{}: {}", finding.about, finding.text)).collect()
}

#[test]
fn the_sample_is_as_advised() {
    // Of a device that is no place holder it is advised to say how hosts know it.
    assert_eq!(findings_of(&[]), [""; 0]);
}

#[test]
fn each_mistake_is_named() {
    for (from, to, part) in [
        (r#"name="stonith-enabled" value="true""#, r#"name="stonith-enabled" value="false""#, "is switched off"),
        (r#"class="stonith""#, r#"class="systemd""#, "there is no fence device"),
        (
            r#"value="21:00:00:1b:32:0b:52:75,"#,
            r#"value="21:00:00:24:ff:60:d0:10,"#,
            "is listed in targetports of node",
        ),
        ("export0=all:0", "export0=esx9:0", "exports to initiator group esx9, which no resource makes"),
        (
            r#"first="cl_scst_qla" then="ms_scst_dg_dummy""#,
            r#"first="ms_scst_dg_dummy" then="cl_scst_qla""#,
            "no order says that it starts after the ports",
        ),
        (r#"score="INFINITY" rsc="ms_scst_dg_dummy""#, r#"score="10" rsc="ms_scst_dg_dummy""#, "no colocation says"),
        (r#"interval="11s""#, r#"interval="10s""#, "2 monitors have the interval 10 s"),
        (
            r#"name="stop" interval="0s" timeout="240s""#,
            r#"name="stop" interval="0s" timeout="30s""#,
            "the time-out of stop is 30 s, 240 s are advertised",
        ),
        (r#"name="notify" value="true""#, r#"name="notify" value="false""#, "notify is not true"),
        (r#"name="promoted-max" value="1""#, r#"name="promoted-max" value="2""#, "promoted-max is not 1"),
        (
            r#"name="migration-threshold" value="3""#,
            r#"name="migration-threshold" value="INFINITY""#,
            "without migration-threshold",
        ),
        (
            "handler=vdisk_nullio",
            "handler=vdisk_blockio,filename=/dev/drbd0",
            "it stands on DRBD, and is not promoted after and with it",
        ),
        ("virtname=lu0dummy", "virtname=much.too_long", "device0"),
    ] {
        let found = findings_of(&[(from, to)]);
        assert!(found.iter().any(|finding| finding.contains(part)), "{part}: {found:#?}");
    }
}

#[test]
fn two_resources_at_one_lun_are_named() {
    let second = r#"<clone id="ms_b"><primitive id="b" class="ocf" provider="onesty" type="scst_aluadg"><instance_attributes id="bi">
        <nvpair id="b1" name="groupname" value="b"/><nvpair id="b2" name="tgtdriver" value="qla2x00t"/>
        <nvpair id="b3" name="device0" value="handler=vdisk_nullio,virtname=x,export0=vmwtest:0"/></instance_attributes></primitive></clone></resources>"#;
    let found = findings_of(&[("</resources>", second)]);
    let expected = "resource b: device0 at vmwtest:0 is where device0 of resource scst_dg_dummy is";
    assert!(found.iter().any(|finding| finding == expected), "{found:#?}");
}

#[test]
fn shared_reservations_start_after_dlm_and_where_it_runs() {
    let group = r#"<nvpair id="scst_dg_dummy-groupname" name="groupname" value="dummy"/>"#;
    let shared = format!(r#"{group}<nvpair id="shared" name="reservations" value="shared"/>"#);
    let missing = "it shares reservations, and is not started after and with a clone of ocf:pacemaker:controld";
    let found = findings_of(&[(group, &shared)]);
    assert!(found.iter().any(|finding| finding.contains(missing)), "{found:#?}");
    let dlm = r#"<clone id="cl_dlm"><primitive id="dlm" class="ocf" provider="pacemaker" type="controld"/></clone></resources>"#;
    let kept = r#"<rsc_order id="dlm_first" first="cl_dlm" then="ms_scst_dg_dummy" kind="Mandatory"/>
        <rsc_colocation id="with_dlm" score="INFINITY" rsc="ms_scst_dg_dummy" with-rsc="cl_dlm"/></constraints>"#;
    let found = findings_of(&[(group, &shared), ("</resources>", dlm), ("</constraints>", kept)]);
    assert!(!found.iter().any(|finding| finding.contains(missing)), "{found:#?}");
    let found = findings_of(&[(group, &shared), ("</resources>", dlm)]);
    assert!(found.iter().any(|finding| finding.contains(missing)), "{found:#?}");
}

#[test]
fn targets_of_every_driver_are_looked_at() {
    let targets = r#"<clone id="cl_iscsi"><primitive id="iscsi" class="ocf" provider="onesty" type="scst_target"><instance_attributes id="ti">
        <nvpair id="t1" name="tgtdriver" value="iscsi"/><nvpair id="t2" name="initiators" value="esx1=iqn.x:y"/></instance_attributes>
        <operations><op id="o" name="start" interval="0s" timeout="5s"/></operations></primitive></clone>
        <clone id="ms_b"><primitive id="b" class="ocf" provider="onesty" type="scst_aluadg"><instance_attributes id="bi">
        <nvpair id="b1" name="groupname" value="b"/><nvpair id="b2" name="tgtdriver" value="iscsi"/>
        <nvpair id="b3" name="device0" value="handler=vdisk_nullio,virtname=x,export0=esx9:0"/></instance_attributes></primitive></clone></resources>"#;
    let found = findings_of(&[("</resources>", targets)]);
    for part in [
        "resource iscsi: the time-out of start is 5 s",
        "resource iscsi: interleave is not true",
        "resource b: no order says that it starts after the ports",
        "resource b: device0 exports to initiator group esx9, which no resource makes",
    ] {
        assert!(found.iter().any(|finding| finding.starts_with(part)), "{part}: {found:#?}");
    }
}

#[test]
fn what_cibsecret_keeps_is_no_mistake() {
    let targets = |more: &str| {
        format!(
            r#"<clone id="cl_iscsi"><meta_attributes id="m"><nvpair id="m1" name="interleave" value="true"/></meta_attributes>
            <primitive id="iscsi" class="ocf" provider="onesty" type="scst_target"><instance_attributes id="ti">
            <nvpair id="t1" name="tgtdriver" value="iscsi"/>{more}<nvpair id="t4" name="outgoing_user" value="me longsecret1234"/>
            </instance_attributes></primitive></clone><clone id="ms_b"><primitive id="b" class="ocf" provider="onesty" type="scst_aluadg">
            <instance_attributes id="bi"><nvpair id="b1" name="groupname" value="b"/><nvpair id="b2" name="tgtdriver" value="iscsi"/>
            <nvpair id="b3" name="device0" value="handler=vdisk_nullio,virtname=x,dummy=1,export0=esx1:0"/></instance_attributes>
            </primitive></clone></resources>"#
        )
    };
    let kept = |name: &str, other: &str| {
        let more = format!(r#"<nvpair id="t2" name="{name}" value="lrm://"/>{other}"#);
        let found = findings_of(&[("</resources>", &targets(&more))]);
        let of_parameters = |text: &&String| ["_user", "initiator"].iter().any(|word| text.contains(word));
        found.iter().filter(of_parameters).cloned().collect::<Vec<_>>()
    };
    let initiators =
        |name: &str| format!(r#"<nvpair id="t3" name="initiators" value="{name}=iqn.2001-04.org.example:y"/>"#);
    assert_eq!(kept("incoming_users", &initiators("esx1")), [""; 0]);
    assert_eq!(kept("initiators", ""), [""; 0]);
    let missing = kept("incoming_users", &initiators("esx9"));
    assert!(missing.len() == 1 && missing[0].contains("esx1, which no resource makes"), "{missing:?}");
}

#[test]
fn what_is_no_cib_is_refused() {
    for text in ["", "<cib/>", "no", "<configuration><nodes/></configuration>", "{}"] {
        assert!(Cib::parse(text).is_err(), "{text}");
    }
}

proptest! {
    /// A file that was cut, or garbled in one place, is refused or read; whatever is read is looked at.
    #[test]
    fn a_garbled_configuration_panics_nowhere(at in 0..SAMPLE.len(), cut in 0..80_usize, text in "[<>/\"=&;a-z0-9 :,]{0,8}|.{0,4}", rest: bool) {
        let end = (at + cut).min(SAMPLE.len());
        let xml = format!("{}{text}{}", &SAMPLE[..at], if rest { &SAMPLE[end..] } else { "" });
        if let Ok(cib) = Cib::parse(&xml) {
            prop_assert!(findings(&cib).iter().all(|finding| !finding.about.is_empty()));
        }
    }
}
