//! Steps that read and write files, one system call after the other.

use super::player::{Misfit, PATIENCE, Player, compare, name_of, word};
use super::recording::{Pwrite, Read, Reread, RereadMode, StaleFd, WaitFor, Write, WriteChunks};
use super::surface::{Access, Ending, How, Surface};
use super::tree::{first_line, read_whole};
use crate::model::Errno;

/// What a recorder's read(2) asks for.
const READ_SIZE: usize = 4096;

impl<S: Surface> Player<S> {
    pub(super) fn write(&mut self, write: &Write) -> Result<(), Misfit> {
        let how = flags(write.flags.as_deref(), write.uid)?;
        let path = self.path(&write.path);
        let data = self.real(&write.data);
        let got = match self.surface.open(&path, how) {
            Err(errno) => format!("{} from open", name_of(errno)),
            Ok(mut file) => match self.surface.write(&mut file, data.as_bytes(), None) {
                Ending::Returned(Ok(taken)) if taken != data.len() => format!("ok, {taken} bytes"),
                ending => word(ending),
            },
        };
        let wanted = match (write.stage.as_deref(), write.written) {
            (Some(stage), _) => format!("{} from {stage}", write.result),
            (None, Some(taken)) => format!("{}, {taken} bytes", write.result),
            (None, None) => write.result.clone(),
        };
        compare(&wanted, &got)?;
        self.last_result(write.last_res.as_ref())
    }

    pub(super) fn write_chunks(&mut self, chunks: &WriteChunks) -> Result<(), Misfit> {
        let path = self.path(&chunks.path);
        let mut got = Vec::new();
        match self.surface.open(&path, Access::Write.into()) {
            Ok(mut file) => {
                for chunk in &chunks.chunks {
                    got.push(word(self.surface.write(&mut file, chunk.as_bytes(), None)));
                }
            }
            Err(errno) => got.push(name_of(errno)),
        }
        compare(&chunks.results.join(" "), &got.join(" "))?;
        self.last_result(chunks.last_res.as_ref())
    }

    pub(super) fn pwrite(&mut self, write: &Pwrite) -> Result<(), Misfit> {
        let path = self.path(&write.path);
        let ending = match self.surface.open(&path, Access::Write.into()) {
            Ok(mut file) => self.surface.write(&mut file, write.data.as_bytes(), Some(write.offset)),
            Err(errno) => Ending::Returned(Err(errno)),
        };
        compare(&write.result, &word(ending))?;
        self.last_result(write.last_res.as_ref())
    }

    pub(super) fn read(&mut self, read: &Read) -> Result<(), Misfit> {
        let limit = self.surface.machine(|machine| machine.now()) + PATIENCE;
        loop {
            let Err(misfit) = self.read_now(read) else { return Ok(()) };
            // How long a step took is not recorded; while a disk is at work an answer may be one of a little later.
            if !self.disk_at_work() || !self.surface.pass_to_next_event(limit) {
                return Err(misfit);
            }
        }
    }

    fn disk_at_work(&mut self) -> bool {
        let last = self.readers.last().copied();
        last.is_some_and(|io| !self.surface.machine(|machine| machine.io_done(io)))
    }

    fn read_now(&mut self, read: &Read) -> Result<(), Misfit> {
        let path = self.path(&read.path);
        let how = How { uid: read.uid, ..How::default() };
        let answer = read_whole(&mut self.surface, &path, how);
        self.compare_read(read, answer)
    }

    /// Compares what a read, or the open(2) before it, answered.
    pub(super) fn compare_read(&self, read: &Read, answer: Result<Vec<u8>, (Errno, bool)>) -> Result<(), Misfit> {
        let got = match answer {
            Ok(bytes) => {
                let text = self.shown(&bytes);
                if read.content.is_some() {
                    format!("{text:?}")
                } else if read.content_first_line.is_some() {
                    format!("{:?}", first_line(&text))
                } else if read.volatile || read.help {
                    "ok".to_owned()
                } else {
                    format!("ok {text:?}")
                }
            }
            Err(error) => failed(error),
        };
        let wanted = match (&read.stage, &read.content, &read.content_first_line) {
            (Some(stage), ..) => format!("{} from {stage}", read.result),
            (None, Some(content), _) | (None, None, Some(content)) => format!("{content:?}"),
            (None, None, None) => read.result.clone(),
        };
        compare(&wanted, &got)
    }

    pub(super) fn reread(&mut self, reread: &Reread) -> Result<(), Misfit> {
        let path = self.path(&reread.path);
        let mut file = self
            .surface
            .open(&path, How::default())
            .map_err(|errno| Misfit::new(format!("{:?}", reread.first), name_of(errno)))?;
        let count = if reread.mode == RereadMode::Small { reread.first.len() } else { READ_SIZE };
        let first = self.surface.read(&mut file, count).map_or_else(name_of, |bytes| self.shown(&bytes));
        let write = Write {
            path: reread.write_path.clone(),
            data: reread.write_data.clone(),
            result: reread.write_result.clone(),
            ..Write::default()
        };
        self.write(&write)?;
        if reread.mode == RereadMode::Seek {
            self.surface.rewind(&mut file).map_err(|errno| Misfit::new("lseek ok", name_of(errno)))?;
        }
        let second = self.surface.read(&mut file, READ_SIZE).map_or_else(name_of, |bytes| self.shown(&bytes));
        compare(&format!("{:?} {:?}", reread.first, reread.second), &format!("{first:?} {second:?}"))
    }

    pub(super) fn stale_fd(&mut self, stale: &StaleFd) -> Result<(), Misfit> {
        let Some(mut file) = self.kept.remove(&stale.path) else {
            return Err(Misfit::new("a file opened before its object went away", "no such file before"));
        };
        let write = word(self.surface.write(&mut file, b"0\n", None));
        let read = self.surface.read(&mut file, READ_SIZE).map_or_else(name_of, |_| "ok".to_owned());
        let wanted = format!("write {} read {}", stale.write_result, stale.read_result);
        compare(&wanted, &format!("write {write} read {read}"))
    }

    /// The whole content of a file in quotes, or the errno and where it came from.
    fn text_or_errno(&mut self, path: &str) -> String {
        match read_whole(&mut self.surface, path, How::default()) {
            Ok(bytes) => format!("{:?}", self.shown(&bytes)),
            Err(error) => failed(error),
        }
    }

    pub(super) fn wait_for(&mut self, poll: &WaitFor) -> Result<(), Misfit> {
        let limit = self.surface.machine(|machine| machine.now()) + PATIENCE;
        let path = self.path(&poll.path);
        let wanted = wanted_text(poll.content.as_ref(), poll.stage.as_ref(), &poll.result);
        loop {
            let got = self.text_or_errno(&path);
            if got == wanted {
                return Ok(());
            }
            if !self.surface.pass_to_next_event(limit) {
                return Err(Misfit::new(wanted, got));
            }
        }
    }
}

fn wanted_text(content: Option<&String>, stage: Option<&String>, result: &str) -> String {
    match (content, stage) {
        (Some(content), _) => format!("{content:?}"),
        (None, Some(stage)) => format!("{result} from {stage}"),
        (None, None) => result.to_owned(),
    }
}

fn failed((errno, from_open): (Errno, bool)) -> String {
    if from_open { format!("{} from open", name_of(errno)) } else { name_of(errno) }
}

/// The recorded flags of open(2); write only where none are.
fn flags(flags: Option<&str>, uid: Option<u32>) -> Result<How, Misfit> {
    let mut how = How { uid, ..How::default() };
    for flag in flags.unwrap_or("O_WRONLY").split('|') {
        match flag {
            "O_WRONLY" => how.access = Access::Write,
            "O_RDWR" => how.access = Access::Both,
            "O_CREAT" => how.create = true,
            "O_TRUNC" => how.truncate = true,
            "O_APPEND" => how.append = true,
            unknown => return Err(Misfit::new("a flag this player knows", unknown)),
        }
    }
    Ok(how)
}
