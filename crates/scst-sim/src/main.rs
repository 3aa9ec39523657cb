//! Command line of the simulator. Called by the name of a cluster command, it is the stand-in for that command.

use std::error::Error;
use std::fs::{OpenOptions, read_to_string};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use scst_sim::model::ScstVersion;
use scst_sim::mount::{mount_command, tree_command};
use scst_sim::replay::{WRITER_COMMAND, Way, replay, write_once};
use scst_sim::stand_in;

#[derive(Parser)]
#[command(name = "scst-sim", version, about = "SCST's sysfs in userspace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays recordings of a real kernel and prints what differs
    Replay {
        /// Through a real mount and real system calls
        #[arg(long)]
        mount: bool,
        /// The release to play them on, whatever they say
        #[arg(long)]
        scst: Option<Release>,
        /// Recordings, one JSON object per line
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Serves a machine on a directory as /sys would look, until SIGTERM or SIGINT
    Mount {
        /// An empty directory
        dir: PathBuf,
        /// What the machine has, as TOML; without it, a small machine that is built in
        #[arg(long)]
        scenario: Option<PathBuf>,
        /// The SCST release
        #[arg(long)]
        scst: Option<Release>,
    },
    /// Prints the state below a directory as a short text
    Tree {
        /// What stands for /sys
        dir: PathBuf,
    },
    /// Tells a mounted machine something, such as: login DRIVER TARGET INITIATOR
    Ctl {
        /// Where it is mounted
        dir: PathBuf,
        /// The command; `help` lists them
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Answers as a command of the cluster would
    StandIn {
        /// Makes a directory of links by which the stand-ins are called
        #[arg(long, value_name = "DIR", conflicts_with = "words")]
        install: Option<PathBuf>,
        /// The command's name and its arguments
        #[arg(required_unless_present = "install", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    #[command(name = WRITER_COMMAND, hide = true)]
    ReplayWriter { path: PathBuf },
}

#[derive(Clone, Copy, ValueEnum)]
enum Release {
    #[value(name = "3.7")]
    V3_7,
    #[value(name = "3.11")]
    V3_11,
}

impl From<Release> for ScstVersion {
    fn from(release: Release) -> Self {
        match release {
            Release::V3_7 => Self::V3_7,
            Release::V3_11 => Self::V3_11,
        }
    }
}

fn main() -> ExitCode {
    let outcome = match called_as() {
        Some(name) => stand_in(&name, &arguments()),
        None => run(Cli::parse().command),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("scst-sim: {error}");
        ExitCode::from(2)
    })
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Replay { mount, scst, files } => {
            let program = std::env::current_exe()?;
            let way = if mount { Way::Mount { program: &program } } else { Way::Model };
            let count = replay(&files, way, scst.map(Into::into), &mut stdout().lock())?;
            Ok(if count.differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Mount { dir, scenario, scst } => Ok(mount_command(&dir, scenario.as_deref(), scst.map(Into::into))?),
        Command::Tree { dir } => Ok(tree_command(&dir)?),
        Command::Ctl { dir, command } => control(&dir, &command.join(" ")),
        Command::StandIn { install: Some(dir), .. } => {
            stand_in::install(&dir, &std::env::current_exe()?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::StandIn { install: None, words } => match words.split_first() {
            Some((name, args)) => stand_in(name, args),
            None => Err("which stand-in?".into()),
        },
        Command::ReplayWriter { path } => {
            write_once(&path)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The stand-in this program was called as, by the last part of its own name.
fn called_as() -> Option<String> {
    let own = std::env::args_os().next()?;
    let name = Path::new(&own).file_name()?.to_str()?;
    stand_in::NAMES.contains(&name).then(|| name.to_owned())
}

fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

fn stand_in(name: &str, args: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    Ok(stand_in::run(name, args)?.into())
}

/// One command for the control file of a mount; what it answers is there to be read afterwards.
fn control(dir: &Path, command: &str) -> Result<ExitCode, Box<dyn Error>> {
    let file = dir.join(".sim/ctl");
    let mut opened =
        OpenOptions::new().write(true).open(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let told = opened.write_all(format!("{command}\n").as_bytes());
    let reply = read_to_string(&file).unwrap_or_default();
    if let Err(error) = told {
        let reason = if reply.is_empty() { error.to_string() } else { reply.trim_end().to_owned() };
        eprintln!("scst-sim: {reason}");
        return Ok(ExitCode::FAILURE);
    }
    print!("{reply}");
    Ok(ExitCode::SUCCESS)
}
