//! End-to-end stories through the real binaries on a mounted, simulated SCST.
//!
//! Each file is one story; `world` is what they happen in. They need root and `/dev/fuse`.

mod bad_input;
mod drain;
mod failover;
mod metadata;
mod monitor;
mod notify;
mod probe;
mod start_stop;
mod world;
