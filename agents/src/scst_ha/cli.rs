//! The command line. Help, manual page and completions are all made of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use scst_core::scst::names::{Driver, GroupName, NodeName, TargetName};

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
                  agents ocf:onesty:scst_qla2xtgt, ocf:onesty:scst_target and ocf:onesty:scst_aluadg in the cluster. It changes nothing, but for the \
                  node attribute that \"discover --set\" sets. Without a cluster it shows what the kernel says.",
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Ends after this many seconds, even if something does not answer
    #[arg(long, global = true, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compares this node with the advice of the documentation, and says how to correct what differs
    ///
    /// It checks the machine, its modules and ports, the configuration of the cluster, and the stores below the devices. It names what it
    /// cannot check.
    Check(Check),
    /// Lists the ports of this machine that can be targets, and what the node attribute targetports should be
    ///
    /// Entries keep their places, because all numbers follow from the place. A new port takes the place of one that does not exist any
    /// more, or comes last. An entry without a port is removed if it is the last one; if others follow it, it stays until --renumber
    /// allows these to get other numbers.
    Discover(Discover),
    /// Says what an exit reason or an exit code means, and what to do about it
    ///
    /// Without a reason it reads a log, or the failed actions as the cluster's tools print them, from standard input, and explains every
    /// reason in it.
    Explain(Explain),
    /// Makes a configuration of the cluster from the running kernel, or from a file of scstadmin
    ///
    /// The configuration goes to standard output. Standard error gets remarks: what the configuration does not express, what hosts notice,
    /// and where a file does not mean what it seems to. Exit code 3 says that there are remarks.
    Import(Import),
    /// Prints this node's SCST as metrics for Prometheus, or writes them for the textfile collector of its `node_exporter`
    Metrics(Metrics),
    /// Shows what the agents would do for a changed configuration, before it is committed
    ///
    /// For each resource it prints nothing, start, reload with its steps, restart, stop, or refused with the agent's reason; and what hosts
    /// notice. Then it prints the mistakes in the configuration itself.
    Plan(Plan),
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
    /// Also removes entries without a port that others follow; these then get other numbers
    #[arg(long)]
    pub(super) renumber: bool,
    #[arg(long, help = "The target driver whose ports the attribute lists: qla2x00t, iscsi, ib_srpt, scst_local or fcst", value_name = "DRIVER", default_value = "qla2x00t", value_parser = |text: &str| Driver::parse(text))]
    pub(super) driver: Driver,
    /// iSCSI: the beginning of this node's target name, such as iqn.2026-01.org.example; a colon and the node's name follow
    #[arg(long, value_name = "IQN", value_parser = |text: &str| TargetName::parse(Driver::Iscsi, text))]
    pub(super) authority: Option<TargetName>,
    /// This node's name in the cluster, if the cluster cannot tell
    #[arg(long, value_name = "NAME", value_parser = |text: &str| NodeName::parse(text))]
    pub(super) node: Option<NodeName>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What to check.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Check {
    /// Also shows what is as it should be
    #[arg(long)]
    pub(super) all: bool,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What to import, and how to say it.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Import {
    /// Reads this file of scstadmin instead of the running kernel; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) scst_conf: Option<PathBuf>,
    /// The tool for which the configuration is written
    #[arg(long, value_enum, default_value_t = Format::Crm)]
    pub(super) format: Format,
    /// The name in the cluster of the node that the source describes, if neither the cluster nor the source contains it
    #[arg(long, value_name = "NAME", value_parser = |text: &str| NodeName::parse(text))]
    pub(super) node: Option<NodeName>,
    /// Writes the secrets of users into this file, which only its owner can read; nothing else shows them
    #[arg(long, value_name = "FILE")]
    pub(super) secrets: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// For whom a configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For `crm configure load update`
    Crm,
    /// A shell script of pcs
    Pcs,
    /// For `cibadmin`
    Xml,
}

/// What to measure, and where to write it.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Metrics {
    /// Replaces this file instead of writing to standard output
    #[arg(long, value_name = "FILE")]
    pub(super) textfile: Option<PathBuf>,
    /// How many initiators at ports get series of their own
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    pub(super) sessions: usize,
}

/// What to plan, and from where.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Plan {
    /// The changed configuration, as crm, pcs or cibadmin write it, - is standard input; without it, the configuration of the cluster
    #[arg(long, value_name = "FILE")]
    pub(super) cib: Option<PathBuf>,
    /// The node to plan for; "all" plans for every known node
    #[arg(long, value_name = "NAME", value_parser = |text: &str| NodeName::parse(text))]
    pub(super) node: Option<NodeName>,
    /// The state of a node, as "status --json" printed it there, instead of the kernel of this node; may be given for several nodes
    #[arg(long, value_name = "FILE")]
    pub(super) state: Vec<PathBuf>,
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
    /// Shows only this device group
    #[arg(long, value_name = "NAME", value_parser = |text: &str| GroupName::seen(text))]
    pub(super) group: Option<GroupName>,
    /// Repeats after this many seconds, until it is interrupted
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400), conflicts_with = "json")]
    pub(super) watch: Option<u64>,
    /// Prints JSON, with what "plan --state" needs
    #[arg(long)]
    pub(super) json: bool,
}

impl Cli {
    /// Everything that is seen is printed.
    pub(super) fn keeps_what_it_sees(&self) -> bool {
        matches!(&self.command, Command::Status(status) if status.json)
    }

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
