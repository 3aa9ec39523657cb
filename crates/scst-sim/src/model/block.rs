//! The `block` attribute: commands of a device are held back (`scst_ext_block_dev` in `scst_lib.c`).

use super::Errno;
use super::command::{Command, Outcome, Store};
use super::machine::Machine;
use super::state::DevId;
use super::words::is_space;

/// How often a device is blocked from outside, and whether commands in flight still delay the newest block.
#[derive(Debug, Default, Clone)]
pub(super) struct Blocking {
    pub(super) count: u32,
    pub(super) pending: bool,
}

/// What a write to `block` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Unblock,
    BlockAndWait,
    Block,
}

fn parse(data: &[u8]) -> Result<Request, Errno> {
    // A NUL byte ends the text as the end of the write does.
    let text = super::words::c_text(data);
    let skip_blanks = |text: &[u8]| text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    match text {
        [b'0', rest @ ..] if skip_blanks(rest) == rest.len() => Ok(Request::Unblock),
        [b'1', rest @ ..] => match &rest[skip_blanks(rest)..] {
            [] => Ok(Request::BlockAndWait),
            [b'1', ..] => Ok(Request::Block),
            _ => Err(Errno::EINVAL),
        },
        _ => Err(Errno::EINVAL),
    }
}

impl Machine {
    /// `<count> <pending>`.
    pub(super) fn show_block(&self, device: DevId) -> Vec<u8> {
        let blocking = self.scst.devices.get(&device).map(|d| d.blocking.clone()).unwrap_or_default();
        format!("{} {}\n", blocking.count, u8::from(blocking.pending)).into_bytes()
    }

    /// `0`, `1` or `11`; what follows `11` is a note to listeners of events.
    pub(super) fn store_block(&mut self, device: DevId, data: &[u8]) -> Store {
        match parse(data) {
            Err(errno) => Store::Done(Err(errno)),
            Ok(Request::Unblock) => Store::Wait(Command::Unblock(device)),
            Ok(request) => {
                self.raise_block(device);
                if request == Request::BlockAndWait {
                    Store::Wait(Command::AwaitBlocked(device))
                } else {
                    Store::Done(Ok(()))
                }
            }
        }
    }

    fn raise_block(&mut self, device: DevId) {
        let busy = self.has_running_io(device);
        if let Some(blocking) = self.scst.devices.get_mut(&device).map(|d| &mut d.blocking) {
            blocking.count += 1;
            blocking.pending = busy;
        }
    }

    /// The last command in flight of a device has been answered.
    pub(super) fn settle_block(&mut self, device: DevId) {
        if let Some(blocking) = self.scst.devices.get_mut(&device).map(|d| &mut d.blocking) {
            blocking.pending = false;
        }
    }

    /// The block is complete, or its device gone.
    pub(super) fn is_block_settled(&self, device: DevId) -> bool {
        self.scst.devices.get(&device).is_none_or(|d| !d.blocking.pending)
    }

    /// A write of `0`. The last block can only be taken back once it is complete: its writer waits for that, whatever is
    /// blocked or unblocked meanwhile, and the count stays until then.
    pub(super) fn unblock(&mut self, device: DevId) -> Outcome {
        let blocking = self.scst.devices.get(&device).map(|d| &d.blocking);
        if blocking.is_some_and(|b| b.count == 1 && b.pending) {
            return Outcome::Unblocking(device);
        }
        self.lower_block(device);
        Outcome::Done(Ok(()))
    }

    /// Takes one block back, if there is any.
    pub(super) fn lower_block(&mut self, device: DevId) {
        let Some(blocking) = self.scst.devices.get_mut(&device).map(|d| &mut d.blocking) else { return };
        blocking.count = blocking.count.saturating_sub(1);
        if blocking.count == 0 {
            self.release_held_io();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_characters_decide() {
        for text in ["11", "11 note", "11hello", "1 1", "111", "1  1\n"] {
            assert_eq!(parse(text.as_bytes()), Ok(Request::Block), "{text}");
        }
        for text in ["1", "1\n", "1 \n"] {
            assert_eq!(parse(text.as_bytes()), Ok(Request::BlockAndWait), "{text}");
        }
        for text in ["0", "0\n", "0 \n"] {
            assert_eq!(parse(text.as_bytes()), Ok(Request::Unblock), "{text}");
        }
        for text in ["", "\n", " 1", "01", "00", "10", "12", "1x", "0x", "0 x", "2", "-1"] {
            assert_eq!(parse(text.as_bytes()), Err(Errno::EINVAL), "{text}");
        }
    }
}
