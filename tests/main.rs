//! End-to-end stories through the real binaries on a mounted, simulated SCST.
