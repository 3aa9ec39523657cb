//! Parameters of `add_device` (`vdev_parse_add_dev_params`): one table of which handler takes which, and their values.

use super::Errno;
use super::backing::{Vdisk, VdiskKind};
use super::numbers::{as_int, low32, signed, unsigned};
use super::version::Features;
use super::words::{Words, same_word};

/// A parameter and the handlers whose usage names it, as `f`, `b`, `n`, `c`.
const TABLE: &[(&str, &str)] = &[
    ("active", "fb"),
    ("async", "f"),
    ("bind_alua_state", "fb"),
    ("blocksize", "fbn"),
    ("cluster_mode", "fbn"),
    ("dif_filename", "fb"),
    ("dif_mode", "fbn"),
    ("dif_static_app_tag", "fbn"),
    ("dif_type", "fbn"),
    ("dummy", "n"),
    ("filename", "fb"),
    ("numa_node_id", "fbn"),
    ("nv_cache", "fb"),
    ("o_direct", "f"),
    ("read_only", "fbn"),
    ("removable", "fbn"),
    ("rotational", "fbn"),
    ("size", "n"),
    ("size_mb", "n"),
    ("thin_provisioned", "fb"),
    ("tst", "fbnc"),
    ("t10_dev_id", "fbn"),
    ("write_through", "fb"),
];

/// The modes of protection information.
const DIF_MODES: [&str; 4] = ["tgt", "scst", "dev_check", "dev_store"];
/// Half a KiB, as a power of two: the smallest block.
const MIN_BLOCK_SHIFT: u32 = 9;

fn letter(kind: VdiskKind) -> char {
    match kind {
        VdiskKind::File => 'f',
        VdiskKind::Block => 'b',
        VdiskKind::Null => 'n',
        VdiskKind::Cdrom => 'c',
    }
}

/// The parameters the usage text of a handler names.
pub(super) fn documented(kind: VdiskKind, features: Features) -> Vec<&'static str> {
    let has = |name: &str| match name {
        "t10_dev_id" => features.t10_dev_id_parameter,
        "active" | "bind_alua_state" if kind == VdiskKind::File => features.fileio_active,
        _ => true,
    };
    TABLE.iter().filter(|(name, kinds)| kinds.contains(letter(kind)) && has(name)).map(|(name, _)| *name).collect()
}

/// What `add_device` gives besides the vdisk itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) read_only: bool,
    pub(super) cluster_mode: bool,
    pub(super) numa_node_id: Option<i32>,
}

/// Reads the parameters behind the device name. EINVAL for syntax, unknown names and bad values, ERANGE beyond 64 bit.
pub(super) fn parse(mut words: Words<'_>, vdisk: &mut Vdisk, features: Features) -> Result<Given, Errno> {
    let mut given = Given::default();
    let allowed = documented(vdisk.kind, features);
    while let Some(mut parameter) = words.parameter() {
        let name = parameter.word();
        // Files are not checked against the table; whatever any handler knows is taken.
        if name.is_empty() || (vdisk.kind != VdiskKind::File && !allowed.iter().any(|a| same_word(name, a))) {
            return Err(Errno::EINVAL);
        }
        let value = parameter.word();
        if value.is_empty() || !parameter.word().is_empty() {
            return Err(Errno::EINVAL);
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        apply(&name, value, vdisk, &mut given, features)?;
    }
    if !vdisk.size.is_multiple_of(1u64 << vdisk.block_shift) {
        return Err(Errno::EINVAL);
    }
    Ok(given)
}

fn apply(name: &str, value: &[u8], vdisk: &mut Vdisk, given: &mut Given, features: Features) -> Result<(), Errno> {
    match name {
        "filename" => {
            if vdisk.filename.is_some() || !value.starts_with(b"/") {
                return Err(Errno::EINVAL);
            }
            vdisk.filename = Some(value.to_vec());
            return Ok(());
        }
        "dif_filename" => {
            if !value.starts_with(b"/") {
                return Err(Errno::EINVAL);
            }
            vdisk.dif.file_name = Some(value.to_vec());
            return Ok(());
        }
        "dif_mode" => return dif_mode(value, vdisk),
        "t10_dev_id" if features.t10_dev_id_parameter => return vdisk.ids.set_t10_dev_id(value),
        _ => {}
    }
    let number = signed(value)?;
    if name == "numa_node_id" {
        given.numa_node_id = Some(as_int(number)).filter(|node| *node >= -1);
        return given.numa_node_id.map(|_| ()).ok_or(Errno::EINVAL);
    }
    let number = unsigned(value)?;
    // Most are bit fields: they keep the lowest bit.
    let bit = number & 1 == 1;
    match name {
        "write_through" => vdisk.write_through = bit,
        "nv_cache" => vdisk.nv_cache = bit,
        "o_direct" => vdisk.o_direct = bit,
        "read_only" => given.read_only = bit,
        "dummy" if number > 1 => return Err(Errno::EINVAL),
        "dummy" => vdisk.dummy = bit,
        "removable" => vdisk.removable = bit,
        "active" => vdisk.active = bit,
        "bind_alua_state" => vdisk.bind_alua_state = bit,
        "rotational" => vdisk.rotational = bit,
        "tst" => vdisk.tst = u8::try_from(number).ok().filter(|n| *n <= 1).ok_or(Errno::EINVAL)?,
        "thin_provisioned" => {
            vdisk.thin_provisioned = bit;
            vdisk.thin_provisioned_given = true;
        }
        "async" => vdisk.async_io = number != 0,
        "size" => vdisk.size = number,
        "size_mb" => vdisk.size = number.wrapping_mul(1 << 20),
        "cluster_mode" => given.cluster_mode = bit,
        "blocksize" => {
            vdisk.block_shift = match low32(number) {
                0 => MIN_BLOCK_SHIFT,
                size => size.ilog2(),
            };
            if vdisk.block_shift < MIN_BLOCK_SHIFT {
                return Err(Errno::EINVAL);
            }
        }
        "dif_type" => vdisk.dif.kind = number,
        "dif_static_app_tag" => vdisk.dif.static_app_tag = number & 0xffff,
        "lb_per_pb_exp" if features.lb_per_pb_exp => vdisk.lb_per_pb_exp = bit,
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn dif_mode(value: &[u8], vdisk: &mut Vdisk) -> Result<(), Errno> {
    for word in value.split(|b| *b == b'|') {
        let mode = DIF_MODES.iter().find(|m| same_word(word, m)).ok_or(Errno::EINVAL)?;
        vdisk.dif.modes.push(mode);
    }
    Ok(())
}

/// The modes in the order the kernel shows them, each once.
pub(super) fn dif_modes(vdisk: &Vdisk) -> Vec<&'static str> {
    DIF_MODES.into_iter().filter(|m| vdisk.dif.modes.contains(m)).collect()
}
