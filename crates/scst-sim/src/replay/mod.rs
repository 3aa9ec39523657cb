//! Plays recordings of a real kernel and compares every answer.
//!
//! A recording is a list of steps with their answers. Each file gets a fresh machine with the modules it names, in a
//! virtual host of files and disks; the steps go to the pure model or through a real mount, and the same code compares
//! the answers. Time is virtual: what took the kernel fifteen seconds takes no time here.

mod env;
pub mod pattern;
mod player;
pub mod recording;
mod release;
mod scope;
pub mod surface;
mod tree;
mod world;

use std::io::Write;
use std::path::Path;

pub use player::{Misfit, Player};
pub use recording::{BadRecording, Recording};
pub use release::of as release_of;
pub use scope::OUT_OF_SCOPE;
pub use world::World;

use crate::model::{Machine, ScstVersion};
use recording::{Op, Step};
use surface::{ModelSurface, Surface};

/// What a replay has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Steps played.
    pub steps: usize,
    /// Those that have an answer to compare.
    pub compared: usize,
    /// Those whose answer differs.
    pub differ: usize,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, more: Self) {
        self.steps += more.steps;
        self.compared += more.compared;
        self.differ += more.differ;
    }
}

/// Plays the files one after the other, on `release` where given, and prints what differs, what is out of scope and,
/// last, the count.
pub fn replay(
    files: &[impl AsRef<Path>],
    release: Option<ScstVersion>,
    out: &mut dyn Write,
) -> Result<Count, ReplayError> {
    let mut total = Count::default();
    for file in files {
        let recording = Recording::load(file.as_ref())?;
        if let Some(reason) = scope::reason_to_skip(&recording.meta.scenario) {
            writeln!(out, "{}: out of scope: {reason}", recording.path.display())?;
            continue;
        }
        total += play_file(&recording, release, out)?;
    }
    writeln!(
        out,
        "{} of {} steps have an answer to compare",
        total.compared, total.steps
    )?;
    writeln!(
        out,
        "replayed: {} steps, {} differ",
        total.steps, total.differ
    )?;
    Ok(total)
}

/// A replay that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file is no recording.
    #[error(transparent)]
    BadRecording(#[from] BadRecording),
    /// The release is none the model has.
    #[error("{}: SCST {version} is not one of the releases 3.7 and 3.11", path.display())]
    Release {
        /// The file.
        path: std::path::PathBuf,
        /// What it says.
        version: String,
    },
    /// A module of `meta.modules` does not load.
    #[error("{}: module {module}: {errno:?}", path.display())]
    Module {
        /// The file.
        path: std::path::PathBuf,
        /// The module with its arguments.
        module: String,
        /// Why.
        errno: crate::model::Errno,
    },
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Output(#[from] std::io::Error),
}

fn play_file(
    recording: &Recording,
    release: Option<ScstVersion>,
    out: &mut dyn Write,
) -> Result<Count, ReplayError> {
    let Some(version) = release.or_else(|| release::of(recording)) else {
        return Err(ReplayError::Release {
            path: recording.path.clone(),
            version: recording.meta.scst_version.clone(),
        });
    };
    let world = World::new();
    let mut surface = ModelSurface::new(Machine::new(version, Box::new(world.clone())));
    load_modules(recording, &mut surface)?;
    let mut player = Player::new(surface, world);
    let mut count = Count::default();
    for (index, step) in recording.steps.iter().enumerate() {
        count.steps += 1;
        match player.play(recording, index) {
            Ok(compared) => count.compared += usize::from(compared),
            Err(misfit) => {
                count.compared += 1;
                count.differ += 1;
                report(recording, step, &misfit, out)?;
            }
        }
    }
    Ok(count)
}

fn load_modules<S: Surface>(recording: &Recording, surface: &mut S) -> Result<(), ReplayError> {
    for line in &recording.meta.modules {
        let (module, args) = line.split_once(' ').unwrap_or((line, ""));
        surface
            .machine(|machine| machine.modprobe(&module.replace('-', "_"), args))
            .map_err(|errno| ReplayError::Module {
                path: recording.path.clone(),
                module: line.clone(),
                errno,
            })?;
    }
    Ok(())
}

fn report(
    recording: &Recording,
    step: &Step,
    misfit: &Misfit,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    writeln!(
        out,
        "{} step {}: {}",
        recording.path.display(),
        step.number,
        Asked(&step.op)
    )?;
    writeln!(out, "  wanted {}", misfit.wanted)?;
    writeln!(out, "  got    {}", misfit.got)
}

/// A step as a person would say it.
struct Asked<'a>(&'a Op);

impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Op::Write(write) => write!(f, "write {:?} to {}", shortened(&write.data), write.path),
            Op::Read(read) => write!(f, "read {}", read.path),
            Op::List(list) => write!(f, "list {}", list.path),
            Op::Readlink(link) => write!(f, "readlink {}", link.path),
            Op::Stat(stat) => write!(f, "stat {}", stat.path),
            Op::Tree(tree) => write!(f, "tree of {}", tree.path),
            Op::Entry(entry) => write!(f, "entry {}", entry.path),
            Op::Parallel(parallel) => write!(f, "{} writes at once", parallel.steps.len()),
            Op::WriteStart(start) => write!(
                f,
                "start {}: write {:?} to {}",
                start.id, start.data, start.path
            ),
            Op::WritePoll(poll) => write!(f, "poll {} after {} s", poll.id, poll.after_s),
            Op::WriteSignal(signal) => write!(f, "{} to {}", signal.signal, signal.id),
            Op::WriteWait(wait) => write!(f, "wait for {}", wait.id),
            Op::WriteChunks(chunks) => write!(f, "write {:?} to {}", chunks.chunks, chunks.path),
            Op::Pwrite(write) => write!(
                f,
                "write {:?} at {} to {}",
                write.data, write.offset, write.path
            ),
            Op::Reread(reread) => write!(f, "read {} twice", reread.path),
            Op::StaleFd(stale) => write!(f, "use of a stale {}", stale.path),
            Op::WaitFor(wait) => write!(f, "wait for {:?} in {}", wait.want, wait.path),
            Op::Mkdir(call) => write!(f, "mkdir {}", call.path),
            Op::Rmdir(call) => write!(f, "rmdir {}", call.path),
            Op::Unlink(call) => write!(f, "unlink {}", call.path),
            Op::Creat(call) => write!(f, "creat {}", call.path),
            Op::Truncate(call) => write!(f, "truncate {}", call.path),
            Op::Chmod(chmod) => write!(f, "chmod {} {}", chmod.mode, chmod.path),
            Op::Env(env) => write!(
                f,
                "env {} {}",
                env.what,
                env.path
                    .as_deref()
                    .or(env.module.as_deref())
                    .or(env.dev.as_deref())
                    .unwrap_or_default()
            ),
            Op::Note(note) => write!(f, "note: {}", note.text),
            Op::Sleep(sleep) => write!(f, "sleep {} s", sleep.s),
            Op::RelTgtIdsSorted(_) => write!(f, "rel_tgt_id of the ports just enabled"),
        }
    }
}

fn shortened(data: &str) -> String {
    const MOST: usize = 160;
    if data.chars().count() <= MOST {
        data.to_owned()
    } else {
        data.chars().take(MOST).chain("...".chars()).collect()
    }
}
