//! What an administrator does, by the commands of Pacemaker.

use super::config::{Group, dummy};
use super::running::{Cluster, Outcome};

impl Cluster {
    /// Sets a parameter of a resource.
    pub(super) fn set(&self, resource: &str, name: &str, value: &str) -> Outcome<()> {
        let words = ["crm_resource", "--resource", resource, "--set-parameter", name, "--parameter-value", value];
        self.run(&words).map(drop)
    }

    /// Takes a parameter of a resource away.
    pub(super) fn unset(&self, resource: &str, name: &str) -> Outcome<()> {
        self.run(&["crm_resource", "--resource", resource, "--delete-parameter", name]).map(drop)
    }

    /// Asks for the promoted role of a group on a node, by a constraint that stays until it is cleared.
    pub(super) fn move_to(&self, group: &Group, node: &str) -> Outcome<()> {
        let words = ["crm_resource", "--resource", &group.clone_id(), "--move", "--promoted", "--node", node];
        self.run(&words).map(drop)
    }

    /// Takes that constraint away.
    pub(super) fn clear(&self, group: &Group) -> Outcome<()> {
        self.run(&["crm_resource", "--resource", &group.clone_id(), "--clear"]).map(drop)
    }

    /// Sets the role that the sample's group is to have, or takes that back.
    pub(super) fn target_role(&self, role: Option<&str>) -> Outcome<()> {
        let clone = dummy().clone_id();
        let meta = ["crm_resource", "--resource", &clone, "--meta"];
        let words = match role {
            Some(role) => &["--set-parameter", "target-role", "--parameter-value", role][..],
            None => &["--delete-parameter", "target-role"],
        };
        self.run(&[&meta, words].concat()).map(drop)
    }

    /// Stops the sample's group on every node.
    pub(super) fn stop_group(&self) -> Outcome<()> {
        let group = dummy().resource;
        self.target_role(Some("Stopped"))?;
        self.status_is("none runs", |status| !status.roles.keys().any(|(resource, _)| resource == group))
    }

    /// Starts it again.
    pub(super) fn start_group(&self) -> Outcome<()> {
        self.target_role(None)?;
        self.status_is("one promoted", |status| status.promoted(dummy().resource).is_some())
    }

    /// Puts a node in standby, and waits until nothing runs there.
    pub(super) fn stand_by(&self, node: &str) -> Outcome<()> {
        self.run(&["crm_standby", "--node", node, "--update", "on"])?;
        self.status_is("nothing on the node in standby", |status| !status.roles.keys().any(|(_, on)| on == node))
    }

    /// Takes it back.
    pub(super) fn end_standby(&self, node: &str) -> Outcome<()> {
        self.run(&["crm_standby", "--node", node, "--delete"]).map(drop)
    }

    /// Changes how often the monitor of this id comes.
    pub(super) fn monitor_every(&self, id: &str, interval: &str) -> Outcome<()> {
        let change = format!("<op id=\"{id}\" interval=\"{interval}\"/>");
        self.run(&["cibadmin", "--modify", "--xml-text", &change]).map(drop)
    }
}
