//! A recording as data: one JSON object per line, the first one about the kernel, each further one a step.
//!
//! Every operation and every field is named here; what is not is an error, so that a new kind of step cannot be passed
//! over in silence.

use fancy_regex::Regex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// A recording that cannot be played.
#[derive(Debug, Error)]
pub enum BadRecording {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not what the format says.
    #[error("{}: line {line}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its line, counting from 1.
        line: usize,
        /// What is wrong, naming the unknown operation or field.
        source: serde_json::Error,
    },
    /// A volatile pattern is no regular expression.
    #[error("{}: {source}", path.display())]
    Pattern {
        /// The file.
        path: PathBuf,
        /// The pattern.
        source: Box<fancy_regex::Error>,
    },
    /// The file does not say what it was recorded on.
    #[error("{}: no meta line", path.display())]
    NoMeta {
        /// The file.
        path: PathBuf,
    },
}

/// One recording.
#[derive(Debug)]
pub struct Recording {
    /// Where it was read.
    pub path: PathBuf,
    /// Which kernel spoke, and what it had loaded.
    pub meta: Meta,
    /// Paths whose content says nothing.
    pub volatile: Vec<Regex>,
    /// Links whose target says nothing.
    pub volatile_links: Vec<Regex>,
    /// What was asked, and the answers.
    pub steps: Vec<Step>,
}

/// The first line.
#[derive(Debug, Deserialize)]
pub struct Meta {
    /// Name of the scenario.
    pub scenario: String,
    /// The release, such as `3.11.0-pre`.
    pub scst_version: String,
    /// How the kernel says it was built, such as `TRACING`.
    pub scst_config: Option<String>,
    /// Modules loaded before the first step, each with its arguments.
    pub modules: Vec<String>,
    #[serde(default)]
    volatile: Vec<String>,
    #[serde(default)]
    volatile_links: Vec<String>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its number.
    pub number: u64,
    /// What was done.
    pub op: Op,
}

/// What a step did. Paths are relative to `/sys/kernel/scst_tgt`.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the format's own and explained in its description")]
pub enum Op {
    Write(Write),
    Read(Read),
    List(List),
    Readlink(Readlink),
    Stat(Stat),
    Tree(Tree),
    Entry(TreeEntry),
    Parallel(Parallel),
    WriteStart(WriteStart),
    WritePoll(WritePoll),
    WritePolls(WritePolls),
    WriteSignal(WriteSignal),
    WriteWait(WriteWait),
    ReadStart(ReadStart),
    ReadWait(ReadWait),
    WriteChunks(WriteChunks),
    Pwrite(Pwrite),
    Reread(Reread),
    StaleFd(StaleFd),
    WaitFor(WaitFor),
    Mkdir(Refused),
    Rmdir(Refused),
    Unlink(Refused),
    Creat(Refused),
    Truncate(Refused),
    Chmod(Chmod),
    Env(Box<Env>),
    Note(Note),
    Sleep(Sleep),
    RelTgtIdsSorted(RelTgtIdsSorted),
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $kind:ty),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs, reason = "the fields are the format's own and explained in its description")]
        pub struct $name { $($(#[$attr])* pub $field: $kind),* }
    )* };
}

fields! {
    /// One write(2) of the whole data.
    Write {
        path: String, data: String, result: String, stage: Option<String>, written: Option<usize>,
        flags: Option<String>, uid: Option<u32>, last_res: Option<String>,
    }
    /// A fresh read of a whole file.
    Read {
        path: String, result: String, stage: Option<String>, uid: Option<u32>, content: Option<String>,
        content_first_line: Option<String>, #[serde(default)] volatile: bool, #[serde(default)] help: bool,
        #[serde(default)] order_undefined: bool,
        rest: Option<String>, len: Option<u64>, first_line_len: Option<u64>, first_line_sha256: Option<String>,
    }
    /// A directory's entries.
    List { path: String, result: String, entries: Option<Vec<(String, String)>> }
    /// A link's target.
    Readlink { path: String, result: String, target: Option<String> }
    /// lstat(2).
    Stat { path: String, result: String, #[serde(rename = "type")] kind: Option<String>, mode: Option<String>, size: Option<u64> }
    /// Everything below a directory, `depth` levels of it; 0 means all.
    Tree { path: String, result: String, depth: u32, skipped: Vec<String>, entries: Vec<TreeEntry> }
    /// One entry below a directory.
    TreeEntry {
        #[serde(alias = "p")] path: String, #[serde(rename = "type", alias = "t")] kind: String,
        mode: Option<String>, content: Option<String>, content_first_line: Option<String>, target: Option<String>,
        #[serde(default)] volatile: bool, #[serde(default)] help: bool, error: Option<String>,
        rest: Option<String>, len: Option<u64>, first_line_len: Option<u64>, first_line_sha256: Option<String>,
    }
    /// Writes started together.
    Parallel {
        steps: Vec<ParallelWrite>, last_res: Option<String>, #[serde(default)] order_undefined: bool,
        results_sorted: Option<Vec<String>>, ms_total: Option<u64>, ms_each: Option<Vec<u64>>,
    }
    /// One of the writes started together.
    ParallelWrite { path: String, data: String, result: String }
    /// A write in a process of its own.
    WriteStart { id: String, path: String, data: String }
    /// Whether that write has been answered after some seconds.
    WritePoll { id: String, after_s: f64, done: bool }
    /// Which of several such writes have been answered after some seconds.
    WritePolls { after_s: f64, done: BTreeMap<String, bool> }
    /// A signal to the writing process.
    WriteSignal { id: String, signal: String }
    /// The answer to that write.
    WriteWait { id: String, result: String, last_res: Option<String> }
    /// A read in a process of its own.
    ReadStart { id: String, path: String }
    /// The answer to that read, if it came within some seconds.
    ReadWait {
        id: String, path: String, within_s: f64, result: String, stage: Option<String>, content: Option<String>,
        content_first_line: Option<String>, #[serde(default)] volatile: bool, #[serde(default)] help: bool,
        rest: Option<String>, len: Option<u64>, first_line_len: Option<u64>, first_line_sha256: Option<String>,
    }
    /// Several writes to one opened file.
    WriteChunks { path: String, chunks: Vec<String>, results: Vec<String>, last_res: Option<String> }
    /// A write at an offset.
    Pwrite { path: String, data: String, offset: u64, result: String, last_res: Option<String> }
    /// Two reads of one opened file with a write between them.
    Reread {
        path: String, mode: RereadMode, first: String, write_path: String, write_data: String, write_result: String,
        second: String,
    }
    /// What a file answers that was opened before its object went away: the object is the device the path names.
    StaleFd { path: String, write_result: String, read_result: String }
    /// A file polled until it has the wanted content, or until it is gone.
    WaitFor { path: String, want: Option<String>, result: String, content: Option<String>, stage: Option<String> }
    /// A system call sysfs refuses or ignores.
    Refused { path: String, result: String }
    /// chmod(2).
    Chmod { path: String, mode: String, result: String }
    /// A remark of the recorder.
    Note { text: String }
    /// Seconds that pass.
    Sleep { s: f64 }
    /// The relative target ids of the ports just enabled, in no particular order.
    RelTgtIdsSorted { values: Vec<String> }
    /// Something outside SCST's sysfs.
    Env {
        #[serde(rename = "do")] what: String, result: EnvResult, path: Option<String>, size: Option<u64>, src: Option<String>,
        dst: Option<String>, dev: Option<String>, args: Option<String>, module: Option<String>, start: Option<bool>,
        target: Option<String>, note: Option<String>, action: Option<String>, name: Option<String>, table: Option<String>,
        id: Option<String>, lun: Option<String>, cmd: Option<String>, kind: Option<String>, lba: Option<u64>,
        within: Option<f64>, res: Option<String>, minor: Option<u64>, disk: Option<String>, flags: Option<String>,
        tgt: Option<String>, ini: Option<String>, offset: Option<u64>,
        sig: Option<String>, portal: Option<String>, chap: Option<(String, String)>, chap_in: Option<(String, String)>,
        argv: Option<Vec<String>>, #[serde(rename = "what")] asked: Option<String>, key: Option<String>, new: Option<String>,
        #[serde(rename = "type")] reservation: Option<u8>, aptpl: Option<u8>, on: Option<bool>,
    }
}

/// What a [`Reread`] does between its two reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RereadMode {
    /// Nothing: the second read goes on where the first ended.
    #[default]
    Plain,
    /// lseek(2) to the start.
    Seek,
    /// Nothing, after a first read of a few bytes only.
    Small,
}

/// The recorded outcome of an [`Env`] step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum EnvResult {
    /// A word: `ok`, an errno, an exit code.
    Word(String),
    /// Names in a directory.
    Names(Vec<String>),
    /// A number: a size.
    Number(u64),
    /// Whether something is so.
    Truth(bool),
    /// How a program ended, and what it printed.
    Exit {
        /// Its exit code.
        rc: i64,
        /// Its words for people.
        text: Option<Value>,
    },
}

impl fmt::Display for EnvResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Names(names) => write!(f, "{names:?}"),
            Self::Exit { rc, .. } => write!(f, "exit {rc}"),
            Self::Number(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
}

impl Default for EnvResult {
    fn default() -> Self {
        Self::Word("ok".into())
    }
}

impl Recording {
    /// Reads a recording.
    pub fn load(path: &Path) -> Result<Self, BadRecording> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| BadRecording::Unreadable { path: path.to_owned(), source })?;
        let mut meta = None;
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let malformed = |source| BadRecording::Malformed { path: path.to_owned(), line: index + 1, source };
            let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(malformed)?;
            if let Some(first) = fields.remove("meta") {
                meta = Some(serde_json::from_value::<Meta>(first).map_err(malformed)?);
            } else {
                steps.push(Step::from_fields(fields).map_err(malformed)?);
            }
        }
        let meta = meta.ok_or_else(|| BadRecording::NoMeta { path: path.to_owned() })?;
        let patterns = |list: &[String]| {
            list.iter()
                .map(|pattern| Regex::new(pattern))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|source| BadRecording::Pattern { path: path.to_owned(), source: Box::new(source) })
        };
        Ok(Self {
            path: path.to_owned(),
            volatile: patterns(&meta.volatile)?,
            volatile_links: patterns(&meta.volatile_links)?,
            meta,
            steps,
        })
    }
}

impl Step {
    fn from_fields(mut fields: Map<String, Value>) -> Result<Self, serde_json::Error> {
        // How long a step took, and what it left in the kernel's log, are not part of the contract.
        fields.remove("ms");
        fields.remove("kernel_warning");
        let number = serde_json::from_value(fields.remove("step").unwrap_or_default())?;
        let op = Op::deserialize(Value::Object(fields))?;
        Ok(Self { number, op })
    }
}
