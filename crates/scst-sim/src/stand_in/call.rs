//! A call of a command, and the environment that it is made in.

use std::ffi::OsString;
use std::path::PathBuf;

use super::cib::{Cib, CibFile};
use super::output;

/// One call of a command.
pub(crate) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) args: &'a [String],
    pub(super) environment: &'a Environment,
}

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The CIB; `None` means there is no cluster.
    pub cib: Option<CibFile>,
    /// The local node.
    pub node: String,
    /// Where the commands find `/sys`.
    pub sysfs: PathBuf,
    /// `OCF_RESOURCE_INSTANCE`.
    pub resource: Option<String>,
}

impl Environment {
    /// The environment as the environment describes it.
    pub fn from_env() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
        let host = || nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            cib: variable("STAND_IN_CIB").map(CibFile::at),
            node: text("STAND_IN_NODE").unwrap_or_else(host),
            sysfs: variable("SCST_SYSFS_ROOT").unwrap_or_else(|| OsString::from("/sys")).into(),
            resource: text("OCF_RESOURCE_INSTANCE"),
        }
    }
}

impl Call<'_> {
    /// What the cluster knows, if there is one.
    pub(super) fn cib(&self) -> Option<Cib> {
        self.environment.cib.as_ref()?.load().ok()
    }

    /// The call as Pacemaker repeats it in its XML.
    pub(super) fn request(&self) -> String {
        output::request(self.name, self.args)
    }
}
