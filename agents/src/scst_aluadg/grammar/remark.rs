//! The type [`Remark`]: one mistake in the text of a device, and the finding that it becomes.

use std::fmt;

use scst_core::ocf::param::{Effect, Finding};

/// One mistake in the text of a device: the key, its value, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scst_aluadg) struct Remark {
    key: String,
    value: Option<String>,
    reason: String,
    effect: Effect,
}

impl Remark {
    pub(in crate::scst_aluadg) fn new(key: &str, reason: impl fmt::Display) -> Self {
        Self { key: key.to_owned(), value: None, reason: reason.to_string(), effect: Effect::Used }
    }

    pub(in crate::scst_aluadg) fn value(self, value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..self }
    }

    /// The remark that an export does not come about.
    pub(in crate::scst_aluadg) fn export_left_out(key: &str, reason: impl fmt::Display) -> Self {
        Self { effect: Effect::PartLeftOut, ..Self::new(key, format_args!("{reason}, export left out")) }
    }

    /// The finding that the device is used in spite of it.
    pub(in crate::scst_aluadg) fn warning(self, parameter: &str) -> Finding {
        let effect = self.effect;
        self.finding(parameter, |parameter, reason| Finding::warning(parameter, reason).effect(effect))
    }

    /// The finding that nothing works without this device.
    pub(in crate::scst_aluadg) fn error(self, parameter: &str) -> Finding {
        self.finding(parameter, |parameter, reason| Finding::error(parameter, reason))
    }

    /// The finding that the device is left out.
    pub(in crate::scst_aluadg) fn left_out(self, parameter: &str) -> Finding {
        self.finding(parameter, |parameter, reason| {
            Finding::warning(parameter, format_args!("{reason}, device left out")).effect(Effect::LeftOut)
        })
    }

    fn finding(self, parameter: &str, make: impl FnOnce(&str, &str) -> Finding) -> Finding {
        let finding = make(parameter, &self.reason).at(&self.key);
        match &self.value {
            Some(value) => finding.value(value),
            None => finding,
        }
    }
}
