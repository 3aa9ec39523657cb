//! End-to-end scenarios through the real binaries on a mounted, simulated SCST.
//!
//! Each file is one scenario; `fixture` is what they happen in. They need root and `/dev/fuse`.

#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes snapshots in this form")]

mod agreement;
mod bad_input;
mod budgets;
mod by_hand;
mod deadlines;
mod device_keys;
mod differences;
mod drain;
mod dry_run;
mod exit_reasons;
mod failover;
mod faults;
mod fixture;
mod hostile;
mod identity;
mod iscsi;
mod metadata;
mod missing_ports;
mod monitor;
mod moves;
mod notify;
mod older_scst;
mod ownership;
mod port_names;
mod ports;
mod probe;
mod reload;
mod reservations;
mod scores;
mod scst_ha;
mod shell_agents;
mod start_stop;
mod state_files;
mod stop_nonsense;
mod storage;
mod stores;
mod takeover;
mod three_nodes;
mod together;
mod two_groups;
mod unfinished;
