//! End-to-end stories through the real binaries on a mounted, simulated SCST.
//!
//! Each file is one story; `world` is what they happen in. They need root and `/dev/fuse`.

mod drain;
mod failover;
mod metadata;
mod notify;
mod start_stop;
mod world;
