//! The parameters of `add_device` for a wanted device: those that are not the kernel's defaults and that the handler of
//! this kernel knows.

use super::scope::Scope;
use crate::scst::device_attribute::{READ_ONLY, T10_DEV_ID, find};
use crate::scst::names::HandlerName;
use crate::scst::values::ParameterValue;
use crate::state::Device;

/// Parameters that every SCST knows, whatever its usage text says.
const ALWAYS_KNOWN: [&str; 2] = ["filename", READ_ONLY.name];

/// Devices of this handler are added without opening their store, as far as this kernel can do that. A file is not: SCST crashes
/// when a command meets a closed one outside of a group, or in a group that serves (`fileio_exec_read`).
pub(super) fn added_closed(scope: &Scope, handler: HandlerName) -> bool {
    let listed = scope.parameters.get(&handler);
    handler == HandlerName::VdiskBlockio && listed.is_some_and(|listed| listed.iter().any(|known| known == "active"))
}

/// The parameters of `add_device`: what this kernel's handler knows of what is wanted.
///
/// # Errors
///
/// Why it cannot be added: the handler does not know block sizes, and hosts would see another disk than the one that was asked
/// for; or a parameter cannot be said in the kernel's grammar, which is possible only in what was found, and is to be put back.
pub(super) fn parameters(
    scope: &Scope,
    handler: HandlerName,
    device: &Device,
) -> Result<Vec<(&'static str, ParameterValue)>, String> {
    let listed = scope.parameters.get(&handler);
    let knows = |name: &str| match listed {
        _ if ALWAYS_KNOWN.contains(&name) => true,
        Some(listed) => listed.iter().any(|known| known == name),
        // A handler that does not tell is an old one.
        None => find(name).is_none_or(|attribute| !attribute.kept),
    };
    let filename = device.filename.iter().map(|filename| ("filename", filename));
    let settings = device.settings.iter().map(|(name, value)| (*name, value));
    // What the kernel does by itself need not be said, and an older kernel may not know the word.
    let said = settings.filter(|(name, value)| !is_default(name, value));
    let (taken, unknown): (Vec<_>, Vec<_>) = said.partition(|(name, _)| knows(name));
    if let Some((name, _)) =
        unknown.iter().find(|(name, _)| find(name).is_some_and(|attribute| attribute.indispensable))
    {
        return Err(not_known(handler, name));
    }
    // It cannot be changed any more once the device shares its reservations, in a lockspace of that name.
    let t10 = device.identity.get(T10_DEV_ID.name).filter(|_| device.is_shared());
    if t10.is_some() && !knows(T10_DEV_ID.name) {
        return Err(not_known(handler, T10_DEV_ID.name));
    }
    let value =
        |name: &str, value: &str| ParameterValue::parse(value).map_err(|_| format!("its {name} cannot be written"));
    filename
        .chain(t10.map(|t10| (T10_DEV_ID.name, t10)))
        .chain(taken)
        .map(|(name, text)| Ok((name, value(name, text)?)))
        .collect()
}

/// The sentence for a device that is not added because its handler does not know one of its parameters.
pub fn not_known(handler: HandlerName, parameter: &str) -> String {
    format!("{handler} of this kernel does not know {parameter}")
}

/// Whether the kernel gives a fresh device this value by itself.
fn is_default(name: &str, value: &str) -> bool {
    find(name).is_some_and(|attribute| attribute.default == Some(value))
}
