//! What `targetports` should be, from what it is and which ports there are: a pure function.
//!
//! The place of an entry gives the port its number on every node, and hosts know the port by that number. So no entry ever moves
//! unless somebody says so: a new port takes the place of one that is gone, as an HBA that was exchanged does, or
//! comes last.

use scst_core::scst::names::{Driver, TargetName};

/// What the attribute should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Proposal {
    /// Its entries, in order.
    pub(super) entries: Vec<String>,
    /// Those of them that are no port of this machine.
    pub(super) missing: Vec<String>,
    /// What somebody who sets it should know, a sentence each.
    pub(super) remarks: Vec<String>,
}

/// An entry as it is.
enum Entry<'a> {
    /// A port of this machine, or nothing that concerns the driver.
    Stays(&'a str),
    /// A name of the driver that no port of this machine has, or that an earlier entry has as well.
    Gone(&'a str),
}

/// The attribute for these ports of `driver`, which are in the order in which they would be listed.
pub(super) fn propose(is: &[&str], ports: &[TargetName], driver: Driver, renumber: bool) -> Proposal {
    let mut remarks = Vec::new();
    let mut new: Vec<&TargetName> = ports.iter().collect();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for entry in is {
        if !concerns(driver, entry) {
            remarks.push(format!("entry {entry} is no port of driver {driver} and keeps its place"));
            entries.push(Entry::Stays(entry));
        } else if let Some(place) = new.iter().position(|port| same(driver, port, entry)) {
            new.remove(place);
            entries.push(Entry::Stays(entry));
        } else {
            let twice = ports.iter().any(|port| same(driver, port, entry));
            let reason = if twice { "is listed twice" } else { "is no target port of this machine" };
            remarks.push(format!("entry {entry} {reason}"));
            entries.push(Entry::Gone(entry));
        }
    }
    let mut new = new.into_iter().map(TargetName::as_str);
    for entry in &mut entries {
        if let Entry::Gone(_) = entry
            && let Some(port) = new.next()
        {
            *entry = Entry::Stays(port);
        }
    }
    entries.extend(new.map(Entry::Stays));
    while let Some(Entry::Gone(_)) = entries.last() {
        entries.pop();
    }
    let mut proposal = Proposal { remarks, ..Proposal::default() };
    for entry in entries {
        match entry {
            Entry::Stays(name) => proposal.entries.push(name.to_owned()),
            Entry::Gone(name) if renumber => {
                proposal.remarks.push(format!("entry {name} is taken out: the ports behind it get other numbers"));
            }
            Entry::Gone(name) => {
                proposal.remarks.push(format!(
                    "entry {name} stays, so that the ports behind it keep their numbers; while it is there no start on this \
                     node succeeds: --renumber takes it out"
                ));
                proposal.missing.push(name.to_owned());
                proposal.entries.push(name.to_owned());
            }
        }
    }
    proposal
}

/// Whether an entry, in whatever spelling, is the name of this port.
fn same(driver: Driver, port: &TargetName, entry: &str) -> bool {
    TargetName::parse(driver, entry).is_ok_and(|name| port.matches(name.as_str()))
}

/// Whether an entry is meant for this driver, as the agents take it.
pub(super) fn concerns(driver: Driver, entry: &str) -> bool {
    TargetName::parse(driver, entry).is_ok() && driver.takes(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "21:00:00:24:ff:60:d0:0a";
    const B: &str = "21:00:00:24:ff:60:d0:0b";
    const C: &str = "21:00:00:24:ff:60:d0:0c";
    const D: &str = "21:00:00:24:ff:60:d0:0d";

    fn propose_for(is: &[&str], ports: &[&str], renumber: bool) -> (Vec<String>, usize) {
        let ports: Vec<_> = ports.iter().map(|port| TargetName::parse(Driver::Qla2x00t, port).unwrap()).collect();
        let Proposal { entries, remarks, .. } = propose(is, &ports, Driver::Qla2x00t, renumber);
        (entries, remarks.len())
    }

    fn proposed(is: &[&str], ports: &[&str]) -> Vec<String> {
        propose_for(is, ports, false).0
    }

    #[test]
    fn a_fresh_attribute_lists_the_ports_in_their_order() {
        assert_eq!(proposed(&[], &[B, A]), [B, A]);
    }

    #[test]
    fn what_is_right_stays_as_it_is_spelled_and_in_its_order() {
        let upper = A.to_uppercase();
        assert_eq!(propose_for(&[B, &upper], &[A, B], false), (vec![B.to_owned(), upper.clone()], 0));
        let bare = A.replace(':', "");
        assert_eq!(propose_for(&[B, &bare], &[A, B], false), (vec![B.to_owned(), bare], 0));
    }

    #[test]
    fn a_new_port_takes_the_place_of_one_that_is_gone_or_comes_last() {
        assert_eq!(proposed(&[A, B], &[A, B, C]), [A, B, C]);
        assert_eq!(proposed(&[A, B], &[B, C]), [C, B]);
        assert_eq!(proposed(&[A, B], &[C, D, B]), [C, B, D]);
    }

    #[test]
    fn one_that_is_gone_leaves_only_where_nobody_is_renumbered() {
        assert_eq!(propose_for(&[A, B, C], &[A], false), (vec![A.to_owned()], 2));
        assert_eq!(propose_for(&[A, B], &[B], false), (vec![A.to_owned(), B.to_owned()], 2));
        assert_eq!(propose_for(&[A, B], &[B], true), (vec![B.to_owned()], 2));
        assert_eq!(proposed(&[A, A, B], &[A, B]), [A, A, B]);
        assert_eq!(proposed(&[A, A], &[A]), [A]);
    }

    #[test]
    fn what_concerns_another_driver_keeps_its_place() {
        let iqn = "iqn.2001-04.com.example:disk";
        assert_eq!(proposed(&[iqn, A], &[B]), [iqn, B]);
        assert_eq!(proposed(&["typing-mistake"], &[B]), ["typing-mistake", B]);
        let local = TargetName::seen("local").unwrap();
        assert_eq!(propose(&[A, "old"], &[local], Driver::ScstLocal, false).entries, [A, "local"]);
    }

    #[test]
    fn ports_of_fcoe_are_named_as_those_of_fibre_channel_and_keep_their_places() {
        let ports = [A, B].map(|port| TargetName::seen(port).unwrap());
        let proposed = |is: &[&str]| propose(is, &ports, Driver::Fcst, false).entries;
        assert_eq!(proposed(&[B, A]), [B, A]);
        assert_eq!(proposed(&[C, B]), [A, B]);
        assert_eq!(proposed(&["iqn.2001-04.com.example:disk", A]), ["iqn.2001-04.com.example:disk", A, B]);
    }

    proptest! {
        #[test]
        fn every_port_is_listed_once_and_none_that_stays_moves(
            is in proptest::collection::vec("[a-d]|iqn", 0..6),
            ports in proptest::collection::btree_set("[a-d]", 0..5),
            renumber: bool,
        ) {
            let spell = |letter: &String| if letter == "iqn" {
                "iqn.2001-04.com.example:x".to_owned()
            } else {
                format!("21:00:00:24:ff:60:d0:0{letter}")
            };
            let is: Vec<String> = is.iter().map(spell).collect();
            let is: Vec<&str> = is.iter().map(String::as_str).collect();
            let ports: Vec<String> = ports.iter().map(spell).collect();
            let names: Vec<&str> = ports.iter().map(String::as_str).collect();
            let (entries, _) = propose_for(&is, &names, renumber);
            for port in &ports {
                prop_assert!(entries.contains(port));
                if renumber {
                    prop_assert_eq!(entries.iter().filter(|entry| *entry == port).count(), 1);
                }
                let before = is.iter().position(|entry| entry == port);
                if let Some(place) = before.filter(|_| !renumber) {
                    prop_assert_eq!(entries.iter().position(|entry| entry == port), Some(place));
                }
            }
            let again: Vec<&str> = entries.iter().map(String::as_str).collect();
            prop_assert_eq!(propose_for(&again, &names, renumber).0, entries.clone());
        }
    }
}
