//! Stand-ins for the cluster's commands, and for modprobe, so that tests and the demo need no cluster.
//!
//! One binary answers under several names: [`install`] makes a directory of links to it, and a `PATH` that begins with
//! that directory does the rest. What the commands know is one CIB file; what they print, on which stream and with
//! which exit code, is what Pacemaker 2.1.5 prints. The environment steers them:
//!
//! | variable | meaning |
//! |---|---|
//! | `STAND_IN_CIB` | the CIB file; without it, or if it does not exist, there is no cluster |
//! | `STAND_IN_NODE` | name of the local node; the host's name where unset |
//! | `STAND_IN_LOG` | a file that gets one line per call: the command line |
//! | `STAND_IN_PID_FILE` | the file that gets the process id of `iscsi-scstd`; without it there is none |
//! | `STAND_IN_DELAY_MS` | milliseconds every call takes longer |
//! | `STAND_IN_FAIL` | `NAME:CODE` or `NAME:hang`, several with commas: that command fails so, or never ends |

mod attrd_updater;
mod call;
pub mod cib;
mod cibadmin;
mod crm_attribute;
mod crm_mon;
mod crm_node;
mod iscsi_scstd;
mod modprobe;
mod options;
mod output;
mod resources;
pub mod role;
pub mod xml;
pub mod xpath;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use self::call::Call;
pub use self::call::Environment;
pub use self::output::Answer;
pub use self::role::Role;

/// The commands there are stand-ins for.
pub const NAMES: &[&str] =
    &["attrd_updater", "cibadmin", "crm_attribute", "crm_mon", "crm_node", iscsi_scstd::NAME, "modprobe"];

/// Runs the stand-in of that name with the environment's environment, delay and faults; answers its exit code.
pub fn run(name: &str, args: &[String]) -> io::Result<u8> {
    log(name, args)?;
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    std::thread::sleep(Duration::from_millis(number("STAND_IN_DELAY_MS").unwrap_or_default()));
    let answer = match fault(name, &std::env::var("STAND_IN_FAIL").unwrap_or_default()) {
        Some(Fault::Hang) => loop {
            std::thread::park();
        },
        Some(Fault::Exit(output::DISCONNECTED)) => {
            answer(name, args, &Environment { cib: None, ..Environment::from_env() })
        }
        Some(Fault::Exit(output::TIMEOUT)) => {
            Answer::error(output::TIMEOUT, format!("{name}: Error performing operation: Timer expired"))
        }
        Some(Fault::Exit(code)) => {
            Answer::error(code, format!("{name}: Error performing operation: Input/output error"))
        }
        None if name == iscsi_scstd::NAME => iscsi_scstd::run(args, &Environment::from_env())?,
        None => answer(name, args, &Environment::from_env()),
    };
    io::stdout().write_all(answer.out.as_bytes())?;
    io::stderr().write_all(answer.err.as_bytes())?;
    Ok(answer.code)
}

/// What the command answers in an environment. A name that is none of [`NAMES`] is a wrong command line.
pub fn answer(name: &str, args: &[String], environment: &Environment) -> Answer {
    let call = Call { name, args, environment };
    match name {
        "attrd_updater" => attrd_updater::answer(&call),
        "cibadmin" => cibadmin::answer(&call),
        "crm_attribute" => crm_attribute::answer(&call),
        "crm_mon" => crm_mon::answer(&call),
        "crm_node" => crm_node::answer(&call),
        "modprobe" => modprobe::answer(&call),
        _ => Answer::error(output::USAGE, format!("no stand-in for \"{name}\"; there are {}", NAMES.join(", "))),
    }
}

/// Makes a directory with a link for every command, each pointing to `binary`.
pub fn install(directory: &Path, binary: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for name in NAMES {
        let link = directory.join(name);
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => symlink(binary, link)?,
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Exit(u8),
    Hang,
}

fn fault(name: &str, faults: &str) -> Option<Fault> {
    let (_, how) = faults.split(',').filter_map(|fault| fault.trim().split_once(':')).find(|(who, _)| *who == name)?;
    if how == "hang" { Some(Fault::Hang) } else { how.parse().ok().map(Fault::Exit) }
}

/// Appends the command line to the log, in one write so that lines of parallel calls stay whole.
fn log(name: &str, args: &[String]) -> io::Result<()> {
    let Some(path) = std::env::var_os("STAND_IN_LOG").filter(|path| !path.is_empty()) else { return Ok(()) };
    let line = format!("{}\n", output::request(name, args));
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_per_command() {
        assert_eq!(fault("cibadmin", "crm_attribute:124,cibadmin:hang"), Some(Fault::Hang));
        assert_eq!(fault("crm_attribute", "crm_attribute:124"), Some(Fault::Exit(124)));
        assert_eq!(fault("crm_node", "crm_attribute:124"), None);
    }

    #[test]
    fn a_name_without_a_stand_in_is_an_error() {
        assert_eq!(answer("crm_simulate", &[], &Environment::default()).code, output::USAGE);
    }
}
