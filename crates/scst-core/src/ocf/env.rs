//! The environment of one run, taken once and never changed.
//!
//! Everything that Pacemaker passes to an agent arrives here (OCF API 1.1, "Parameters" and "Environment"; Pacemaker
//! Explained, "Meta-attributes passed to agents"). The variables that are read, and nothing else of the environment is:
//!
//! | variable | accessor | absent means |
//! | --- | --- | --- |
//! | `OCF_RESKEY_<name>` | [`Env::param`] | not configured; so does an empty value |
//! | `OCF_RESOURCE_INSTANCE` | [`Env::instance`] | `default` |
//! | `OCF_RESOURCE_TYPE` | [`Env::text`], read by `log` | the agent's name |
//! | `OCF_RESKEY_CRM_meta_id` | [`Env::resource_id`] | the instance; set when run by hand |
//! | `OCF_RESKEY_CRM_meta_timeout` | [`Env::timeout`] | 20 s: run by hand |
//! | `OCF_RESKEY_CRM_meta_interval` | [`Env::interval_ms`] | 0: a probe |
//! | `OCF_CHECK_LEVEL` | [`Env::check_level`] | 0 |
//! | `OCF_RESKEY_CRM_meta_on_node`, `…_on_node_uuid` | [`Env::node_name`], [`Env::node_id`] | run by hand, ask the cluster |
//! | `OCF_RESKEY_CRM_meta_clone_node_max` | [`Env::clone_node_max`] | not a clone, or run by hand |
//! | `OCF_RESKEY_CRM_meta_notify` | [`Env::notify_enabled`] | unknown |
//! | `OCF_RESKEY_CRM_meta_promoted_max`, `…_master_max` | [`Env::promoted_max`] | not promotable, or run by hand |
//! | `OCF_RESKEY_CRM_meta_notify_*` | [`Env::meta`], read by `notify` | see there |
//! | `OCF_RESKEY_crm_feature_set` | [`Env::feature_set`] | not run by Pacemaker |
//! | `OCF_EXIT_REASON_PREFIX` | [`Env::exit_reason_prefix`] | `ocf-exit-reason:` |
//! | `HA_RSCTMP` | [`Env::rsctmp`] | `/run/resource-agents` |
//! | `HA_SBIN_DIR`, `PATH` | [`Env::sbin_dir`], [`Env::search_path`] | `/usr/sbin` |
//! | `HA_VARLIB` | [`Env::ha_varlib`] | `/var/lib/heartbeat` |
//! | `SCST_SYSFS_ROOT` | [`Env::sysfs_root`] | `/sys` |
//! | `SCST_VAR_LIB` | [`Env::var_lib`] | `/var/lib/scst` |
//! | `HA_LOGFACILITY`, `HA_LOGFILE`, `HA_DEBUGLOG`, `HA_LOGTAG`, `HA_debug` | [`Env::text`], read by `log` | see there |
//! | `OCF_TRACE_RA`, `OCF_TRACE_FILE`, `OCF_RESKEY_trace_ra`, `…_trace_file`, `…_trace_dir` | [`Env::text`], read by `log` | see there |

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

const RESKEY: &str = "OCF_RESKEY_";
const META: &str = "OCF_RESKEY_CRM_meta_";

/// What Pacemaker itself passes under the prefix of the parameters, besides the meta attributes, and what every agent accepts.
const NOT_PARAMETERS: [&str; 4] = ["crm_feature_set", "trace_ra", "trace_file", "trace_dir"];

/// The time an action has where no time-out is passed: the default of Pacemaker's own operations.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest time that is believed, so that adding it to the clock cannot overflow.
const MAX_TIMEOUT: Duration = Duration::from_hours(24 * 7);

/// A snapshot of the environment.
#[derive(Debug, Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, Value>,
}

/// A value in both forms. Text that is not UTF-8 has U+FFFD in it, which no checked type accepts: the type that refuses
/// it makes the error, which names the value; paths use the bytes.
#[derive(Debug, Clone)]
struct Value {
    raw: OsString,
    text: String,
}

impl Env {
    /// The environment of this process.
    pub fn from_process() -> Self {
        Self::from_pairs(std::env::vars_os())
    }

    /// An environment made of these pairs.
    pub fn from_pairs<K: AsRef<OsStr>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = pairs
            .into_iter()
            // A name that is not UTF-8 is none of ours.
            .filter_map(|(name, value)| {
                let raw = value.into();
                let text = raw.to_string_lossy().into_owned();
                Some((name.as_ref().to_str()?.to_owned(), Value { raw, text }))
            })
            .collect();
        Self { variables }
    }

    /// Any variable as text. An empty value is a value here.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.text.as_str())
    }

    /// A variable that is a path; an empty one counts as absent.
    fn path(&self, name: &str, default: &str) -> PathBuf {
        self.variables
            .get(name)
            .filter(|value| !value.raw.is_empty())
            .map_or_else(|| default.into(), |value| PathBuf::from(&value.raw))
    }

    /// A parameter of the resource. Empty means not configured. Bytes that are not UTF-8 appear as U+FFFD.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.text(&format!("{RESKEY}{name}")).filter(|value| !value.trim().is_empty())
    }

    /// All configured parameters, as (name, value), in the order of their names.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .filter(|(name, value)| !name.starts_with(META) && !value.text.trim().is_empty())
            .filter_map(|(name, value)| Some((name.strip_prefix(RESKEY)?, value.text.as_str())))
            .filter(|(name, _)| !NOT_PARAMETERS.contains(name))
    }

    /// A meta attribute (`OCF_RESKEY_CRM_meta_<name>`). An empty or blank value is a value here: notification lists use it.
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.text(&format!("{META}{name}"))
    }

    /// A meta attribute that is a whole number.
    fn meta_number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.meta(name).and_then(|value| value.trim().parse().ok())
    }

    /// Whether `OCF_RESOURCE_INSTANCE` names an instance.
    pub fn has_instance(&self) -> bool {
        self.text("OCF_RESOURCE_INSTANCE").is_some_and(|value| !value.is_empty())
    }

    /// The resource's id: without `:0` for an anonymous clone, possibly the clone's id when run by hand.
    pub fn instance(&self) -> &str {
        self.text("OCF_RESOURCE_INSTANCE").filter(|value| !value.is_empty()).unwrap_or("default")
    }

    /// The resource as the cluster's attributes name it. `crm_resource --force-*` on a clone passes the clone's id as instance, and
    /// the primitive's as a meta attribute.
    pub fn resource_id(&self) -> &str {
        self.meta("id").map(str::trim).filter(|id| !id.is_empty()).unwrap_or_else(|| self.instance())
    }

    /// Whether [`Env::resource_id`] is certainly a resource: Pacemaker runs the action, or `crm_resource` has passed the resource's
    /// id. At a terminal it may be a clone's id, or what no id of the configuration can be.
    pub fn resource_is_known(&self) -> bool {
        let told = self.node_name().is_some() || self.meta("id").is_some_and(|id| !id.trim().is_empty());
        // As XML has it: no id begins with a digit or a dash, or holds a blank or a slash.
        let id = self.resource_id();
        let begins = id.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        told && begins && id.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c))
    }

    /// How long the action may take in all: the operation's time-out, 20 s where none is passed, at most a week.
    pub fn timeout(&self) -> Duration {
        let configured = self.meta_number("timeout").filter(|ms| *ms > 0).map(Duration::from_millis);
        configured.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT)
    }

    /// The interval of a recurring monitor in milliseconds; 0 for a probe and for every other action.
    pub fn interval_ms(&self) -> u64 {
        self.meta_number("interval").unwrap_or(0)
    }

    /// How thoroughly monitor and validate-all check (`OCF_CHECK_LEVEL`): 0, or 10 for everything. What is no number is
    /// 0.
    pub fn check_level(&self) -> u32 {
        self.text("OCF_CHECK_LEVEL").and_then(|level| level.trim().parse().ok()).unwrap_or(0)
    }

    /// This node's name in the cluster, if Pacemaker passed it.
    pub fn node_name(&self) -> Option<&str> {
        self.meta("on_node").filter(|name| !name.trim().is_empty())
    }

    /// This node's id in the cluster (corosync's `nodeid`), if Pacemaker passed it. For a remote node it passes a name,
    /// which is no id.
    pub fn node_id(&self) -> Option<u32> {
        self.meta_number("on_node_uuid")
    }

    /// How many instances of the clone one node may run (`clone-node-max`).
    pub fn clone_node_max(&self) -> Option<u32> {
        self.meta_number("clone_node_max")
    }

    /// Whether the clone is configured to notify its instances; `None` if nothing was said.
    pub fn notify_enabled(&self) -> Option<bool> {
        self.meta("notify").map(is_true)
    }

    /// How many instances may be promoted in the whole cluster (`promoted-max`).
    pub fn promoted_max(&self) -> Option<u32> {
        self.meta_number("promoted_max").or_else(|| self.meta_number("master_max"))
    }

    /// The version of Pacemaker's interface, such as `3.19.0`.
    pub fn feature_set(&self) -> Option<&str> {
        self.text("OCF_RESKEY_crm_feature_set")
    }

    /// The text before an exit reason on stderr, by which Pacemaker recognises it.
    pub fn exit_reason_prefix(&self) -> &str {
        self.text("OCF_EXIT_REASON_PREFIX").filter(|prefix| !prefix.is_empty()).unwrap_or("ocf-exit-reason:")
    }

    /// The directory of the agents' state files and locks.
    pub fn rsctmp(&self) -> PathBuf {
        self.path("HA_RSCTMP", "/run/resource-agents")
    }

    /// The directory of the cluster's commands, if `HA_SBIN_DIR` is set.
    pub fn sbin_dir(&self) -> Option<PathBuf> {
        self.variables.get("HA_SBIN_DIR").filter(|value| !value.raw.is_empty()).map(|value| PathBuf::from(&value.raw))
    }

    /// The directories of `PATH`, in order.
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.variables.get("PATH").map(|path| std::env::split_paths(&path.raw).collect()).unwrap_or_default()
    }

    /// The directory below which traces are kept.
    pub fn ha_varlib(&self) -> PathBuf {
        self.path("HA_VARLIB", "/var/lib/heartbeat")
    }

    /// The root of sysfs: `/sys`, or where a test has mounted another.
    pub fn sysfs_root(&self) -> PathBuf {
        self.path("SCST_SYSFS_ROOT", "/sys")
    }

    /// The directory of SCST's persistent reservations and of what outlives a reboot: `/var/lib/scst`, or another in
    /// tests.
    pub fn var_lib(&self) -> PathBuf {
        self.path("SCST_VAR_LIB", "/var/lib/scst")
    }
}

/// The words that `ocf_is_true` of resource-agents takes for yes.
pub fn is_true(word: &str) -> bool {
    matches!(word.trim(), "yes" | "true" | "1" | "YES" | "TRUE" | "True" | "ja" | "on" | "ON")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn an_empty_environment_has_the_defaults_of_a_run_by_hand() {
        let env = env(&[]);
        assert_eq!(env.instance(), "default");
        for (id, node, known) in
            [("rsc-1.a_b", "alpha", true), ("rsc", "", false), ("1", "alpha", false), ("a/b", "alpha", false)]
        {
            let env = Env::from_pairs([("OCF_RESOURCE_INSTANCE", id), ("OCF_RESKEY_CRM_meta_on_node", node)]);
            assert_eq!(env.resource_is_known(), known, "{id} {node}");
        }
        let forced = [("OCF_RESOURCE_INSTANCE", "clone"), ("OCF_RESKEY_CRM_meta_id", "rsc")];
        assert!(Env::from_pairs(forced).resource_is_known());
        assert_eq!(env.timeout(), Duration::from_secs(20));
        assert_eq!(env.interval_ms(), 0);
        assert_eq!(env.check_level(), 0);
        assert_eq!((env.node_name(), env.node_id()), (None, None));
        assert_eq!(env.notify_enabled(), None);
        assert_eq!(env.rsctmp(), PathBuf::from("/run/resource-agents"));
        assert_eq!(env.sysfs_root(), PathBuf::from("/sys"));
        assert_eq!(env.var_lib(), PathBuf::from("/var/lib/scst"));
        assert_eq!(env.sbin_dir(), None);
        assert_eq!(env.exit_reason_prefix(), "ocf-exit-reason:");
    }

    #[test]
    fn empty_is_not_configured_and_pacemakers_own_variables_are_no_parameters() {
        let env = env(&[
            ("OCF_RESKEY_groupname", "dummy"),
            ("OCF_RESKEY_lip", ""),
            ("OCF_RESKEY_reload", "  "),
            ("OCF_RESKEY_CRM_meta_timeout", "5000"),
            ("OCF_RESKEY_crm_feature_set", "3.16.1"),
            ("OCF_RESKEY_trace_ra", "1"),
            ("OCF_ROOT", "/usr/lib/ocf"),
        ]);
        assert_eq!(env.param("lip"), None);
        assert_eq!(env.param("reload"), None);
        assert_eq!(env.params().collect::<Vec<_>>(), [("groupname", "dummy")]);
        assert_eq!(env.timeout(), Duration::from_secs(5));
        assert_eq!(env.feature_set(), Some("3.16.1"));
        let env = Env::from_pairs([("OCF_RESKEY_CRM_meta_timeout", u64::MAX.to_string())]);
        assert!(std::time::Instant::now().checked_add(env.timeout()).is_some());
    }

    #[test]
    fn numbers_that_are_none_count_as_absent() {
        let env = env(&[
            ("OCF_RESKEY_CRM_meta_timeout", "0"),
            ("OCF_RESKEY_CRM_meta_interval", "soon"),
            ("OCF_CHECK_LEVEL", "-1"),
            ("OCF_RESKEY_CRM_meta_on_node_uuid", "remote1"),
            ("OCF_RESKEY_CRM_meta_master_max", "1"),
        ]);
        assert_eq!(env.timeout(), Duration::from_secs(20));
        assert_eq!(env.interval_ms(), 0);
        assert_eq!(env.check_level(), 0);
        assert_eq!(env.node_id(), None);
        assert_eq!(env.promoted_max(), Some(1));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hurt_others() {
        let bytes = OsString::from_vec(vec![b'a', 0xff]);
        let env = Env::from_pairs([
            (OsString::from("OCF_RESKEY_groupname"), bytes.clone()),
            (OsString::from_vec(vec![0xfe]), "x".into()),
            ("SCST_SYSFS_ROOT".into(), bytes.clone()),
        ]);
        assert_eq!(env.param("groupname"), Some("a\u{fffd}"));
        assert_eq!(env.sysfs_root(), PathBuf::from(bytes));
        assert_eq!(env.timeout(), Duration::from_secs(20));
    }
}
