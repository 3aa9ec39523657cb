//! What a plan for another configuration may ask of the node, and no comparison with the present one does: looked at as well, so that it is in
//! the state that `status --json` prints.

use std::collections::BTreeSet;

use scst_core::observe::Observer;
use scst_core::ocf::exit::Failure;
use scst_core::scst::attribute;
use scst_core::scst::names::{Driver, HandlerName, TargetName};

use super::shown::Status;
use crate::scst_ha::node::Node;

/// Looks at it.
///
/// # Errors
///
/// What could not be read.
pub(super) fn prepare(node: &Node, status: &Status) -> Result<(), Failure> {
    let observer = node.observer();
    observer.scst_loaded()?;
    observer.setup_id()?;
    for handler in HandlerName::ALL {
        observer.handler_parameters(handler)?;
    }
    for driver in Driver::ALL {
        observer.driver_loaded(driver)?;
        // A daemon that does not answer is said elsewhere.
        let _ = observer.driver_enabled(driver);
    }
    // A new device must be no disk that hosts know already.
    for device in observer.device_names()? {
        observer.host_id(&device)?;
    }
    let luns = status.groups.iter().flat_map(|group| &group.luns);
    let seen: BTreeSet<(&str, &str, Option<&str>, u32)> =
        luns.map(|lun| (lun.driver.as_str(), lun.port.as_str(), lun.group.as_deref(), lun.number)).collect();
    for port in &status.ports {
        let Some((driver, name)) = Driver::parse(port.driver).ok().zip(TargetName::seen(&port.name).ok()) else {
            continue;
        };
        observer.port(driver, &name)?;
        // Every attribute that a configuration may set. A daemon that does not answer is said elsewhere.
        if port.unread.is_none() {
            let all = attribute::ALL.iter().chain([attribute::ALIAS]).filter(|attribute| attribute.is_of(driver));
            let quarter = observer.deadline.share(1, 4);
            let observer = Observer { deadline: &quarter, ..observer };
            let _ = observer.settings(driver, &name, all.map(|attribute| &attribute.name));
        }
        for group in observer.ini_groups(driver, &name)? {
            for lun in observer.luns_in_use(driver, &name, &group)? {
                // What stands at a LUN that a plan wants is named.
                if !seen.contains(&(driver.dir(), name.as_str(), Some(group.as_str()), lun)) {
                    observer.lun_device(driver, &name, &group, lun)?;
                }
            }
        }
    }
    Ok(())
}
