//! The first process of a node: makes the machine look like that node, starts its daemons, and reaps.
//!
//! What outlives a power loss lies in the node's directory of the rig, written by whoever switched it on: `hosts`, `etc-corosync`, `cib.xml` (the
//! configuration to begin with), `machine.toml` (the simulated SCST), `agents`; `count` switches process accounting on.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::wait::wait;
use nix::unistd::{Group, User, acct, sethostname};

use super::enclose::{ip, mount_at};
use super::{PROVIDER, RIG, directory, syslog};
use crate::workspace;

/// The search path of everything in a node.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The longest a daemon may need until it answers.
const LIMIT: Duration = Duration::from_secs(40);

/// Boots the node and stays. What goes wrong is in the node's `boot.out`.
pub(crate) fn boot(name: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let home = directory(name);
    sethostname(name)?;
    private_places(&home)?;
    syslog::start(Path::new("/run/log"), Path::new("/var/log/syslog"))?;
    if home.join("count").exists() {
        let file = home.join("acct");
        File::create(&file)?;
        acct::enable(&file)?;
    }
    simulated_scst(&home)?;
    ip(&["link", "set", "lo", "up"])?;
    until("the link", || ip(&["link", "show", "eth0"]).is_ok())?;
    ip(&["address", "add", &format!("{address}/16"), "dev", "eth0"])?;
    ip(&["link", "set", "eth0", "up"])?;
    daemon("corosync", &["-f"])?;
    until("corosync", || {
        let asked = Command::new("corosync-cmapctl")
            .args(["-g", "totem.version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    })?;
    daemon("pacemakerd", &[])?;
    loop {
        // Whatever ends here has nobody else to ask for it.
        if wait() == Err(Errno::ECHILD) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn private_places(home: &Path) -> Result<(), Box<dyn Error>> {
    let run = home.join("run");
    fs::create_dir_all(&run)?;
    mount_at(Some("tmpfs"), &run, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    for name in ["rig", "lock", "crm", "resource-agents", "corosync", "home", "sys"] {
        fs::create_dir(run.join(name))?;
    }
    fs::set_permissions(run.join("resource-agents"), fs::Permissions::from_mode(0o1755))?;
    fs::set_permissions(run.join("crm"), fs::Permissions::from_mode(0o750))?;
    own(&run.join("crm"))?;
    bind(Path::new(RIG), &run.join("rig"))?;
    bind(&run, Path::new("/run"))?;
    mount_at(Some("tmpfs"), Path::new("/dev/shm"), Some("tmpfs"), MsFlags::empty(), Some("mode=1777"))?;

    for name in ["blackbox", "cib", "cores", "pengine"] {
        let place = home.join("pacemaker").join(name);
        fs::create_dir_all(&place)?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o750))?;
        own(&place)?;
    }
    own(&home.join("pacemaker"))?;
    let cib = home.join("pacemaker/cib/cib.xml");
    if !cib.exists() {
        fs::copy(home.join("cib.xml"), &cib)?;
        fs::set_permissions(&cib, fs::Permissions::from_mode(0o600))?;
        own(&cib)?;
    }
    for name in ["corosync", "scst", "pcsd", "heartbeat"] {
        fs::create_dir_all(home.join(name))?;
        bind(&home.join(name), &Path::new("/var/lib").join(name))?;
    }
    bind(&home.join("pacemaker"), Path::new("/var/lib/pacemaker"))?;
    for name in ["pacemaker", "corosync", "crmsh", "pcsd"] {
        fs::create_dir_all(home.join("log").join(name))?;
    }
    own(&home.join("log/pacemaker"))?;
    fs::set_permissions(home.join("log/pacemaker"), fs::Permissions::from_mode(0o770))?;
    bind(&home.join("log"), Path::new("/var/log"))?;
    fs::create_dir_all(home.join("etc-corosync/uidgid.d"))?;
    bind(&home.join("etc-corosync"), Path::new("/etc/corosync"))?;
    bind(&home.join("hosts"), Path::new("/etc/hosts"))?;
    bind(&home.join("agents"), Path::new(PROVIDER))
}

/// Gives a file to Pacemaker's own user.
fn own(path: &Path) -> Result<(), Box<dyn Error>> {
    let user = User::from_name("hacluster")?.ok_or("there is no user hacluster: install the package pacemaker")?;
    let group = Group::from_name("haclient")?.ok_or("there is no group haclient: install the package pacemaker")?;
    Ok(chown(path, Some(user.uid.as_raw()), Some(group.gid.as_raw()))?)
}

fn bind(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    mount_at(from.to_str(), to, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)
}

/// Serves the node's SCST in the place of `/sys`.
fn simulated_scst(home: &Path) -> Result<(), Box<dyn Error>> {
    let mut simulator = Command::new(workspace::binary("scst-sim")?);
    simulator.args(["mount", "/run/sys", "--scenario"]).arg(home.join("machine.toml"));
    start(simulator, "scst-sim")?;
    until("the simulated SCST", || Path::new("/run/sys/.sim").exists())?;
    bind(Path::new("/run/sys"), Path::new("/sys"))
}

/// Starts a daemon with the environment that its service would have, and a file of its own for what it says.
fn daemon(name: &str, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new(name);
    command.args(arguments).env_clear().env("PATH", SEARCH_PATH).env("LANG", "C.UTF-8").env("TZ", "UTC");
    start(command, name)
}

fn start(mut command: Command, name: &str) -> Result<(), Box<dyn Error>> {
    let output = File::options().append(true).create(true).open(Path::new("/var/log").join(format!("{name}.out")))?;
    let errors = output.try_clone()?;
    let started = command.stdin(Stdio::null()).stdout(output).stderr(errors).current_dir("/").spawn();
    started.map(drop).map_err(|error| format!("{name} cannot be run: {error}").into())
}

fn until(what: &str, check: impl Fn() -> bool) -> io::Result<()> {
    let end = Instant::now() + LIMIT;
    while !check() {
        if Instant::now() > end {
            return Err(io::Error::other(format!("{what} did not come up")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
