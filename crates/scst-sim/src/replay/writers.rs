//! Steps with several writers: some started at one moment, some in processes of their own that may get signals.

use std::time::Duration;

use super::player::{Misfit, Player, compare, word};
use super::recording::{
    Parallel, Read, ReadStart, ReadWait, WritePoll, WritePolls, WriteSignal, WriteStart, WriteWait,
};
use super::surface::{Ending, Signal, Surface};
use crate::model::Errno;

/// The word recordings have for a call that has not returned.
const STILL_BLOCKED: &str = "STILL_BLOCKED";

impl<S: Surface> Player<S> {
    pub(super) fn write_start(&mut self, start: &WriteStart) {
        let path = self.path(&start.path);
        let data = self.real(&start.data);
        let started = self.surface.start(&path, data.as_bytes());
        // An id may be used again.
        self.ended.remove(&start.id);
        self.started.insert(start.id.clone(), started);
    }

    pub(super) fn write_signal(&mut self, signal: &WriteSignal) -> Result<(), Misfit> {
        let kind = match signal.signal.as_str() {
            "SIGKILL" => Signal::Kill,
            "SIGUSR1" => Signal::User1,
            other => return Err(Misfit::new("a signal this player knows", other)),
        };
        if let Some(started) = self.started.get_mut(&signal.id) {
            self.surface.signal(started, kind);
        }
        Ok(())
    }

    pub(super) fn write_poll(&mut self, poll: &WritePoll) -> Result<(), Misfit> {
        self.surface.pass(Duration::from_secs_f64(poll.after_s));
        let state = |done: bool| if done { "done" } else { "not done" };
        let done = self.ended(&poll.id).is_some();
        compare(state(poll.done), state(done))
    }

    pub(super) fn write_polls(&mut self, polls: &WritePolls) -> Result<(), Misfit> {
        self.surface.pass(Duration::from_secs_f64(polls.after_s));
        let got: Vec<_> = polls.done.keys().map(|id| (id, self.ended(id).is_some())).collect();
        compare(&format!("{:?}", polls.done.iter().collect::<Vec<_>>()), &format!("{got:?}"))
    }

    pub(super) fn read_start(&mut self, start: &ReadStart) {
        let path = self.path(&start.path);
        let reading = self.surface.start_read(&path);
        self.reading.insert(start.id.clone(), reading);
    }

    pub(super) fn read_wait(&mut self, wait: &ReadWait) -> Result<(), Misfit> {
        let limit = self.surface.machine(|machine| machine.now()) + Duration::from_secs_f64(wait.within_s);
        let answer = loop {
            let Some(reading) = self.reading.get_mut(&wait.id) else {
                return Err(Misfit::new("a read that was started", "none of that name"));
            };
            let answer = match reading {
                Ok(reading) => self.surface.read_ended(reading).map(|read| read.map_err(|errno| (errno, false))),
                Err(errno) => Some(Err((*errno, true))),
            };
            if answer.is_some() || !self.surface.pass_to_next_event(limit) {
                break answer;
            }
        };
        let Some(answer) = answer else {
            // The reader stays where it is; a later step may look again.
            let now = self.surface.machine(|machine| machine.now());
            self.surface.pass(limit.saturating_sub(now));
            return compare(&wait.result, STILL_BLOCKED);
        };
        self.reading.remove(&wait.id);
        let read = Read {
            result: wait.result.clone(),
            stage: wait.stage.clone(),
            content: wait.content.clone(),
            content_first_line: wait.content_first_line.clone(),
            volatile: wait.volatile,
            help: wait.help,
            ..Read::default()
        };
        self.compare_read(&read, answer)
    }

    pub(super) fn write_wait(&mut self, waited: &WriteWait) -> Result<(), Misfit> {
        let got = loop {
            if let Some(ending) = self.ended(&waited.id) {
                break ending;
            }
            if !self.surface.pass_to_next_event(Duration::MAX) {
                break Ending::Stuck;
            }
        };
        let others_go_on = self.given_up;
        self.given_up |= matches!(got, Ending::Interrupted | Ending::Killed | Ending::Returned(Err(Errno::EAGAIN)));
        compare(&waited.result, &word(got))?;
        match self.last_result(waited.last_res.as_ref()) {
            // What writers have given up the kernel still does. Whether it had done all of it when this write was
            // answered is a matter of milliseconds, which are not part of a recording.
            Err(_) if others_go_on && waited.last_res.as_deref() == Some("EAGAIN") => Ok(()),
            result => result,
        }
    }

    pub(super) fn parallel(&mut self, parallel: &Parallel) -> Result<(), Misfit> {
        let writes: Vec<_> =
            parallel.steps.iter().map(|write| (self.path(&write.path), self.real(&write.data).into_bytes())).collect();
        let mut got: Vec<_> = self.surface.write_together(&writes).into_iter().map(word).collect();
        self.together = parallel.steps.iter().map(|write| write.path.clone()).collect();
        let wanted = match &parallel.results_sorted {
            Some(sorted) => {
                got.sort();
                sorted.clone()
            }
            None => parallel.steps.iter().map(|write| write.result.clone()).collect(),
        };
        compare(&wanted.join(" "), &got.join(" "))?;
        // Whose result is the last one is as undefined as who wins.
        if parallel.order_undefined { Ok(()) } else { self.last_result(parallel.last_res.as_ref()) }
    }

    /// How a started write ended, if it has.
    fn ended(&mut self, id: &str) -> Option<Ending> {
        if let Some(started) = self.started.get_mut(id)
            && let Some(ending) = self.surface.ended(started)
        {
            self.started.remove(id);
            self.ended.insert(id.to_owned(), ending);
        }
        self.ended.get(id).copied()
    }
}
