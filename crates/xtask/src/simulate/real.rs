//! The calls of a history once more, by the real binaries on a mounted machine.
//!
//! Before every action the machine, the agents' own files and the cluster are kept as they are. Afterwards the binary is called with the
//! same environment on that machine, mounted, and meets the same fault. It must end as the action in the simulation did: the same
//! exit code, the same writes in the same order, the same tree, the same score, the same files of its own.
//!
//! The binary sees the simulation's clock (in a time namespace) and stores (in a mount namespace). What depends on who comes first is not
//! compared, and counted by its reason.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use scst_core::error::Verb;
use scst_core::system::{Operation, StoreKind};
use scst_sim::faults::{self, Op, When};
use scst_sim::mount::{Mount, Pace, Setup};
use scst_sim::stand_in;

use super::faults::Fault;
use super::tape::{After, Call, line, side_by_side};
use super::world::NODES;
use crate::workspace;

/// What takes longer is not played again: it would take as long on the wall's clock.
const PATIENCE: Duration = Duration::from_secs(4);

impl Call {
    /// Why it is not compared, if it is not.
    fn incomparable(&self) -> Option<&'static str> {
        let struck = self.fault.map(|(fault, at)| (fault, self.operations[at].verb));
        let opened = self.operations.iter().any(|done| matches!(done.verb, Verb::OpenToRead | Verb::OpenToWrite));
        Some(match struck {
            _ if self.after.disturbed => "others wrote to the same kernel meanwhile",
            _ if self.after.took > PATIENCE => "it takes too long",
            _ if self.after.exit.is_none() && !matches!(struck, Some((Fault::KillBefore | Fault::KillAfter, _))) => {
                "it is killed at no certain moment"
            }
            _ if self.before.apart.is_some() => self.before.apart.unwrap_or_default(),
            _ if opened => "it opens a store itself",
            None => return None,
            Some((Fault::Term, _)) => "a signal comes at no certain moment",
            Some((Fault::Hangs | Fault::Pause, _)) => "it takes too long",
            Some((Fault::Queued | Fault::QueuedFails | Fault::Lasts(_), _)) => "the mount has no such fault",
            Some((Fault::Fails(_) | Fault::KillBefore | Fault::KillAfter, verb)) => match verb {
                Verb::Link => "the path of another operation leads through the same link",
                Verb::Look => "the store is this machine's",
                Verb::Read | Verb::Write | Verb::List | Verb::OpenToRead | Verb::OpenToWrite => return None,
            },
        })
    }

    /// The fault that the mount has for it.
    fn fault(&self) -> Option<faults::Fault> {
        let (fault, at) = self.fault?;
        let struck = &self.operations[at];
        let same = |other: &&Operation| other.verb == struck.verb && other.path == struck.path;
        let nth = self.operations[..=at].iter().filter(same).count();
        let op = match struck.verb {
            Verb::Write => Op::Write,
            Verb::Read => Op::Read,
            _ => Op::List,
        };
        let armed = faults::Fault::on(op)
            .path(&self.struck.to_string_lossy())
            .process(self.kind.agent)
            .at(u32::try_from(nth).ok()?);
        Some(match fault {
            Fault::Fails(errno) => armed.fail(errno),
            Fault::KillBefore => armed.action(faults::Action::Kill(Signal::SIGKILL, When::Before)),
            Fault::KillAfter => armed.action(faults::Action::Kill(Signal::SIGKILL, When::After)),
            Fault::Lasts(_) | Fault::Queued | Fault::QueuedFails | Fault::Hangs | Fault::Term | Fault::Pause => {
                return None;
            }
        })
    }

    /// Has the real binary do it, in a directory that is empty, and answers what it leaves.
    fn play(&self, dir: &Path) -> Result<After, Box<dyn Error>> {
        for name in ["sys", "scst", "scst/pr", "run"] {
            fs::create_dir(dir.join(name))?;
        }
        for (path, text) in &self.before.node.run {
            let place = match path.strip_prefix("/var/lib/scst") {
                Ok(below) => dir.join("scst").join(below),
                Err(_) => dir.join("run").join(path.file_name().unwrap_or_default()),
            };
            fs::create_dir_all(place.parent().unwrap_or(dir))?;
            fs::write(place, text)?;
        }
        fs::write(dir.join("boot"), format!("{}\n", self.before.node.boot))?;
        let cib = self.before.cib.copy_to(dir.join("cib.xml"))?;
        stand_in::install(&dir.join("sbin"), &workspace::binary("scst-sim")?)?;
        let machine = self.before.node.fork(&Arc::default()).machine;
        let faults = self.fault().into_iter().collect();
        let setup = Setup { machine, files: None, loadable: None, faults, pace: Pace::Real };
        let mount = Mount::start(dir.join("sys"), setup)?;
        let log = File::create(dir.join("log"))?;
        let status = self.command(dir)?.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).status()?;
        let exit = status.code().and_then(|code| u8::try_from(code).ok()).filter(|_| status.signal().is_none());
        let mut writes = Vec::new();
        for write in mount.writes() {
            let path = Path::new("/sys").join(String::from_utf8_lossy(&write.path).as_ref());
            let data = Some(String::from_utf8_lossy(&write.data).trim_end_matches('\n').to_owned());
            writes.push(line(&Operation { data, ..Operation::new(Verb::Write, path) }));
        }
        let files = fs::read_dir(dir.join("run"))?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        Ok(After {
            exit,
            writes: side_by_side(writes),
            tree: mount.snapshot()?,
            score: self.score(&cib),
            files: self.names(files.iter()),
            took: self.after.took,
            disturbed: false,
        })
    }

    /// The binary as Pacemaker calls it, on the simulation's clock and with its stores below `/dev` and `/srv`.
    fn command(&self, dir: &Path) -> Result<Command, Box<dyn Error>> {
        let mut script = "mount --bind boot /proc/sys/kernel/random/boot_id && mount -t tmpfs dev /dev && \
                          mount -t tmpfs srv /srv && mknod -m 666 /dev/null c 1 3"
            .to_owned();
        for (path, found) in &self.stores {
            let path = path.display();
            match found {
                Some(StoreKind::Disk(number)) => {
                    let (major, minor) = (nix::sys::stat::major(*number), nix::sys::stat::minor(*number));
                    write!(script, " && mknod '{path}' b {major} {minor}")?;
                }
                Some(StoreKind::File(size)) => write!(script, " && truncate -s {size} '{path}'")?,
                Some(StoreKind::Other) => write!(script, " && mkdir '{path}'")?,
                None => {}
            }
        }
        script.push_str(" && exec \"$@\"");
        let here = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)?;
        let offset = i64::try_from(self.before.now.saturating_sub(self.before.node.booted).as_secs())? - here.tv_sec();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--time", "--boottime", &offset.to_string(), "sh", "-c", &script, "sh"]);
        command.arg(workspace::binary(self.kind.agent)?).arg(self.action.to_string());
        let tools = dir.join("sbin");
        command.env_clear().current_dir(dir).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display()));
        command.env("HA_SBIN_DIR", &tools).env("HA_RSCTMP", dir.join("run")).env("HA_LOGFILE", dir.join("messages"));
        command.env("SCST_VAR_LIB", dir.join("scst")).env("SCST_SYSFS_ROOT", dir.join("sys"));
        command.env("STAND_IN_CIB", dir.join("cib.xml")).env("STAND_IN_NODE", NODES[self.node]);
        Ok(command)
    }
}

/// Has the binaries do what the actions of a history did, and says what came of it: how many calls they made, and whether any differs.
pub(super) fn compare(seed: u64, tape: &[Call]) -> Result<(usize, bool), Box<dyn Error>> {
    let (mut calls, mut faults, mut differences, mut left_out) = (0, 0, Vec::new(), BTreeMap::<_, u64>::new());
    for call in tape {
        if let Some(why) = call.incomparable() {
            *left_out.entry(why).or_default() += 1;
            continue;
        }
        let dir = tempfile::Builder::new().prefix("scst-simulate-").tempdir()?;
        let real = call.play(dir.path())?;
        calls += 1;
        faults += usize::from(call.fault.is_some());
        if real != call.after {
            let Call { label, after, before, .. } = call;
            let (at, node) = (before.now.as_secs_f64(), NODES[call.node]);
            let log = fs::read_to_string(dir.path().join("messages")).unwrap_or_default();
            let fault = call.fault.map(|(fault, at)| format!(", {fault:?} at {:?}", call.operations[at]));
            let fault = fault.unwrap_or_default();
            differences.push(format!("{at:10.3} {node} {label}{fault}\nsimulated {after:#?}\nreal {real:#?}\n{log}"));
        }
    }
    println!("seed {seed}: {calls} calls by the real binaries, {faults} with a fault, {} differ", differences.len());
    for (why, count) in left_out {
        println!("    {count} left out: {why}");
    }
    differences.iter().take(3).for_each(|difference| println!("{difference}"));
    Ok((calls, !differences.is_empty()))
}
