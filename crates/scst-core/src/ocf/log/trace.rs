//! The trace file of one run (`OCF_TRACE_RA`), which gets lines of every level: whether there is one, and where.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::clock::now;
use super::destination::open;
use crate::ocf::action::Action;
use crate::ocf::env::{Env, is_true};

/// The trace file, if a trace is wanted and can be written: a descriptor 3 to 9, an absolute path, or a file of this run
/// in the place where cluster tools look for it.
pub(super) fn trace_file(agent: &str, action: Action, env: &Env) -> Option<File> {
    let set = |name: &str| env.text(name).filter(|value| !value.is_empty());
    let wanted = set("OCF_TRACE_RA").or_else(|| set("OCF_RESKEY_trace_ra")).is_some_and(is_true);
    if !wanted {
        return None;
    }
    let path = match set("OCF_TRACE_FILE").or_else(|| set("OCF_RESKEY_trace_file")) {
        Some(fd @ ("3" | "4" | "5" | "6" | "7" | "8" | "9")) => Path::new("/proc/self/fd").join(fd),
        Some(path) if path.starts_with('/') => path.into(),
        Some(_) => return None,
        None => {
            let base = set("OCF_RESKEY_trace_dir").map_or_else(|| env.ha_varlib().join("trace_ra"), PathBuf::from);
            let kind = component(set("OCF_RESOURCE_TYPE").unwrap_or(agent));
            let now = now()?;
            let when = now.strftime("%Y-%m-%d.%H:%M:%S");
            base.join(kind).join(format!("{}.{action}.{when}", component(env.instance())))
        }
    };
    if let Some(parent) = path.parent() {
        // If this fails, so does opening the file.
        let _ = std::fs::create_dir_all(parent);
    }
    open(&path).ok()
}

/// A name from outside as one path component.
fn component(name: &str) -> String {
    let name = name.replace('/', "_");
    if name.chars().all(|c| c == '.') { "_".to_owned() } else { name }
}
