//! The scenarios, a file for each chapter, and which chapters there are.

pub(super) mod by_hand;
pub(super) mod failures;
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
pub(super) mod upgrade;

pub(super) use self::planned::promoted_and_other;

use super::chapter::Chapter;

/// All chapters, long ones first, so that what runs side by side ends together.
pub(super) const CHAPTERS: &[Chapter] = &[
    losses::UNFENCED,
    losses::FENCED,
    planned::CHAPTER,
    upgrade::CHAPTER,
    stores::DRBD,
    stores::LVM,
    stores::ZFS,
    failures::CHAPTER,
    iscsi::CHAPTER,
    reloads::CHAPTER,
    foreseen::CHAPTER,
    reservations::CHAPTER,
    members::CHAPTER,
    by_hand::CHAPTER,
    failures::LARGE,
    processes::CHAPTER,
    sample::CHAPTER,
];

/// The chapter of that name.
pub(super) fn named(name: &str) -> Result<&'static Chapter, String> {
    CHAPTERS.iter().find(|chapter| chapter.name == name).ok_or_else(|| format!("there is no chapter {name:?}"))
}
