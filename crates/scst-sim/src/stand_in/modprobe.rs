//! `modprobe`: asks the simulator that serves `$SCST_SYSFS_ROOT` to load or unload a module.

use std::fs::OpenOptions;
use std::io::{self, Write};

use super::call::Call;
use super::options::Given;
use super::output::Answer;

const OPTIONS: &[&str] = &["r remove", "q quiet", "a all", "n dry-run show", "b use-blacklist", "v verbose"];

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let given = match Given::parse(call.args, OPTIONS) {
        Ok(given) => given,
        Err(word) => return Answer::error(1, format!("modprobe: unrecognized option '{word}'")),
    };
    let mut words = call.args.iter().filter(|word| !word.starts_with('-'));
    let Some(module) = words.next() else {
        return Answer::error(1, "modprobe: ERROR: missing parameters. See -h.");
    };
    // With -a every word is a module, else the further ones are its parameters.
    let rest: Vec<_> = words.map(String::as_str).collect();
    let modules: Vec<(&str, String)> = if given.has("all") {
        std::iter::once(module.as_str()).chain(rest).map(|module| (module, String::new())).collect()
    } else {
        vec![(module, rest.join(" "))]
    };
    let verb = match (given.has("remove"), given.has("dry-run")) {
        (true, true) => return Answer::silent(),
        (true, false) => "rmmod",
        (false, true) => "modinfo",
        (false, false) => "modprobe",
    };
    for (module, parameters) in modules {
        let parameters = if verb == "modinfo" { "" } else { &parameters };
        if let Err(error) = tell(call, format!("{verb} {module} {parameters}").trim_end()) {
            let text = match (verb, error.kind()) {
                ("rmmod", _) => format!("modprobe: FATAL: Module {module} is in use."),
                // Outside the simulator, and for what it does not have, there is no such module.
                (_, io::ErrorKind::NotFound) => {
                    format!("modprobe: FATAL: Module {module} not found in directory /lib/modules/{}", release())
                }
                _ => format!("modprobe: ERROR: could not insert '{module}': {}", plain(&error)),
            };
            return if given.has("quiet") && error.kind() == io::ErrorKind::NotFound {
                Answer { code: 1, ..Answer::default() }
            } else {
                Answer::error(1, text)
            };
        }
    }
    Answer::silent()
}

fn tell(call: &Call<'_>, command: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(call.environment.sysfs.join(".sim/ctl"))?
        .write_all(format!("{command}\n").as_bytes())
}

fn release() -> String {
    nix::sys::utsname::uname().map(|system| system.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// The text of an errno, without the number Rust puts behind it.
fn plain(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |errno| nix::Error::from_raw(errno).desc().to_owned())
}
