//! The daemon as the kernel sees it: present or not, and what it has been asked and has not answered
//! (`iscsi_sysfs_send_event`, `scst_wait_info_completion`).
//!
//! A daemon that is stopped answers nothing. Whoever asks waits for 30 seconds and gets EBUSY; the question stays with the
//! daemon, which finds it when it goes on. What it does then depends on whether the kernel still wants its answer (`serve`).
//! A signal does not wake the one who waits; it makes him wait without an end.

use std::time::Duration;

use super::super::Errno;
use super::super::Ticket;
use super::super::machine::Machine;
use super::super::state::{DrvId, Name, TgtId};
use super::super::tree::Node;
use super::{DRIVER, Settings};

/// How long a question waits for its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the process is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Daemon {
    Absent,
    Running,
    /// It has got SIGSTOP.
    Stopped,
    /// It is gone, but files that somebody waits in keep the kernel from removing its targets.
    Closing,
}

/// What the daemon's process is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonSignal {
    /// SIGSTOP: it answers nobody.
    Stop,
    /// SIGCONT: it answers what it finds.
    Continue,
    /// SIGTERM, SIGKILL or any other end of it: its targets go.
    End,
}

/// A question to the daemon.
#[derive(Debug, Clone)]
pub(in super::super) enum Ask {
    /// The content of a file of the driver or of one of its targets.
    Show(DrvId, Option<TgtId>, Name),
    /// A write to it.
    Store(DrvId, Option<TgtId>, Name, Vec<u8>),
    /// A command.
    Manage(DrvId, Vec<u8>),
    /// A target with its parameters, as a piece of the daemon's configuration file.
    AddTarget(DrvId, Vec<u8>),
    DelTarget(TgtId),
    Enable(TgtId, bool),
}

impl Ask {
    /// Whoever waits does so in a file that goes with the daemon or its targets.
    fn holds_a_file(&self) -> bool {
        matches!(self, Self::Show(..) | Self::Store(..) | Self::Enable(..))
    }
}

/// What became of a question.
#[derive(Debug, Clone)]
pub(in super::super) enum Asking {
    Answered(Result<Vec<u8>, Errno>),
    /// Its number, by which [`Machine::daemon_answer`] knows it.
    Waiting(u64),
}

#[derive(Debug, Clone)]
struct Question {
    number: u64,
    ask: Ask,
    /// When the one who waits gives up; `None` once a signal has reached him.
    until: Option<Duration>,
    /// He has given up.
    late: bool,
}

/// What the daemon has been asked and has not answered, in order, and answers nobody has taken.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Asked {
    questions: Vec<Question>,
    answers: Vec<(u64, Result<Vec<u8>, Errno>)>,
}

impl Asked {
    /// When somebody gives up next.
    pub(in super::super) fn next_event(&self) -> Option<Duration> {
        self.questions.iter().filter(|question| !question.late).filter_map(|question| question.until).min()
    }

    /// Somebody waits, be it for ever.
    pub(in super::super) fn is_busy(&self) -> bool {
        self.questions.iter().any(|question| !question.late)
    }

    /// Somebody waits for that answer.
    pub(in super::super) fn waits(&self, number: u64) -> bool {
        self.questions.iter().any(|question| question.number == number && !question.late)
    }

    /// The one who asked does not wait.
    pub(in super::super) fn withdraw(&mut self, number: u64) {
        self.questions.retain(|question| question.number != number);
    }

    /// A signal has reached the one who waits for that answer. True if he waits.
    pub(in super::super) fn signal(&mut self, number: u64) -> bool {
        let waits = self.questions.iter_mut().find(|question| question.number == number && !question.late);
        waits.map(|question| question.until = None).is_some()
    }
}

impl Machine {
    /// Starts the daemon, or ends it. ENODEV without the driver, EBUSY for a second daemon.
    pub fn iscsi_daemon(&mut self, running: bool) -> Result<(), Errno> {
        if !running {
            return self.signal_iscsi_daemon(DaemonSignal::End);
        }
        let driver = self.iscsi_driver().ok_or(Errno::ENODEV)?;
        let iscsi = self.iscsi_mut(driver).ok_or(Errno::ENODEV)?;
        if iscsi.daemon != Daemon::Absent {
            return Err(Errno::EBUSY);
        }
        iscsi.daemon = Daemon::Running;
        iscsi.settings = Settings::new();
        self.run();
        Ok(())
    }

    /// Sends the daemon's process a signal. ENODEV without the driver, ESRCH without the daemon where that matters.
    pub fn signal_iscsi_daemon(&mut self, signal: DaemonSignal) -> Result<(), Errno> {
        let driver = self.iscsi_driver().ok_or(Errno::ENODEV)?;
        let daemon = self.iscsi(driver).map_or(Daemon::Absent, |iscsi| iscsi.daemon);
        let alive = matches!(daemon, Daemon::Running | Daemon::Stopped);
        match signal {
            DaemonSignal::End if !alive => return Ok(()),
            _ if !alive => return Err(Errno::ESRCH),
            DaemonSignal::Stop => self.set_daemon(driver, Daemon::Stopped),
            DaemonSignal::Continue => {
                self.set_daemon(driver, Daemon::Running);
                self.answer_questions();
            }
            DaemonSignal::End => {
                // Nobody is left to find what was asked; those who wait do not know.
                self.asked.questions.retain(|question| !question.late);
                self.set_daemon(driver, Daemon::Closing);
                self.close_all_sessions(driver);
                self.close_daemon(driver);
            }
        }
        self.run();
        Ok(())
    }

    /// A read may have to wait: the daemon is there and does not answer.
    pub fn makes_readers_wait(&self) -> bool {
        self.scst.drivers.iter().filter_map(|driver| driver.iscsi.as_ref()).any(|i| i.daemon == Daemon::Stopped)
    }

    fn set_daemon(&mut self, driver: DrvId, daemon: Daemon) {
        if let Some(iscsi) = self.iscsi_mut(driver) {
            iscsi.daemon = daemon;
        }
    }

    /// Connections end at once, whatever keeps their targets.
    fn close_all_sessions(&mut self, driver: DrvId) {
        let targets = self.scst.driver_by_id(driver).into_iter().flat_map(|driver| driver.targets.values());
        let sessions: Vec<_> = targets
            .filter_map(|target| self.scst.targets.get(target))
            .flat_map(|target| target.sessions.values().copied())
            .collect();
        for session in sessions {
            self.close_session(session);
        }
    }

    /// Removes what the daemon has left, unless somebody waits in a file of it.
    fn close_daemon(&mut self, driver: DrvId) {
        if self.asked.questions.iter().any(|question| question.ask.holds_a_file()) {
            return;
        }
        let targets: Vec<TgtId> =
            self.scst.driver_by_id(driver).map(|d| d.targets.values().copied().collect()).unwrap_or_default();
        for target in targets {
            self.delete_target(target);
        }
        if let Some(iscsi) = self.iscsi_mut(driver) {
            iscsi.daemon = Daemon::Absent;
            iscsi.settings = Settings::new();
        }
    }

    /// The text of `open_state`.
    pub(in super::super) fn daemon_state(&self, driver: DrvId) -> &'static str {
        match self.iscsi(driver).map(|iscsi| iscsi.daemon) {
            Some(Daemon::Running | Daemon::Stopped) => "open",
            Some(Daemon::Closing) => "closing",
            Some(Daemon::Absent) | None => "closed",
        }
    }

    /// The question that reading a file is, if it is one to the daemon.
    pub(in super::super) fn daemons_file(&self, node: &Node, name: &[u8]) -> Option<Ask> {
        match node {
            Node::Driver(id) => {
                let own = DRIVER.iter().any(|(attr, _)| attr.as_bytes() == name);
                let known = self.iscsi(*id).is_some() && (own || self.iscsi_file(*id, name).is_some());
                known.then(|| Ask::Show(*id, None, name.to_vec()))
            }
            Node::Target(id) => {
                let iscsi = self.iscsi_target(*id)?;
                let own = super::IscsiTarget::attributes();
                let asked = own.iter().any(|(attr, _)| *attr != "tid" && attr.as_bytes() == name);
                let known = asked || iscsi.lists.files.contains_key(name);
                let driver = self.scst.targets.get(id)?.driver;
                known.then(|| Ask::Show(driver, Some(*id), name.to_vec()))
            }
            _ => None,
        }
    }

    /// Puts a question to the daemon. EPERM without one.
    pub(in super::super) fn ask_daemon(&mut self, ask: Ask) -> Asking {
        let daemon = self.driver_of_ask(&ask).and_then(|driver| self.iscsi(driver)).map(|iscsi| iscsi.daemon);
        match daemon {
            Some(Daemon::Running) => Asking::Answered(self.serve(&ask, false)),
            Some(Daemon::Stopped) => {
                let number = self.new_ticket().0;
                let until = Some(self.now + PATIENCE);
                self.asked.questions.push(Question { number, ask, until, late: false });
                Asking::Waiting(number)
            }
            Some(Daemon::Absent | Daemon::Closing) | None => Asking::Answered(Err(Errno::EPERM)),
        }
    }

    fn driver_of_ask(&self, ask: &Ask) -> Option<DrvId> {
        match ask {
            Ask::Show(driver, ..) | Ask::Store(driver, ..) | Ask::Manage(driver, _) | Ask::AddTarget(driver, _) => {
                Some(*driver)
            }
            Ask::DelTarget(target) | Ask::Enable(target, _) => self.scst.targets.get(target).map(|t| t.driver),
        }
    }

    /// The answer to a question that had to wait, once.
    pub(in super::super) fn daemon_answer(&mut self, number: u64) -> Option<Result<Vec<u8>, Errno>> {
        let at = self.asked.answers.iter().position(|(of, _)| *of == number)?;
        Some(self.asked.answers.remove(at).1)
    }

    /// A daemon that goes on takes the questions in order, also those whose answers nobody wants any more.
    fn answer_questions(&mut self) {
        for Question { number, ask, late, .. } in std::mem::take(&mut self.asked.questions) {
            let answer = self.serve(&ask, late);
            if !late {
                self.asked.answers.push((number, answer));
            }
        }
    }

    /// Those who have waited long enough give up.
    pub(in super::super) fn end_patience(&mut self) {
        let now = self.now;
        for question in &mut self.asked.questions {
            if !question.late && question.until.is_some_and(|until| until <= now) {
                question.late = true;
                self.asked.answers.push((question.number, Err(Errno::EBUSY)));
            }
        }
        let Some(driver) = self.iscsi_driver() else { return };
        if self.iscsi(driver).is_some_and(|iscsi| iscsi.daemon == Daemon::Closing) {
            self.asked.questions.retain(|question| !question.late);
            self.close_daemon(driver);
        }
    }

    /// The answer of a waiting read, once there is one. A ticket is answered once.
    pub fn poll_read(&mut self, ticket: Ticket) -> Option<Result<Vec<u8>, Errno>> {
        self.daemon_answer(ticket.0)
    }
}
