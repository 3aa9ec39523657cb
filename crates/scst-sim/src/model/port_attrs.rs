//! Attributes that ports and initiator groups share: `addr_method`, `io_grouping_type`, `black_hole`, `cpu_mask`.
//! A port's are those of its default group.

use super::Errno;
use super::command::{Command, Store};
use super::machine::Machine;
use super::numbers::{as_int, bitmap, signed, unsigned};
use super::state::{AcgId, AddrMethod, Flavour, TgtId};
use super::tree::{AttrSpec, RW};
use super::words::{c_text, lower};

pub(super) const IO_GROUPING_AUTO: i32 = 0;
const IO_GROUPING_THIS_GROUP_ONLY: i32 = -1;
const IO_GROUPING_NEVER: i32 = -2;

/// The machine has one CPU.
const CPUS: u32 = 1;
/// A `cpu_mask` of all CPUs.
pub(super) const ALL_CPUS: u64 = 1;

/// `[key]` below a value that is not the default.
pub(super) fn keyed(value: impl std::fmt::Display, key: bool) -> Vec<u8> {
    format!("{value}\n{}", if key { "[key]\n" } else { "" }).into_bytes()
}

/// The same for a value of any bytes.
pub(super) fn keyed_bytes(value: &[u8], key: bool) -> Vec<u8> {
    [value, if key { b"\n[key]\n" } else { b"\n" }].concat()
}

/// `strncasecmp(data, keyword, min(strlen(keyword), count))`: each may be the beginning of the other.
fn begins_alike(data: &[u8], keyword: &str) -> bool {
    data.iter().zip(keyword.bytes()).all(|(a, b)| lower(*a) == lower(b))
}

impl AddrMethod {
    fn name(self) -> &'static str {
        match self {
            Self::Peripheral => "PERIPHERAL",
            Self::Flat => "FLAT",
            Self::Lun => "LUN",
        }
    }
}

fn parse_io_grouping(data: &[u8]) -> Result<i64, Errno> {
    let keywords =
        [("auto", IO_GROUPING_AUTO), ("this_group_only", IO_GROUPING_THIS_GROUP_ONLY), ("never", IO_GROUPING_NEVER)];
    if let Some((_, value)) = keywords.iter().find(|(keyword, _)| begins_alike(data, keyword)) {
        return Ok(i64::from(*value));
    }
    signed(c_text(data)).ok().filter(|n| *n > 0).ok_or(Errno::EINVAL)
}

fn io_grouping_text(value: i32) -> Vec<u8> {
    match value {
        IO_GROUPING_AUTO => keyed("auto", false),
        IO_GROUPING_THIS_GROUP_ONLY => keyed("this_group_only", true),
        IO_GROUPING_NEVER => keyed("never", true),
        number => keyed(number, true),
    }
}

/// The attributes in an initiator group of any driver; ports have them among others.
pub(super) const SHARED: [AttrSpec; 4] =
    [("addr_method", RW), ("black_hole", RW), ("cpu_mask", RW), ("io_grouping_type", RW)];

impl Machine {
    fn is_iscsi(&self, target: TgtId) -> bool {
        let driver = self.scst.targets.get(&target).and_then(|t| self.scst.driver_by_id(t.driver));
        driver.is_some_and(|d| d.flavour == Flavour::Iscsi)
    }

    pub(super) fn ini_group_attributes(&self, acg: AcgId) -> Vec<AttrSpec> {
        let mut all = SHARED.to_vec();
        if self.scst.acgs.get(&acg).is_some_and(|a| self.is_iscsi(a.target)) {
            all.push(("per_sess_dedicated_tgt_threads", RW));
        }
        all
    }

    pub(super) fn show_group(&self, acg: AcgId, attr: &str) -> Result<Vec<u8>, Errno> {
        let group = self.scst.acgs.get(&acg).ok_or(Errno::ENOENT)?;
        Ok(match attr {
            "addr_method" => keyed(group.addr_method.name(), group.addr_method != AddrMethod::Peripheral),
            "black_hole" => keyed(group.black_hole, false),
            "cpu_mask" => keyed(format_args!("{:x}", group.cpu_mask), group.cpu_mask != ALL_CPUS),
            "io_grouping_type" => io_grouping_text(group.io_grouping_type),
            "per_sess_dedicated_tgt_threads" => keyed(u8::from(group.dedicated_threads), group.dedicated_threads),
            _ => return Err(Errno::ENOENT),
        })
    }

    pub(super) fn store_group(&mut self, acg: AcgId, attr: &str, data: &[u8]) -> Store {
        let Some(group) = self.scst.acgs.get_mut(&acg) else { return Store::Done(Err(Errno::ENODEV)) };
        let refused = Store::Done(Err(Errno::EINVAL));
        match attr {
            "addr_method" => {
                let methods = [AddrMethod::Flat, AddrMethod::Peripheral, AddrMethod::Lun];
                let Some(method) = methods.into_iter().find(|m| begins_alike(data, m.name())) else { return refused };
                group.addr_method = method;
            }
            "black_hole" => match data.first() {
                Some(kind @ b'0'..=b'4') => group.black_hole = kind - b'0',
                _ => return refused,
            },
            "cpu_mask" => match bitmap(data, CPUS) {
                Err(errno) => return Store::Done(Err(errno)),
                Ok(mask) if mask == group.cpu_mask => {}
                Ok(mask) => return Store::Queue(Command::CpuMask(acg, mask)),
            },
            "io_grouping_type" => match parse_io_grouping(data) {
                Err(errno) => return Store::Done(Err(errno)),
                Ok(value) if value == i64::from(group.io_grouping_type) => {}
                Ok(value) => return Store::Queue(Command::IoGrouping(acg, as_int(value))),
            },
            "per_sess_dedicated_tgt_threads" => match unsigned(c_text(data)) {
                Ok(value) => group.dedicated_threads = value != 0,
                Err(errno) => return Store::Done(Err(errno)),
            },
            _ => return Store::Done(Err(Errno::ENOTSUP)),
        }
        Store::Done(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouping_keywords_match_by_prefix_both_ways() {
        for text in ["never\n", "NEVER", "neverland\n", "n", "ne"] {
            assert_eq!(parse_io_grouping(text.as_bytes()), Ok(i64::from(IO_GROUPING_NEVER)), "{text}");
        }
        for text in ["n\n", " auto", "0", "-1", "-2\n", "th\n", "\n"] {
            assert_eq!(parse_io_grouping(text.as_bytes()), Err(Errno::EINVAL), "{text}");
        }
        assert_eq!(parse_io_grouping(b"0x10\n"), Ok(16));
    }
}
