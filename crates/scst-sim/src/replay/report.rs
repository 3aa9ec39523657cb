//! A step as a person would say it, for the report of what differs.

use std::fmt;

use super::player::Misfit;
use super::recording::{Op, Recording, Step};

/// Longest data shown.
const MOST: usize = 160;

/// One difference: where, what was asked, what was wanted and what came.
pub(super) struct Difference<'a> {
    pub(super) recording: &'a Recording,
    pub(super) step: &'a Step,
    pub(super) misfit: &'a Misfit,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recording, step, misfit } = self;
        writeln!(f, "{} step {}: {}", recording.path.display(), step.number, Asked(&step.op))?;
        writeln!(f, "  wanted {}", misfit.wanted)?;
        write!(f, "  got    {}", misfit.got)
    }
}

struct Asked<'a>(&'a Op);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Op::Write(write) => write!(f, "write {:?} to {}", shortened(&write.data), write.path),
            Op::Read(read) => write!(f, "read {}", read.path),
            Op::List(list) => write!(f, "list {}", list.path),
            Op::Readlink(link) => write!(f, "readlink {}", link.path),
            Op::Stat(stat) => write!(f, "stat {}", stat.path),
            Op::Tree(tree) => write!(f, "tree of {}", tree.path),
            Op::Entry(entry) => write!(f, "entry {}", entry.path),
            Op::Parallel(parallel) => write!(f, "{} writes at once", parallel.steps.len()),
            Op::WriteStart(start) => write!(f, "start {}: write {:?} to {}", start.id, start.data, start.path),
            Op::WritePoll(poll) => write!(f, "poll {} after {} s", poll.id, poll.after_s),
            Op::WritePolls(polls) => write!(f, "poll {:?} after {} s", polls.done.keys(), polls.after_s),
            Op::ReadStart(start) => write!(f, "start {}: read {}", start.id, start.path),
            Op::ReadWait(wait) => write!(f, "wait {} s for {}: read {}", wait.within_s, wait.id, wait.path),
            Op::WriteSignal(signal) => write!(f, "{} to {}", signal.signal, signal.id),
            Op::WriteWait(wait) => write!(f, "wait for {}", wait.id),
            Op::WriteChunks(chunks) => write!(f, "write {:?} to {}", chunks.chunks, chunks.path),
            Op::Pwrite(write) => write!(f, "write {:?} at {} to {}", write.data, write.offset, write.path),
            Op::Reread(reread) => write!(f, "read {} twice", reread.path),
            Op::StaleFd(stale) => write!(f, "use of a stale {}", stale.path),
            Op::WaitFor(wait) => write!(f, "wait for {:?} in {}", wait.want, wait.path),
            Op::Mkdir(call) => write!(f, "mkdir {}", call.path),
            Op::Rmdir(call) => write!(f, "rmdir {}", call.path),
            Op::Unlink(call) => write!(f, "unlink {}", call.path),
            Op::Creat(call) => write!(f, "creat {}", call.path),
            Op::Truncate(call) => write!(f, "truncate {}", call.path),
            Op::Chmod(chmod) => write!(f, "chmod {} {}", chmod.mode, chmod.path),
            Op::Env(env) => {
                let named = [&env.path, &env.module, &env.dev, &env.name, &env.lun, &env.id, &env.target];
                let what = env.action.as_deref().or(env.cmd.as_deref());
                let whom = named.into_iter().find_map(Option::as_deref);
                let words: Vec<&str> = [Some(env.what.as_str()), what, whom].into_iter().flatten().collect();
                write!(f, "env {}", words.join(" "))
            }
            Op::Note(note) => write!(f, "note: {}", note.text),
            Op::Sleep(sleep) => write!(f, "sleep {} s", sleep.s),
            Op::RelTgtIdsSorted(_) => write!(f, "rel_tgt_id of the ports just enabled"),
        }
    }
}

fn shortened(data: &str) -> String {
    if data.chars().count() <= MOST { data.to_owned() } else { data.chars().take(MOST).chain("...".chars()).collect() }
}
