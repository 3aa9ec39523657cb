//! The same questions through a real mount, by real system calls.
//!
//! Time is as virtual as without a mount: it moves only when every writer that has not been answered is known to sleep in
//! the machine. The mount says how many do.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use super::ReplayError;
use super::surface::{Access, Ending, Entries, Found, How, Signal, Surface};
use super::writer::Writer;
use crate::model::{Errno, Machine};
use crate::mount::{Mount, Pace, Setup};

/// How long the answer to a system call that nothing holds back may take to arrive.
const PROMPT: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_micros(300);

/// A thread that reads. Nobody waits for it: one that never ends goes with the mount.
struct Reader {
    answer: Receiver<Result<Vec<u8>, Errno>>,
    ended: Option<Result<Vec<u8>, Errno>>,
}

impl Reader {
    fn start(read: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static) -> Self {
        let (sender, answer) = channel();
        std::thread::spawn(move || {
            let _ = sender.send(read().map_err(|error| errno(&error)));
        });
        Self { answer, ended: None }
    }

    fn ended(&mut self) -> Option<&Result<Vec<u8>, Errno>> {
        if self.ended.is_none() {
            self.ended = self.answer.try_recv().ok();
        }
        self.ended.as_ref()
    }
}

/// A mounted machine, unmounted and its directory removed in the end.
pub struct MountSurface {
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    mount: Option<Mount>,
    dir: PathBuf,
    program: PathBuf,
}

impl MountSurface {
    /// Mounts a machine on a fresh directory. `program` is this program, for writers in processes of their own.
    pub fn new(machine: Machine, program: &Path) -> Result<Self, ReplayError> {
        let dir = fresh_directory().map_err(ReplayError::Directory)?;
        let mount = Mount::start(&dir, Setup { pace: Pace::Manual, ..Setup::from(machine) })?;
        Ok(Self { writers: Vec::new(), readers: Vec::new(), mount: Some(mount), dir, program: program.to_owned() })
    }

    fn mount(&self) -> &Mount {
        self.mount.as_ref().expect("the mount goes away with the surface only")
    }

    fn below(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// How many writers and readers of their own have not been answered.
    fn unanswered_elsewhere(&mut self) -> usize {
        let readers = self.readers.iter_mut().filter_map(|reader| reader.ended().is_none().then_some(())).count();
        readers + self.writers.iter_mut().filter_map(|writer| writer.ended().is_none().then_some(())).count()
    }

    /// Waits until all of them have been answered or sleep in the machine.
    fn settle(&mut self) {
        let deadline = Instant::now() + PROMPT;
        while self.mount().waiting() < self.unanswered_elsewhere() && Instant::now() < deadline {
            std::thread::sleep(GLANCE);
        }
    }

    /// A read(2) in a thread of its own, while time passes here.
    fn read_patiently(&mut self, file: &File, count: usize) -> Result<Vec<u8>, Errno> {
        let mut file = file.try_clone().map_err(|error| errno(&error))?;
        self.readers.push(Reader::start(move || {
            let mut buffer = vec![0; count];
            let taken = file.read(&mut buffer)?;
            buffer.truncate(taken);
            Ok(buffer)
        }));
        let mut reading = self.readers.len() - 1;
        loop {
            if let Some(answer) = self.read_ended(&mut reading) {
                return answer;
            }
            if !self.pass_to_next_event(Duration::MAX) {
                return Err(Errno::EDEADLK);
            }
        }
    }

    /// Collects the answers of `count` writes of this process, letting time pass while all that are left sleep.
    fn collect(&mut self, count: usize, answers: &Receiver<(usize, Result<usize, Errno>)>) -> Vec<Ending> {
        let mut endings = vec![None; count];
        let mut left = count;
        let mut deadline = Instant::now() + PROMPT;
        while left > 0 {
            if let Ok((index, result)) = answers.recv_timeout(GLANCE) {
                endings[index] = Some(Ending::Returned(result));
                left -= 1;
                continue;
            }
            // One that sleeps is counted by the mount; while some are not, an answer or a request is on its way.
            let asleep = self.mount().waiting() >= left + self.unanswered_elsewhere();
            if asleep {
                deadline = Instant::now() + PROMPT;
            }
            if (asleep && !self.pass_to_next_event(Duration::MAX)) || Instant::now() > deadline {
                break;
            }
        }
        endings.into_iter().map(|ending| ending.unwrap_or(Ending::Stuck)).collect()
    }
}

impl Drop for MountSurface {
    fn drop(&mut self) {
        self.writers.iter_mut().for_each(Writer::kill);
        self.mount = None;
        self.writers.clear();
        let _ = std::fs::remove_dir(&self.dir);
    }
}

impl Surface for MountSurface {
    type File = File;
    type Started = usize;
    type Reading = usize;

    fn machine<R>(&mut self, work: impl FnOnce(&mut Machine) -> R) -> R {
        self.mount().with_machine(work)
    }

    fn lstat(&mut self, path: &str) -> Result<Found, Errno> {
        let meta = std::fs::symlink_metadata(self.below(path)).map_err(|error| errno(&error))?;
        Ok(Found { kind: meta.file_type().into(), mode: meta.permissions().mode() & 0o7777, size: meta.len() })
    }

    fn list(&mut self, path: &str) -> Result<Entries, Errno> {
        let mut entries = Entries::new();
        for entry in std::fs::read_dir(self.below(path)).map_err(|error| errno(&error))? {
            let entry = entry.map_err(|error| errno(&error))?;
            let kind = entry.file_type().map_err(|error| errno(&error))?.into();
            entries.push((entry.file_name().as_bytes().to_vec(), kind));
        }
        entries.sort();
        Ok(entries)
    }

    fn readlink(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let target = std::fs::read_link(self.below(path)).map_err(|error| errno(&error))?;
        Ok(target.as_os_str().as_bytes().to_vec())
    }

    fn open(&mut self, path: &str, how: How) -> Result<Self::File, Errno> {
        let path = self.below(path);
        match how.uid {
            None => open(&path, how),
            Some(uid) => {
                // The identity for file access belongs to a thread, and this one ends with it.
                let thread = std::thread::spawn(move || {
                    setfsgid(Gid::from_raw(uid));
                    setfsuid(Uid::from_raw(uid));
                    open(&path, how)
                });
                thread.join().unwrap_or(Err(Errno::EIO))
            }
        }
    }

    fn read(&mut self, file: &mut Self::File, count: usize) -> Result<Vec<u8>, Errno> {
        if self.machine(|machine| machine.makes_readers_wait()) {
            return self.read_patiently(file, count);
        }
        let mut buffer = vec![0; count];
        let taken = file.read(&mut buffer).map_err(|error| errno(&error))?;
        buffer.truncate(taken);
        Ok(buffer)
    }

    fn rewind(&mut self, file: &mut Self::File) -> Result<(), Errno> {
        file.rewind().map_err(|error| errno(&error))
    }

    fn write(&mut self, file: &mut Self::File, data: &[u8], offset: Option<u64>) -> Ending {
        let mut file = match file.try_clone() {
            Ok(file) => file,
            Err(error) => return Ending::Returned(Err(errno(&error))),
        };
        let data = data.to_vec();
        let (sender, answers) = channel();
        // The thread is left alone if its write never ends; the mount's end ends it.
        std::thread::spawn(move || {
            let written = match offset {
                Some(offset) => file.write_at(&data, offset),
                None => file.write(&data),
            };
            let _ = sender.send((0, written.map_err(|error| errno(&error))));
        });
        self.collect(1, &answers).pop().unwrap_or(Ending::Stuck)
    }

    fn write_together(&mut self, writes: &[(String, Vec<u8>)]) -> Vec<Ending> {
        let (sender, answers) = channel();
        let together = Arc::new(Barrier::new(writes.len()));
        for (index, (path, data)) in writes.iter().enumerate() {
            let (path, data) = (self.below(path), data.clone());
            let (sender, together) = (sender.clone(), Arc::clone(&together));
            std::thread::spawn(move || {
                let opened = open(&path, Access::Write.into());
                together.wait();
                let written = opened.and_then(|mut file| file.write(&data).map_err(|error| errno(&error)));
                let _ = sender.send((index, written));
            });
        }
        drop(sender);
        self.collect(writes.len(), &answers)
    }

    fn start(&mut self, path: &str, data: &[u8]) -> Self::Started {
        let path = self.below(path);
        match Writer::start(&self.program, &path, data) {
            Ok(writer) => self.writers.push(writer),
            Err(error) => panic!("cannot start {}: {error}", self.program.display()),
        }
        self.settle();
        self.writers.len() - 1
    }

    fn ended(&mut self, started: &mut Self::Started) -> Option<Ending> {
        self.settle();
        self.writers[*started].ended()
    }

    fn signal(&mut self, started: &mut Self::Started, signal: Signal) {
        let before = self.mount().interrupted();
        let first = self.writers[*started].signal(signal);
        let deadline = Instant::now() + if first { PROMPT } else { Duration::ZERO };
        while self.writers[*started].ended().is_none()
            && self.mount().interrupted() == before
            && Instant::now() < deadline
        {
            std::thread::sleep(GLANCE);
        }
    }

    fn start_read(&mut self, path: &str) -> Result<Self::Reading, Errno> {
        let mut file = open(&self.below(path), Access::Read.into())?;
        self.readers.push(Reader::start(move || {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map(|_| content)
        }));
        self.settle();
        Ok(self.readers.len() - 1)
    }

    fn read_ended(&mut self, reading: &mut Self::Reading) -> Option<Result<Vec<u8>, Errno>> {
        self.settle();
        self.readers[*reading].ended().cloned()
    }

    fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        std::fs::create_dir(self.below(path)).map_err(|error| errno(&error))
    }

    fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        std::fs::remove_dir(self.below(path)).map_err(|error| errno(&error))
    }

    fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        std::fs::remove_file(self.below(path)).map_err(|error| errno(&error))
    }

    fn truncate(&mut self, path: &str) -> Result<(), Errno> {
        nix::unistd::truncate(&self.below(path), 0)
    }

    fn chmod(&mut self, path: &str, mode: u32) -> Result<(), Errno> {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.below(path), mode).map_err(|error| errno(&error))
    }

    fn pass(&mut self, time: Duration) {
        self.mount().skip(time);
    }

    fn pass_to_next_event(&mut self, limit: Duration) -> bool {
        let (now, next) = self.machine(|machine| (machine.now(), machine.next_event()));
        match next.filter(|at| *at <= limit) {
            Some(at) => {
                self.mount().skip(at.saturating_sub(now));
                true
            }
            None => false,
        }
    }
}

fn open(path: &Path, how: How) -> Result<File, Errno> {
    let mut options = OpenOptions::new();
    options.read(how.access.reads()).write(how.access.writes());
    let flag = |given: bool, flag: nix::fcntl::OFlag| if given { flag.bits() } else { 0 };
    options.custom_flags(
        flag(how.create, nix::fcntl::OFlag::O_CREAT)
            | flag(how.truncate, nix::fcntl::OFlag::O_TRUNC)
            | flag(how.append, nix::fcntl::OFlag::O_APPEND),
    );
    options.open(path).map_err(|error| errno(&error))
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// A new directory of this process to mount on.
fn fresh_directory() -> io::Result<PathBuf> {
    let mut number = 0_u64;
    loop {
        let dir = std::env::temp_dir().join(format!("scst-sim-replay-{}-{number}", std::process::id()));
        match std::fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            result => return result.map(|()| dir),
        }
    }
}
