//! The ALUA states of a target group, as `state` of a target port group spells them (`scst_tg.c`, SPC-4 5.11).

use std::fmt;

/// The asymmetric access state of a target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AluaState {
    /// Full access. The state a target group is created with.
    Active,
    /// Full access on a path that is slower.
    NonOptimized,
    /// No access to data, but the path answers.
    Standby,
    /// The path cannot be used.
    Unavailable,
    /// Neither commands nor data; reported for a path that another node says is gone.
    Offline,
    /// Between two states: hosts repeat their commands.
    Transitioning,
}

impl AluaState {
    /// Every state the kernel accepts.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::NonOptimized, Self::Standby, Self::Unavailable, Self::Offline, Self::Transitioning];

    /// The state of this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The kernel's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NonOptimized => "nonoptimized",
            Self::Standby => "standby",
            Self::Unavailable => "unavailable",
            Self::Offline => "offline",
            Self::Transitioning => "transitioning",
        }
    }

    /// Data flows in this state, so devices bound to it are open.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::NonOptimized)
    }
}

impl fmt::Display for AluaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
