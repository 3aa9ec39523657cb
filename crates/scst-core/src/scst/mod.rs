//! SCST's tree as typed places and checked names; knows nothing of OCF.

pub mod names;
