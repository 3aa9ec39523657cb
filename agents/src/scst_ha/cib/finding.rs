//! The type [`Finding`]: one thing that a check has to say, and how bad it is.

use serde::Serialize;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::scst_ha) enum Level {
    /// As it should be.
    Fine,
    /// Not looked at, or of no concern here.
    Unknown,
    /// It may be meant so.
    Attention,
    /// It is a mistake.
    Wrong,
}

/// Something about the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::scst_ha) struct Finding {
    pub(in crate::scst_ha) level: Level,
    /// What it is about.
    pub(in crate::scst_ha) about: String,
    /// How it is.
    pub(in crate::scst_ha) text: String,
    /// What to do; empty where nothing is to be done.
    pub(in crate::scst_ha) cure: String,
}

impl Finding {
    /// Something is as it should be.
    pub(in crate::scst_ha) fn fine(about: impl ToString, text: impl ToString) -> Self {
        Self::new(Level::Fine, about, text, "")
    }

    /// Something is not known, or of no concern here.
    pub(in crate::scst_ha) fn unknown(about: impl ToString, text: impl ToString) -> Self {
        Self::new(Level::Unknown, about, text, "")
    }

    /// Something may be meant so.
    pub(in crate::scst_ha) fn attention(about: impl ToString, text: impl ToString, cure: impl ToString) -> Self {
        Self::new(Level::Attention, about, text, cure)
    }

    /// Something is a mistake.
    pub(in crate::scst_ha) fn wrong(about: impl ToString, text: impl ToString, cure: impl ToString) -> Self {
        Self::new(Level::Wrong, about, text, cure)
    }

    pub(in crate::scst_ha) fn new(
        level: Level,
        about: impl ToString,
        text: impl ToString,
        cure: impl ToString,
    ) -> Self {
        Self { level, about: about.to_string(), text: text.to_string(), cure: cure.to_string() }
    }
}
