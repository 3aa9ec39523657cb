//! `ocf:onesty:scst_aluadg`: one device group with its devices, LUNs and ALUA states; a promotable clone. `agent` calls
//! the file of each action.

pub mod agent;
pub mod agreement;
mod bring_up;
mod checked;
mod cleared_tables;
mod closing;
mod convergence;
mod demote;
pub mod device;
pub mod difference;
mod digest;
mod grammar;
mod group_view;
mod hold_back;
mod holder;
mod instance;
mod keep_score;
mod last_size;
mod left_blocked;
mod lips;
mod lockspace;
mod members;
mod missing;
mod monitor;
pub mod node_facts;
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
mod sharing;
mod start;
mod step_down;
mod stop;
mod stores;
pub mod table;
mod thorough;
mod validate;
pub mod wanted;

pub use agent::Aluadg;
