//! `cargo xtask ocf-tester`: resource-agents' own test of an agent, in a cluster of one node with a simulated SCST.
//!
//! It calls some thirty actions in the order in which a cluster might, some of them twice, and judges the exit codes. The transcripts are kept in
//! `ocf-tester-runs/`; `--check`, which is part of `cargo xtask test`, runs it again and compares. The lines that begin with `#` say what it was run with, and
//! are not compared: another Debian has other versions.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;

use super::config::{Config, alpha, dummy};
use super::rig;
use super::running::{Cluster, Outcome, Plan, until};
use crate::workspace;

/// How to run it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Writes nothing, and fails if a transcript would be another
    #[arg(long)]
    check: bool,
    /// The binaries are built already
    #[arg(long, hide = true)]
    built: bool,
    /// Run by the first process of new namespaces
    #[arg(long, hide = true)]
    inside: bool,
}

/// Runs ocf-tester for each agent.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.inside {
        rig::enclose()?;
        return test(options.check);
    }
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    if !options.built {
        workspace::build_binaries()?;
    }
    let check: &[&str] = if options.check { &["--check"] } else { &[] };
    if !workspace::is_root() {
        return workspace::become_root(&[&["ocf-tester", "--built"], check].concat());
    }
    let mut inside = rig::enclosed(&[&["ocf-tester", "--inside"], check].concat())?.spawn()?;
    // Taken, or waiting would close it, which ends the other side.
    let _alive = inside.stdin.take();
    let ended = inside.wait()?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A secret that no word of an agent may show.
const SECRET: &str = "longsecret1234";

/// A target of iSCSI beside the node's ports.
const TARGET: &str = "iqn.2026-01.org.example:alpha";

/// The agents with the parameters they are tested with.
fn agents() -> [(&'static str, Vec<String>); 3] {
    let group = dummy();
    let parameters = vec![
        format!("groupname={}", group.name),
        "tgtdriver=qla2x00t".to_owned(),
        format!("device0={}", group.devices[0].parameter()),
    ];
    let targets = [
        "tgtdriver=iscsi",
        "portals=10.0.1.*,10.0.2.*",
        &format!("incoming_users=esx {SECRET}"),
        "initiators=esx1=iqn.1998-01.com.vmware:esx1-4c5d;lab=iqn.1993-08.org.debian:01:*",
        "attributes=QueuedCommands=64",
    ];
    [
        ("scst_qla2xtgt", vec![format!("initiators={}", Config::standard().initiators())]),
        ("scst_target", targets.map(str::to_owned).to_vec()),
        ("scst_aluadg", parameters),
    ]
}

fn test(check: bool) -> Result<ExitCode, Box<dyn Error>> {
    let mut machine = alpha();
    machine.loaded = true;
    machine.ports.push(TARGET.to_owned());
    let nothing = Config { hosts: Vec::new(), groups: Vec::new(), own_scores: false };
    let cluster = Cluster::boot(Plan { machines: vec![machine], config: Some(nothing), ..Plan::standard() })?;
    until("a cluster of one node", || {
        let status = cluster.status()?;
        Ok((status.online != ["alpha"]).then(|| status.to_string()))
    })?;
    cluster.idle()?;
    let (mut passed, mut failed) = (0, 0);
    for (agent, parameters) in agents() {
        let (transcript, right) = transcript(&cluster, agent, &parameters)?;
        let file = place(agent);
        let kept = fs::read_to_string(&file).unwrap_or_default();
        let current = body(&kept) == body(&transcript);
        if right && (current || !check) {
            passed += 1;
            println!("ocf-tester is content with {agent}");
        } else {
            failed += 1;
            let why = if right {
                "its transcript is not current: write it anew with cargo xtask ocf-tester"
            } else {
                "it does not pass"
            };
            println!("{agent}: {why}\n{transcript}");
        }
        if right && !check && !current {
            fs::create_dir_all(file.parent().unwrap_or(&file))?;
            fs::write(&file, transcript)?;
            println!("written: {}", file.display());
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn place(agent: &str) -> PathBuf {
    workspace::root().join("ocf-tester-runs").join(format!("{agent}.txt"))
}

/// What is compared of a transcript. What happens side by side has no order, so neither has this.
fn body(transcript: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = transcript.lines().filter(|line| !line.starts_with('#')).collect();
    lines.sort_unstable();
    lines
}

/// Runs ocf-tester; its words under a header, and whether it was content and left nothing behind.
fn transcript(cluster: &Cluster, agent: &str, parameters: &[String]) -> Outcome<(String, bool)> {
    let path = format!("{}/{agent}", rig::PROVIDER);
    let mut words = vec!["ocf-tester", "-v", "-n", "tested"];
    for parameter in parameters {
        words.extend(["-o", parameter]);
    }
    words.push(&path);
    let answer = cluster.any()?.ask(&words)?;
    let left = super::view::found(&*cluster.any()?).unwrap_or_default();
    let shown = [&answer.stdout, &answer.stderr].iter().any(|text| text.contains(SECRET));
    let clean = !shown && !left.contains("device") && !left.contains("group") && !left.contains("enabled 1");
    let mut lines: Vec<String> = header(agent)?.lines().map(|line| format!("# {line}")).collect();
    lines.push(format!("$ {}", words.join(" ").replace(SECRET, "***")));
    lines.extend(steps(&answer.stdout));
    lines.push("standard error:".to_owned());
    lines.extend(answer.stderr.lines().map(|line| without_time(line).to_owned()));
    lines.push(format!("exit code {}", answer.code.map_or_else(|| "none".to_owned(), |code| code.to_string())));
    if !clean {
        lines.push(format!("it left behind\n{left}"));
    }
    let text = lines.join("\n") + "\n";
    Ok((text, answer.code == Some(0) && clean))
}

/// The tester's output without the meta-data, which is long and kept elsewhere.
fn steps(output: &str) -> Vec<String> {
    let mut kept = Vec::new();
    let mut document = false;
    for line in output.lines() {
        document |= line.starts_with("<?xml");
        if !document {
            kept.push(line.to_owned());
        } else if line.starts_with("</resource-agent>") {
            document = false;
            kept.push("(the document of metadata/)".to_owned());
        }
    }
    kept
}

/// A line of the agents' log without its time, such as `Nov 21 04:24:20 `.
fn without_time(line: &str) -> &str {
    let is_time = |time: &[u8]| [3, 6, 15].iter().all(|at| time[*at] == b' ') && time[9] == b':';
    if line.as_bytes().get(..16).is_some_and(is_time) { line.get(16..).unwrap_or(line) } else { line }
}

/// What it was run with.
fn header(agent: &str) -> Outcome<String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = vec![format!("{agent} {version}, on a simulated SCST 3.11, in a cluster of one node")];
    for package in ["resource-agents", "pacemaker", "corosync"] {
        let asked = Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).output()?;
        lines.push(format!("{package} {}", String::from_utf8_lossy(&asked.stdout)));
    }
    Ok(lines.join("\n"))
}
