//! Proposals for targets of a file: what they come to together, whose users they have, and in which order their groups are.

use std::collections::BTreeMap;

use super::super::{conf, from_conf};
use super::tests::{has, noticed, param};
use super::*;

#[test]
fn two_targets_of_one_driver_get_what_the_first_has_and_hosts_are_told() {
    let target = |name: &str, portal: &str, users: &str| {
        format!(
            "TARGET iqn.2008-01.org.example:{name} {{\nenabled 1\nallowed_portal {portal}\n{users}GROUP g {{\nLUN 0 a\nINITIATOR iqn.x:y\n}}\n}}\n"
        )
    };
    let text = format!(
        "HANDLER vdisk_nullio {{\nDEVICE a\n}}\nTARGET_DRIVER iscsi {{\n{}{}}}\n",
        target("one", "192.0.2.1", "IncomingUser \"joe verySecret12345\"\n"),
        target("two", "192.0.2.2", "IncomingUser \"joe otherSecret1234\"\nOutgoingUser \"me short\"\n"),
    );
    let mut conf = conf::parse(text.as_bytes()).unwrap();
    let source = from_conf::source(&mut conf);
    let proposal = propose(&source, &Place { node: "alpha".to_owned(), ids: BTreeMap::new(), written: true });
    has(
        &noticed(&proposal, true),
        &[
            "port iqn.2008-01.org.example:two: gets the portals and attributes of iqn.2008-01.org.example:one",
            "port iqn.2008-01.org.example:two: incoming user joe has another secret from now on",
            "port iqn.2008-01.org.example:one: outgoing user me of another target is one here as well",
            "driver iscsi: the secret of outgoing user me cannot be said",
        ],
    );
    assert_eq!(param(&proposal, "scst_target", "portals"), "192.0.2.1");
    let commands = commands(&source, &proposal.resources);
    assert!(commands.starts_with("cibsecret set scst_iscsi incoming_users 'joe verySecret12345'\n"), "{commands}");
}

#[test]
fn users_of_a_target_that_is_left_out_stay_out_of_the_secrets() {
    let target = |name: &str, enabled: u8, users: &str| {
        format!(
            "TARGET iqn.2008-01.org.example:{name} {{\nenabled {enabled}\n{users}GROUP g {{\nLUN 0 a\nINITIATOR iqn.x:y\n}}\n}}\n"
        )
    };
    let off = "IncomingUser \"joe offSecret12345\"\nIncomingUser \"guest guestSecret123\"\nOutgoingUser \"me offSecret12345\"\nIncomingUser \"a/b otherSecret1234\"\n";
    let text = format!(
        "HANDLER vdisk_nullio {{\nDEVICE a\n}}\nTARGET_DRIVER iscsi {{\n{}{}}}\n",
        target("off", 0, off),
        target("on", 1, "IncomingUser \"joe verySecret12345\"\n"),
    );
    let mut conf = conf::parse(text.as_bytes()).unwrap();
    let source = from_conf::source(&mut conf);
    let proposal = propose(&source, &Place { node: "alpha".to_owned(), ids: BTreeMap::new(), written: true });
    assert_eq!(param(&proposal, "scst_target", "incoming_users"), "joe SECRET");
    let set = "cibsecret set scst_iscsi incoming_users 'joe verySecret12345'\n";
    assert_eq!(commands(&source, &proposal.resources), set);
    let remarks = [noticed(&proposal, true), noticed(&proposal, false)].concat();
    assert!(remarks.iter().all(|remark| !remark.contains("user")), "{remarks:#?}");
}

/// What a node that is the first becomes of this driver's targets, written in a file or found in the kernel.
fn proposal(targets: &str, written: bool) -> Proposal {
    let text = format!("HANDLER vdisk_nullio {{\nDEVICE a\n}}\nTARGET_DRIVER iscsi {{\n{targets}}}\n");
    let mut conf = conf::parse(text.as_bytes()).unwrap();
    let source = from_conf::source(&mut conf);
    propose(&source, &Place { node: "alpha".to_owned(), ids: [("alpha".to_owned(), 1)].into(), written })
}

fn group(name: &str, number: &str, initiators: &[&str]) -> String {
    let initiators: String = initiators.iter().map(|name| format!("INITIATOR {name}\n")).collect();
    format!("GROUP {name} {{\nio_grouping_type {number}\nLUN 0 a\n{initiators}}}\n")
}

#[test]
fn groups_that_match_one_host_are_named_where_their_order_is_not_known_or_changes() {
    let target = |groups: &[String]| format!("TARGET iqn.x:t {{\nenabled 1\n{}}}\n", groups.concat());
    let (all, one) = (["iqn.1993-08.org.debian:*"], ["iqn.1993-08.org.debian:01:db"]);
    let said = |text: &str, written: bool| {
        let proposal = proposal(text, written);
        let about = |notice: bool| {
            let remarks = noticed(&proposal, notice);
            remarks.into_iter().filter(|remark| remark.contains("is matched by group")).collect::<Vec<_>>()
        };
        (param(&proposal, "scst_target", "initiators").to_owned(), about(true), about(false))
    };
    let made = target(&[
        group("rest", "auto", &all),
        group("db", "auto", &one),
        group("other", "auto", &["iqn.2001-04.org.example:z"]),
    ]);
    // The kernel lists them by name, in whatever order they were made.
    let (initiators, noticed, known) = said(&made, false);
    assert_eq!(initiators, format!("db={};other=iqn.2001-04.org.example:z;rest={}", one[0], all[0]));
    has(&noticed, &["initiator group rest: initiator iqn.1993-08.org.debian:* is matched by group db as well"]);
    has(&noticed, &["which of the two groups was made first, and counted so far, the kernel does not show"]);
    assert_eq!((noticed.len(), known.len()), (1, 0));
    // Of a file scstadmin makes them in that order.
    let (_, noticed, known) = said(&made, true);
    has(
        &known,
        &[
            "initiator group rest: initiator iqn.1993-08.org.debian:* is matched by group db as well, which comes first and is",
        ],
    );
    assert_eq!((noticed.len(), known.len()), (0, 1));
    // Numbers of the agents tell in which order they made the groups; a file gives them to what scstadmin makes by name.
    let numbered = target(&[group("rest", "101", &all), group("db", "102", &one)]);
    assert_eq!(said(&numbered, false).0, format!("rest={};db={}", all[0], one[0]));
    assert_eq!(said(&numbered, false).1, [""; 0]);
    has(&said(&numbered, true).1, &["initiator group db: ", "scstadmin makes groups in the order of their names"]);
    // A number that somebody else gave tells nothing, and that of one group nothing of another.
    for numbers in [["7", "8"], ["101", "auto"]] {
        let made = target(&[group("rest", numbers[0], &all), group("db", numbers[1], &one)]);
        assert_eq!(said(&made, false).1.len(), 1, "{numbers:?}");
    }
    // The same host in groups of two targets is in both groups of both from now on.
    let two =
        format!("{}{}", target(&[group("a", "auto", &one)]), target(&[group("b", "auto", &one)]).replace(":t", ":u"));
    assert_eq!(said(&two, false).1.len(), 1);
}

#[test]
fn what_a_file_says_of_targets_and_groups_and_nobody_can_say_is_named_and_what_is_so_by_itself_is_not() {
    let target = |name: &str, more: &str, group: &str| {
        format!(
            "TARGET iqn.x:{name} {{\nenabled 1\n{more}GROUP g {{\nLUN 0 a\nINITIATOR iqn.2001-04.org.example:y\n{group}}}\n}}\n"
        )
    };
    let more = "redirect \"10.0.0.1 temp\"\nRDMAExtensions Yes\nQueuedCommands 64\nalias one\nnew_one 7\n";
    let targets = [
        target("one", more, "per_sess_dedicated_tgt_threads 1\nblack_hole 2\nodd 3\n"),
        target("two", "redirect \"10.0.0.2 perm\"\nQueuedCommands 64\nalias two\n", ""),
    ];
    let named = |text: &str, written: bool| {
        let mut named = noticed(&proposal(text, written), true);
        named.retain(|remark| !remark.starts_with("device "));
        named
    };
    let found = named(&targets.concat(), true);
    let group = "initiator group g of port iqn.x:one: ";
    has(
        &found,
        &[
            "port iqn.x:one: redirect=10.0.0.1 temp cannot be said: hosts are not sent to another portal",
            "port iqn.x:one: RDMAExtensions=Yes cannot be said",
            "port iqn.x:one: new_one=7 cannot be said",
            "port iqn.x:two: redirect=10.0.0.2 perm cannot be said",
            "port iqn.x:two: gets the portals and attributes of iqn.x:one, which has others",
            &format!("{group}per_sess_dedicated_tgt_threads=1 cannot be said: sessions share their threads"),
            &format!("{group}black_hole=2 cannot be said"),
            &format!("{group}odd=3 cannot be said"),
        ],
    );
    assert_eq!(found.len(), 8, "{found:#?}");
    let dump = "redirect \"\"\nRDMAExtensions No\nQueuedCommands 32\nalias \"\"\ntid 1\nsg_tablesize 65535\nread_cmd_count 7\n";
    let silent = target("one", dump, "per_sess_dedicated_tgt_threads 0\nblack_hole 0\n");
    assert_eq!(named(&silent, true), [""; 0]);
    // A kernel shows more than anybody knows, and what is known all the same.
    let found = named(&targets.concat(), false);
    assert!(found.iter().any(|remark| remark.contains("redirect=")), "{found:#?}");
    assert!(found.iter().all(|remark| !remark.contains("new_one") && !remark.contains("odd=")), "{found:#?}");
}
