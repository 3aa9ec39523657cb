//! SCST's tree as files in a temporary directory, with names, links and values from the input.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use scst_core::deadline::Deadline;
use scst_core::observe::{Detail, Observer, Unlistable};
use scst_core::plan::storage::{adopt_ports, converge, demote, release, states};
use scst_core::plan::{Step, ports};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::{Block, Owed, parameters_listed};
use scst_core::scst::names::{DeviceName, Driver, HandlerName};
use scst_core::scst::target::LunTable;
use scst_core::state::{Device, Port, Storage};
use scst_core::sysfs::Sysfs;
use scst_core::system::Machine;

use super::kernel::check;
use super::{PORT, group, node, port, scope};

/// The input, piece by piece.
struct Pieces<'a>(std::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Pieces<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self(data.split(|b| *b == 0))
    }

    /// The next piece, or what stands in for an empty one and after the end.
    fn next(&mut self, default: &'static str) -> &'a [u8] {
        self.0.next().filter(|piece| !piece.is_empty()).unwrap_or(default.as_bytes())
    }

    /// The next piece as the name of a directory entry.
    fn name(&mut self, default: &'static str) -> &'a OsStr {
        let piece = self.next(default);
        let piece = &piece[..piece.len().min(255)];
        let usable = !piece.contains(&b'/') && piece != b"." && piece != b"..";
        OsStr::from_bytes(if usable { piece } else { default.as_bytes() })
    }
}

/// Makes the files; what cannot be made, because a name is taken, is left out.
struct Maker<'a> {
    root: PathBuf,
    pieces: Pieces<'a>,
}

impl Maker<'_> {
    fn dir(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.root.join("kernel/scst_tgt").join(path);
        _ = fs::create_dir_all(&path);
        path
    }

    fn file(&mut self, path: &Path, default: &'static str) {
        _ = fs::write(path, self.pieces.next(default));
    }

    fn link(&mut self, path: &Path, default: &'static str) {
        _ = symlink(OsStr::from_bytes(self.pieces.next(default)), path);
    }

    fn device(&mut self) {
        let name = self.pieces.name("dg_lu0");
        let dir = self.dir(Path::new("devices").join(name));
        _ = symlink("../../../devices/x", self.dir("device_groups/dg/devices").join(name));
        self.file(&dir.join("block"), "0 0");
        self.file(&dir.join("active"), "1");
        self.file(&dir.join("filename"), "/dev/loop0");
        self.file(&dir.join("usn"), "1234");
        self.file(&dir.join("read_only"), "0");
        self.link(&dir.join("handler"), "../../handlers/vdisk_blockio");
        let exported = self.dir(Path::new("devices").join(name).join("exported"));
        self.link(
            &exported.join("export0"),
            "../../../targets/qla2x00t/21:00:00:24:ff:60:d0:10/ini_groups/esx1/luns/0",
        );
        self.link(&exported.join("export1"), "../../../targets/qla2x00t/21:00:00:24:ff:60:d0:10/luns/7");
    }

    fn target_groups(&mut self) {
        for (default, own) in [("alpha", true), ("beta", false)] {
            let name = if own { OsStr::new(default) } else { self.pieces.name(default) };
            let path = Path::new("device_groups/dg/target_groups").join(name);
            let dir = self.dir(&path);
            self.file(&dir.join("state"), if own { "active" } else { "standby" });
            self.file(&dir.join("group_id"), "1");
            if own {
                let port = format!("../../../../targets/qla2x00t/{PORT}");
                _ = symlink(port, dir.join(self.pieces.name(PORT)));
            } else {
                let name = self.pieces.name("21:00:00:24:ff:60:d0:11");
                let member = self.dir(path.join(name));
                self.file(&member.join("rel_tgt_id"), "201");
            }
        }
    }

    fn port(&mut self) {
        let path = Path::new("targets/qla2x00t").join(PORT);
        let dir = self.dir(&path);
        self.file(&dir.join("enabled"), "1");
        self.file(&dir.join("rel_tgt_id"), "101");
        let group = path.join("ini_groups").join(self.pieces.name("esx1"));
        self.file(&self.dir(&group).join("io_grouping_type"), "101");
        let initiator = self.dir(group.join("initiators")).join(self.pieces.name("50:01:43:80:03:b0:23:34"));
        _ = fs::write(initiator, "");
        let lun = self.pieces.name("0");
        let lun = self.dir(group.join("luns").join(lun));
        self.file(&lun.join("read_only"), "0");
        self.link(&lun.join("device"), "../../../../../../devices/dg_lu0");
        let session = path.join("sessions").join(self.pieces.name("50:01:43:80:03:b0:23:34"));
        self.link(&self.dir(&session).join("luns"), "../../ini_groups/esx1/luns");
        self.file(&self.dir(session.join("lun0")).join("active_commands"), "1");
        let handler = self.dir("handlers/vdisk_blockio").join("mgmt");
        self.file(&handler, "The following parameters available: filename, read_only, nv_cache\n");
        let host = self.root.join("class/fc_host").join(self.pieces.name("host3"));
        _ = fs::create_dir_all(&host);
        self.file(&host.join("port_name"), "0x21000024ff60d010\n");
    }
}

/// The parsers of single values, then a look at a whole tree and the plans that follow from it.
pub(super) fn observed(data: &[u8]) {
    values(&String::from_utf8_lossy(data));
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let dir = tempfile::Builder::new().prefix("scst-fuzz-").tempdir_in(parent).expect("a temporary directory");
    let mut maker = Maker { root: dir.path().to_owned(), pieces: Pieces::new(data) };
    maker.device();
    maker.target_groups();
    maker.port();
    let sysfs = Sysfs::new(Machine::system(), dir.path());
    let deadline = Deadline::within(Machine::system(), Duration::from_secs(30), Arc::default());
    look(Observer { sysfs: &sysfs, deadline: &deadline });
}

fn values(text: &str) {
    if let Some((table, _)) = LunTable::from_export(text) {
        for component in table.dir().split('/') {
            let plain = !component.is_empty() && component != "." && component != "..";
            assert!(plain && component.bytes().all(|b| b.is_ascii_graphic()), "{text:?}");
        }
    }
    if let Some(block) = Block::parse(text) {
        assert!(text.trim().starts_with(|c: char| c == '+' || c.is_ascii_digit()), "{text:?} as {block:?}");
    }
    if let Some(state) = AluaState::parse(text) {
        assert_eq!(state.to_string(), text);
    }
    for name in parameters_listed(text).into_iter().flatten() {
        assert!(!name.is_empty() && !name.contains([',', '\n']), "{name:?}");
    }
}

/// What was found as a state that can be wanted as well: a LUN is as writable as its device, a local port has an id, and whether a store is
/// open follows from the state of the group.
fn possible(mut found: Storage) -> Storage {
    for device in found.devices.values_mut() {
        device.active = None;
    }
    for lun in found.luns.values_mut() {
        lun.read_only = found.devices.get(&lun.device).is_some_and(Device::read_only);
    }
    let groups = found.group.iter_mut().flat_map(|group| group.target_groups.values_mut());
    for member in groups.flat_map(|group| group.members.values_mut()) {
        member.rel_tgt_id = member.rel_tgt_id.max(u32::from(member.local));
    }
    found
}

fn look(observer: Observer<'_>) {
    let scope = scope(group(), Driver::Qla2x00t, true);
    let named: BTreeSet<DeviceName> = observer.device_names().unwrap_or_default();
    let nothing = Storage::default();
    if let Ok(found) = observer.storage(&group(), &named, |_| true, Detail::Settings) {
        check(&converge(&scope, &found, &nothing).steps);
        let found = possible(found);
        assert_eq!(converge(&scope, &found, &found).steps, []);
        check(&demote(&scope, &found.blocks(), AluaState::Standby));
        check(&release(
            &found.blocks(),
            &found.devices.keys().map(|device| (device.clone(), Owed::default())).collect(),
        ));
        // What a start that is undone puts back.
        check(&converge(&scope, &nothing, &found).steps);
        if let Some(group) = &found.group {
            let standby = |state| group.target_groups.keys().map(|node| (node.clone(), state)).collect();
            check(&states(&scope, &group.view(), &standby(AluaState::Standby)).steps);
            check(&states(&scope, &group.view(), &BTreeMap::from([(node(), AluaState::Active)])).steps);
            let present = observer.port_names(Driver::Qla2x00t).unwrap_or_default().into_iter().collect();
            check(&adopt_ports(&scope, group, &present));
        }
    }
    for device in &named {
        _ = observer.mapped(device);
        _ = observer.busy_initiators(device);
    }
    if let Ok(found) = observer.ports(Driver::Qla2x00t, &[port()], |_| true, Unlistable::Refused) {
        let down = || Port::default();
        let stopped = found.keys().map(|name| (name.clone(), down())).collect();
        check(&ports::plan(Driver::Qla2x00t, &found, &stopped));
        check(&ports::plan(Driver::Qla2x00t, &stopped, &found));
        assert_eq!(ports::plan(Driver::Qla2x00t, &found, &found), []);
        for session in observer.sessions(Driver::Qla2x00t, &port()).unwrap_or_default() {
            let name = session.as_str();
            assert!(!name.is_empty() && !name.contains(['/', '\n', '\0']) && name != "..", "{name:?}");
        }
        if let Ok(groups) = observer.ini_groups(Driver::Qla2x00t, &port()) {
            for group in &groups {
                _ = observer.sessions_in(Driver::Qla2x00t, &port(), group);
                _ = observer.luns_in_use(Driver::Qla2x00t, &port(), group);
                _ = observer.lun_device(Driver::Qla2x00t, &port(), group, 0);
            }
        }
    }
    if let Ok(Some(host)) = observer.fc_host(&port()) {
        check(&[Step::IssueLip { port: port(), host }]);
    }
    _ = observer.handler_parameters(HandlerName::VdiskBlockio);
}
