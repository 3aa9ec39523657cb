//! What Pacemaker tells one instance of a clone about the others: the notification variables, and the roles that follow
//! from them.
//!
//! Pacemaker Administration, "Clone notifications". The lists come with every notification, and with start, stop, promote and
//! demote when notifications are on. All of them describe the state **before** the transition, plus what the transition plans:
//! in a post-promote the promoted list does not hold the new one yet. So a state "after" is arithmetic on lists. An empty list
//! is one blank; no list at all (run by hand, or notifications off) is something else, and says nothing about anybody.
//!
//! `available_uname` is deliberately not read: it holds nodes that are powered off. Nor is anything else of the cluster asked: a
//! notification stands in the way of a failover and has to take milliseconds.

use std::collections::BTreeSet;

use super::env::Env;

/// Whether the operation is about to happen or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyType {
    /// Before the operation.
    Pre,
    /// After it.
    Post,
}

/// What happens to the instances that a list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// They start.
    Start,
    /// They stop.
    Stop,
    /// They become promoted.
    Promote,
    /// They stop being promoted.
    Demote,
}

/// What another node's instance does, according to the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerRole {
    /// It serves.
    Promoted,
    /// It runs and does not serve.
    Running,
    /// It does not run.
    Stopped,
    /// It is on the way from one to the other.
    Changing,
}

/// The node names of each list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Active before the transition.
    pub active: BTreeSet<String>,
    /// Promoted before the transition.
    pub promoted: BTreeSet<String>,
    /// Active and not promoted before the transition.
    pub unpromoted: BTreeSet<String>,
    /// To be started.
    pub start: BTreeSet<String>,
    /// To be stopped.
    pub stop: BTreeSet<String>,
    /// To be promoted.
    pub promote: BTreeSet<String>,
    /// To be demoted.
    pub demote: BTreeSet<String>,
}

/// The notification variables of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// What this notification is about; `None` in every other action.
    pub event: Option<(NotifyType, Operation)>,
    /// The lists, if Pacemaker passed any.
    pub lists: Option<Lists>,
}

impl Notify {
    /// Reads the variables of a run.
    pub fn from_env(env: &Env) -> Self {
        let when = match env.meta("notify_type").map(str::trim) {
            Some("pre") => Some(NotifyType::Pre),
            Some("post") => Some(NotifyType::Post),
            _ => None,
        };
        let operation = match env.meta("notify_operation").map(str::trim) {
            Some("start") => Some(Operation::Start),
            Some("stop") => Some(Operation::Stop),
            Some("promote") => Some(Operation::Promote),
            Some("demote") => Some(Operation::Demote),
            _ => None,
        };
        Self { event: when.zip(operation), lists: Lists::from_env(env) }
    }

    /// What a notification says about the nodes it names, without `local`. Empty for a notification that changes no
    /// state (pre-start), and when type, operation or lists are missing.
    pub fn changes(&self, local: Option<&str>) -> Vec<(String, PeerRole)> {
        let (Some((when, operation)), Some(lists)) = (self.event, &self.lists) else {
            return Vec::new();
        };
        let all = |nodes: &BTreeSet<String>, role| nodes.iter().map(|node| (node.clone(), role)).collect();
        let mut changes: Vec<(String, PeerRole)> = match (when, operation) {
            (NotifyType::Pre, Operation::Start) => Vec::new(),
            // Who is about to be promoted runs until its own post-promote says more.
            (NotifyType::Post, Operation::Start) => {
                // Hosts of a node that was demoted for a move wait for the node that is promoted next.
                let moves = |node: &String| lists.demote.contains(node) && lists.moves_from(node);
                let role = |node: &String| if moves(node) { PeerRole::Changing } else { lists.role_at_start(node) };
                lists.running_after().into_iter().map(|node| (node.clone(), role(&node))).collect()
            }
            (NotifyType::Pre, Operation::Promote) => all(&lists.promote, PeerRole::Changing),
            // For whoever was demoted in the same transition hosts need not wait any more.
            (NotifyType::Post, Operation::Promote) => {
                let demoted = lists.demote.difference(&lists.promote);
                let demoted = demoted.map(|node| (node.clone(), lists.role_at_start(node))).collect();
                [all(&lists.promote, PeerRole::Promoted), demoted].concat()
            }
            (NotifyType::Pre, Operation::Demote) => all(&lists.demote, PeerRole::Changing),
            // Who stays promoted beside the demoted may never have been announced: two halves of a cluster have each promoted
            // one, and are one again. A node that was fenced is in the list as well, and in that of the stopped.
            (NotifyType::Post, Operation::Demote) => {
                let stay = lists.promoted_after_demotes().difference(&lists.stop).cloned().collect();
                let left = |node: &String| if lists.moves_from(node) { PeerRole::Changing } else { PeerRole::Running };
                let demoted = lists.demote.iter().map(|node| (node.clone(), left(node))).collect();
                [demoted, all(&stay, PeerRole::Promoted)].concat()
            }
            (NotifyType::Pre, Operation::Stop) => all(&lists.stop, PeerRole::Changing),
            (NotifyType::Post, Operation::Stop) => all(&lists.stop, PeerRole::Stopped),
        };
        changes.retain(|(node, _)| local != Some(node));
        changes
    }
}

impl Lists {
    /// The lists, or `None` if not one of them is there.
    fn from_env(env: &Env) -> Option<Self> {
        let list = |name: &str| env.meta(&format!("notify_{name}_uname")).map(nodes);
        let found = [
            list("active"),
            list("promoted").or_else(|| list("master")),
            list("unpromoted").or_else(|| list("slave")),
            list("start"),
            list("stop"),
            list("promote"),
            list("demote"),
        ];
        if found.iter().all(Option::is_none) {
            return None;
        }
        let [active, promoted, unpromoted, start, stop, promote, demote] = found.map(Option::unwrap_or_default);
        Some(Self { active, promoted, unpromoted, start, stop, promote, demote })
    }

    /// Who runs once the transition is done: active - stop + start. In this order, because an instance that is restarted within one
    /// transition is in both lists, and stops before it starts.
    pub fn running_after(&self) -> BTreeSet<String> {
        // Active is the sum of both roles; the roles are added so that a caller who passes only these is understood too.
        let before = self.active.iter().chain(&self.promoted).chain(&self.unpromoted);
        before.filter(|node| !self.stop.contains(*node)).chain(&self.start).cloned().collect()
    }

    /// Who stays promoted through the transition's demotes: promoted - demote.
    pub fn promoted_after_demotes(&self) -> BTreeSet<String> {
        self.promoted.difference(&self.demote).cloned().collect()
    }

    /// Whether the transition promotes another node than this one.
    pub fn moves_from(&self, node: &str) -> bool {
        self.promote.iter().any(|promoted| promoted != node)
    }

    /// What a starting instance takes `peer` for.
    pub fn role_at_start(&self, peer: &str) -> PeerRole {
        if self.promoted_after_demotes().contains(peer) {
            PeerRole::Promoted
        } else if self.running_after().contains(peer) {
            PeerRole::Running
        } else {
            PeerRole::Stopped
        }
    }

    /// What an instance that is being promoted makes of `peer`; `None`: it is promoted as well and keeps what it has. A
    /// node that died without fencing is in no list, and no notification will ever name it: it counts as stopped here.
    pub fn role_at_promote(&self, peer: &str) -> Option<PeerRole> {
        if !self.running_after().contains(peer) {
            Some(PeerRole::Stopped)
        } else if self.promoted_after_demotes().contains(peer) {
            None
        } else {
            Some(PeerRole::Running)
        }
    }
}

/// The names of one list, which stand between blanks.
fn nodes(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify(pairs: &[(&str, &str)]) -> Notify {
        let pairs = pairs.iter().map(|(name, value)| (format!("OCF_RESKEY_CRM_meta_notify_{name}"), *value));
        Notify::from_env(&Env::from_pairs(pairs))
    }

    #[test]
    fn a_blank_list_is_empty_and_no_list_is_nothing() {
        assert_eq!(notify(&[("type", "post"), ("operation", "start")]).lists, None);
        assert_eq!(notify(&[("start_uname", " ")]).lists, Some(Lists::default()));
        assert_eq!(notify(&[("available_uname", "alpha"), ("all_uname", "alpha")]).lists, None);
    }

    #[test]
    fn a_notification_without_variables_changes_nothing() {
        assert_eq!(Notify::from_env(&Env::default()).changes(Some("alpha")), []);
        assert_eq!(notify(&[("promote_uname", "beta")]).changes(Some("alpha")), []);
        assert_eq!(
            notify(&[("type", "later"), ("operation", "promote"), ("promote_uname", "beta")]).changes(Some("alpha")),
            []
        );
    }

    #[test]
    fn both_languages_mean_the_same() {
        let old = [("master_uname", "alpha"), ("slave_uname", "beta gamma")];
        let new = [("promoted_uname", "alpha"), ("unpromoted_uname", "beta gamma")];
        assert_eq!(notify(&old), notify(&new));
        assert_eq!(notify(&old).lists.unwrap().running_after().len(), 3);
    }

    #[test]
    fn post_start_shows_who_is_being_demoted_as_running_or_on_the_move() {
        let mut lists = [
            ("type", "post"),
            ("operation", "start"),
            ("active_uname", "alpha beta"),
            ("promoted_uname", "alpha"),
            ("demote_uname", "alpha"),
            ("promote_uname", "beta"),
            ("start_uname", "gamma"),
            ("stop_uname", " "),
        ];
        let (alpha, beta) = ("alpha".to_owned(), "beta".to_owned());
        // Hosts wait for beta.
        let waits = [(alpha.clone(), PeerRole::Changing), (beta.clone(), PeerRole::Running)];
        assert_eq!(notify(&lists).changes(Some("gamma")), waits);
        lists[5] = ("promote_uname", " ");
        let settled = [(alpha, PeerRole::Running), (beta, PeerRole::Running)];
        assert_eq!(notify(&lists).changes(Some("gamma")), settled);
    }

    #[test]
    fn a_move_ends_with_the_promotion_for_everybody_who_was_demoted_in_it() {
        let mut lists = [
            ("type", "post"),
            ("operation", "demote"),
            ("active_uname", "alpha beta gamma"),
            ("promoted_uname", "alpha"),
            ("demote_uname", "alpha"),
            ("promote_uname", "beta"),
            ("stop_uname", " "),
        ];
        let changes = |lists: &[(&str, &str)]| notify(lists).changes(Some("gamma"));
        assert_eq!(changes(&lists), [("alpha".to_owned(), PeerRole::Changing)]);
        lists[1] = ("operation", "promote");
        let arrived = |role| [("beta".to_owned(), PeerRole::Promoted), ("alpha".to_owned(), role)];
        assert_eq!(changes(&lists), arrived(PeerRole::Running));
        // Who was stopped as well has said so by then.
        lists[6] = ("stop_uname", "alpha");
        assert_eq!(changes(&lists), arrived(PeerRole::Stopped));
    }

    #[test]
    fn post_demote_shows_who_stays_promoted_beside_the_demoted() {
        let lists = [
            ("type", "post"),
            ("operation", "demote"),
            ("active_uname", "alpha beta"),
            ("promoted_uname", "alpha beta"),
            ("demote_uname", "alpha"),
        ];
        assert_eq!(notify(&lists).changes(Some("alpha")), [("beta".to_owned(), PeerRole::Promoted)]);
        assert_eq!(notify(&lists).changes(Some("beta")), [("alpha".to_owned(), PeerRole::Running)]);
    }

    #[test]
    fn who_is_restarted_within_one_transition_runs_afterwards() {
        let lists = [("active_uname", "alpha beta"), ("stop_uname", "alpha beta"), ("start_uname", "alpha beta")];
        let lists = notify(&lists).lists.unwrap();
        assert_eq!(lists.role_at_start("beta"), PeerRole::Running);
        assert_eq!(lists.role_at_promote("beta"), Some(PeerRole::Running));
    }

    #[test]
    fn a_second_promoted_node_is_left_alone_and_names_are_compared_whole() {
        let lists = [("active_uname", "node1 node10"), ("promoted_uname", "node10"), ("stop_uname", " ")];
        let lists = notify(&lists).lists.unwrap();
        assert_eq!(lists.role_at_promote("node10"), None);
        assert_eq!(lists.role_at_promote("node1"), Some(PeerRole::Running));
        assert_eq!(lists.role_at_promote("node"), Some(PeerRole::Stopped));
    }
}
