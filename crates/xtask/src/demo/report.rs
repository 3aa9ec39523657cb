//! What the demo prints, and the count of what was not as it must be.

use std::time::Duration;

use super::machine::Called;
use super::scenario::{Act, Agent, Call, Fabric, NODES};
use crate::style::{BOLD, CYAN, DIM, GREEN, MAGENTA, RED, Style, YELLOW};

/// The column where the states begin.
const INDENT: usize = 51;

/// The report of one run.
pub(super) struct Report {
    style: Style,
    calls: usize,
    faults: usize,
    slowest: Duration,
    slowest_notification: Duration,
}

impl Report {
    /// An empty report.
    pub(super) fn new() -> Self {
        let nothing = Duration::ZERO;
        Self { style: Style::detect(), calls: 0, faults: 0, slowest: nothing, slowest_notification: nothing }
    }

    /// What this is about.
    pub(super) fn opening(&self, fabric: &Fabric) {
        let style = self.style;
        println!("{}", style.paint(BOLD, "A device group of SCST that moves between two nodes"));
        println!("Two simulated kernels with SCST and {}. The agents are the real", fabric.title);
        println!(
            "ones, called as Pacemaker calls them: \"ports\" is ocf:onesty:{}, \"group\" and the",
            fabric.resource.1
        );
        println!("notifications (pre-…, post-…) are ocf:onesty:scst_aluadg with one device, LUN 0 for every host.");
        println!(
            "After each call: exit code, milliseconds, writes into the kernel's files, and the ALUA state of each"
        );
        println!("node's target group as each node's kernel tells its hosts. After each part: ports and LUNs.");
    }

    /// The heading of an act and of its table.
    pub(super) fn act(&self, number: usize, act: &Act) {
        let style = self.style;
        println!();
        println!("{}", style.paint(BOLD, &format!("{number}. {}", act.title)));
        println!("   {}", style.paint(DIM, &act.watch));
        let kernels = NODES.map(|node| format!("{:<28}", format!("{}'s kernel sees", node.name)));
        println!("{}", style.paint(DIM, format!("{:INDENT$}{}", "", kernels.concat()).trim_end()));
        let groups = NODES.map(|node| format!("{:<14}", node.name)).concat();
        let heading =
            format!("   {:<13}{:<14}{:>4} {:>7} {:>6}  {groups}{groups}", "node", "call", "exit", "ms", "writes");
        println!("{}", style.paint(DIM, heading.trim_end()));
    }

    /// A call, with what is seen after it.
    pub(super) fn call(&mut self, call: &Call, called: &[Called], seen: &[String; 2]) {
        let style = self.style;
        self.calls += called.len();
        let codes = join(called.iter().map(|one| one.exit.map_or("?".to_owned(), |code| code.to_string())));
        let times = join(called.iter().map(|one| one.took.as_millis().to_string()));
        let writes = join(called.iter().map(|one| one.writes.to_string()));
        let slowest = called.iter().map(|one| one.took).max().unwrap_or_default();
        self.slowest = self.slowest.max(slowest);
        let notification = call.action.contains('-');
        if notification {
            self.slowest_notification = self.slowest_notification.max(slowest);
        }
        let what = match call.agent {
            Agent::Ports => format!("ports {}", call.action),
            Agent::Group if notification => call.action.clone(),
            Agent::Group => format!("group {}", call.action),
        };
        let nodes = call.nodes.replace(' ', ", ");
        let right = codes == call.exits;
        let shown = format!("{codes:>4}");
        let shown = if right { shown } else { style.paint(RED, &shown) };
        let states: Vec<String> = seen.iter().map(|states| self.states(states)).collect();
        println!("   {nodes:<13}{what:<14}{shown} {times:>7} {writes:>6}  {}", states.concat().trim_end());
        if !right {
            self.fault(&format!("exit {codes} where {} is right", call.exits));
            for one in called {
                one.stderr.lines().for_each(|line| println!("     {}", style.paint(RED, line)));
            }
        }
        if seen.join(" ") != call.seen {
            let wanted: Vec<String> = call.seen.split(' ').map(|states| self.states(states)).collect();
            self.fault("the kernels must show:");
            println!("{:INDENT$}{}", "", wanted.concat().trim_end());
        }
        if call.idle && called.iter().any(|one| one.writes > 0) {
            self.fault("there was nothing to do, and the kernel was written to");
        }
    }

    /// Two target groups in one kernel, in columns.
    fn states(&self, letters: &str) -> String {
        let style = self.style;
        if letters == "off" {
            return format!("{:<28}", "(no power)");
        }
        letters
            .chars()
            .map(|letter| {
                let cell = |word: &str| format!("{word:<14}");
                match letter {
                    'A' => style.paint(GREEN, &cell("active")),
                    'S' => style.paint(CYAN, &cell("standby")),
                    'T' => style.paint(MAGENTA, &cell("transitioning")),
                    'U' => style.paint(YELLOW, &cell("unavailable")),
                    '-' => style.paint(DIM, &cell("-")),
                    other => style.paint(RED, &cell(&other.to_string())),
                }
            })
            .collect()
    }

    /// A node's ports and LUNs at the end of an act.
    pub(super) fn ports(&mut self, node: &str, lines: &[String], wanted: &[String]) {
        self.block(node, lines, |_, line| line.to_owned());
        if lines != wanted {
            self.fault(&format!("{node} must show:"));
            let red = |style: Style, line: &str| style.paint(RED, line);
            self.block("", wanted, red);
        }
    }

    fn block(&self, name: &str, lines: &[String], paint: impl Fn(Style, &str) -> String) {
        let mut name = name;
        for line in lines {
            println!("   {:<6} {}", name, paint(self.style, line));
            name = "";
        }
    }

    /// What the simulator had to answer without knowing.
    pub(super) fn unknown(&mut self, node: &str, unknowns: &[String]) {
        for unknown in unknowns {
            self.fault(&format!("the simulated kernel of {node} does not know {unknown}"));
        }
    }

    fn fault(&mut self, text: &str) {
        self.faults += 1;
        println!("     {}", self.style.paint(RED, &format!("WRONG: {text}")));
    }

    /// The result; whether everything was as it must be.
    pub(super) fn closing(&self, took: Duration) -> bool {
        let style = self.style;
        println!();
        println!(
            "{} calls in {:.1} s, the slowest {} ms, the slowest notification {} ms.",
            self.calls,
            took.as_secs_f64(),
            self.slowest.as_millis(),
            self.slowest_notification.as_millis()
        );
        if self.faults == 0 {
            println!("{}", style.paint(GREEN, "Every exit code, state, id and LUN was as it must be."));
        } else {
            println!("{}", style.paint(RED, &format!("{} findings are not as they must be.", self.faults)));
        }
        self.faults == 0
    }
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}
