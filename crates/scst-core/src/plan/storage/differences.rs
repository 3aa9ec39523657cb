//! In what a device that is there differs from the one that is wanted.

use std::collections::BTreeMap;

use crate::scst::device_attribute::{THIN_PROVISIONED, find};
use crate::scst::names::HandlerName;
use crate::state::Device;

/// A difference that is named and for which no device is added again. The kernel takes `thin_provisioned` back where the
/// store cannot give space back: adding the device again would bring the same.
pub(super) fn left_alone(difference: &Difference) -> bool {
    find(difference.what).is_some_and(|attribute| attribute.kept)
        || (difference.what == THIN_PROVISIONED.name && difference.wanted == "1")
}

pub(super) struct Difference {
    pub(super) what: &'static str,
    pub(super) found: String,
    pub(super) wanted: String,
}

/// In what a device differs that only adding it anew could change. Attributes this kernel does not have do not count.
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
