//! What Pacemaker makes of changed parameters: a reload where all of them can be reloaded, otherwise a restart.

use std::collections::BTreeMap;

use scst_core::ocf::param::AgentTable;

/// The parameters that differ, and whether the cluster would reload them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Change {
    /// A sentence each.
    pub(super) because: Vec<String>,
    /// Those that only a restart makes effective.
    pub(super) restart: Vec<String>,
}

/// Compares the parameters of one resource.
pub(super) fn change(table: &AgentTable, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Change {
    let mut change = Change::default();
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_by_key(|name| {
        (name.trim_end_matches(|digit: char| digit.is_ascii_digit()).to_owned(), name.len(), (*name).clone())
    });
    names.dedup();
    for name in names {
        let what = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => "changes",
            (None, _) => "is new",
            (Some(_), None) => "goes",
        };
        change.because.push(format!("{name} {what}"));
        let reloadable = table
            .parameters
            .iter()
            .any(|parameter| parameter.reloadable && parameter.names().any(|known| known == *name));
        if !reloadable {
            change.restart.push(name.clone());
        }
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scst_aluadg::table::TABLE;

    #[test]
    fn what_cannot_be_reloaded_restarts() {
        let params = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let old = params(&[("groupname", "a"), ("device0", "x"), ("device10", "x"), ("device2", "x")]);
        let new = params(&[("groupname", "a"), ("device0", "y"), ("device2", "x"), ("reload", "1")]);
        let found = change(TABLE, &old, &new);
        assert_eq!(found.because, ["device0 changes", "device10 goes", "reload is new"]);
        assert_eq!(found.restart, [""; 0]);
        assert_eq!(change(TABLE, &old, &params(&[("groupname", "b")])).restart, ["groupname"]);
        assert_eq!(change(TABLE, &old, &old), Change::default());
    }
}
