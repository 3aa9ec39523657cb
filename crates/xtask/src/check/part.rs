//! The parts of the checks.

use clap::ValueEnum;

/// A part of the checks, in the order they are run in: what fails soonest comes first, the cluster last, and the search
/// beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The layout of the source, by rustfmt
    Format,
    /// Lints of all targets, none allowed
    Clippy,
    /// Tests beside the code, and examples in its documentation
    Unit,
    /// The recordings of real kernels against the simulator's model
    Replay,
    /// The same through a real mount
    Mount,
    /// Whole clusters in one process, with the agents' own code: the same histories each time
    Simulate,
    /// The calls of some of these histories by the real binaries, which must do the same
    Real,
    /// The demo: every state as it must be
    Demo,
    /// The package of Debian: installed, upgraded and removed in an empty root
    Package,
    /// The real binaries on a mounted, simulated SCST
    E2e,
    /// The agents' meta-data: current, and accepted by every grammar and tool that reads it
    Metadata,
    /// Three minutes of histories from a seed that the commit gives, beside the cluster, which mostly waits
    Search,
    /// The agents under a real Pacemaker, in clusters of simulated machines
    Cluster,
}

impl Part {
    /// Whether it works without root, FUSE and packages.
    pub(super) fn is_light(self) -> bool {
        matches!(self, Self::Format | Self::Clippy | Self::Unit | Self::Replay | Self::Simulate | Self::Search)
    }

    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
