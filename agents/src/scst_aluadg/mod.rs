//! `ocf:onesty:scst_aluadg`: one device group with its devices, LUNs and ALUA states; a promotable clone. `agent` calls
//! the file of each action.

pub mod agent;
pub mod agreement;
mod bring_up;
mod checked;
mod closing;
mod convergence;
mod demote;
pub mod device;
pub mod difference;
mod digest;
mod grammar;
pub mod here;
mod hold_back;
mod holder;
mod instance;
mod keep_score;
mod left_blocked;
mod lips;
mod lockspace;
mod members;
mod missing;
mod monitor;
mod notify;
pub mod params;
pub mod peers;
pub mod planned;
mod promote;
mod published;
mod reload;
mod repair;
mod same_disk;
mod score;
mod served;
mod service;
mod sharing;
mod start;
mod step_down;
mod stop;
mod stores;
pub mod table;
mod tables;
mod thorough;
mod validate;
pub mod wanted;

pub use agent::Aluadg;
