//! The command line. Help, manual page and completions are all made of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use scst_core::scst::names::{Driver, GroupName, NodeName};

/// What the exit codes mean, for the help and the manual page.
const EXIT_CODES: &str = "\
Exit codes:
  0  shown, and nothing differs from the configuration (or there is none to compare with)
  1  something could not be read or written; stderr says what
  2  wrong command line
  3  shown, and something differs from the configuration";

/// Shows the SCST targets of this node as its cluster configures them.
#[derive(Debug, Parser)]
#[command(
    name = "scst-ha",
    version,
    about = "Shows the SCST targets of this node as its cluster configures them",
    long_about = "Shows the SCST target ports and device groups of this node, and what differs from the configuration of the \
                  agents ocf:onesty:scst_qla2xtgt and ocf:onesty:scst_aluadg in the cluster. It changes nothing, but for the \
                  node attribute that \"discover --set\" sets. Without a cluster it shows what the kernel says.",
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Ends after so many seconds, whatever does not answer
    #[arg(long, global = true, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the ports of this machine that can be targets, and what the node attribute targetports should be
    ///
    /// Entries that are there keep their places, because all numbers follow from the place: a new port takes the place of one
    /// that is gone, or comes last. An entry that is gone is taken out where it stands last; where others stand behind it, it
    /// stays until --renumber says that they may get other numbers.
    Discover(Discover),
    /// Says what an exit reason or an exit code means, and what to do about it
    ///
    /// Without a reason it reads a log from standard input, or what the cluster's tools print of failed actions, and explains every
    /// reason in it.
    Explain(Explain),
    /// Shows ports, device groups, ALUA states, LUNs and sessions of this node, and what differs from the configuration
    Status(Status),
}

/// What to discover.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Discover {
    /// Sets the attribute, after showing the difference
    #[arg(long)]
    pub(super) set: bool,
    /// Also takes out entries that are gone and have others behind them, which then get other numbers
    #[arg(long)]
    pub(super) renumber: bool,
    #[arg(long, help = "The target driver whose ports belong into the attribute: qla2x00t, iscsi, ib_srpt, scst_local or fcst", value_name = "DRIVER", default_value = "qla2x00t", value_parser = |text: &str| Driver::parse(text))]
    pub(super) driver: Driver,
    /// This node's name in the cluster, if the cluster cannot tell
    #[arg(long, value_name = "NAME", value_parser = |text: &str| NodeName::parse(text))]
    pub(super) node: Option<NodeName>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What to explain.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Explain {
    /// The exit reason, or the number or name of an exit code
    #[arg(value_name = "REASON", conflicts_with = "log")]
    pub(super) words: Vec<String>,
    /// Reads this log instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What to show.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Status {
    /// Only this device group
    #[arg(long, value_name = "NAME", value_parser = |text: &str| GroupName::seen(text))]
    pub(super) group: Option<GroupName>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Cli {
    /// How long the run may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// The command line as data, for those who make documentation of it.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
