//! Files of the machine that are looked at: configuration of modules, services and storage.

use std::path::PathBuf;

use crate::scst_ha::files;
use crate::scst_ha::node::Node;

/// The variable that replaces `/`.
const ROOT: &str = "SCST_ROOT";

/// The machine's file system.
pub(super) struct Places<'a> {
    node: &'a Node,
    root: PathBuf,
}

impl<'a> Places<'a> {
    /// That of this machine, or what stands for it.
    pub(super) fn new(node: &'a Node) -> Self {
        Self { node, root: std::env::var_os(ROOT).map_or_else(|| "/".into(), PathBuf::from) }
    }

    /// Where a path of the machine is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file, if it is there and can be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = files::read(&self.path(path), &self.node.deadline).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in a directory; none if it is not there.
    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        files::names(&self.path(directory))
    }

    /// Whether anything is at a path, also a link to nowhere.
    pub(super) fn exists(&self, path: &str) -> bool {
        path.rsplit_once('/').is_some_and(|(directory, name)| self.names(directory).iter().any(|known| known == name))
    }

    /// The lines of all files of a directory that end so, without comments.
    pub(super) fn lines(&self, directory: &str, ending: &str) -> Vec<String> {
        let names = self.names(directory).into_iter().filter(|name| name.ends_with(ending));
        let texts = names.filter_map(|name| self.text(&format!("{directory}/{name}")));
        let lines = texts.flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>());
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }
}
