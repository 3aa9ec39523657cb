//! The commands of the control file: what happens to the machine from outside, and what goes wrong in it.

use std::time::Duration;

use nix::errno::Errno;

use super::refused::{Refused, failed, number};
use super::reserve;
use crate::faults::Fault;
use crate::host::{FileEntry, StoreChange};
use crate::model::{DaemonSignal, IscsiInitiator, IscsiRefusal, LockManager, Machine, Unknown};
use crate::scenario::{ConnectEntry, PortEntry, SlowEntry};
use crate::served::Served;
use crate::words;

const HELP: &str = "\
modprobe MODULE [ARGUMENT...]
rmmod MODULE
modinfo MODULE
iscsi-daemon start|stop|hang|continue
plug wwpn=WWPN [host=N] [wwnn=WWNN] [speed=TEXT] [state=TEXT] [target_capable=true|false] [gen32=true|false]
unplug WWPN
port-state WWPN TEXT
lips HOST
plug-target DRIVER NAME
plug-disk H:C:I:L
unplug-disk H:C:I:L
login DRIVER TARGET INITIATOR
login iscsi TARGET INITIATOR [portal=ADDRESS[:PORT]] [from=ADDRESS] [user=NAME secret=TEXT] [user_in=NAME secret_in=TEXT]
logout DRIVER TARGET SESSION
discover INITIATOR [portal=ADDRESS[:PORT]] [from=ADDRESS] [user=NAME secret=TEXT] [user_in=NAME secret_in=TEXT]
io start DRIVER TARGET SESSION LUN [DURATION]
io finish ID
io done ID
io reply ID
scsi DRIVER TARGET SESSION LUN tur|inquiry|readcap10|readcap16|rtpg|read LBA|write LBA|sync|caching
pr DRIVER TARGET SESSION LUN COMMAND
  where COMMAND is register KEY NEW [aptpl], reserve KEY TYPE, release KEY TYPE, clear KEY, preempt KEY NEW TYPE, keys or reservation;
  keys are hexadecimal, the KEY of register is 0 where none is registered and * to ignore it
dlm start [NODE]|stop
dlm lost|fenced NODE
lockspaces
file path=PATH kind=regular|block|dir|char|fifo|missing [number=MAJOR:MINOR] [mknod=true] [partition_of=DISK] [identity=NAME] \
[STATE...]
store PATH STATE...
  where STATE is size=BYTES, logical_block=BYTES, physical_block=BYTES, held=true|false, discard=true|false,
  open_error=ERRNO|none, drbd=primary|secondary, health=good|hanging|failing, present=true|false
fault op=OP action=ACTION [path=GLOB] [process=GLOB] [pid=PID] [at=K] [repeat=true] [errno=E] [after=DURATION] [signal=S] \
[when=before|after]
slow path=GLOB takes=DURATION [data=GLOB] [holds_mutex=true] [times=N]
disarm
release
skip DURATION
reset-counters
unknowns
help";

/// Carries out one command; answers what it says.
pub(crate) fn command(served: &mut Served, line: &str) -> Result<String, Refused> {
    let line = line.trim();
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let words = words::split(rest);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match verb {
        "modprobe" | "rmmod" | "modinfo" | "iscsi-daemon" | "dlm" => module(served, verb, &words),
        "plug" | "unplug" | "port-state" | "lips" | "plug-target" | "plug-disk" | "unplug-disk" => {
            hardware(served, verb, rest, &words)
        }
        "login" | "logout" | "discover" | "io" | "scsi" => initiator(served, verb, rest, &words),
        "pr" => reserve::command(served, &words),
        "lockspaces" => Ok(served.machine.lockspaces().join("\n")),
        _ => mount(served, verb, rest, &words),
    }
}

fn done() -> String {
    String::new()
}

fn no_command(verb: &str, words: &[&str]) -> Refused {
    Refused::syntax(format!("{verb:?} with {} words is no command; these are:\n{HELP}", words.len()))
}

/// Modules and the daemon that belongs to one of them.
fn module(served: &mut Served, verb: &str, words: &[&str]) -> Result<String, Refused> {
    match (verb, words) {
        ("modprobe", [module, arguments @ ..]) => {
            let name = module.replace('-', "_");
            if served.loadable.as_ref().is_some_and(|loadable| !loadable.contains(&name)) {
                return Err(failed("no such module here", Errno::ENOENT));
            }
            let loaded = served.machine.modprobe(&name, &arguments.join(" "));
            loaded.map_err(|errno| failed("cannot load", errno))?;
        }
        ("modinfo", [module]) => {
            let name = module.replace('-', "_");
            let there =
                served.loadable.as_ref().map_or_else(|| Machine::knows_module(&name), |all| all.contains(&name));
            if !there {
                return Err(failed("no such module here", Errno::ENOENT));
            }
        }
        ("rmmod", [module]) => served.machine.rmmod(module).map_err(|errno| failed("cannot unload", errno))?,
        ("iscsi-daemon", ["start"]) => {
            served.machine.iscsi_daemon(true).map_err(|errno| failed("the iSCSI daemon does not start", errno))?;
        }
        ("iscsi-daemon", ["stop"]) => {
            daemon(served, DaemonSignal::End)?;
            served.daemon.forget();
        }
        ("iscsi-daemon", ["hang"]) => daemon(served, DaemonSignal::Stop)?,
        ("iscsi-daemon", ["continue"]) => daemon(served, DaemonSignal::Continue)?,
        ("dlm", ["start" | "stop"]) => {
            let changed = served.machine.lock_manager(words == ["start"]);
            changed.map_err(|errno| {
                failed("stopping DLM under a lockspace hangs for good, and the node is fenced", errno)
            })?;
        }
        ("dlm", ["start", node]) => served.machine.join_lock_manager(&LockManager::default(), number(node)?),
        ("dlm", [what @ ("lost" | "fenced"), node]) => {
            let known = served.machine.node_lost(number(node)?, *what == "fenced");
            known.map_err(|errno| failed("no lock manager runs here", errno))?;
        }
        _ => return Err(no_command(verb, words)),
    }
    Ok(done())
}

fn daemon(served: &mut Served, signal: DaemonSignal) -> Result<(), Refused> {
    served.machine.signal_iscsi_daemon(signal).map_err(|errno| failed("no iSCSI daemon to tell", errno))
}

/// Ports and disks of the machine.
fn hardware(served: &mut Served, verb: &str, rest: &str, words: &[&str]) -> Result<String, Refused> {
    let machine = &mut served.machine;
    match (verb, words) {
        ("plug", [_, ..]) => {
            let port: PortEntry = words::parse(rest).map_err(Refused::syntax)?;
            let taken = |host| machine.lookup(format!("class/fc_host/host{host}").as_bytes()).is_ok();
            let free = (0..u32::MAX).find(|host| !taken(*host)).unwrap_or(0);
            machine.plug(port.port(free).map_err(Refused::syntax)?);
        }
        ("unplug", [wwpn]) => machine.unplug(&wwpn.to_ascii_lowercase()),
        ("port-state", [wwpn, state]) => machine.set_port_state(&wwpn.to_ascii_lowercase(), state),
        ("lips", [host]) => return Ok(machine.lips(number(host)?).to_string()),
        ("plug-target", [driver, name]) => machine.plug_target(driver, name),
        ("plug-disk", [address]) => machine.plug_scsi_disk(address),
        ("unplug-disk", [address]) => machine.unplug_scsi_disk(address),
        _ => return Err(no_command(verb, words)),
    }
    Ok(done())
}

/// Sessions and what they send.
fn initiator(served: &mut Served, verb: &str, rest: &str, words: &[&str]) -> Result<String, Refused> {
    let machine = &mut served.machine;
    match (verb, words) {
        ("login", ["iscsi", target, name, ..]) => {
            let initiator = connecting(name, after(rest, 3))?;
            let login = machine.iscsi_login(target, &initiator);
            login.map_err(|refusal| turned_away("login refused", refusal, refusal.login_code()))
        }
        ("discover", [name, ..]) => {
            let found = machine.iscsi_discover(&connecting(name, after(rest, 1))?);
            let found =
                found.map_err(|refusal| turned_away("nothing discovered", refusal, refusal.discovery_code()))?;
            Ok(found.join("\n"))
        }
        ("login", [driver, target, initiator]) => {
            machine.login(driver, target, initiator).map_err(|errno| failed("login refused", errno))
        }
        ("logout", [driver, target, session]) => {
            machine.logout(driver, target, session).map_err(|errno| failed("cannot log out", errno))?;
            Ok(done())
        }
        ("io", ["start", driver, target, session, lun, takes @ ..]) if takes.len() < 2 => {
            let takes = takes.first().map(|text| words::duration(text)).transpose().map_err(Refused::syntax)?;
            let started = machine.start_io(driver, target, session, number(lun)?, takes);
            started.map(|id| id.to_string()).map_err(|errno| failed("cannot send a command", errno))
        }
        ("io", ["finish", id]) => {
            machine.finish_io(number(id)?);
            Ok(done())
        }
        ("io", ["reply", id]) => {
            let reply = machine.reply(number(id)?);
            Ok(reply.map_or_else(|| "waiting".to_owned(), ToString::to_string))
        }
        ("scsi", [driver, target, session, lun, command @ ..]) => {
            let command = command.join(" ").parse().map_err(Refused::syntax)?;
            let sent = machine.start_command(driver, target, session, number(lun)?, command, Some(Duration::ZERO));
            let id = sent.map_err(|errno| failed("cannot send a command", errno))?;
            machine.advance(machine.now());
            Ok(machine.reply(id).map_or_else(|| format!("waiting: io {id}"), ToString::to_string))
        }
        ("io", ["done", id]) => Ok(if machine.io_done(number(id)?) { "yes" } else { "no" }.to_owned()),
        _ => Err(no_command(verb, words)),
    }
}

/// How an initiator connects, by the words that follow its name.
fn connecting(name: &str, words: &str) -> Result<IscsiInitiator, Refused> {
    let entry: ConnectEntry = words::parse(words).map_err(Refused::syntax)?;
    entry.initiator(name).map_err(Refused::syntax)
}

/// The line without its first words. None of those before a `key=value` is quoted.
fn after(line: &str, words: usize) -> &str {
    (0..words).fold(line.trim_start(), |rest, _| {
        rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start())
    })
}

/// What open-iscsi would say, and how its program would end.
fn turned_away(what: &str, refusal: IscsiRefusal, code: Option<u8>) -> Refused {
    let Some(code) = code else {
        return Refused { errno: Errno::ENOTSUP, reason: format!("{what}: not known: {refusal}") };
    };
    let errno = match refusal {
        IscsiRefusal::TimedOut | IscsiRefusal::Silent => Errno::ETIMEDOUT,
        IscsiRefusal::Unauthorized => Errno::EACCES,
        _ => Errno::ECONNREFUSED,
    };
    Refused { errno, reason: format!("{what}: iscsiadm exit {code}: {refusal}") }
}

/// What goes wrong, time, and the mount itself.
fn mount(served: &mut Served, verb: &str, rest: &str, words: &[&str]) -> Result<String, Refused> {
    match (verb, words) {
        ("file", [_, ..]) => {
            let entry: FileEntry = words::parse(rest).map_err(Refused::syntax)?;
            let files = served.files.as_ref();
            let files = files.ok_or_else(|| failed("this machine's files cannot be declared", Errno::ENOTSUP))?;
            files.declare(&entry).map_err(Refused::syntax)?;
        }
        ("store", [path, _, ..]) => {
            let change: StoreChange = words::parse(&words[1..].join(" ")).map_err(Refused::syntax)?;
            let files = served.files.as_ref();
            let files = files.ok_or_else(|| failed("this machine's files cannot be changed", Errno::ENOTSUP))?;
            let machine = &served.machine;
            let changed = files.change(path, &change, |identity| machine.holds_open(identity));
            changed.map_err(|(errno, reason)| Refused { errno, reason })?;
        }
        ("fault", [_, ..]) => {
            let fault: Fault = words::parse(rest).map_err(Refused::syntax)?;
            served.faults.arm(fault);
        }
        ("slow", [_, ..]) => {
            let slow: SlowEntry = words::parse(rest).map_err(Refused::syntax)?;
            served.machine.slow_down(slow.slow().map_err(Refused::syntax)?);
        }
        ("disarm", []) => {
            served.faults.disarm();
            served.machine.slow_down_nothing();
        }
        ("release", []) => return Ok(served.release().to_string()),
        ("skip", [duration]) => served.skip(words::duration(duration).map_err(Refused::syntax)?),
        ("reset-counters", []) => served.reset_counters(),
        ("unknowns", []) => return Ok(unknowns(served)),
        ("help", []) => return Ok(HELP.to_owned()),
        _ => return Err(no_command(verb, words)),
    }
    Ok(done())
}

/// What was asked that nobody knows the answer of, a line each.
pub(super) fn unknowns(served: &Served) -> String {
    let line = |Unknown { path, what }: Unknown| format!("{}: {what}\n", path.escape_ascii());
    served.unknowns().into_iter().map(line).collect()
}
