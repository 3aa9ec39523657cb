//! The machine as a whole: what it consists of, and time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dlm::Seat;
use super::io::Ios;
use super::iscsi::{Asked, Hosts};
use super::module::Module;
use super::queue::Queue;
use super::state::Scst;
use super::version::Features;
use super::{FcPort, Host, ScstVersion, Unknown};

/// One simulated machine.
pub struct Machine {
    pub(super) host: Box<dyn Host + Send>,
    pub(super) features: Features,
    pub(super) now: Duration,
    next_id: u64,
    pub(super) scst: Scst,
    pub(super) modules: BTreeMap<&'static str, Module>,
    pub(super) fc_ports: Vec<FcPort>,
    /// How often each host was told to do a LIP.
    pub(super) lips: BTreeMap<u32, u32>,
    /// Hardware ports of other drivers: driver and name.
    pub(super) other_ports: Vec<(String, Vec<u8>)>,
    /// Its part in a cluster, where a lock manager runs.
    pub(super) dlm: Option<Seat>,
    /// SCSI disks of the host, by address.
    pub(super) scsi_disks: Vec<Vec<u8>>,
    pub(super) ios: Ios,
    /// What the iSCSI daemon has been asked.
    pub(super) asked: Asked,
    /// Initiators that come back by themselves.
    pub(super) hosts: Hosts,
    pub(super) queue: Queue,
    /// Permission bits changed by `chmod`, by identity.
    pub(super) modes: BTreeMap<u64, u32>,
    unknowns: Vec<Unknown>,
    /// What the kernel died of.
    crash: Option<String>,
}

impl Machine {
    /// A machine without any module loaded.
    pub fn new(version: ScstVersion, host: Box<dyn Host + Send>) -> Self {
        Self {
            host,
            features: Features::of(version),
            now: Duration::ZERO,
            next_id: 1,
            scst: Scst::absent(),
            modules: BTreeMap::new(),
            fc_ports: Vec::new(),
            lips: BTreeMap::new(),
            other_ports: Vec::new(),
            dlm: None,
            scsi_disks: Vec::new(),
            ios: Ios::default(),
            asked: Asked::default(),
            hosts: Hosts::default(),
            queue: Queue::default(),
            modes: BTreeMap::new(),
            unknowns: Vec::new(),
            crash: None,
        }
    }

    /// A machine in the same state, which goes its own way from now on. `host` is where it looks for files.
    #[must_use]
    pub fn fork(&self, host: Box<dyn Host + Send>) -> Self {
        Self {
            host,
            features: self.features,
            now: self.now,
            next_id: self.next_id,
            scst: self.scst.clone(),
            modules: self.modules.clone(),
            fc_ports: self.fc_ports.clone(),
            lips: self.lips.clone(),
            other_ports: self.other_ports.clone(),
            dlm: self.dlm.as_ref().map(Seat::fork),
            scsi_disks: self.scsi_disks.clone(),
            ios: self.ios.clone(),
            asked: self.asked.clone(),
            hosts: self.hosts.clone(),
            queue: self.queue.clone(),
            modes: self.modes.clone(),
            unknowns: self.unknowns.clone(),
            crash: self.crash.clone(),
        }
    }

    /// A number never used before.
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Time since the machine was made.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Lets time pass up to `to`, in the order of events; earlier values change nothing.
    /// Commands that wait for something outside (a file) look again even if no time passes.
    pub fn advance(&mut self, to: Duration) {
        self.notice_hosts();
        while let Some(next) = self.next_event().filter(|next| *next <= to) {
            self.now = self.now.max(next);
            self.settle();
        }
        self.now = self.now.max(to);
        self.settle();
        self.share_reservations();
    }

    fn settle(&mut self) {
        self.end_due_io();
        self.end_patience();
        self.return_hosts();
        self.run();
        self.let_writers_look();
        self.run();
    }

    /// When something will happen by itself, if anything.
    pub fn next_event(&self) -> Option<Duration> {
        let own = [self.asked.next_event(), self.hosts.next_event()];
        self.next_job_event().into_iter().chain(self.next_io_event()).chain(own.into_iter().flatten()).min()
    }

    /// What the kernel crashed of, if it did: from then on everything asked of it fails with ENOTRECOVERABLE.
    pub fn crashed(&self) -> Option<&str> {
        self.crash.as_deref()
    }

    /// The kernel crashes. The first reason stays.
    pub(super) fn crash(&mut self, reason: String) {
        if self.crash.is_none() {
            self.note_unknown(b"kernel", &format!("the kernel crashed: {reason}"));
            self.crash = Some(reason);
        }
    }

    /// Everything asked so far that the model does not know.
    pub fn unknowns(&self) -> &[Unknown] {
        &self.unknowns
    }

    /// Notes a question the model does not know the answer of.
    pub(super) fn note_unknown(&mut self, path: &[u8], what: &str) {
        self.unknowns.push(Unknown { path: path.to_vec(), what: what.to_owned() });
    }
}
