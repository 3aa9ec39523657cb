//! Who did how much: operations on the tree, per process and per path.
//!
//! What is counted is the work a caller asks for, not the packets of the protocol: reading a file to its end is one read
//! and listing a directory one list, however many system calls that takes. Accesses below `.sim` are not counted.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::process::Process;

/// Numbers of operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attributes opened, refused openings included.
    pub opens: u64,
    /// Contents fetched: reads at offset 0.
    pub reads: u64,
    /// `write(2)` calls.
    pub writes: u64,
    /// Directories listed from their beginning.
    pub lists: u64,
    /// Path components looked up by the kernel on behalf of the process; depends on what the kernel still knows.
    pub lookups: u64,
    /// Links read.
    pub readlinks: u64,
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { opens, reads, writes, lists, lookups, readlinks } = self;
        write!(f, "opens={opens} reads={reads} writes={writes} lists={lists} lookups={lookups} readlinks={readlinks}")
    }
}

/// What one request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Open,
    Read,
    Write,
    List,
    Lookup,
    Readlink,
}

impl Counts {
    fn add(&mut self, what: Counted) {
        *match what {
            Counted::Open => &mut self.opens,
            Counted::Read => &mut self.reads,
            Counted::Write => &mut self.writes,
            Counted::List => &mut self.lists,
            Counted::Lookup => &mut self.lookups,
            Counted::Readlink => &mut self.readlinks,
        } += 1;
    }
}

/// All counters of a mount since it began or was last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Everything together.
    pub total: Counts,
    /// By process.
    pub by_process: BTreeMap<Process, Counts>,
    /// By path relative to the mount point.
    pub by_path: BTreeMap<Vec<u8>, Counts>,
}

impl Counters {
    pub(crate) fn count(&mut self, what: Counted, process: &Process, path: &[u8]) {
        self.total.add(what);
        if !self.by_process.contains_key(process) {
            self.by_process.insert(process.clone(), Counts::default());
        }
        if !self.by_path.contains_key(path) {
            self.by_path.insert(path.to_owned(), Counts::default());
        }
        for counts in self.by_process.get_mut(process).into_iter().chain(self.by_path.get_mut(path)) {
            counts.add(what);
        }
    }

    /// All processes of a name together, such as an agent's runs since the last reset.
    pub fn of_program(&self, name: &str) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in self.by_process.iter().filter(|(process, _)| process.name == name) {
            sum.opens += counts.opens;
            sum.reads += counts.reads;
            sum.writes += counts.writes;
            sum.lists += counts.lists;
            sum.lookups += counts.lookups;
            sum.readlinks += counts.readlinks;
        }
        sum
    }
}

/// One line for the total, one per process, one per path.
impl Display for Counters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "total {}", self.total)?;
        for (Process { pid, name, .. }, counts) in &self.by_process {
            writeln!(f, "process {pid} {name} {counts}")?;
        }
        for (path, counts) in &self.by_path {
            writeln!(f, "path {} {counts}", path.escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_process_by_path_and_in_total() {
        let agent = Process { pid: 7, parent: 1, name: "agent".into() };
        let again = Process { pid: 8, parent: 1, name: "agent".into() };
        let shell = Process { pid: 9, parent: 1, name: "sh".into() };
        let mut counters = Counters::default();
        counters.count(Counted::Write, &agent, b"a/mgmt");
        counters.count(Counted::Write, &again, b"a/mgmt");
        counters.count(Counted::Read, &shell, b"a/state");
        assert_eq!(counters.of_program("agent"), Counts { writes: 2, ..Counts::default() });
        assert_eq!(
            counters.to_string(),
            "total opens=0 reads=1 writes=2 lists=0 lookups=0 readlinks=0\n\
             process 7 agent opens=0 reads=0 writes=1 lists=0 lookups=0 readlinks=0\n\
             process 8 agent opens=0 reads=0 writes=1 lists=0 lookups=0 readlinks=0\n\
             process 9 sh opens=0 reads=1 writes=0 lists=0 lookups=0 readlinks=0\n\
             path a/mgmt opens=0 reads=0 writes=2 lists=0 lookups=0 readlinks=0\n\
             path a/state opens=0 reads=1 writes=0 lists=0 lookups=0 readlinks=0\n"
        );
    }
}
