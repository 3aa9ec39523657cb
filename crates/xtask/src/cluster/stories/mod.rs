//! The stories, a file for each chapter.

pub(super) mod by_hand;
pub(super) mod foreseen;
pub(super) mod iscsi;
pub(super) mod losses;
pub(super) mod members;
pub(super) mod planned;
pub(super) mod processes;
pub(super) mod reloads;
pub(super) mod reservations;
pub(super) mod sample;
pub(super) mod stores;
pub(super) mod trouble;
pub(super) mod upgrade;

pub(super) use self::planned::promoted_and_other;
