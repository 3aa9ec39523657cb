//! Running commands: locks, waiting, EAGAIN after 15 s, `last_sysfs_mgmt_res`, signals (`scst_sysfs_queue_wait_work`).
//!
//! Each command is a job. Jobs run as far as they can whenever something changed, the oldest first; a job that has to
//! wait keeps its locks. A writer waits for its job, but may leave before it ends: then the job goes on by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::{Command, Needs, Outcome, Store};
use super::machine::Machine;
use super::slow::Slow;
use super::{Errno, FileKind, Ticket, Written};

/// How long a writer waits before it first looks whether the main mutex is held.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it waits between further looks.
const RECHECK: Duration = Duration::from_secs(5);
/// How long undoing takes once the writer that was in its way has left.
const UNDOING: Duration = Duration::from_millis(10);
/// How long a command waits for commands of initiators before it gives up with EBUSY.
const QUIET_TIMEOUT: Duration = Duration::from_secs(90);

/// The process that sleeps in write(2).
#[derive(Debug, Clone, Copy)]
struct Writer {
    ticket: Ticket,
    count: usize,
}

#[derive(Debug, Clone)]
enum Progress {
    Locking,
    Slow(Duration),
    Ready,
    Waiting(Outcome),
}

#[derive(Debug, Clone)]
struct Job {
    command: Command,
    /// The file that was written to, and what.
    asked: (Vec<u8>, Vec<u8>),
    queued: bool,
    writer: Option<Writer>,
    /// A signal came for the writer, who waits on all the same.
    signalled: bool,
    /// When the writer left without an answer.
    left: Option<Duration>,
    started: Duration,
    needs: Needs,
    holds: Needs,
    slow: Option<Duration>,
    progress: Progress,
}

/// All commands that are not finished, and who holds what.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    next: u64,
    jobs: BTreeMap<u64, Job>,
    answers: BTreeMap<Ticket, Result<usize, Errno>>,
    vdisk_holder: Option<u64>,
    mutex_holder: Option<u64>,
    pub(super) last_result: Option<Errno>,
    /// Up to when the writers have looked whether to give up.
    looked: Duration,
    pub(super) slow: Vec<Slow>,
}

impl Queue {
    fn next_look(&self, job: &Job) -> Option<Duration> {
        job.writer.filter(|_| job.queued)?;
        let mut look = job.started + PATIENCE;
        while look <= self.looked {
            look += RECHECK;
        }
        Some(look)
    }

    /// Commands that hold back those of initiators.
    pub(super) fn suspending(&self) -> bool {
        self.jobs.values().any(|j| j.holds.quiet || (j.needs.quiet && matches!(j.progress, Progress::Locking)))
    }

    /// A freshly loaded module has no result yet.
    pub(super) fn forget_results(&mut self) {
        self.last_result = None;
    }

    /// Some command is not finished.
    pub(super) fn is_busy(&self) -> bool {
        !self.jobs.is_empty()
    }
}

impl Machine {
    /// The answer of a waiting write, once there is one. A ticket is answered once.
    pub fn poll(&mut self, ticket: Ticket) -> Option<Result<usize, Errno>> {
        if self.crashed().is_some() {
            return Some(Err(Errno::ENOTRECOVERABLE));
        }
        self.queue.answers.remove(&ticket)
    }

    /// A number for a write, a read or a question that waits.
    pub(super) fn new_ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.queue.next);
        self.queue.next += 1;
        ticket
    }

    /// A signal reached the waiting writer, whether it is caught or kills: the write is answered EINTR by the next poll and
    /// the command goes on. Who takes a block back waits on, and so does in 3.7 who waits for a block, and everywhere who
    /// waits for the iSCSI daemon himself.
    pub fn interrupt(&mut self, ticket: Ticket) {
        let deaf_to_signals = !self.features.interruptible_block;
        if self.asked.signal(ticket.0) {
            return;
        }
        let waiting = self.queue.jobs.values_mut().find(|j| j.writer.is_some_and(|w| w.ticket == ticket));
        if let Some(Job { progress: Progress::Waiting(Outcome::Asked(number)), queued: false, .. }) = &waiting {
            self.asked.signal(*number);
            return;
        }
        if let Some(job) = waiting {
            let waits_on = match job.command {
                Command::Unblock(_) => true,
                Command::AwaitBlocked(_) => deaf_to_signals,
                _ => false,
            };
            if waits_on {
                job.signalled = true;
                return;
            }
            job.writer = None;
            job.left = Some(self.now);
            self.queue.answers.insert(ticket, Err(Errno::EINTR));
            self.run();
        }
    }

    /// Whoever has this ticket sleeps in the kernel until the iSCSI daemon answers: a signal would make him spin there.
    pub fn waits_for_daemon(&self, ticket: Ticket) -> bool {
        let asked = self.queue.jobs.values().find(|job| job.writer.is_some_and(|writer| writer.ticket == ticket));
        match asked {
            Some(Job { progress: Progress::Waiting(Outcome::Asked(number)), queued: false, .. }) => {
                self.asked.waits(*number)
            }
            Some(_) => false,
            None => self.asked.waits(ticket.0),
        }
    }

    /// `last_sysfs_mgmt_res`: EAGAIN while queued work is going on.
    pub(super) fn last_result(&self) -> Result<i32, Errno> {
        if self.queue.jobs.values().any(|j| j.queued) {
            return Err(Errno::EAGAIN);
        }
        Ok(self.queue.last_result.map_or(0, |errno| -(errno as i32)))
    }

    /// Starts what a write asked for and runs it as far as possible.
    pub(super) fn submit(&mut self, store: Store, path: &[u8], data: &[u8]) -> Written {
        let slow = self.take_slow(path, data);
        let (command, queued) = match (store, &slow) {
            (Store::Done(result), None) => return Written::Done(result.map(|()| data.len())),
            (Store::Done(result), Some(_)) => (Command::Answer(result), false),
            (Store::Wait(command), _) => (command, false),
            (Store::Queue(command), _) => (command, true),
        };
        let mut needs = self.needs(&command);
        if slow.as_ref().is_some_and(|s| s.holds_mutex) {
            needs.mutex = true;
        }
        let ticket = self.new_ticket();
        let id = ticket.0;
        let job = Job {
            command,
            asked: (path.to_vec(), data.to_vec()),
            queued,
            writer: Some(Writer { ticket, count: data.len() }),
            signalled: false,
            left: None,
            started: self.now,
            needs,
            holds: Needs::default(),
            slow: slow.map(|s| s.takes),
            progress: Progress::Locking,
        };
        self.queue.jobs.insert(id, job);
        self.run();
        match self.queue.answers.remove(&ticket) {
            Some(answer) => Written::Done(answer),
            None => Written::Waiting(ticket),
        }
    }

    /// Lets every job go as far as it can.
    pub(super) fn run(&mut self) {
        loop {
            let jobs: Vec<u64> = self.queue.jobs.keys().copied().collect();
            let mut progressed = false;
            for id in jobs {
                progressed |= self.step(id);
            }
            if !progressed {
                break;
            }
        }
        self.notice_hosts();
    }

    /// Runs one job. True if it did anything.
    fn step(&mut self, id: u64) -> bool {
        let Some(mut job) = self.queue.jobs.remove(&id) else { return false };
        let mut progressed = false;
        loop {
            let next = match std::mem::replace(&mut job.progress, Progress::Ready) {
                Progress::Locking => match self.lock(id, &mut job) {
                    Ok(true) => job.slow.take().map_or(Progress::Ready, |takes| Progress::Slow(self.now + takes)),
                    Ok(false) => {
                        job.progress = Progress::Locking;
                        self.queue.jobs.insert(id, job);
                        return progressed;
                    }
                    Err(errno) => {
                        self.finish(id, job, Err(errno));
                        return true;
                    }
                },
                Progress::Slow(until) if self.now < until => {
                    job.progress = Progress::Slow(until);
                    self.queue.jobs.insert(id, job);
                    return progressed;
                }
                Progress::Slow(_) => Progress::Ready,
                Progress::Ready => Progress::Waiting(self.execute(&job.command)),
                Progress::Waiting(outcome) => match self.proceed(&job, outcome) {
                    Outcome::Done(result) => {
                        self.finish(id, job, result);
                        return true;
                    }
                    waiting => {
                        if matches!(waiting, Outcome::Drain(..) | Outcome::Asked(_) | Outcome::Never) {
                            self.unlock_main(id, &mut job);
                        }
                        job.progress = Progress::Waiting(waiting);
                        self.queue.jobs.insert(id, job);
                        return progressed;
                    }
                },
            };
            progressed = true;
            job.progress = next;
        }
    }

    /// Looks whether what a job waits for has happened.
    fn proceed(&mut self, job: &Job, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Drain(commands, rest) => {
                if commands.iter().any(|io| !self.io_done(*io)) {
                    return Outcome::Drain(commands, rest);
                }
                self.finish_rest(rest)
            }
            Outcome::Opening(path, device) => {
                if self.opening_waits(&path) {
                    return Outcome::Opening(path, device);
                }
                // A FIFO is neither a regular file nor a block device.
                self.forget_device(device);
                Outcome::Done(Err(Errno::EINVAL))
            }
            Outcome::Abandoned(device, errno) => {
                if job.left.is_none_or(|left| self.now < left + UNDOING) {
                    return Outcome::Abandoned(device, errno);
                }
                self.forget_device(device);
                Outcome::Done(Err(errno))
            }
            Outcome::Again => self.execute(&job.command),
            Outcome::Unblocking(device) => {
                if !self.is_block_settled(device) {
                    return Outcome::Unblocking(device);
                }
                // Woken by a signal, the kernel forgets to take the block back that it waited for.
                if !(job.signalled && self.features.interruptible_block) {
                    self.lower_block(device);
                }
                Outcome::Done(Ok(()))
            }
            Outcome::Asked(number) => match self.daemon_answer(number) {
                Some(answer) => Outcome::Done(answer.map(drop)),
                None => Outcome::Asked(number),
            },
            other => other,
        }
    }

    /// Takes the locks a job needs, as far as they are free. EBUSY when commands of initiators do not end.
    fn lock(&mut self, id: u64, job: &mut Job) -> Result<bool, Errno> {
        if job.needs.vdisk && !job.holds.vdisk {
            if self.queue.vdisk_holder.is_some() {
                return Ok(false);
            }
            self.queue.vdisk_holder = Some(id);
            job.holds.vdisk = true;
        }
        if job.needs.quiet && !job.holds.quiet {
            if self.has_io_in_flight() {
                return if self.now >= quiet_deadline(job) { Err(Errno::EBUSY) } else { Ok(false) };
            }
            job.holds.quiet = true;
        }
        if job.needs.mutex && !job.holds.mutex {
            if self.queue.mutex_holder.is_some() {
                return Ok(false);
            }
            self.queue.mutex_holder = Some(id);
            job.holds.mutex = true;
        }
        Ok(true)
    }

    fn unlock_main(&mut self, id: u64, job: &mut Job) {
        if self.queue.mutex_holder == Some(id) {
            self.queue.mutex_holder = None;
        }
        job.holds.mutex = false;
        job.holds.quiet = false;
    }

    fn finish(&mut self, id: u64, mut job: Job, result: Result<(), Errno>) {
        self.unlock_main(id, &mut job);
        if self.queue.vdisk_holder == Some(id) {
            self.queue.vdisk_holder = None;
        }
        if result == Err(Errno::ENOTSUP) && !matches!(job.command, Command::Answer(_)) {
            let (path, data) = &job.asked;
            self.note_unknown(path, &format!("write {:?}", String::from_utf8_lossy(data)));
        }
        if job.queued {
            self.queue.last_result = result.err();
        }
        if let Some(writer) = job.writer {
            self.queue.answers.insert(writer.ticket, result.map(|()| writer.count));
        }
        self.release_held_io();
    }

    /// When a job will do something by itself.
    pub(super) fn next_job_event(&self) -> Option<Duration> {
        let jobs = self.queue.jobs.values();
        jobs.filter_map(|job| {
            let own = match &job.progress {
                Progress::Slow(until) => Some(*until),
                Progress::Locking if job.needs.quiet && !job.holds.quiet => Some(quiet_deadline(job)),
                Progress::Waiting(Outcome::Abandoned(..)) => job.left.map(|left| left + UNDOING),
                _ => None,
            };
            // Looking changes nothing as long as nobody holds the mutex.
            let look = self.queue.mutex_holder.and_then(|_| self.queue.next_look(job));
            own.filter(|t| *t > self.now).into_iter().chain(look).min()
        })
        .min()
    }

    /// Writers that have waited long enough leave if the main mutex is held now.
    pub(super) fn let_writers_look(&mut self) {
        let now = self.now;
        if self.queue.mutex_holder.is_some() {
            let leaving: Vec<u64> = self
                .queue
                .jobs
                .iter()
                .filter(|(_, job)| self.queue.next_look(job).is_some_and(|look| look <= now))
                .map(|(id, _)| *id)
                .collect();
            for id in leaving {
                let Some(job) = self.queue.jobs.get_mut(&id) else { continue };
                job.left = Some(now);
                if let Some(writer) = job.writer.take() {
                    self.queue.answers.insert(writer.ticket, Err(Errno::EAGAIN));
                }
            }
        }
        self.queue.looked = now;
    }

    /// Opening the file does not end: a FIFO whose other end nobody holds.
    pub(super) fn opening_waits(&self, path: &[u8]) -> bool {
        self.host.file(path).is_ok_and(|file| file.kind == FileKind::Fifo && !file.held)
    }
}

/// When a job that waits for commands of initiators gives up.
fn quiet_deadline(job: &Job) -> Duration {
    let patience = match job.command {
        Command::Suspend { timeout: 0 } => return Duration::MAX,
        Command::Suspend { timeout } => Duration::from_secs(timeout),
        Command::MeasureLatency(_) => Duration::from_secs(10),
        _ => QUIET_TIMEOUT,
    };
    job.started + patience
}

impl Machine {
    /// Waits for something without any writer, until it is done.
    pub(super) fn in_background(&mut self, outcome: Outcome) {
        let id = self.new_ticket().0;
        let job = Job {
            command: Command::Answer(Ok(())),
            asked: (Vec::new(), Vec::new()),
            queued: false,
            writer: None,
            signalled: false,
            left: None,
            started: self.now,
            needs: Needs::default(),
            holds: Needs::default(),
            slow: None,
            progress: Progress::Waiting(outcome),
        };
        self.queue.jobs.insert(id, job);
        self.step(id);
    }
}
