//! `iscsi-scstd`: the daemon behind iSCSI targets, as far as the kernel notices it.
//!
//! It holds `.sim/iscsi-daemon` of the simulator that serves `$SCST_SYSFS_ROOT` open, as the real one holds the kernel's
//! control device: `open_state` is `open` while it lives, its targets go with it however it ends, and while it is stopped
//! by a signal it answers nobody. Without `-f` it goes into the background once that has worked. `STAND_IN_PID_FILE` names
//! the file that gets its process id, which the real one writes to `/var/run/iscsi-scstd.pid`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;

use super::call::Environment;
use super::options::Given;
use super::output::Answer;

/// The command's name.
pub(super) const NAME: &str = "iscsi-scstd";

const OPTIONS: &[&str] =
    &["c config:", "f foreground", "d debug:", "u uid:", "g gid:", "a address:", "p port:", "v version", "h help"];

/// What `exit(-1)` is to whoever waits.
const FAILED: u8 = 255;
/// How often it looks whether its simulator is still there.
const LOOK: Duration = Duration::from_millis(500);
/// The one in the background tells the other that it is ready by this line.
const READY: &str = "ready";
/// Set for the one in the background.
const IN_BACKGROUND: &str = "STAND_IN_IN_BACKGROUND";

/// Runs it: to its end with `-f`, else until the one in the background is ready.
pub(super) fn run(args: &[String], environment: &Environment) -> io::Result<Answer> {
    let given = match Given::parse(args, OPTIONS) {
        Ok(given) => given,
        Err(wrong) => {
            return Ok(Answer::error(
                1,
                format!("{NAME}: invalid option -- '{wrong}'\nTry `{NAME} --help' for more information."),
            ));
        }
    };
    if given.has("version") {
        return Ok(Answer::out(format!("{NAME} version 3.11.0-pre\n")));
    }
    if given.has("help") {
        return Ok(Answer { code: 1, ..Answer::out(format!("Usage: {NAME} [OPTION]\niSCSI target daemon.\n")) });
    }
    // What the simulated kernel would not show to be different must not be believed to have worked.
    for option in ["config", "address", "port", "uid", "gid"] {
        if let Some(value) = given.value(option) {
            return Ok(Answer::error(FAILED, format!("{NAME}: the stand-in does not know --{option}={value}")));
        }
    }
    if !given.has("foreground") {
        return go_to_background(args);
    }
    let file = match hold(&environment.sysfs) {
        Ok(file) => file,
        Err(error) => return Ok(Answer { code: FAILED, ..Answer::out(complaint(&error)) }),
    };
    if let Some(path) = std::env::var_os("STAND_IN_PID_FILE").filter(|path| !path.is_empty()) {
        std::fs::write(path, format!("{}\n", std::process::id()))?;
    }
    if std::env::var_os(IN_BACKGROUND).is_some() {
        // A session of its own, so that no terminal and no group of its starter ends it.
        nix::unistd::setsid()?;
        println!("{READY}");
        io::stdout().flush()?;
    }
    let mut byte = [0; 1];
    while file.read_at(&mut byte, 0).is_ok() {
        std::thread::sleep(LOOK);
    }
    Ok(Answer::error(1, format!("{NAME}: kernel module shutdown -- daemon exits")))
}

/// Opens what stands for the kernel's control device.
fn hold(sysfs: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(sysfs.join(".sim/iscsi-daemon"))
}

/// What the real one prints, on standard output.
fn complaint(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => "cannot open /dev/iscsi-scst-ctl Device or resource busy\n".to_owned(),
        _ => "cannot find iscsictl in /proc/devices - make sure the module is loaded\n".to_owned(),
    }
}

/// Starts the program once more in the background and waits until it is ready or gone.
fn go_to_background(args: &[String]) -> io::Result<Answer> {
    let own = std::env::args_os().next().unwrap_or_else(|| OsString::from(NAME));
    let mut command = if Path::new(&own).file_name().is_some_and(|name| name == NAME) {
        // A name without a path is looked for where it was found before.
        Command::new(if own.to_string_lossy().contains('/') { std::path::absolute(&own)?.into() } else { own })
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["stand-in", NAME]);
        command
    };
    command.arg("-f").args(args).env(IN_BACKGROUND, "1").current_dir("/");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == READY {
                return Ok(Answer::silent());
            }
            said = said + &line + "\n";
        }
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED);
    Ok(Answer { code, ..Answer::out(said) })
}
