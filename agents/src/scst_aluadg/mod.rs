//! `scst_aluadg`: one device group with its devices, exports and ALUA states.

mod device;
pub mod params;
pub mod table;
