//! One operation of an action on its node's kernel, and waiting for its answer.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use scst_core::error::Verb;
use scst_core::system::{Entry, EntryKind, Operation, Output, Pending};
use scst_sim::model::{Kind, Reading, Ticket, Written};

use super::outside::Outside;
use super::stage::Task;
use super::world::{NODES, World};

pub(super) enum Answer {
    Now(io::Result<Output>),
    Later(Ticket),
}

/// Carries an operation out on the node's kernel; `writer` waits, if somebody must.
pub(super) fn perform(world: &mut World, node: usize, operation: &Operation, writer: Option<&Task>) -> Answer {
    let path = operation.path.strip_prefix("/sys").unwrap_or(&operation.path).as_os_str().as_encoded_bytes();
    let now = world.uptime(node);
    let there = &mut world.nodes[node];
    let machine = &mut there.machine;
    machine.advance(now);
    let text = |bytes: Vec<u8>| Output::Text(String::from_utf8_lossy(&bytes).into_owned());
    let answer = match operation.verb {
        Verb::Read => match machine.open(path, true, false).map(|handle| machine.start_read(&handle)) {
            Ok(Reading::Done(content)) => content.map(text),
            Ok(Reading::Waiting(ticket)) => return world.waits(node, writer, ticket),
            Err(errno) => Err(errno),
        },
        Verb::Link => machine.readlink(path).map(text),
        Verb::List => machine.list(path).map(|entries| {
            let mut entries: Vec<Entry> = entries.into_iter().filter_map(entry).collect();
            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Output::Entries(entries)
        }),
        Verb::Look | Verb::OpenToRead | Verb::OpenToWrite => {
            let opens = (operation.verb != Verb::Look).then_some(operation.verb == Verb::OpenToWrite);
            there.store(&operation.path, opens).map(Output::Store)
        }
        Verb::Write => {
            let at = String::from_utf8_lossy(path).into_owned();
            let before = at.ends_with("/state").then(|| world.value(node, at.trim_start_matches("kernel/scst_tgt/")));
            let there = &mut world.nodes[node];
            let machine = &mut there.machine;
            there.writes += 1;
            let data = format!("{}\n", operation.data.as_deref().unwrap_or_default());
            let written = match machine.open(path, false, true) {
                Ok(handle) => machine.write(&handle, data.as_bytes()),
                Err(errno) => Written::Done(Err(errno)),
            };
            if !matches!(written, Written::Done(Err(_))) {
                world.written(node, writer, &at, data.trim_end(), before.flatten().as_deref());
            }
            match written {
                Written::Done(result) => result.map(|_| Output::Written),
                Written::Waiting(ticket) => return world.waits(node, writer, ticket),
            }
        }
    };
    Answer::Now(answer.map_err(io::Error::from))
}

impl World {
    /// An operation sleeps in a kernel: that of an action or, without it, of a process of its own.
    fn waits(&mut self, node: usize, writer: Option<&Task>, ticket: Ticket) -> Answer {
        self.nodes[node].waiting.push((writer.map_or(0, |writer| writer.id), ticket));
        if let Some(writer) = writer.filter(|_| self.nodes[node].machine.waits_for_daemon(ticket)) {
            // Killed there it would spin in the kernel.
            self.violated(format!("{} on {} asks the daemon in its own process", writer.action, NODES[node]));
        }
        Answer::Later(ticket)
    }
}

fn entry((name, kind): (Vec<u8>, Kind)) -> Option<Entry> {
    let kind = match kind {
        Kind::Dir => EntryKind::Dir,
        Kind::Link => EntryKind::Link,
        Kind::File => EntryKind::File,
    };
    Some(Entry { name: String::from_utf8(name).ok()?, kind })
}

/// An operation that was answered at once.
#[derive(Debug)]
pub(super) struct Answered(Option<io::Result<Output>>);

impl Answered {
    pub(super) fn now(answer: io::Result<Output>) -> Box<dyn Pending> {
        Box::new(Self(Some(answer)))
    }
}

impl Pending for Answered {
    fn answer(&mut self, _: Duration) -> Option<io::Result<Output>> {
        self.0.take()
    }
}

/// An operation that sleeps in the kernel; without a ticket it never wakes up.
#[derive(Debug)]
pub(super) struct InKernel {
    pub(super) outside: Outside,
    pub(super) ticket: Option<Ticket>,
}

impl Pending for InKernel {
    fn answer(&mut self, time: Duration) -> Option<io::Result<Output>> {
        let Outside { stage, node, task } = &self.outside;
        let poll = |ticket| {
            let mut world = stage.world();
            let now = world.uptime(*node);
            let machine = &mut world.nodes[*node].machine;
            machine.advance(now);
            let read = |bytes: Vec<u8>| Output::Text(String::from_utf8_lossy(&bytes).into_owned());
            let written = machine.poll(ticket).map(|result| result.map(|_| Output::Written));
            written.or_else(|| machine.poll_read(ticket).map(|result| result.map(read)))
        };
        let mut answer = self.ticket.and_then(poll);
        if answer.is_none() {
            stage.sleep(*task, time);
            answer = self.ticket.and_then(poll);
        }
        answer.map(|result: Result<Output, Errno>| result.map_err(io::Error::from))
    }
}
