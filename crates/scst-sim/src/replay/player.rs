//! Plays the steps of one recording on one surface and says which answers differ.
//!
//! What is asked of files is in `files`, of directories in `shape`, of several writers at once in `writers`, of the
//! environment outside in `env`.

use std::collections::HashMap;
use std::time::Duration;

use super::environment::Environment;
use super::recording::{Op, Recording, RelTgtIdsSorted};
use super::records::Records;
use super::surface::{Access, Ending, How, Surface};
use super::tree::{PLUGGED, below_root, read_whole};
use crate::model::{Errno, Unknown};

/// How long a recorder polls before it gives up.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Stands for the name of the plugged disk in `/dev`.
const DISK: &str = "@SD@";
const LAST_RESULT: &str = "last_sysfs_mgmt_res";

/// An answer that differs from the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What the kernel answered.
    pub wanted: String,
    /// What this surface answered.
    pub got: String,
}

impl Misfit {
    pub(super) fn new(wanted: impl Into<String>, got: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), got: got.into() }
    }
}

/// One recording being played.
pub struct Player<S: Surface> {
    pub(super) surface: S,
    pub(super) environment: Environment,
    /// The commands initiators have been made to send.
    pub(super) readers: Vec<u64>,
    /// Commands of initiators that run in the background, by the recorder's name; `None` once its answer was reported.
    pub(super) commands: HashMap<String, Option<u64>>,
    /// What the initiators keep of targets.
    pub(super) records: Records,
    /// H:C:I:L of the disk the recording plugged in.
    pub(super) plugged: Option<String>,
    /// H:C:I:L of the disk that is known by its name in `/dev`, and that name.
    pub(super) address: Option<String>,
    pub(super) disk: Option<String>,
    /// Writes of other processes that have not been answered.
    pub(super) started: HashMap<String, S::Started>,
    /// And those that have.
    pub(super) ended: HashMap<String, Ending>,
    /// Reads of other processes that have not been answered, or why the file did not open.
    pub(super) reading: HashMap<String, Result<S::Reading, Errno>>,
    /// A writer has given up before its command was done.
    pub(super) given_up: bool,
    /// Files a later step wants to have been opened before their object went away.
    pub(super) kept: HashMap<String, S::File>,
    /// The paths last written together.
    pub(super) together: Vec<String>,
}

impl<S: Surface> Player<S> {
    /// A player for one recording on a fresh surface in its environment.
    pub fn new(surface: S, environment: Environment) -> Self {
        Self {
            surface,
            environment,
            readers: Vec::new(),
            commands: HashMap::new(),
            records: Records::new(),
            plugged: None,
            address: None,
            disk: None,
            started: HashMap::new(),
            ended: HashMap::new(),
            reading: HashMap::new(),
            given_up: false,
            kept: HashMap::new(),
            together: Vec::new(),
        }
    }

    /// Plays one step: `Ok(true)` if something was compared and agrees, `Ok(false)` if there was nothing to compare.
    pub fn play(&mut self, recording: &Recording, index: usize) -> Result<bool, Misfit> {
        self.keep_files_of_later_steps(recording, index);
        match &recording.steps[index].op {
            Op::Note(_) => return Ok(false),
            Op::Sleep(sleep) => {
                self.surface.pass(Duration::from_secs_f64(sleep.s));
                return Ok(false);
            }
            Op::WriteStart(start) => {
                self.write_start(start);
                return Ok(false);
            }
            Op::ReadStart(start) => {
                self.read_start(start);
                return Ok(false);
            }
            Op::WriteSignal(signal) => {
                self.write_signal(signal)?;
                return Ok(false);
            }
            Op::Write(write) => self.write(write),
            Op::WriteChunks(chunks) => self.write_chunks(chunks),
            Op::Pwrite(write) => self.pwrite(write),
            Op::Read(read) => self.read(read),
            Op::Reread(reread) => self.reread(reread),
            Op::StaleFd(stale) => self.stale_fd(stale),
            Op::WaitFor(wait) => self.wait_for(wait),
            Op::List(list) => self.list(list),
            Op::Readlink(link) => self.readlink(link),
            Op::Stat(stat) => self.stat(stat),
            Op::Tree(tree) => self.tree(tree),
            Op::Entry(entry) => self.entry(entry),
            Op::Parallel(parallel) => self.parallel(parallel),
            Op::WritePoll(poll) => self.write_poll(poll),
            Op::WritePolls(polls) => self.write_polls(polls),
            Op::ReadWait(wait) => self.read_wait(wait),
            Op::WriteWait(wait) => self.write_wait(wait),
            Op::RelTgtIdsSorted(ids) => self.rel_tgt_ids_sorted(ids),
            Op::Env(env) => self.env(env),
            Op::Mkdir(call) => compare(&call.result, &outcome(self.surface.mkdir(&below_root(&call.path)))),
            Op::Rmdir(call) => compare(&call.result, &outcome(self.surface.rmdir(&below_root(&call.path)))),
            Op::Unlink(call) => compare(&call.result, &outcome(self.surface.unlink(&below_root(&call.path)))),
            Op::Truncate(call) => compare(&call.result, &outcome(self.surface.truncate(&below_root(&call.path)))),
            Op::Creat(call) => {
                let how = How { access: Access::Write, create: true, truncate: true, ..How::default() };
                let got = self.surface.open(&below_root(&call.path), how).map(|_| ());
                compare(&call.result, &outcome(got))
            }
            Op::Chmod(chmod) => {
                let mode = u32::from_str_radix(&chmod.mode, 8).unwrap_or_default();
                compare(&chmod.result, &outcome(self.surface.chmod(&below_root(&chmod.path), mode)))
            }
        }?;
        Ok(true)
    }

    /// What was asked that the machine does not know.
    pub fn unknowns(&mut self) -> Vec<Unknown> {
        self.surface.machine(|machine| machine.unknowns().to_vec())
    }

    /// Recorded text with the plugged disk's own names in place of what stands for them.
    pub(super) fn real(&self, text: &str) -> String {
        let text = self.plugged.as_ref().map_or_else(|| text.to_owned(), |name| text.replace(PLUGGED, name));
        self.disk.as_ref().map_or_else(|| text.clone(), |name| text.replace(DISK, name))
    }

    /// The other way round.
    pub(super) fn shown(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).into_owned();
        let text = self.plugged.as_ref().map_or_else(|| text.clone(), |name| text.replace(name, PLUGGED));
        let disk = self.disk.as_ref().map(|name| (format!("/dev/{name}"), format!("/dev/{DISK}")));
        disk.map_or_else(|| text.clone(), |(name, shown)| text.replace(&name, &shown))
    }

    /// The path below `/sys` that a recorded one stands for.
    pub(super) fn path(&self, recorded: &str) -> String {
        below_root(&self.real(recorded))
    }

    /// The whole content of a file, or the errno's name.
    fn content(&mut self, path: &str) -> String {
        let path = self.path(path);
        match read_whole(&mut self.surface, &path, How::default()) {
            Ok(content) => self.shown(&content),
            Err((errno, _)) => name_of(errno),
        }
    }

    /// The result of the last command in SCST's queue, where it was recorded.
    pub(super) fn last_result(&mut self, wanted: Option<&String>) -> Result<(), Misfit> {
        let Some(wanted) = wanted else { return Ok(()) };
        let got = self.content(LAST_RESULT);
        compare(&format!("{LAST_RESULT} {wanted}"), &format!("{LAST_RESULT} {}", got.trim_end()))
    }

    /// The ids of the ports that the last writes at once have enabled.
    fn rel_tgt_ids_sorted(&mut self, ids: &RelTgtIdsSorted) -> Result<(), Misfit> {
        let ports: Vec<_> =
            self.together.iter().filter_map(|path| path.strip_suffix("/enabled")).map(str::to_owned).collect();
        let mut got: Vec<_> = ports.iter().map(|port| self.content(&format!("{port}/rel_tgt_id"))).collect();
        got.sort();
        compare(&format!("{:?}", ids.values), &format!("{got:?}"))
    }

    /// A file that a later step finds stale has to be opened while its object lives: as late as can be, because an
    /// object of the same name may come and go before.
    fn keep_files_of_later_steps(&mut self, recording: &Recording, index: usize) {
        for step in &recording.steps[index..] {
            if let Op::StaleFd(stale) = &step.op
                && let Ok(file) = self.surface.open(&below_root(&stale.path), Access::Both.into())
            {
                self.kept.insert(stale.path.clone(), file);
            }
        }
    }
}

/// Two answers in the same words.
pub(super) fn compare(wanted: &str, got: &str) -> Result<(), Misfit> {
    if wanted == got { Ok(()) } else { Err(Misfit::new(wanted, got)) }
}

fn outcome(result: Result<(), Errno>) -> String {
    result.map_or_else(name_of, |()| "ok".to_owned())
}

/// The word recordings have for how a write ended.
pub(super) fn word(ending: Ending) -> String {
    match ending {
        Ending::Returned(Ok(_)) => "ok".to_owned(),
        Ending::Returned(Err(errno)) => name_of(errno),
        Ending::Interrupted => "INTERRUPTED".to_owned(),
        Ending::Killed => "KILLED".to_owned(),
        Ending::Stuck => "STILL_BLOCKED".to_owned(),
    }
}

/// The name of an errno.
pub(super) fn name_of(errno: Errno) -> String {
    format!("{errno:?}")
}
