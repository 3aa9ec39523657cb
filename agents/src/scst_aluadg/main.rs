//! Placeholder until the agent's library lands.
fn main() {}
