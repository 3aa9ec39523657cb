//! What only a terminal gets: colours, and lines that end where it ends.

use super::{serving, show};
use crate::fixture::Node;
use crate::fixture::sample::{ALPHA, BETA, HOST, group, ports};

/// The width of the terminals here, in characters.
const NARROW: u16 = 60;

/// The commands whose text people read, each with arguments that have it say something.
const COMMANDS: [&str; 5] = ["status", "check --all", "plan", "discover", "explain 5"];

/// What it prints on a terminal.
#[track_caller]
fn on_terminal(node: &Node, arguments: &str, environment: &[(&str, &str)]) -> String {
    let call = node.tool(arguments).terminal(NARROW).env("TERM", "xterm");
    let call = environment.iter().fold(call, |call, (name, value)| call.env(name, value));
    call.go().stdout().to_owned()
}

/// A line as it is seen: without what switches colours.
fn seen(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn a_terminal_has_colours_and_a_pipe_has_none() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    // Something of each kind: what is well, what differs, what is wrong.
    cluster.configure(&[&ports().param("initiators", &format!("vmwtest={}", HOST[0])), &group()]);
    alpha.write("device_groups/dummy/target_groups/alpha/state", "transitioning");
    for arguments in COMMANDS {
        let terminal = on_terminal(alpha, arguments, &[]);
        assert!(terminal.contains("\u{1b}[0m"), "{arguments}: {terminal:?}");
        for switched_off in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let plain = on_terminal(alpha, arguments, &[switched_off]);
            assert!(!plain.contains('\u{1b}') && !plain.is_empty(), "{arguments}: {plain:?}");
        }
        let pipe = show(alpha, arguments);
        assert!(!pipe.stdout().contains('\u{1b}') && !pipe.stdout().is_empty(), "{arguments}: {pipe:?}");
    }
    let status = on_terminal(alpha, "status", &[]);
    for painted in [
        "\u{1b}[31mbetween two states\u{1b}[0m",
        "\u{1b}[31mnot as it must be\u{1b}[0m",
        "\u{1b}[33mdiffers from the configuration",
    ] {
        assert!(status.contains(painted), "{painted:?}: {status:?}");
    }
}

#[test]
fn lines_end_where_a_narrow_terminal_ends_and_say_the_same() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    for (port, host) in ALPHA.iter().zip(HOST) {
        alpha.control(&format!("login qla2x00t {port} {host}"));
    }
    cluster.configure(&[&ports(), &group().param("device1", "handler=vdisk_nullio,virtname=new,export0=nobody:1")]);
    for arguments in ["status", "check", "plan"] {
        let narrow = on_terminal(alpha, arguments, &[]);
        let lines: Vec<String> = narrow.lines().map(seen).collect();
        // A table has as many columns as it has, each at least as wide as a name: only its lines may be longer.
        let table = |line: &str| arguments == "status" && (line.trim().contains("  ") || line.starts_with("        "));
        let long: Vec<&String> =
            lines.iter().filter(|line| line.chars().count() > NARROW.into() && !table(line)).collect();
        assert!(long.is_empty(), "{arguments}: {long:#?}");
        let words = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(words(&lines.join("\n")), words(show(alpha, arguments).stdout()), "{arguments}");
    }
    // The ports of the other node do not fit beside the rest: they stand below each other.
    let narrow = on_terminal(alpha, "status", &[]);
    let below = narrow.lines().map(seen).filter(|line| BETA.iter().any(|port| line.contains(port))).count();
    assert_eq!(below, 2, "{narrow}");
    // Where the size is told by a variable, nobody is asked.
    assert!(
        on_terminal(alpha, "status", &[("COLUMNS", "200")])
            .lines()
            .any(|line| BETA.iter().all(|port| line.contains(port)))
    );
}
