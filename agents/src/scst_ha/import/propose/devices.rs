//! The keys of one device.

use scst_core::scst::identity;
use scst_core::scst::names::{DeviceName, HandlerName};
use scst_core::scst::values::{BackingPath, BlockSize, Eui64Id, NaaId, T10DevId, ThreadsNum, Usn, shown_text};

use super::super::attributes::{of_the_machine, own_size};
use super::super::proposal::{Place, Proposal};
use super::super::source::{Device, Source};

/// The kernel's own block size, in bytes.
const BLOCK_SIZE: &str = "512";

/// The longest `t10_dev_id`.
const T10_LENGTH: usize = 25;

/// The product that the agents show hosts.
const PRODUCT: &str = "SCST";

/// The longest product that the kernel makes of a name.
const PRODUCT_LENGTH: usize = 16;

/// The keys without the exports; nothing for a device that cannot be said.
pub(super) fn text(
    device: &Device,
    handler: HandlerName,
    name: &DeviceName,
    source: &Source,
    place: &Place,
    proposal: &mut Proposal,
) -> Option<String> {
    let about = format!("device {}", device.name);
    let said =
        |attribute: &str| device.attributes.get(attribute).map(|value| value.trim()).filter(|value| !value.is_empty());
    let on = |attribute: &str| said(attribute).is_some_and(is_on);
    let virtname = name.as_str().split_once('_').map_or(name.as_str(), |(_, virtname)| virtname);
    let mut keys = vec![format!("virtname={virtname}"), format!("handler={handler}")];
    if handler.has_backing() {
        match said("filename").map(BackingPath::parse) {
            Some(Ok(path)) => keys.push(format!("filename={path}")),
            Some(Err(error)) => {
                proposal.remark(true, &about, format!("hosts lose it: its filename cannot be said, {error}"));
                return None;
            }
            None => {
                proposal.remark(true, &about, "hosts lose it: it has no filename");
                return None;
            }
        }
    } else if on("dummy") {
        keys.push("dummy=1".to_owned());
    }
    let read_only = on("read_only");
    for flag in ["read_only", "removable"] {
        if on(flag) {
            keys.push(format!("{flag}=1"));
        }
    }
    if said("rotational").is_some_and(|value| !is_on(value)) {
        keys.push("is_ssd=1".to_owned());
    }
    caches(handler, read_only, on("nv_cache"), said("write_through").map(is_on), &about, &mut keys, proposal);
    if let Some(size) = said("blocksize").filter(|size| *size != BLOCK_SIZE || place.written) {
        match BlockSize::parse(size) {
            Ok(size) => keys.push(format!("blocksize={size}")),
            Err(error) => proposal.remark(true, &about, format!("blocksize={size} cannot be said, {error}")),
        }
    }
    if let Some(thin) = said("thin_provisioned").filter(|_| handler.has_backing()) {
        keys.push(format!("thin_provisioned={}", u8::from(is_on(thin))));
    }
    let threads = if handler == HandlerName::VdiskFileio { "8" } else { "1" };
    if let Some(number) = said("threads_num").filter(|number| *number != threads) {
        match ThreadsNum::parse(number) {
            Ok(number) => keys.push(format!("threads_num={number}")),
            Err(error) => proposal.remark(false, &about, format!("threads_num={number} cannot be said, {error}")),
        }
    }
    if let Some(size) = own_size(&device.attributes).filter(|_| !handler.has_backing()) {
        proposal.remark(true, &about, format!("{size} cannot be said: hosts see another size"));
    }
    if handler == HandlerName::VdiskFileio && said("bind_alua_state").is_none_or(|bound| !is_on(bound)) {
        proposal.remark(
            false,
            &about,
            "its file is closed where the group is not promoted from now on (bind_alua_state=1)",
        );
    }
    identity(device, name, source, &about, &mut keys, proposal);
    Some(keys.join(","))
}

/// What is written when. The agents' own choice for a writable file is write-through; a file that was not keeps what it had.
fn caches(
    handler: HandlerName,
    read_only: bool,
    nv_cache: bool,
    write_through: Option<bool>,
    about: &str,
    keys: &mut Vec<String>,
    proposal: &mut Proposal,
) {
    let file = handler == HandlerName::VdiskFileio;
    if !handler.has_backing() || (file && read_only) {
        return;
    }
    if file && nv_cache && write_through == Some(true) {
        proposal.remark(true, about, "nv_cache=1 cannot be said with write_through=1: hosts flush their caches");
    } else if nv_cache {
        keys.push("nv_cache=1".to_owned());
    }
    match write_through {
        Some(true) if !file => keys.push("write_through=1".to_owned()),
        Some(false) | None if file => {
            keys.push("write_through=0".to_owned());
            let text = "write_through=0 keeps what it was: what only the page cache holds is lost with the node. Take it out for write-through";
            proposal.remark(false, about, text);
        }
        _ => {}
    }
}

/// By what hosts know it: the same as before, said where the kernel would make another of the new name.
fn identity(
    device: &Device,
    name: &DeviceName,
    source: &Source,
    about: &str,
    keys: &mut Vec<String>,
    proposal: &mut Proposal,
) {
    let said =
        |attribute: &str| device.attributes.get(attribute).map(|value| value.trim()).filter(|value| !value.is_empty());
    let (old_usn, old_t10) = made_of(&device.name, setup_id(source));
    if name.as_str() != device.name {
        let text =
            format!("becomes {name}: it must be gone before the resource starts, so stop the old configuration first");
        proposal.remark(false, about, text);
        proposal.remark(true, about, "persistent reservations are kept by its name: hosts register again");
    }
    let usn = said("usn").map_or_else(|| old_usn.clone(), str::to_owned);
    if usn != identity::usn(name) {
        match Usn::parse(&usn) {
            Ok(usn) => keys.push(format!("usn={usn}")),
            Err(error) => proposal.remark(
                true,
                about,
                format!("usn {usn:?} cannot be said, {error}: hosts see another serial number"),
            ),
        }
    }
    let t10 = said("t10_dev_id").map_or_else(|| old_t10.clone(), str::to_owned);
    if t10 != identity::t10_dev_id(name) {
        match T10DevId::parse(&t10) {
            Ok(id) if !t10.contains([',', ' ', '"', '\t']) => keys.push(format!("t10devid={id}")),
            _ => {
                let text = format!(
                    "t10_dev_id {t10:?} cannot be said: hosts that know the disk by it take it for another one"
                );
                proposal.remark(true, about, text);
            }
        }
    }
    let naa = |digits: &str| NaaId::parse(digits).map(|id| id.to_string());
    let eui = |digits: &str| Eui64Id::parse(digits).map(|id| id.to_string());
    for (key, parsed) in [
        ("naa_id", said("naa_id").map(|id| (id, naa(id.trim_start_matches("0x"))))),
        ("eui64_id", said("eui64_id").map(|id| (id, eui(id.trim_start_matches("0x"))))),
    ] {
        match parsed {
            Some((_, Ok(id))) => keys.push(format!("{key}={id}")),
            Some((id, Err(error))) => {
                let text = format!("{key} {id} cannot be said, {error}: hosts take it for another disk");
                proposal.remark(true, about, text);
            }
            None => {}
        }
    }
    let product = device.name.chars().take(PRODUCT_LENGTH).collect::<String>();
    let own = identity::t10_dev_id(name);
    let revision = said("prod_rev_lvl").filter(|level| !of_the_machine("prod_rev_lvl", level));
    for (key, value, made, limit) in [
        ("prod_id", said("prod_id").or(Some(&product)), PRODUCT, PRODUCT_LENGTH),
        ("vend_specific_id", said("vend_specific_id").or(Some(&old_t10)), &own, 128),
        ("prod_rev_lvl", revision, "", 4),
        ("inq_vend_specific", said("inq_vend_specific"), "", 160),
    ] {
        let Some(value) = value.filter(|value| *value != made) else { continue };
        let text = escaped(value);
        match shown_text(&text, limit) {
            Ok(shown) if shown == value => keys.push(format!("{key}={text}")),
            Ok(_) => {}
            Err(error) => proposal.remark(
                true,
                about,
                format!("{key} {value:?} cannot be said, {error}: hosts that look at it see another disk"),
            ),
        }
    }
}

/// A text as a key's value carries it: what the key's grammar reads otherwise as `%` and two hex digits.
fn escaped(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:+@".contains(letter) || !letter.is_ascii();
    text.chars()
        .map(|letter| if plain(letter) { letter.to_string() } else { format!("%{:02x}", u32::from(letter)) })
        .collect()
}

/// Serial number and T10 identification that the kernel makes of a name.
fn made_of(name: &str, setup_id: u64) -> (String, String) {
    // A name that no device of the agents can have is no name of theirs either.
    let sum = DeviceName::seen(name).map(|name| identity::usn(&name)).unwrap_or_default();
    let sum = u64::from_str_radix(&sum, 16).unwrap_or_default();
    let usn = format!("{:x}", setup_id << 32 | sum);
    let t10: String = format!("{usn}-{name}").chars().take(T10_LENGTH).collect();
    (usn, t10)
}

fn setup_id(source: &Source) -> u64 {
    let text = source.attributes.get("setup_id").map(|text| text.trim()).unwrap_or_default();
    let number =
        text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_default() & u64::from(u32::MAX)
}

/// A flag as the kernel reads it: the lowest bit of a number.
fn is_on(value: &str) -> bool {
    value.trim().parse::<u64>().is_ok_and(|number| number & 1 == 1)
}
