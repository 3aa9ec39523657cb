//! Plays the steps of one recording on one surface and says which answers differ.

use std::collections::HashMap;
use std::time::Duration;

use super::pattern::Pattern;
use super::recording::{Op, Parallel, Read, Recording, Reread, RereadMode, Tree, WaitFor, Write};
use super::surface::{Ending, How, Signal, Surface};
use super::tree::{PLUGGED, below_root, first_line, letter, look, normalised, read_whole, walk};
use super::world::World;
use crate::model::Errno;

/// How long a recorder polls a file before it gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// What a recorder's read(2) asks for.
const READ_SIZE: usize = 4096;
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
        Self {
            wanted: wanted.into(),
            got: got.into(),
        }
    }
}

/// One recording being played.
pub struct Player<S: Surface> {
    pub(super) surface: S,
    pub(super) world: World,
    /// The commands initiators have been made to send.
    pub(super) readers: Vec<u64>,
    /// H:C:I:L of the disk the recording plugged in.
    pub(super) plugged: Option<String>,
    started: HashMap<String, S::Started>,
    ended: HashMap<String, Ending>,
    /// Files a later step wants to have been opened before their object went away.
    kept: HashMap<String, S::File>,
    last_parallel: Vec<String>,
}

impl<S: Surface> Player<S> {
    /// A player for one recording on a fresh surface in its world.
    pub fn new(surface: S, world: World) -> Self {
        Self {
            surface,
            world,
            readers: Vec::new(),
            plugged: None,
            started: HashMap::new(),
            ended: HashMap::new(),
            kept: HashMap::new(),
            last_parallel: Vec::new(),
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
                let path = self.real(&below_root(&start.path));
                let data = self.real(&start.data);
                let started = self.surface.start(&path, data.as_bytes());
                self.started.insert(start.id.clone(), started);
                return Ok(false);
            }
            Op::WriteSignal(signal) => {
                let kind = match signal.signal.as_str() {
                    "SIGKILL" => Signal::Kill,
                    "SIGUSR1" => Signal::User1,
                    other => return Err(Misfit::new("a signal this player knows", other)),
                };
                if let Some(started) = self.started.get_mut(&signal.id) {
                    self.surface.signal(started, kind);
                }
                return Ok(false);
            }
            Op::Write(write) => self.write(write)?,
            Op::Read(read) => self.read(read)?,
            Op::List(list) => {
                let got = self
                    .surface
                    .list(&below_root(&self.real(&list.path)))
                    .map(|entries| normalised(&list.path, entries, self.plugged.as_deref()))
                    .map(|entries| {
                        entries
                            .into_iter()
                            .map(|(name, kind)| (name, letter(kind).to_owned()))
                            .collect()
                    });
                let want: Result<Vec<_>, _> = list.entries.clone().ok_or(list.result.clone());
                compare_listing(want, got)?;
            }
            Op::Readlink(link) => {
                let got = self.surface.readlink(&below_root(&self.real(&link.path)));
                let got = got.map_or_else(name_of, |target| {
                    self.shown(&String::from_utf8_lossy(&target))
                });
                compare(link.target.as_ref().unwrap_or(&link.result), &got)?;
            }
            Op::Stat(stat) => {
                let got = self
                    .surface
                    .lstat(&below_root(&self.real(&stat.path)))
                    .map_or_else(name_of, |found| {
                        format!("{} {:04o} {}", letter(found.kind), found.mode, found.size)
                    });
                let want = match (&stat.kind, &stat.mode, stat.size) {
                    (Some(kind), Some(mode), Some(size)) => format!("{kind} {mode} {size}"),
                    _ => stat.result.clone(),
                };
                compare(&want, &got)?;
            }
            Op::Tree(tree) => self.tree(tree)?,
            Op::Entry(entry) => {
                let (wanted, got) = look(
                    &mut self.surface,
                    &entry.path,
                    entry,
                    self.plugged.as_deref(),
                );
                let got = got.map_or_else(|| "nothing there".to_owned(), |got| got.to_string());
                compare(&wanted.to_string(), &got)?;
            }
            Op::Parallel(parallel) => self.parallel(parallel)?,
            Op::WritePoll(poll) => {
                self.surface.pass(Duration::from_secs_f64(poll.after_s));
                let done = self.poll(&poll.id).is_some();
                compare(
                    if poll.done { "done" } else { "not done" },
                    if done { "done" } else { "not done" },
                )?;
            }
            Op::WriteWait(wait) => {
                let got = loop {
                    if let Some(ending) = self.poll(&wait.id) {
                        break ending;
                    }
                    if !self.surface.pass_to_next_event(Duration::MAX) {
                        break Ending::Stuck;
                    }
                };
                compare(&wait.result, &word(got))?;
                self.last_result(wait.last_res.as_ref())?;
            }
            Op::WriteChunks(chunks) => {
                let mut got = Vec::new();
                let path = below_root(&self.real(&chunks.path));
                match self.surface.open(
                    &path,
                    How {
                        write: true,
                        ..How::default()
                    },
                ) {
                    Ok(mut file) => {
                        for chunk in &chunks.chunks {
                            got.push(word(self.surface.write(&mut file, chunk.as_bytes(), None)));
                        }
                    }
                    Err(errno) => got.push(name_of(errno)),
                }
                compare(&chunks.results.join(" "), &got.join(" "))?;
                self.last_result(chunks.last_res.as_ref())?;
            }
            Op::Pwrite(write) => {
                let path = below_root(&self.real(&write.path));
                let ending = match self.surface.open(
                    &path,
                    How {
                        write: true,
                        ..How::default()
                    },
                ) {
                    Ok(mut file) => {
                        self.surface
                            .write(&mut file, write.data.as_bytes(), Some(write.offset))
                    }
                    Err(errno) => Ending::Returned(Err(errno)),
                };
                compare(&write.result, &word(ending))?;
                self.last_result(write.last_res.as_ref())?;
            }
            Op::Reread(reread) => self.reread(reread)?,
            Op::StaleFd(stale) => {
                let mut file = self.kept.remove(&stale.path).ok_or_else(|| {
                    Misfit::new(
                        "a file opened before its object went",
                        "it could not be opened",
                    )
                })?;
                let write = word(self.surface.write(&mut file, b"0\n", None));
                let read = self
                    .surface
                    .read(&mut file, READ_SIZE)
                    .map_or_else(name_of, |_| "ok".to_owned());
                let want = format!("write {} read {}", stale.write_result, stale.read_result);
                compare(&want, &format!("write {write} read {read}"))?;
            }
            Op::WaitFor(wait) => self.wait_for(wait)?,
            Op::Mkdir(call) => compare(
                &call.result,
                &outcome(self.surface.mkdir(&below_root(&call.path))),
            )?,
            Op::Rmdir(call) => compare(
                &call.result,
                &outcome(self.surface.rmdir(&below_root(&call.path))),
            )?,
            Op::Unlink(call) => compare(
                &call.result,
                &outcome(self.surface.unlink(&below_root(&call.path))),
            )?,
            Op::Truncate(call) => compare(
                &call.result,
                &outcome(self.surface.truncate(&below_root(&call.path))),
            )?,
            Op::Creat(call) => {
                let how = How {
                    write: true,
                    create: true,
                    truncate: true,
                    ..How::default()
                };
                let got = self.surface.open(&below_root(&call.path), how).map(|_| ());
                compare(&call.result, &outcome(got))?;
            }
            Op::Chmod(chmod) => {
                let mode = u32::from_str_radix(&chmod.mode, 8).unwrap_or_default();
                compare(
                    &chmod.result,
                    &outcome(self.surface.chmod(&below_root(&chmod.path), mode)),
                )?;
            }
            Op::Env(env) => self.env(env)?,
            Op::RelTgtIdsSorted(ids) => {
                let ports: Vec<_> = self
                    .last_parallel
                    .iter()
                    .filter_map(|path| path.strip_suffix("/enabled"))
                    .map(str::to_owned)
                    .collect();
                let mut got: Vec<_> = ports
                    .iter()
                    .map(|port| self.content(&format!("{port}/rel_tgt_id")))
                    .collect();
                got.sort();
                compare(&format!("{:?}", ids.values), &format!("{got:?}"))?;
            }
        }
        Ok(true)
    }

    /// The step's own names in place of what stands for them in recordings.
    fn real(&self, text: &str) -> String {
        self.plugged
            .as_ref()
            .map_or_else(|| text.to_owned(), |name| text.replace(PLUGGED, name))
    }

    fn shown(&self, text: &str) -> String {
        self.plugged
            .as_ref()
            .map_or_else(|| text.to_owned(), |name| text.replace(name, PLUGGED))
    }

    /// The whole content of a file, or the errno's name.
    fn content(&mut self, path: &str) -> String {
        let path = below_root(&self.real(path));
        match read_whole(
            &mut self.surface,
            &path,
            How {
                read: true,
                ..How::default()
            },
        ) {
            Ok(content) => self.shown(&String::from_utf8_lossy(&content)),
            Err((errno, _)) => name_of(errno),
        }
    }

    fn last_result(&mut self, wanted: Option<&String>) -> Result<(), Misfit> {
        let Some(wanted) = wanted else { return Ok(()) };
        let got = self.content(LAST_RESULT);
        let got = got.trim_end();
        if got == wanted {
            Ok(())
        } else {
            Err(Misfit::new(
                format!("{LAST_RESULT} {wanted}"),
                format!("{LAST_RESULT} {got}"),
            ))
        }
    }

    fn write(&mut self, write: &Write) -> Result<(), Misfit> {
        let how = flags(write.flags.as_deref(), write.uid)?;
        let path = below_root(&self.real(&write.path));
        let data = self.real(&write.data);
        let got = match self.surface.open(&path, how) {
            Err(errno) => format!("{errno:?} from open"),
            Ok(mut file) => match self.surface.write(&mut file, data.as_bytes(), None) {
                Ending::Returned(Ok(taken)) if taken != data.len() => format!("ok, {taken} bytes"),
                ending => word(ending),
            },
        };
        let want = match (write.stage.as_deref(), write.written) {
            (Some(stage), _) => format!("{} from {stage}", write.result),
            (None, Some(taken)) => format!("{}, {taken} bytes", write.result),
            (None, None) => write.result.clone(),
        };
        compare(&want, &got)?;
        self.last_result(write.last_res.as_ref())
    }

    fn read(&mut self, read: &Read) -> Result<(), Misfit> {
        let limit = self.surface.machine(|machine| machine.now()) + PATIENCE;
        loop {
            let misfit = match self.read_now(read) {
                Ok(()) => return Ok(()),
                Err(misfit) => misfit,
            };
            // How long a step took is not recorded; while a disk is at work an answer may be one of a little later.
            let at_work = self
                .readers
                .last()
                .copied()
                .is_some_and(|io| !self.surface.machine(|machine| machine.io_done(io)));
            if !at_work || !self.surface.pass_to_next_event(limit) {
                return Err(misfit);
            }
        }
    }

    fn read_now(&mut self, read: &Read) -> Result<(), Misfit> {
        let path = below_root(&self.real(&read.path));
        let how = How {
            read: true,
            uid: read.uid,
            ..How::default()
        };
        let got = read_whole(&mut self.surface, &path, how);
        let want = match (&read.stage, &read.content, &read.content_first_line) {
            (Some(stage), ..) => format!("{} from {stage}", read.result),
            (None, Some(content), _) | (None, None, Some(content)) => format!("{content:?}"),
            (None, None, None) => read.result.clone(),
        };
        let got = match got {
            Ok(bytes) => {
                let text = self.shown(&String::from_utf8_lossy(&bytes));
                if read.content.is_some() {
                    format!("{text:?}")
                } else if read.content_first_line.is_some() {
                    format!("{:?}", first_line(&text))
                } else if read.volatile || read.help {
                    "ok".to_owned()
                } else {
                    format!("ok {text:?}")
                }
            }
            Err((errno, true)) => format!("{errno:?} from open"),
            Err((errno, false)) => format!("{errno:?}"),
        };
        compare(&want, &got)
    }

    fn tree(&mut self, tree: &Tree) -> Result<(), Misfit> {
        let skipped: Vec<_> = tree
            .skipped
            .iter()
            .map(|pattern| {
                Pattern::new(pattern).map_err(|bad| Misfit::new("a pattern", bad.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let plugged = self.plugged.clone();
        let found = match walk(
            &mut self.surface,
            &tree.path,
            tree.depth,
            &skipped,
            plugged.as_deref(),
        ) {
            Ok(found) => found,
            Err(errno) => return compare(&tree.result, &name_of(errno)),
        };
        compare(&tree.result, "ok")?;
        let (mut wanted, mut got) = (Vec::new(), Vec::new());
        for entry in &tree.entries {
            let full = if tree.path.is_empty() {
                entry.path.clone()
            } else {
                format!("{}/{}", tree.path, entry.path)
            };
            let real = self.real(&full);
            let (want, seen) = look(&mut self.surface, &real, entry, plugged.as_deref());
            let seen = if found.contains_key(&entry.path) {
                seen
            } else {
                None
            };
            if seen.as_ref() != Some(&want) {
                wanted.push(format!("{} {want}", entry.path));
                got.push(seen.map_or_else(
                    || format!("no {}", entry.path),
                    |seen| format!("{} {seen}", entry.path),
                ));
            }
        }
        for (path, kind) in found {
            if !tree.entries.iter().any(|entry| entry.path == path) {
                wanted.push(format!("no {path}"));
                got.push(format!("{path} {}", letter(kind)));
            }
        }
        if wanted.is_empty() {
            Ok(())
        } else {
            Err(Misfit::new(wanted.join("; "), got.join("; ")))
        }
    }

    fn parallel(&mut self, parallel: &Parallel) -> Result<(), Misfit> {
        let writes: Vec<_> = parallel
            .steps
            .iter()
            .map(|write| {
                (
                    below_root(&self.real(&write.path)),
                    self.real(&write.data).into_bytes(),
                )
            })
            .collect();
        let mut got: Vec<_> = self
            .surface
            .write_together(&writes)
            .into_iter()
            .map(word)
            .collect();
        self.last_parallel = parallel
            .steps
            .iter()
            .map(|write| write.path.clone())
            .collect();
        let want = match &parallel.results_sorted {
            Some(sorted) => {
                got.sort();
                sorted.clone()
            }
            None => parallel
                .steps
                .iter()
                .map(|write| write.result.clone())
                .collect(),
        };
        compare(&want.join(" "), &got.join(" "))?;
        // Whose result is the last one is as undefined as who wins.
        if parallel.order_undefined {
            Ok(())
        } else {
            self.last_result(parallel.last_res.as_ref())
        }
    }

    fn poll(&mut self, id: &str) -> Option<Ending> {
        if let Some(started) = self.started.get_mut(id)
            && let Some(ending) = self.surface.ended(started)
        {
            self.started.remove(id);
            self.ended.insert(id.to_owned(), ending);
        }
        self.ended.get(id).copied()
    }

    fn reread(&mut self, reread: &Reread) -> Result<(), Misfit> {
        let piece = |read: Result<Vec<u8>, Errno>| {
            read.map_or_else(name_of, |bytes| {
                String::from_utf8_lossy(&bytes).into_owned()
            })
        };
        let path = below_root(&self.real(&reread.path));
        let mut file = self
            .surface
            .open(
                &path,
                How {
                    read: true,
                    ..How::default()
                },
            )
            .map_err(|errno| Misfit::new(&reread.first, name_of(errno)))?;
        let count = if reread.mode == RereadMode::Small {
            reread.first.len()
        } else {
            READ_SIZE
        };
        let first = piece(self.surface.read(&mut file, count));
        let write = Write {
            path: reread.write_path.clone(),
            data: reread.write_data.clone(),
            result: reread.write_result.clone(),
            ..Write::default()
        };
        self.write(&write)?;
        if reread.mode == RereadMode::Seek {
            self.surface
                .rewind(&mut file)
                .map_err(|errno| Misfit::new("lseek", name_of(errno)))?;
        }
        let second = piece(self.surface.read(&mut file, READ_SIZE));
        compare(
            &format!("{:?} {:?}", reread.first, reread.second),
            &format!("{first:?} {second:?}"),
        )
    }

    fn wait_for(&mut self, wait: &WaitFor) -> Result<(), Misfit> {
        let limit = self.surface.machine(|machine| machine.now()) + PATIENCE;
        let path = below_root(&self.real(&wait.path));
        let want = match (&wait.content, &wait.stage) {
            (Some(content), _) => format!("{content:?}"),
            (None, Some(stage)) => format!("{} from {stage}", wait.result),
            (None, None) => wait.result.clone(),
        };
        loop {
            let got = match read_whole(
                &mut self.surface,
                &path,
                How {
                    read: true,
                    ..How::default()
                },
            ) {
                Ok(bytes) => format!("{:?}", self.shown(&String::from_utf8_lossy(&bytes))),
                Err((errno, true)) => format!("{errno:?} from open"),
                Err((errno, false)) => name_of(errno),
            };
            if got == want {
                return Ok(());
            }
            if !self.surface.pass_to_next_event(limit) {
                return Err(Misfit::new(want, got));
            }
        }
    }

    /// A file that a later step finds stale has to be opened while its object lives: as late as can be, because an
    /// object of the same name may come and go before.
    fn keep_files_of_later_steps(&mut self, recording: &Recording, index: usize) {
        for step in &recording.steps[index..] {
            if let Op::StaleFd(stale) = &step.op {
                let how = How {
                    read: true,
                    write: true,
                    ..How::default()
                };
                if let Ok(file) = self.surface.open(&below_root(&stale.path), how) {
                    self.kept.insert(stale.path.clone(), file);
                }
            }
        }
    }
}

/// The recorded flags of open(2); write only where none are.
fn flags(flags: Option<&str>, uid: Option<u32>) -> Result<How, Misfit> {
    let mut how = How {
        uid,
        ..How::default()
    };
    for flag in flags.unwrap_or("O_WRONLY").split('|') {
        match flag {
            "O_WRONLY" => how.write = true,
            "O_RDWR" => (how.read, how.write) = (true, true),
            "O_CREAT" => how.create = true,
            "O_TRUNC" => how.truncate = true,
            "O_APPEND" => how.append = true,
            unknown => return Err(Misfit::new("a flag this player knows", unknown)),
        }
    }
    Ok(how)
}

fn compare(wanted: &str, got: &str) -> Result<(), Misfit> {
    if wanted == got {
        Ok(())
    } else {
        Err(Misfit::new(wanted, got))
    }
}

/// Names what is missing and what is too much rather than printing two long lists.
fn compare_listing(
    wanted: Result<Vec<(String, String)>, String>,
    got: Result<Vec<(String, String)>, Errno>,
) -> Result<(), Misfit> {
    let show = |entries: &[(String, String)], without: &[(String, String)]| {
        let names: Vec<_> = entries
            .iter()
            .filter(|entry| !without.contains(entry))
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        if names.is_empty() {
            "the other entries only".to_owned()
        } else {
            names.join(", ")
        }
    };
    match (wanted, got) {
        (Ok(wanted), Ok(got)) if wanted == got => Ok(()),
        (Ok(wanted), Ok(got)) => Err(Misfit::new(show(&wanted, &got), show(&got, &wanted))),
        (Err(wanted), Err(got)) => compare(&wanted, &name_of(got)),
        (Ok(wanted), Err(got)) => Err(Misfit::new(show(&wanted, &[]), name_of(got))),
        (Err(wanted), Ok(got)) => Err(Misfit::new(wanted, show(&got, &[]))),
    }
}

fn outcome(result: Result<(), Errno>) -> String {
    result.map_or_else(name_of, |()| "ok".to_owned())
}

fn word(ending: Ending) -> String {
    match ending {
        Ending::Returned(Ok(_)) => "ok".to_owned(),
        Ending::Returned(Err(errno)) => name_of(errno),
        Ending::Interrupted => "INTERRUPTED".to_owned(),
        Ending::Killed => "KILLED".to_owned(),
        Ending::Stuck => "STILL_BLOCKED".to_owned(),
    }
}

fn name_of(errno: Errno) -> String {
    format!("{errno:?}")
}
