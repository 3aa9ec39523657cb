//! The two agents, as a library, so that tests and tools reach their tables.
