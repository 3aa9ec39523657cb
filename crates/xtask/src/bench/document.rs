//! `docs/benchmarks.md`: the tables, what they were measured on, and what they mean.

use std::error::Error;
use std::fs;
use std::process::Command;

use nix::sys::utsname::uname;
use scst_sim::model::ScstVersion;

use super::node::SCST;
use super::table::Chapter;
use crate::workspace;

/// What a reader must know before the tables.
const OPENING: &str = include_str!("opening.md");

/// What the floor is made of.
const FLOOR: &str = include_str!("floor.md");

/// The whole document.
pub(super) fn text(chapters: &[Chapter], command: &str) -> Result<String, Box<dyn Error>> {
    let circumstances = circumstances(command)?;
    let chapters: Vec<String> = chapters.iter().map(ToString::to_string).collect();
    Ok([OPENING, &circumstances, &chapters.join("\n"), FLOOR].join("\n"))
}

/// Where and how it was measured.
fn circumstances(command: &str) -> Result<String, Box<dyn Error>> {
    let uname = uname()?;
    let word = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processors = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gibibytes = kilobytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default().div_ceil(1 << 20);
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!(
        "| | |\n| --- | --- |\n\
         | machine | {processors} × {}, {gibibytes} GiB, load {load} at the end |\n\
         | kernel | {} {} |\n\
         | compiler | {} |\n\
         | SCST | {}, simulated |\n\
         | instructions | {} |\n\
         | command | `{command}` |\n",
        model.map_or("an unnamed processor", |(_, model)| model),
        word(uname.sysname()),
        word(uname.release()),
        version("rustc").unwrap_or_else(|_| "not found here".to_owned()),
        release(),
        version("valgrind").unwrap_or_else(|_| "there was no valgrind".to_owned()),
    ))
}

/// The simulated release by its number.
fn release() -> &'static str {
    match SCST {
        ScstVersion::V3_7 => "3.7.0",
        ScstVersion::V3_11 => "3.11.0-pre",
    }
}

/// What a program says of itself.
fn version(program: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).arg("--version").current_dir(workspace::root()).output()?;
    Ok(String::from_utf8(output.stdout)?.lines().next().unwrap_or_default().to_owned())
}
