//! A resource as the cluster configures it: an agent, an id, parameters.

/// A resource.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    id: String,
    agent: &'static str,
    params: Vec<(String, String)>,
}

impl Resource {
    /// A resource of the agent that brings ports up.
    pub(crate) fn ports(id: &str) -> Self {
        Self { id: id.to_owned(), agent: "scst_qla2xtgt", params: Vec::new() }
    }

    /// A resource of the agent that brings targets of any driver up.
    pub(crate) fn targets(id: &str, driver: &str) -> Self {
        Self { id: id.to_owned(), agent: "scst_target", params: Vec::new() }.param("tgtdriver", driver)
    }

    /// A resource of the agent that serves a device group.
    pub(crate) fn group(id: &str) -> Self {
        Self { id: id.to_owned(), agent: "scst_aluadg", params: Vec::new() }
    }

    /// The same with a parameter, in place of what it was before.
    #[must_use]
    pub(crate) fn param(&self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.params.push((name.to_owned(), value.to_owned()));
        changed
    }

    /// The same without that parameter.
    #[must_use]
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut changed = self.clone();
        changed.params.retain(|(known, _)| known != name);
        changed
    }

    /// The same under another id.
    #[must_use]
    pub(crate) fn called(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The name of its agent.
    pub(crate) fn agent(&self) -> &'static str {
        self.agent
    }

    /// It can be promoted.
    pub(crate) fn promotable(&self) -> bool {
        self.agent == "scst_aluadg"
    }

    /// Its parameters.
    pub(crate) fn params(&self) -> &[(String, String)] {
        &self.params
    }
}
