//! PERSISTENT RESERVE IN and OUT: what a host may ask, and what it is answered (SPC-4, 6.15 and 6.16).

/// A PERSISTENT RESERVE command of an initiator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrCommand {
    /// REGISTER, which needs the right key, or REGISTER AND IGNORE EXISTING KEY.
    Register {
        /// The key that is registered; 0 where none is. `None` does not ask.
        key: Option<u64>,
        /// The new key; 0 ends the registration.
        new: u64,
        /// Activate persist through power loss.
        aptpl: bool,
    },
    /// RESERVE.
    Reserve {
        /// The registered key.
        key: u64,
        /// The type of reservation.
        kind: u8,
    },
    /// RELEASE.
    Release {
        /// The registered key.
        key: u64,
        /// The type of reservation.
        kind: u8,
    },
    /// CLEAR.
    Clear {
        /// The registered key.
        key: u64,
    },
    /// PREEMPT.
    Preempt {
        /// The registered key.
        key: u64,
        /// The key whose registrations end.
        new: u64,
        /// The type of reservation.
        kind: u8,
    },
    /// READ KEYS.
    ReadKeys,
    /// READ RESERVATION.
    ReadReservation,
}

/// What an initiator is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrAnswer {
    /// GOOD.
    Good,
    /// RESERVATION CONFLICT.
    Conflict,
    /// CHECK CONDITION with sense key, additional sense code and qualifier.
    Check(u8, u8, u8),
    /// Generation and keys.
    Keys(u32, Vec<u64>),
    /// Generation and, of a reservation, the holder's key (0 for all registrants), scope and type.
    Reservation(u32, Option<(u64, u8, u8)>),
}
