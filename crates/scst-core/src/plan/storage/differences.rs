//! What differs between a device that is there and the one that is wanted, among what only deleting and adding it again
//! can change. The plan (`devices`) decides what follows.

use std::collections::BTreeMap;

use crate::scst::device_attribute::{THIN_PROVISIONED, find};
use crate::scst::names::HandlerName;
use crate::state::Device;

/// Whether a difference is only reported, and no reason to add the device again. The kernel resets `thin_provisioned`
/// where the store cannot give space back: adding the device again would not change that.
pub(super) fn left_alone(difference: &Difference) -> bool {
    find(difference.what).is_some_and(|attribute| attribute.kept)
        || (difference.what == THIN_PROVISIONED.name && difference.wanted == "1")
}

pub(super) struct Difference {
    pub(super) what: &'static str,
    pub(super) found: String,
    pub(super) wanted: String,
}

/// Handler, file and settings that differ. Settings that `found` does not have, because this kernel does not have them,
/// do not count.
pub(super) fn differences(found: &Device, wanted: &Device) -> Vec<Difference> {
    let mut differences = Vec::new();
    if found.handler != wanted.handler {
        let name = |handler: Option<HandlerName>| handler.map_or("another one".to_owned(), |h| h.to_string());
        differences.push(Difference { what: "handler", found: name(found.handler), wanted: name(wanted.handler) });
    }
    if found.filename != wanted.filename {
        let name = |filename: &Option<String>| filename.clone().unwrap_or_else(|| "none".into());
        differences.push(Difference { what: "filename", found: name(&found.filename), wanted: name(&wanted.filename) });
    }
    differences.extend(text_differences(&found.settings, &wanted.settings));
    differences
}

pub(super) fn identity_differences(found: &Device, wanted: &Device) -> Vec<Difference> {
    text_differences(&found.identity, &wanted.identity)
}

fn text_differences(
    found: &BTreeMap<&'static str, String>,
    wanted: &BTreeMap<&'static str, String>,
) -> Vec<Difference> {
    let pairs = wanted.iter().filter_map(|(what, wanted)| found.get(what).map(|found| (*what, found, wanted)));
    pairs
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| Difference { what, found: found.clone(), wanted: wanted.clone() })
        .collect()
}
