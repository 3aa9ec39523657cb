//! A node, seen from the rig: its power, its link, and commands run in it.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::boot::SEARCH_PATH;
use super::corosync::Member;
use super::directory;
use super::enclose::ip;
use crate::workspace;

/// The longest a command in a node may take, in seconds. Those of crmsh and pcs wait for the cluster.
const LIMIT: &str = "120";

/// A machine that can be switched on and off.
#[derive(Debug)]
pub(crate) struct Node {
    /// Who it is in the cluster.
    pub(crate) member: Member,
    /// Shared with the fencer's thread.
    power: Mutex<Option<Power>>,
}

/// The processes of a node that is on.
#[derive(Debug)]
struct Power {
    /// unshare(1), which takes the first process with it.
    unshare: Child,
    /// The first process, as the rig numbers it.
    first: i32,
}

/// What a command answered.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Node {
    /// A machine without power.
    pub(crate) fn new(member: Member) -> Self {
        Self { member, power: Mutex::new(None) }
    }

    /// Its name in the cluster.
    pub(crate) fn name(&self) -> &str {
        &self.member.name
    }

    /// Its directory in the rig.
    pub(crate) fn directory(&self) -> PathBuf {
        directory(self.name())
    }

    /// Whether it has power.
    pub(crate) fn is_on(&self) -> bool {
        self.power.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Switches it on; its daemons come up by and by.
    pub(crate) fn boot(&self) -> Result<(), Box<dyn Error>> {
        let mut power = self.power.lock().unwrap_or_else(PoisonError::into_inner);
        if power.is_some() {
            return Ok(());
        }
        let output = File::options().append(true).create(true).open(self.directory().join("boot.out"))?;
        let errors = output.try_clone()?;
        let unshare = Command::new("unshare")
            .args(["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["--propagation", "private"])
            .arg(workspace::own_binary()?)
            .args(["cluster", "--node", self.name(), "--address", &self.member.address()])
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()?;
        let first = first_child(unshare.id())?;
        let link = format!("v{}", self.member.id);
        // A link whose node lost its power has gone with it, though perhaps not yet.
        let _ = ip(&["link", "del", &link]);
        ip(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &first.to_string()])?;
        ip(&["link", "set", &link, "master", "br0", "up"])?;
        fs::write(self.directory().join("power"), "")?;
        *power = Some(Power { unshare, first });
        Ok(())
    }

    /// Cuts the power: no process of it runs any longer when this returns.
    pub(crate) fn cut_power(&self) -> Result<(), Box<dyn Error>> {
        let mut power = self.power.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut lost) = power.take() else { return Ok(()) };
        lost.unshare.kill()?;
        lost.unshare.wait()?;
        // It has become a child of the rig's first process, which is this one, and is gone only after all it was the first of.
        waitpid(Pid::from_raw(lost.first), None)?;
        let _ = fs::remove_file(self.directory().join("power"));
        Ok(())
    }

    /// Unplugs the link, or plugs it in again.
    pub(crate) fn set_link(&self, plugged: bool) -> Result<(), Box<dyn Error>> {
        ip(&["link", "set", &format!("v{}", self.member.id), if plugged { "up" } else { "down" }])
    }

    /// A path inside the node, as the rig sees it. Only with power.
    pub(crate) fn path(&self, path: &str) -> Option<PathBuf> {
        let power = self.power.lock().unwrap_or_else(PoisonError::into_inner);
        power.as_ref().map(|power| PathBuf::from(format!("/proc/{}/root{path}", power.first)))
    }

    /// The number, in the node, of a process whose command line has this in its first word.
    pub(crate) fn process(&self, program: &str) -> Option<u32> {
        self.find_process(|words| words.split('\0').next().is_some_and(|first| first.contains(program)))
    }

    /// The number, in the node, of a process with such a command line, whose words end with NUL.
    pub(crate) fn find_process(&self, wanted: impl Fn(&str) -> bool) -> Option<u32> {
        let entries = fs::read_dir(self.path("/proc")?).ok()?.flatten();
        let numbers =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok().map(|pid| (pid, entry)));
        numbers
            .filter(|(_, entry)| {
                fs::read(entry.path().join("cmdline")).is_ok_and(|words| wanted(&String::from_utf8_lossy(&words)))
            })
            .map(|(pid, _)| pid)
            .next()
    }

    /// Tells the node's simulated SCST something, such as what takes its time.
    pub(crate) fn control(&self, command: &str) -> Result<(), Box<dyn Error>> {
        let place = self.path("/sys/.sim/ctl").ok_or_else(|| format!("{} has no power", self.name()))?;
        fs::write(place, format!("{command}\n"))
            .map_err(|error| format!("{command} on {}: {error}", self.name()).into())
    }

    /// A command that is to run in the node, with the environment of an administrator's shell and no other.
    pub(crate) fn command(&self, words: &[&str]) -> Result<Command, Box<dyn Error>> {
        let power = self.power.lock().unwrap_or_else(PoisonError::into_inner);
        let first = power.as_ref().ok_or_else(|| format!("{} has no power", self.name()))?.first.to_string();
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", LIMIT, "nsenter", "--target", &first])
            .args(["--mount", "--net", "--uts", "--ipc", "--pid", "--"])
            .args(words)
            .env_clear()
            .envs([
                ("PATH", SEARCH_PATH),
                ("LANG", "C.UTF-8"),
                ("HOME", "/run/home"),
                ("TERM", "dumb"),
                ("USER", "root"),
            ])
            .current_dir("/")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command in the node to its end, whatever it answers.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Output, Box<dyn Error>> {
        let output = self.command(words)?.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// Runs a command in the node that must succeed; what it printed.
    pub(crate) fn run(&self, words: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = self.ask(words)?;
        if output.code == Some(0) {
            return Ok(output.stdout);
        }
        let code = output.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        Err(format!("{} on {} ended with {code}\n{}{}", words.join(" "), self.name(), output.stdout, output.stderr)
            .into())
    }
}

/// The one child of a process, once it has it.
fn first_child(of: u32) -> Result<i32, Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children"))?;
        if let Some(child) = children.split_whitespace().next() {
            return Ok(child.parse()?);
        }
        if Instant::now() > end {
            return Err("the first process of a node did not come up".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
