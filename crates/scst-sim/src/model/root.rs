//! Attributes of `/sys/kernel/scst_tgt` itself (`scst_sysfs.c`).

use super::Errno;
use super::command::{Command, Store};
use super::machine::Machine;
use super::numbers::{as_int, low32, signed, unsigned};
use super::port_attrs::{keyed, keyed_bytes};
use super::trace::Trace;
use super::tree::{AttrSpec, RO, RW};
use super::words::c_text;

/// The number of command threads, one per CPU.
const THREADS: i32 = 1;
const MAX_TASKLET_CMD: i32 = 10;
/// The messages only SCST's core knows.
const TRACE: &[&str] = &[
    "retry",
    "scsi_serializing",
    "recv_bot",
    "send_bot",
    "recv_top",
    "send_top",
    "block",
    "data_send",
    "data_received",
];
/// The longest name of a cluster, in bytes.
const CLUSTER_NAME: usize = 63;

/// The values of the root's attributes.
#[derive(Debug, Clone)]
pub(super) struct RootAttrs {
    pub(super) threads: i32,
    pub(super) setup_id: u32,
    max_tasklet_cmd: i32,
    poll_ns: u64,
    pub(super) measure_latency: bool,
    pub(super) async_lun_replace: bool,
    force_global_sgv_pool: bool,
    cluster_name: Vec<u8>,
    /// How often activity was suspended by hand.
    pub(super) suspended: u32,
    trace: Trace,
}

/// What the module starts with.
impl Default for RootAttrs {
    fn default() -> Self {
        Self {
            threads: THREADS,
            setup_id: 0,
            max_tasklet_cmd: MAX_TASKLET_CMD,
            poll_ns: 0,
            measure_latency: false,
            async_lun_replace: false,
            force_global_sgv_pool: false,
            cluster_name: Vec::new(),
            suspended: 0,
            trace: Trace::new(TRACE),
        }
    }
}

/// `kstrtobool`: the first character, or two for `on` and `off`.
fn boolean(text: &[u8]) -> Result<bool, Errno> {
    match text {
        [b'1' | b'y' | b'Y' | b't' | b'T', ..] | [b'o' | b'O', b'n' | b'N', ..] => Ok(true),
        [b'0' | b'n' | b'N' | b'f' | b'F', ..] | [b'o' | b'O', b'f' | b'F', ..] => Ok(false),
        _ => Err(Errno::EINVAL),
    }
}

impl Machine {
    pub(super) fn root_attributes(&self) -> Vec<AttrSpec> {
        let mut all = vec![
            ("force_global_sgv_pool", RW),
            ("last_sysfs_mgmt_res", RO),
            ("max_tasklet_cmd", RW),
            ("measure_latency", RW),
            ("poll_us", RW),
            ("setup_id", RW),
            ("suspend", RW),
            ("threads", RW),
            ("trace_cmds", RO),
            ("trace_level", RW),
            ("trace_mcmds", RO),
            ("version", RO),
        ];
        if self.features.cluster_name {
            all.extend([("async_lun_replace", RW), ("cluster_name", RW)]);
        }
        all
    }

    pub(super) fn show_root(&self, attr: &str) -> Result<Vec<u8>, Errno> {
        let root = &self.scst.root;
        // The older release writes a line end behind the place of the key.
        let older = |value: String, key: bool| match (self.features.root_extra_line, key) {
            (true, false) => format!("{value}\n\n").into_bytes(),
            _ => keyed(value, key),
        };
        Ok(match attr {
            "async_lun_replace" => keyed(u8::from(root.async_lun_replace), false),
            "cluster_name" if root.cluster_name.is_empty() => Vec::new(),
            "cluster_name" => keyed_bytes(&root.cluster_name, true),
            "force_global_sgv_pool" => {
                let mut text = keyed(u8::from(root.force_global_sgv_pool), root.force_global_sgv_pool);
                if self.features.root_extra_line {
                    text.push(b'\n');
                }
                text
            }
            "last_sysfs_mgmt_res" => keyed(self.last_result()?, false),
            "max_tasklet_cmd" => older(root.max_tasklet_cmd.to_string(), root.max_tasklet_cmd != MAX_TASKLET_CMD),
            "measure_latency" => keyed(u8::from(root.measure_latency), false),
            "poll_us" => older((root.poll_ns / 1000).to_string(), root.poll_ns != 0),
            "setup_id" => older(format!("{:#x}", root.setup_id), root.setup_id != 0),
            "suspend" => keyed(root.suspended, false),
            "threads" => keyed(root.threads, root.threads != THREADS),
            "trace_cmds" | "trace_mcmds" => Vec::new(),
            "trace_level" => root.trace.show(),
            "version" => format!("SCST version: {}\n", self.features.release).into_bytes(),
            _ => return Err(Errno::ENOENT),
        })
    }

    pub(super) fn store_root(&mut self, attr: &str, data: &[u8]) -> Store {
        let text = c_text(data);
        match attr {
            "threads" => match signed(text) {
                Ok(number) if number > 0 => Store::Queue(Command::Threads(as_int(number))),
                Ok(_) => Store::Done(Err(Errno::EINVAL)),
                Err(errno) => Store::Done(Err(errno)),
            },
            "measure_latency" => match signed(text) {
                Ok(number) => Store::Wait(Command::MeasureLatency(number != 0)),
                Err(errno) => Store::Done(Err(errno)),
            },
            "suspend" => match signed(text).map(u64::try_from) {
                Ok(Ok(timeout)) => Store::Wait(Command::Suspend { timeout }),
                Ok(Err(_negative)) => {
                    self.scst.root.suspended = self.scst.root.suspended.saturating_sub(1);
                    self.release_held_io();
                    Store::Done(Ok(()))
                }
                Err(errno) => Store::Done(Err(errno)),
            },
            _ => Store::Done(store_value(&mut self.scst.root, attr, data)),
        }
    }
}

fn store_value(root: &mut RootAttrs, attr: &str, data: &[u8]) -> Result<(), Errno> {
    let text = c_text(data);
    match attr {
        "async_lun_replace" => root.async_lun_replace = boolean(text)?,
        "cluster_name" => {
            let newline = usize::from(data.ends_with(b"\n"));
            let name = &text[..text.len().saturating_sub(newline)];
            if name.len() > CLUSTER_NAME {
                return Err(Errno::EINVAL);
            }
            root.cluster_name = name.to_vec();
        }
        "force_global_sgv_pool" => root.force_global_sgv_pool = unsigned(text)? != 0,
        "max_tasklet_cmd" => {
            let number = unsigned(text)?;
            root.max_tasklet_cmd = i32::from_ne_bytes(low32(number).to_ne_bytes());
        }
        "poll_us" => root.poll_ns = unsigned(text)?.wrapping_mul(1000),
        "setup_id" => root.setup_id = low32(unsigned(text)?),
        "trace_level" => root.trace.store(text)?,
        _ => return Err(Errno::ENOTSUP),
    }
    Ok(())
}
