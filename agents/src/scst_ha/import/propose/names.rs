//! Names that the agents can carry, as near to the old ones as they get.

use std::collections::BTreeSet;

use scst_core::scst::names::{DeviceName, GroupName, InitiatorGroup};

/// The longest name of a device group, and the characters that it may have beside letters and digits.
const GROUP: (usize, &str) = (16, "-");

/// The same of a device in it.
const DEVICE: (usize, &str) = (32, "-_");

/// A name for a device group that no other has.
pub(super) fn group(old: &str, taken: &mut BTreeSet<String>) -> GroupName {
    let name = unique(old, "dg", GROUP, taken);
    GroupName::parse(&name).expect("it is made of a few letters and digits")
}

/// A name for a device of this group: the one that it has, where the agents could have given it.
pub(super) fn device(group: &GroupName, old: &str, taken: &mut BTreeSet<String>) -> DeviceName {
    let kept = old.strip_prefix(&format!("{group}_")).unwrap_or(old);
    let name = unique(kept, "disk", DEVICE, taken);
    DeviceName::parse(group, &name).expect("it is made of a few letters and digits")
}

/// A name for an initiator group, as the agents spell it.
pub(super) fn initiator_group(old: &str) -> InitiatorGroup {
    let word = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let name: String = old.chars().map(word).collect();
    // In an export this word means every group.
    let name = if name.eq_ignore_ascii_case("all") { format!("{name}_") } else { name };
    InitiatorGroup::parse(&name).unwrap_or_else(|_| InitiatorGroup::parse("hosts").expect("a plain word"))
}

/// The characters of the old name that a name may have, as many as fit, with a number where another has them.
fn unique(old: &str, instead: &str, (limit, more): (usize, &str), taken: &mut BTreeSet<String>) -> String {
    let letters: String = old.chars().filter(|c| c.is_ascii_alphanumeric() || more.contains(*c)).collect();
    let letters = if letters.is_empty() { instead.to_owned() } else { letters };
    let numbered = |number: usize| {
        let number = if number == 0 { String::new() } else { number.to_string() };
        let kept: String = letters.chars().take(limit - number.len()).collect();
        kept + &number
    };
    let name =
        (0..=taken.len()).map(numbered).find(|name| !taken.contains(name)).expect("there are more numbers than names");
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_where_they_can() {
        let (mut groups, mut devices) = (BTreeSet::new(), BTreeSet::new());
        let dg = group("dg_vmware_1", &mut groups);
        assert_eq!((dg.as_str(), group("dgvmware1", &mut groups).as_str()), ("dgvmware1", "dgvmware11"));
        assert_eq!(group(&"long-".repeat(9), &mut groups).as_str(), "long-long-long-l");
        let kept = GroupName::parse("dummy").unwrap();
        for (old, new) in [
            ("dummy_lu0", "dummy_lu0"),
            ("disk-01", "dummy_disk-01"),
            ("disk_01", "dummy_disk_01"),
            ("disk.-01", "dummy_disk-011"),
            ("..", "dummy_disk"),
        ] {
            assert_eq!(device(&kept, old, &mut devices).as_str(), new, "{old}");
        }
        assert_eq!((initiator_group("ESX 1").as_str(), initiator_group("").as_str()), ("esx_1", "hosts"));
    }
}
