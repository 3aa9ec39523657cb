//! `trace_level`: which messages a part of SCST logs (`scst_write_trace`, `scst_trace_level_show`).

use super::Errno;
use super::words::{Words, first_line, same_word};

/// The messages every part knows, in the order they are shown.
const COMMON: &[&str] = &[
    "out_of_mem",
    "minor",
    "sg",
    "mem",
    "buff",
    "entryexit",
    "pid",
    "line",
    "function",
    "debug",
    "special",
    "scsi",
    "mgmt",
    "mgmt_dbg",
    "flow_control",
    "pr",
];
const DEFAULT: &[&str] = &["out_of_mem", "pid", "special", "mgmt"];

/// The trace level of SCST, a handler or a driver.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    own: &'static [&'static str],
    on: Vec<&'static str>,
}

impl Trace {
    /// The default level; `own` are the messages only this part knows.
    pub(super) fn new(own: &'static [&'static str]) -> Self {
        Self { own, on: DEFAULT.to_vec() }
    }

    fn known(&self) -> impl Iterator<Item = &'static str> + use<> {
        COMMON.iter().chain(self.own).copied()
    }

    /// The level in the first line, then a word of help.
    pub(super) fn show(&self) -> Vec<u8> {
        let on: Vec<_> = self.known().filter(|m| self.on.contains(m)).collect();
        let level = on.join(" | ");
        let known: Vec<_> = self.known().collect();
        format!(
            "{level}\n\n\nWrite all, none or default, or add or del with one message, to change it.\nMessages: {}\n",
            known.join(", ")
        )
        .into_bytes()
    }

    /// `all`, `none`, `null`, `default`, `add X`, `del X`. EINVAL else; ENOTSUP for `value`, whose bits are not modelled.
    pub(super) fn store(&mut self, data: &[u8]) -> Result<(), Errno> {
        let mut words = Words::new(first_line(data));
        let verb = words.word();
        let is = |word| same_word(verb, word);
        if is("all") {
            self.on = self.known().collect();
        } else if is("none") || is("null") {
            self.on.clear();
        } else if is("default") {
            self.on = DEFAULT.to_vec();
        } else if is("value") {
            return Err(Errno::ENOTSUP);
        } else if is("add") || is("del") {
            let name = words.word();
            let message = self.known().find(|m| same_word(name, m)).ok_or(Errno::EINVAL)?;
            self.on.retain(|m| *m != message);
            if is("add") {
                self.on.push(message);
            }
        } else {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }
}
