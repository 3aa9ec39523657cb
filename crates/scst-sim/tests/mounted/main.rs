//! Mounted machines, used by real processes. Needs root and `/dev/fuse`.

mod command_line;
mod control_file;
mod faults;
mod fixture;
mod iscsi;
mod iscsi_scstd;
mod lockspaces;
mod mounts;
mod reservations;
mod shell;
mod snapshot;
mod stores;
mod system_calls;
mod waiting;
