//! `ocf:onesty:scst_aluadg`: one device group with its devices, LUNs and ALUA states; a promotable clone.

pub mod agent;
pub mod agreement;
mod demote;
pub mod device;
pub mod difference;
mod digest;
mod grammar;
pub mod here;
mod instance;
mod lockspace;
mod missing;
mod monitor;
mod notify;
pub mod params;
pub mod peers;
pub mod planned;
mod promote;
mod published;
mod same_disk;
mod served;
mod start;
mod stop;
mod stores;
pub mod table;
pub mod wanted;

pub use agent::Aluadg;
