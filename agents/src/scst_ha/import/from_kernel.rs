//! What the running kernel has: every virtual device, target and device group, as directories and attributes show them.

use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::scst::iscsi::UserKind;
use scst_core::scst::names::{Driver, TargetName};
use scst_core::scst::{ROOT, attribute};
use scst_core::sysfs::EntryKind;

use crate::scst_ha::secrets::is_user_file;

use super::attributes::is_counter;
use super::source::{Attributes, Device, DeviceGroup, IniGroup, Lun, Source, Target, TargetGroup, USERS, User};

/// Attributes that are commands or counters, and tell nothing of a configuration.
const NOT_SAID: [&str; 12] = [
    "abort_isp",
    "block",
    "commands",
    "dump_prs",
    "explicit_confirmation",
    "last_sysfs_mgmt_res",
    "mgmt",
    "pr_state",
    "resync_size",
    "sync",
    "trace_level",
    "type",
];

/// Where initiators of iSCSI look targets up.
const NAME_SERVER: &str = "iSNSServer";

/// What the kernel itself answers of a target whose daemon answers for the rest, beside the attributes that can be configured.
const KERNELS: [&str; 6] = ["black_hole", "enabled", "forward_dst", "forward_src", "forwarding", "rel_tgt_id"];

/// What its daemon answers and no resource sets.
const NOT_SET: [&str; 2] = ["RDMAExtensions", "redirect"];

/// The driver that is SCST's own; its LUNs follow from the devices.
const COPY_MANAGER: &str = "copy_manager";

/// Reads everything.
///
/// # Errors
///
/// What could not be read.
pub(super) fn source(observer: Observer<'_>) -> Result<Source, Error> {
    let kernel = Kernel(observer);
    let setup_id = kernel.value(&format!("{ROOT}/setup_id"))?;
    let mut found = Source {
        attributes: setup_id.into_iter().map(|value| ("setup_id".to_owned(), value)).collect(),
        ..Source::default()
    };
    for name in kernel.directories(&format!("{ROOT}/devices"))? {
        let dir = format!("{ROOT}/devices/{name}");
        let handler = kernel.link(&format!("{dir}/handler"))?;
        // A disk of the machine that nobody has handed to SCST.
        let Some(handler) = handler else { continue };
        found.devices.push(Device { name, handler, attributes: kernel.attributes(&dir)? });
    }
    for driver in kernel.directories(&format!("{ROOT}/targets"))? {
        if driver == COPY_MANAGER {
            continue;
        }
        let of_driver = format!("{ROOT}/targets/{driver}");
        kernel.users(&mut found, &driver, &of_driver)?;
        if let Some(server) = kernel.of_daemon(&of_driver, NAME_SERVER)?.filter(|server| !server.is_empty()) {
            found.left_out.push(format!("{NAME_SERVER} {server} is of the driver {driver}, and no resource sets it"));
        }
        for name in kernel.directories(&of_driver)? {
            let dir = format!("{of_driver}/{name}");
            let (attributes, portals) = kernel.target(&mut found, &driver, &name, &dir)?;
            let mut groups = Vec::new();
            for group in kernel.directories(&format!("{dir}/ini_groups"))? {
                groups.push(kernel.ini_group(&format!("{dir}/ini_groups/{group}"), group)?);
            }
            let target = Target { driver: driver.clone(), luns: kernel.luns(&dir)?, attributes, portals, groups, name };
            found.targets.push(target);
        }
    }
    for name in kernel.directories(&format!("{ROOT}/device_groups"))? {
        let dir = format!("{ROOT}/device_groups/{name}");
        let mut target_groups = Vec::new();
        for group in kernel.directories(&format!("{dir}/target_groups"))? {
            target_groups.push(kernel.target_group(&format!("{dir}/target_groups/{group}"), group)?);
        }
        found.groups.push(DeviceGroup {
            devices: kernel.entries(&format!("{dir}/devices"), EntryKind::Link)?,
            target_groups,
            name,
        });
    }
    Ok(found)
}

/// The tree of the kernel.
struct Kernel<'a>(Observer<'a>);

impl Kernel<'_> {
    fn value(&self, path: &str) -> Result<Option<String>, Error> {
        self.0.sysfs.optional_value(path, self.0.deadline)
    }

    fn entries(&self, path: &str, kind: EntryKind) -> Result<Vec<String>, Error> {
        let entries = self.0.sysfs.optional_list(path, self.0.deadline)?.unwrap_or_default();
        Ok(entries.into_iter().filter(|entry| entry.kind == kind).map(|entry| entry.name).collect())
    }

    fn directories(&self, path: &str) -> Result<Vec<String>, Error> {
        self.entries(path, EntryKind::Dir)
    }

    /// The last word of a link.
    fn link(&self, path: &str) -> Result<Option<String>, Error> {
        let link = self.0.sysfs.optional_link(path, self.0.deadline)?;
        Ok(link.and_then(|link| Some(link.rsplit('/').next()?.to_owned())))
    }

    /// The attributes of a directory.
    fn attributes(&self, dir: &str) -> Result<Attributes, Error> {
        self.attributes_of(dir, |_| true)
    }

    /// Those of these names.
    fn attributes_of(&self, dir: &str, wanted: impl Fn(&str) -> bool) -> Result<Attributes, Error> {
        let mut found = Attributes::new();
        for name in self.entries(dir, EntryKind::File)? {
            if is_counter(&name) || is_user_file(&name) || NOT_SAID.contains(&name.as_str()) || !wanted(&name) {
                continue;
            }
            // One that can only be written, or has nothing to say now.
            let Ok(Some(text)) = self.0.sysfs.optional_read(&format!("{dir}/{name}"), self.0.deadline) else {
                continue;
            };
            // The kernel chooses it by the store, unless it was said: then it is marked.
            if name == "thin_provisioned" && !text.contains("[key]") {
                continue;
            }
            let value = text.lines().next().unwrap_or_default().to_owned();
            found.insert(name, value);
        }
        Ok(found)
    }

    /// Attributes and portals of a target, and its users into what was found. What a daemon answers is asked in a process of its own.
    fn target(
        &self,
        found: &mut Source,
        driver: &str,
        name: &str,
        dir: &str,
    ) -> Result<(Attributes, Vec<String>), Error> {
        let known = Driver::parse(driver).ok().filter(|driver| driver.has_daemon()).zip(TargetName::seen(name).ok());
        let Some((driver, target)) = known else { return Ok((self.attributes(dir)?, Vec::new())) };
        let kernels = |name: &str| KERNELS.contains(&name) || attribute::find(name).is_some_and(|known| !known.iscsi);
        let mut attributes = self.attributes_of(dir, kernels)?;
        let asked = attribute::ALL.iter().chain([attribute::ALIAS]).filter(|attribute| attribute.iscsi);
        let settings = self.0.settings(driver, &target, asked.map(|attribute| &attribute.name))?;
        attributes.extend(settings.attributes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        for name in NOT_SET {
            attributes.extend(self.of_daemon(dir, name)?.map(|value| (name.to_owned(), value)));
        }
        let incoming = settings.incoming.iter().map(|(user, secret)| (UserKind::Incoming, user, secret));
        let outgoing = settings.outgoing.iter().map(|(user, secret)| (UserKind::Outgoing, user, secret));
        for (kind, user, credential) in incoming.chain(outgoing) {
            found.users.push(User {
                driver: driver.dir().to_owned(),
                target: Some(name.to_owned()),
                kind: kind.word().to_owned(),
                name: user.to_string(),
                secret: credential.secret.reveal().to_owned(),
            });
        }
        Ok((attributes, settings.portals.iter().map(ToString::to_string).collect()))
    }

    /// What a daemon says of an attribute.
    fn of_daemon(&self, dir: &str, name: &str) -> Result<Option<String>, Error> {
        let path = format!("{dir}/{name}");
        if self.0.sysfs.is_absent(&path, self.0.deadline)? {
            return Ok(None);
        }
        Ok(self.0.sysfs.apart().value(&path, self.0.deadline).ok())
    }

    /// The users of a driver, which are for discovery.
    fn users(&self, found: &mut Source, driver: &str, dir: &str) -> Result<(), Error> {
        for name in self.entries(dir, EntryKind::File)?.into_iter().filter(|name| is_user_file(name)) {
            let kind = if name.starts_with(USERS[0]) { USERS[0] } else { USERS[1] };
            match self.0.sysfs.apart().value(&format!("{dir}/{name}"), self.0.deadline) {
                Ok(value) => found.user(driver, None, kind, &value),
                // A user that was made twice cannot be read any more.
                Err(error) => found.left_out.push(format!("{kind} of {driver}: {error}")),
            }
        }
        Ok(())
    }

    fn ini_group(&self, dir: &str, name: String) -> Result<IniGroup, Error> {
        let mut initiators = self.entries(&format!("{dir}/initiators"), EntryKind::File)?;
        initiators.retain(|name| name != "mgmt");
        Ok(IniGroup { name, attributes: self.attributes(dir)?, luns: self.luns(dir)?, initiators })
    }

    fn luns(&self, dir: &str) -> Result<Vec<Lun>, Error> {
        let mut found = Vec::new();
        for number in self.directories(&format!("{dir}/luns"))? {
            let Some(device) = self.link(&format!("{dir}/luns/{number}/device"))? else { continue };
            let read_only = self.value(&format!("{dir}/luns/{number}/read_only"))?.is_some_and(|value| value != "0");
            found.push(Lun { number, device, read_only });
        }
        found.sort_by_key(|lun| lun.number.parse::<u32>().unwrap_or(u32::MAX));
        Ok(found)
    }

    fn target_group(&self, dir: &str, name: String) -> Result<TargetGroup, Error> {
        let mut targets = Vec::new();
        for kind in [EntryKind::Dir, EntryKind::Link] {
            for target in self.entries(dir, kind)? {
                let id = self.value(&format!("{dir}/{target}/rel_tgt_id"))?;
                targets.push((target, id));
            }
        }
        Ok(TargetGroup { name, attributes: self.attributes(dir)?, targets })
    }
}
