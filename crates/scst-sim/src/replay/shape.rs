//! Steps that look at directories: listings, links, modes, whole trees.

use super::player::{Misfit, Player, compare, name_of};
use super::recording::{List, Readlink, Stat, Tree, TreeEntry};
use super::surface::Surface;
use super::tree::{letter, look, normalised, walk};
use crate::model::Errno;
use fancy_regex::Regex;

impl<S: Surface> Player<S> {
    pub(super) fn list(&mut self, list: &List) -> Result<(), Misfit> {
        let path = self.path(&list.path);
        let got = self.surface.list(&path).map(|entries| {
            let entries = normalised(&list.path, entries, self.plugged.as_deref());
            entries.into_iter().map(|(name, kind)| (name, letter(kind).to_owned())).collect()
        });
        compare_listing(list.entries.clone().ok_or(list.result.clone()), got)
    }

    pub(super) fn readlink(&mut self, link: &Readlink) -> Result<(), Misfit> {
        let path = self.path(&link.path);
        let got = self.surface.readlink(&path).map_or_else(name_of, |target| self.shown(&target));
        compare(link.target.as_ref().unwrap_or(&link.result), &got)
    }

    pub(super) fn stat(&mut self, stat: &Stat) -> Result<(), Misfit> {
        let path = self.path(&stat.path);
        let got = self
            .surface
            .lstat(&path)
            .map_or_else(name_of, |found| format!("{} {:04o} {}", letter(found.kind), found.mode, found.size));
        let wanted = match (&stat.kind, &stat.mode, stat.size) {
            (Some(kind), Some(mode), Some(size)) => format!("{kind} {mode} {size}"),
            _ => stat.result.clone(),
        };
        compare(&wanted, &got)
    }

    pub(super) fn entry(&mut self, entry: &TreeEntry) -> Result<(), Misfit> {
        let path = self.real(&entry.path);
        let (wanted, got) = look(&mut self.surface, &path, entry, self.plugged.as_deref());
        compare(&wanted.to_string(), &got.map_or_else(|| "nothing there".to_owned(), |got| got.to_string()))
    }

    pub(super) fn tree(&mut self, tree: &Tree) -> Result<(), Misfit> {
        let skipped: Vec<_> = tree
            .skipped
            .iter()
            .map(|pattern| Regex::new(pattern).map_err(|bad| Misfit::new("a pattern", bad.to_string())))
            .collect::<Result<_, _>>()?;
        let plugged = self.plugged.clone();
        let found = match walk(&mut self.surface, &tree.path, tree.depth, &skipped, plugged.as_deref()) {
            Ok(found) => found,
            Err(errno) => return compare(&tree.result, &name_of(errno)),
        };
        compare(&tree.result, "ok")?;
        let (mut wanted, mut got) = (Vec::new(), Vec::new());
        for entry in &tree.entries {
            let path = &entry.path;
            let full = if tree.path.is_empty() { path.clone() } else { format!("{}/{path}", tree.path) };
            let full = self.real(&full);
            let (expected, seen) = look(&mut self.surface, &full, entry, plugged.as_deref());
            let seen = seen.filter(|_| found.contains_key(path));
            if seen.as_ref() != Some(&expected) {
                wanted.push(format!("{path} {expected}"));
                got.push(seen.map_or_else(|| format!("no {path}"), |seen| format!("{path} {seen}")));
            }
        }
        for (path, kind) in found {
            if !tree.entries.iter().any(|entry| entry.path == path) {
                wanted.push(format!("no {path}"));
                got.push(format!("{path} {}", letter(kind)));
            }
        }
        if wanted.is_empty() { Ok(()) } else { Err(Misfit::new(wanted.join("; "), got.join("; "))) }
    }
}

type Listing = Vec<(String, String)>;

/// Names what is missing and what is too much rather than printing two long lists.
fn compare_listing(wanted: Result<Listing, String>, got: Result<Listing, Errno>) -> Result<(), Misfit> {
    let show = |entries: &Listing, without: &Listing| {
        let entries = entries.iter().filter(|entry| !without.contains(entry));
        let names: Vec<_> = entries.map(|(name, kind)| format!("{name} {kind}")).collect();
        if names.is_empty() { "no more than the others".to_owned() } else { names.join(", ") }
    };
    match (wanted, got) {
        (Ok(wanted), Ok(got)) if wanted == got => Ok(()),
        (Ok(wanted), Ok(got)) => Err(Misfit::new(show(&wanted, &got), show(&got, &wanted))),
        (Err(wanted), Err(got)) => compare(&wanted, &name_of(got)),
        (Ok(wanted), Err(got)) => Err(Misfit::new(show(&wanted, &Listing::new()), name_of(got))),
        (Err(wanted), Ok(got)) => Err(Misfit::new(wanted, show(&got, &Listing::new()))),
    }
}
