//! Plays recordings of a real kernel and compares every answer.
//!
//! A recording is a list of steps with their answers. Each file gets a fresh machine with the modules it names, in a
//! virtual host of files and disks; the steps go to the pure model or through a real mount, and the same code compares
//! the answers. Time is virtual: what took the kernel fifteen seconds takes no time here.

mod env;
mod environment;
mod files;
mod initiator;
mod iscsi;
mod modelled;
mod mounted;
mod player;
pub mod recording;
mod records;
mod release;
mod report;
mod reserve;
mod scope;
mod shape;
pub mod surface;
mod tree;
mod writer;
mod writers;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use environment::Environment;
pub use modelled::ModelSurface;
pub use mounted::MountSurface;
pub use player::{Misfit, Player};
pub use recording::{BadRecording, Recording};
pub use release::of as release_of;
pub use scope::OUT_OF_SCOPE;
pub use writer::{COMMAND as WRITER_COMMAND, write_once};

use crate::model::{Errno, Machine, ScstVersion, Unknown};
use crate::mount::MountError;
use report::Difference;
use surface::Surface;

/// Where the steps go.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// To the model, without a file system.
    Model,
    /// Through a mount, by system calls.
    Mount {
        /// This program, which is started again for writers in processes of their own.
        program: &'a Path,
    },
}

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
        path: PathBuf,
        /// What it says.
        version: String,
    },
    /// A module of `meta.modules` does not load.
    #[error("{}: module {module}: {errno:?}", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// The module with its arguments.
        module: String,
        /// Why.
        errno: Errno,
    },
    /// There is no directory to mount on.
    #[error("cannot make a directory to mount on: {0}")]
    Directory(std::io::Error),
    /// The mount failed.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Output(#[from] std::io::Error),
}

/// Plays the files one after the other, on `release` where given, and prints what differs, what is out of scope and,
/// last, the count.
pub fn replay(
    files: &[impl AsRef<Path>],
    way: Way<'_>,
    release: Option<ScstVersion>,
    out: &mut dyn Write,
) -> Result<Count, ReplayError> {
    let mut total = Count::default();
    for file in files {
        let recording = Recording::load(file.as_ref())?;
        total += play_file(&recording, way, release, out)?;
    }
    writeln!(out, "{} of {} steps have an answer to compare", total.compared, total.steps)?;
    writeln!(out, "replayed: {} steps, {} differ", total.steps, total.differ)?;
    Ok(total)
}

fn play_file(
    recording: &Recording,
    way: Way<'_>,
    release: Option<ScstVersion>,
    out: &mut dyn Write,
) -> Result<Count, ReplayError> {
    let path = &recording.path;
    let said = &recording.meta.scst_version;
    let Some(version) = release.or_else(|| release::of(recording)) else {
        return Err(ReplayError::Release { path: path.clone(), version: said.clone() });
    };
    if release::by_meta(recording) != Some(version) {
        writeln!(out, "{}: its first line says SCST {said}, played as {}", path.display(), release::name(version))?;
    }
    let environment = Environment::new();
    let machine = Machine::new(version, Box::new(environment.clone()));
    match way {
        Way::Model => play_on(ModelSurface::new(machine), environment, recording, out),
        Way::Mount { program } => play_on(MountSurface::new(machine, program)?, environment, recording, out),
    }
}

fn play_on<S: Surface>(
    mut surface: S,
    environment: Environment,
    recording: &Recording,
    out: &mut dyn Write,
) -> Result<Count, ReplayError> {
    load_modules(recording, &mut surface)?;
    let mut player = Player::new(surface, environment);
    let mut count = Count::default();
    let mut not_compared: BTreeMap<_, usize> = BTreeMap::new();
    for (index, step) in recording.steps.iter().enumerate() {
        count.steps += 1;
        let out_of_scope = scope::reason_not_to_compare(&step.op);
        if let Some(kind) = out_of_scope {
            *not_compared.entry(kind).or_default() += 1;
        }
        match player.play(recording, index) {
            Ok(compared) => count.compared += usize::from(compared && out_of_scope.is_none()),
            Err(misfit) => {
                count.compared += 1;
                count.differ += 1;
                writeln!(out, "{}", Difference { recording, step, misfit: &misfit })?;
            }
        }
    }
    for ((kind, reason), steps) in not_compared {
        writeln!(out, "{}: {steps} steps {kind} out of scope: {reason}", recording.path.display())?;
    }
    for Unknown { path, what } in player.unknowns() {
        writeln!(out, "{}: not known: {}: {what}", recording.path.display(), path.escape_ascii())?;
    }
    Ok(count)
}

fn load_modules<S: Surface>(recording: &Recording, surface: &mut S) -> Result<(), ReplayError> {
    for line in &recording.meta.modules {
        let (module, args) = line.split_once(' ').unwrap_or((line, ""));
        surface
            .machine(|machine| machine.modprobe(&module.replace('-', "_"), args))
            .map_err(|errno| ReplayError::Module { path: recording.path.clone(), module: line.clone(), errno })?;
    }
    Ok(())
}
