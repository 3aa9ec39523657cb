//! `cargo xtask fuzz`: feeds each parser of outside input with what libFuzzer makes up, and counts.
//!
//! The targets and the properties they hold are in `tests/fuzz`; cargo-fuzz builds and runs them. Rust's stable compiler will do:
//! the sources have no unsafe code, so no sanitizer is asked for. What makes a target fail is kept in
//! `tests/fuzz/artifacts` and printed with the command that repeats it.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write, stderr};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::style::{BOLD, GREEN, RED, Style};
use crate::workspace;

/// What to feed, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The targets; without any, all
    #[arg(value_enum)]
    targets: Vec<Target>,
    /// How long each of them runs
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
}

/// A kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The parameter `initiators`
    Initiators,
    /// The parameters of a device group
    Device,
    /// The cluster's answers and `targetports`
    Cluster,
    /// The state file
    Record,
    /// What the kernel shows
    Sysfs,
    /// A file of scstadmin
    ScstConf,
}

/// What became of a target.
struct Fed {
    target: Target,
    executions: Option<u64>,
    took: Duration,
    ok: bool,
}

/// Feeds the targets, one after the other.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if !workspace::has_program("cargo-fuzz") {
        return Err("cargo-fuzz is missing: cargo install cargo-fuzz".into());
    }
    let all = Target::value_variants();
    let targets = if options.targets.is_empty() { all } else { &options.targets };
    let fed = targets.iter().map(|target| feed(*target, options.minutes * 60)).collect::<Result<Vec<_>, _>>()?;
    let style = Style::detect();
    println!("{}", style.paint(BOLD, "target       executions  seconds"));
    for Fed { target, executions, took, ok } in &fed {
        let executions = executions.map_or("?".to_owned(), |count| count.to_string());
        let verdict = if *ok { style.paint(GREEN, "ok") } else { style.paint(RED, "FAILED") };
        println!("{:<11} {executions:>11} {:>8}  {verdict}", target.name(), took.as_secs());
    }
    Ok(if fed.iter().all(|fed| fed.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Initiators => "initiators",
            Self::Device => "device",
            Self::Cluster => "cluster",
            Self::Record => "record",
            Self::Sysfs => "sysfs",
            Self::ScstConf => "scst_conf",
        }
    }

    /// The longest input: more than a page where a page is the kernel's limit, and long parameters elsewhere.
    fn longest(self) -> u32 {
        if self == Self::Sysfs { 8 << 10 } else { 64 << 10 }
    }
}

fn feed(target: Target, seconds: u32) -> Result<Fed, Box<dyn Error>> {
    let package = workspace::root().join("tests/fuzz");
    let built = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from);
    // What was found interesting stays, beside the build; the seeds are only read.
    let corpus = built.join("fuzz-corpus").join(target.name());
    fs::create_dir_all(&corpus)?;
    let fuzz = |verb: &str| {
        let mut cargo = workspace::cargo();
        cargo.args(["fuzz", verb, "--sanitizer", "none", "--fuzz-dir"]).arg(&package);
        cargo.arg("--target-dir").arg(built.join("fuzz")).arg(target.name());
        cargo
    };
    // Apart from the run, so that its time is that of the executions.
    if !fuzz("build").status()?.success() {
        return Err(format!("the target {} cannot be built", target.name()).into());
    }
    let mut cargo = fuzz("run");
    cargo.arg(&corpus).arg(package.join("seeds").join(target.name())).arg("--");
    cargo.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={}", target.longest()));
    cargo.arg(format!("-dict={}", package.join("words.dict").display()));
    cargo.args(["-print_final_stats=1", "-timeout=20"]);
    let started = Instant::now();
    let mut child = cargo.stderr(Stdio::piped()).spawn().map_err(|error| format!("cargo cannot be run: {error}"))?;
    let mut executions = None;
    for line in BufReader::new(child.stderr.take().ok_or("no output of cargo")?).split(b'\n') {
        let line = line?;
        stderr().write_all(&line)?;
        stderr().write_all(b"\n")?;
        executions = count(&String::from_utf8_lossy(&line)).or(executions);
    }
    let ok = child.wait()?.success();
    Ok(Fed { target, executions, took: started.elapsed(), ok })
}

/// The number in libFuzzer's closing statistics.
fn count(line: &str) -> Option<u64> {
    line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_closing_statistics() {
        assert_eq!(count("stat::number_of_executed_units: 4821"), Some(4821));
        assert_eq!(count("#4821\tDONE cov: 12"), None);
    }

    #[test]
    fn every_target_has_its_file_and_its_seeds() {
        let package = workspace::root().join("tests/fuzz");
        for target in Target::value_variants() {
            assert!(package.join("fuzz_targets").join(format!("{}.rs", target.name())).is_file());
            assert!(package.join("seeds").join(target.name()).is_dir());
        }
    }
}
