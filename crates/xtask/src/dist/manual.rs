//! The manual pages, made of the agents' tables and of the tool's command line.

use agents::exit_reasons::{CHAPTERS, CODES, ERRNOS, GAP, plain};
use clap::{Arg, Command};
use roff::{Inline, Roff, bold, italic, roman};
use scst_core::ocf::param::{AgentTable, Kind, Operation, Parameter};

/// What every page says it belongs to.
const MANUAL: &str = "OCF resource agents for SCST";

/// The page of an agent, `ocf_onesty_<name>(7)`.
pub(super) fn agent(table: &AgentTable) -> String {
    let page = format!("ocf_onesty_{}", table.name);
    let program = format!("/usr/lib/ocf/resource.d/onesty/{}", table.name);
    let mut roff = page_of(&page, "7", table.version, table.shortdesc);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(program), roman(" ["), bold("--dry-run"), roman("] "), italic("ACTION")]);
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut roff, table.longdesc);
    roff.control("SH", ["PARAMETERS"]);
    for parameter in table.parameters {
        described(&mut roff, parameter);
    }
    roff.control("SH", ["OPERATIONS"]);
    paragraphs(&mut roff, "The operations to configure, with the time-out that each needs:");
    for operation in table.operations {
        roff.control("TP", []);
        roff.text([bold(operation.name), roman(role(operation))]);
        roff.text([roman(times(operation))]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("scst-ha"), roman("(8), "), bold(other(table)), roman("(7), "), bold("crm"), roman("(8), ")]);
    roff.text([bold("pcs"), roman("(8), "), bold("crm_attribute"), roman("(8)")]);
    paragraphs(
        &mut roff,
        "Setting up, running, and what to do about every exit reason: /usr/share/doc/scst-ha/operations.md",
    );
    roff.render()
}

/// The page of the tool, `scst-ha(8)`.
pub(super) fn tool(command: &Command) -> String {
    let version = command.get_version().unwrap_or_default();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let name = command.get_name();
    let mut roff = page_of(name, "8", version, &about);
    roff.control("SH", ["SYNOPSIS"]);
    for sub in commands(command) {
        roff.text([bold(name), roman(" "), bold(sub.get_name()), roman(" ["), italic("OPTION"), roman("]...")]);
        roff.control("br", []);
    }
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut roff, &command.get_long_about().map(ToString::to_string).unwrap_or(about));
    for sub in commands(command) {
        roff.control("SH", [format!("COMMAND {}", sub.get_name().to_uppercase()).as_str()]);
        let about = sub.get_long_about().or(sub.get_about()).map(ToString::to_string).unwrap_or_default();
        paragraphs(&mut roff, &about);
        options(&mut roff, sub.get_arguments().filter(|argument| !argument.is_global_set()));
    }
    roff.control("SH", ["OPTIONS OF EVERY COMMAND"]);
    options(&mut roff, command.get_arguments().filter(|argument| argument.is_global_set()));
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some((title, codes)) = after.split_once(":\n") {
        roff.control("SH", [title.to_uppercase().as_str()]);
        for (code, meaning) in codes.lines().filter_map(|line| line.trim().split_once("  ")) {
            roff.control("TP", []);
            roff.text([bold(code)]);
            roff.text([roman(meaning)]);
        }
    }
    roff.control("SH", ["ENVIRONMENT"]);
    roff.control("TP", []);
    roff.text([bold("SCST_SYSFS_ROOT")]);
    roff.text([roman("replaces /sys: a simulated machine, for example")]);
    roff.control("TP", []);
    roff.text([bold("SCST_ROOT")]);
    roff.text([roman("replaces / for the files that check reads in /etc, /lib/modules and /proc")]);
    roff.control("TP", []);
    roff.text([bold("NO_COLOR")]);
    roff.text([roman("no colours on a terminal")]);
    roff.control("SH", ["SEE ALSO"]);
    for agent in ["ocf_onesty_scst_qla2xtgt", "ocf_onesty_scst_target", "ocf_onesty_scst_aluadg"] {
        roff.text([bold(agent), roman("(7), ")]);
    }
    roff.text([bold("scst-ha-reasons"), roman("(7)")]);
    roff.render()
}

/// The page of exit codes and exit reasons, `scst-ha-reasons(7)`.
pub(super) fn reasons(version: &str) -> String {
    let about = "exit codes and exit reasons of the resource agents for SCST";
    let mut roff = page_of("scst-ha-reasons", "7", version, about);
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(
        &mut roff,
        "The answers of the agents, what they mean and what to do. Three dots stand for what differs from case to case. The command \
         \"scst-ha explain\" finds the entry of a reason, and those of a log.",
    );
    roff.control("SH", ["EXIT CODES"]);
    for code in CODES.iter() {
        entry(&mut roff, &format!("{} {}", code.number, code.ocf), code.meaning);
    }
    for chapter in CHAPTERS.iter() {
        roff.control("SH", [chapter.title.to_uppercase().as_str()]);
        if !chapter.opening.is_empty() {
            paragraphs(&mut roff, &plain(chapter.opening));
        }
        for reason in &chapter.reasons {
            entry(&mut roff, &format!("{} ({})", reason.text, reason.codes), reason.cure);
        }
    }
    roff.control("SH", ["ERRORS OF THE KERNEL"]);
    for errno in ERRNOS.iter() {
        entry(&mut roff, &errno.names.join(", "), errno.meaning);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("scst-ha"), roman("(8)")]);
    roff.render()
}

fn entry(roff: &mut Roff, title: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(title.replace(GAP, "...").replace('–', "-"))]);
    roff.text([roman(plain(meaning))]);
}

fn page_of(name: &str, section: &str, version: &str, about: &str) -> Roff {
    let mut roff = Roff::new();
    let title = name.to_uppercase();
    roff.control("TH", [title.as_str(), section, " ", &format!("scst-ha {version}"), MANUAL]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{name} - {about}"))]);
    roff
}

/// Paragraphs are separated by empty lines; a line that is indented is an example and stays as it is.
fn paragraphs(roff: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        roff.control("PP", []);
        let (examples, lines): (Vec<&str>, Vec<&str>) = paragraph.lines().partition(|line| line.starts_with(' '));
        if !lines.is_empty() {
            roff.text([roman(lines.join("\n"))]);
        }
        if !examples.is_empty() {
            roff.control("RS", ["4"]);
            roff.control("nf", []);
            roff.text([roman(examples.iter().map(|line| line.trim_start()).collect::<Vec<_>>().join("\n"))]);
            roff.control("fi", []);
            roff.control("RE", []);
        }
    }
}

fn described(roff: &mut Roff, parameter: &Parameter) {
    let names: Vec<String> = parameter.names().collect();
    let name = match names.as_slice() {
        [first, .., last] => format!("{first} ... {last}"),
        one => one.concat(),
    };
    let mut words = vec![kind(parameter.kind).to_owned()];
    words.extend(
        parameter.required.then(|| if names.len() > 1 { "the first is required" } else { "required" }.to_owned()),
    );
    words.extend(parameter.unique.then(|| "unique".to_owned()));
    words.extend(parameter.reloadable.then(|| "a change reloads".to_owned()));
    words.extend(parameter.default.map(|default| format!("default {default}")));
    roff.control("TP", []);
    roff.text([bold(name), roman(format!(" ({})", words.join(", ")))]);
    roff.text([roman(parameter.shortdesc)]);
    roff.control("RS", []);
    paragraphs(roff, parameter.longdesc);
    roff.control("RE", []);
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "text",
        Kind::Secret => "text, secret",
        Kind::Boolean => "yes or no",
    }
}

fn role(operation: &Operation) -> String {
    operation.role.map(|role| format!(" (role {role})")).unwrap_or_default()
}

fn times(operation: &Operation) -> String {
    let interval = operation.interval.map(|interval| format!(", interval {interval} seconds")).unwrap_or_default();
    format!("timeout {} seconds{interval}", operation.timeout)
}

/// The other agent's page.
fn other(table: &AgentTable) -> &'static str {
    if table.name == "scst_aluadg" { "ocf_onesty_scst_qla2xtgt" } else { "ocf_onesty_scst_aluadg" }
}

/// The commands, without the one that explains the others.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| sub.get_name() != "help")
}

fn options<'a>(roff: &mut Roff, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments.filter(|argument| !argument.is_hide_set() && argument.get_id() != "help") {
        roff.control("TP", []);
        roff.text(spelled(argument));
        let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let unsaid = defaults.is_empty() || !argument.get_action().takes_values();
        let default = if unsaid { String::new() } else { format!("; default {}", defaults.join(" ")) };
        roff.text([roman(format!("{help}{default}"))]);
    }
}

/// An option with its value: `--driver DRIVER`.
fn spelled(argument: &Arg) -> Vec<Inline> {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut words = vec![bold(names.join(", "))];
    if argument.get_action().takes_values()
        && let Some(values) = argument.get_value_names()
    {
        words.extend([roman(" "), italic(values.join(" "))]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_page_names_everything_in_its_table() {
        for table in
            [agents::scst_qla2xtgt::table::TABLE, agents::scst_target::table::TABLE, agents::scst_aluadg::table::TABLE]
        {
            let page = agent(table).replace("\\-", "-").replace("\\&", "");
            for parameter in table.parameters {
                let first = parameter.names().next().unwrap();
                assert!(page.contains(&first) && page.contains(parameter.shortdesc), "{first}");
            }
            for operation in table.operations {
                assert!(page.contains(&format!("\\fB{}\\fR", operation.name)), "{}", operation.name);
            }
        }
    }

    #[test]
    fn the_tools_page_names_every_command_option_and_exit_code() {
        let mut command = agents::scst_ha::command();
        command.build();
        let page = tool(&command).replace("\\-", "-");
        assert_eq!(page.matches("\\fB--timeout").count(), 1, "{page}");
        assert!(!page.contains("default false"));
        for word in [
            "COMMAND DISCOVER",
            "COMMAND CHECK",
            "COMMAND EXPLAIN",
            "COMMAND IMPORT",
            "COMMAND METRICS",
            "COMMAND PLAN",
            "COMMAND STATUS",
            "--set",
            "--renumber",
            "--driver",
            "--group",
            "--json",
            "--timeout",
            "EXIT CODES",
        ] {
            assert!(page.contains(word), "{word}");
        }
    }

    #[test]
    fn every_exit_reason_is_on_its_page() {
        let page = reasons("1");
        let entries = CHAPTERS.iter().map(|chapter| chapter.reasons.len()).sum::<usize>() + CODES.len() + ERRNOS.len();
        assert_eq!(page.matches(".TP").count(), entries);
    }

    #[test]
    fn examples_keep_their_lines() {
        let mut roff = Roff::new();
        paragraphs(&mut roff, "One\ntwo:\n\n    a=1\n    b=2\n\nThree.");
        let text = roff.to_roff();
        assert!(text.contains("One\ntwo:\n.PP\n.RS 4\n.nf\na=1\nb=2\n.fi\n.RE\n.PP\nThree."), "{text}");
    }
}
