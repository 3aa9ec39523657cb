//! The enclosing namespaces, seen from inside: places of our own over those of the machine, and a bridge for the nodes.

use std::error::Error;
use std::fs;
use std::io::{Read, stdin};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};

use super::{FENCE_AGENT, PROVIDER, RIG};
use crate::workspace;

/// Devices that programs of a node use. `fuse` is for the simulated SCST.
const DEVICES: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "fuse"];

/// State of programs that must not be written on the machine, as mount points for the nodes' own.
const STATE: [&str; 5] = ["pacemaker", "corosync", "scst", "pcsd", "heartbeat"];

/// A call of this program as the first process of new namespaces, for [`enclose`]. It ends with the one that calls it.
pub(crate) fn enclosed(arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["--propagation", "private"])
        .arg(workspace::own_binary()?)
        .args(arguments)
        // Never written to: it tells that the caller lives.
        .stdin(Stdio::piped());
    Ok(command)
}

/// Makes this process, the first of new namespaces, the rig. It ends with whoever holds the other end of its standard input.
pub(crate) fn enclose() -> Result<(), Box<dyn Error>> {
    // Asked before, for `/run` and others change.
    workspace::own_binary()?;
    std::thread::spawn(|| {
        // The other end says nothing. When it is closed, or broken, there is nobody left to work for.
        let _ = stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    tmpfs("/run", "mode=755")?;
    fs::create_dir_all(Path::new(RIG).join("nodes"))?;
    fs::create_dir(Path::new(RIG).join("original"))?;
    fs::create_dir(Path::new(RIG).join("fence"))?;
    devices()?;
    shadow("/usr/sbin")?;
    let simulator = workspace::binary("scst-sim")?;
    for stand_in in ["/usr/sbin/modprobe", "/usr/sbin/iscsi-scstd"] {
        replace(Path::new(stand_in), |path| symlink(&simulator, path))?;
    }
    replace(Path::new("/usr/sbin/fence_rig"), |path| {
        fs::write(path, FENCE_AGENT)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    })?;
    // The inner one first, so that the outer one contains it.
    shadow("/usr/lib/ocf/resource.d/heartbeat")?;
    shadow("/usr/lib/ocf/resource.d")?;
    super::stores::install(Path::new("/usr/lib/ocf/resource.d"))?;
    let provider = Path::new(PROVIDER);
    let _ = fs::remove_file(provider);
    fs::create_dir(provider)?;
    shadow("/var/lib")?;
    for name in STATE {
        let place = Path::new("/var/lib").join(name);
        let _ = fs::remove_file(&place);
        fs::create_dir(&place)?;
    }
    ip(&["link", "set", "lo", "up"])?;
    ip(&["link", "add", "br0", "type", "bridge"])?;
    ip(&["link", "set", "br0", "up"])
}

/// A `/dev` with little in it: the machine's own may have no `/dev/log`, and nothing may be added to it.
fn devices() -> Result<(), Box<dyn Error>> {
    let dev = Path::new(RIG).join("dev");
    fs::create_dir(&dev)?;
    mount_at(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    for name in DEVICES {
        let place = dev.join(name);
        fs::write(&place, "")?;
        let device = Path::new("/dev").join(name);
        mount_at(device.to_str(), &place, None, MsFlags::MS_BIND, None)?;
    }
    fs::create_dir(dev.join("shm"))?;
    symlink("/proc/self/fd", dev.join("fd"))?;
    symlink("/run/log", dev.join("log"))?;
    mount_at(dev.to_str(), Path::new("/dev"), None, MsFlags::MS_BIND | MsFlags::MS_REC, None)
}

/// Puts a directory of links in the place of a directory, so that entries can be added and replaced without touching it.
fn shadow(directory: &str) -> Result<(), Box<dyn Error>> {
    let original = Path::new(RIG).join("original").join(directory.trim_start_matches('/').replace('/', "-"));
    fs::create_dir(&original)?;
    mount_at(Some(directory), &original, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    tmpfs(directory, "mode=755")?;
    for entry in fs::read_dir(&original)? {
        let name = entry?.file_name();
        symlink(original.join(&name), Path::new(directory).join(&name))?;
    }
    Ok(())
}

/// Makes an entry, in the place of one that may be there.
fn replace(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), Box<dyn Error>> {
    let _ = fs::remove_file(path);
    make(path).map_err(|error| format!("cannot make {}: {error}", path.display()).into())
}

fn tmpfs(directory: &str, options: &str) -> Result<(), Box<dyn Error>> {
    mount_at(Some("tmpfs"), Path::new(directory), Some("tmpfs"), MsFlags::empty(), Some(options))
}

/// Mounts, and names the place when that fails.
pub(super) fn mount_at(
    source: Option<&str>,
    place: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    mount(source, place, kind, flags, options)
        .map_err(|errno| format!("cannot mount {} on {}: {errno}", source.unwrap_or_default(), place.display()).into())
}

/// Runs ip(8) in this process's network.
pub(super) fn ip(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), errors.trim()).into())
}
