//! The stories, a file for each chapter.

pub(super) mod losses;
pub(super) mod planned;
pub(super) mod sample;
