//! `cargo xtask guards`: takes each guard of the product out and sees the story about it fail.
//!
//! `docs/differences.md` promises something with every row, and `tests/guards` has a story for each. That a story passes
//! says little as long as nobody has seen it fail: so `crates/xtask/guards.toml` names, for each, the place in the product
//! that keeps the promise and what the place would be without it. In a copy of the work tree the one is put in the place
//! of the other, the agents are built, and the story must fail.

mod copy;
mod list;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Args;

use self::list::{Guard, Row};
use crate::style::Style;
use crate::workspace;

/// Which rows.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The rows to prove, by their ids; without any, all
    ids: Vec<String>,
}

/// What became of a story whose guard was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It failed, as it must.
    Proven,
    /// It did not notice.
    Survived,
    /// Nothing was proven: the product could not be built, or the story could not be run.
    Broken(String),
}

/// Proves the rows that were asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    if !workspace::is_root() {
        return Err("the stories mount a simulated SCST: run this as root".into());
    }
    let rows: Vec<Row> = list::rows()?.into_iter().filter(|row| row.is_one_of(&options.ids)).collect();
    if rows.is_empty() {
        return Err("docs/differences.md has no such row".into());
    }
    let guards: Vec<Guard> = list::guards()?.into_iter().filter(|g| rows.iter().any(|row| row.concerns(g))).collect();
    let style = Style::detect();
    let started = Instant::now();
    let bench = Bench::prepare()?;
    bench.see_stories_pass(&guards)?;
    println!("{} stories pass with every guard in its place, {:.0} s", tests(&guards).len(), seconds(started));
    let mut seen = Vec::new();
    for guard in &guards {
        let since = Instant::now();
        let verdict = bench.judge(guard)?;
        let word = match &verdict {
            Verdict::Proven => style.green("proven"),
            Verdict::Survived => style.red("not proven: the story passes all the same"),
            Verdict::Broken(why) => style.red(&format!("not proven: {why}")),
        };
        println!("{:<12} {word}  {} without {}, {:.0} s", guard.ids(), guard.test, guard.place(), seconds(since));
        seen.push((guard, verdict == Verdict::Proven));
    }
    let proven = |row: &&Row| row.is_proven(&seen);
    for row in rows.iter().filter(|row| !proven(row)) {
        let open = guards.iter().filter(|g| row.concerns(g)).find_map(|guard| guard.open.as_deref());
        println!("{} {} {}", style.red("not proven:"), row.name(), open.unwrap_or_default());
    }
    let (done, all) = (rows.iter().filter(proven).count(), rows.len());
    println!("{done} of {all} rows proven, {} guards taken out, {:.0} s", guards.len(), seconds(started));
    Ok(if done == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// The tests that these guards need, each once.
fn tests(guards: &[Guard]) -> BTreeSet<String> {
    guards.iter().map(Guard::test_name).collect()
}

/// The copy of the work tree, with the stories built.
struct Bench {
    source: PathBuf,
    target: PathBuf,
    stories: PathBuf,
}

impl Bench {
    fn prepare() -> Result<Self, Box<dyn Error>> {
        // Beside everything else that is built, and kept: most of it is the same the next time.
        let place = workspace::binary("guards")?;
        let mut bench =
            Self { source: place.join("source"), target: place.join("target"), stories: PathBuf::default() };
        copy::work_tree(&workspace::root(), &bench.source)?;
        let mut build = bench.cargo();
        build.args(["test", "--package", "agents", "--test", "e2e", "--no-run", "--message-format", "json"]);
        let output = build.stderr(std::process::Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("the stories cannot be built".into());
        }
        bench.stories = executable(&output.stdout).ok_or("cargo does not say where the stories are")?;
        bench.build()?;
        Ok(bench)
    }

    fn cargo(&self) -> Command {
        let mut command = workspace::cargo();
        command.current_dir(&self.source).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Builds the agents; the stories stay as they are and run whatever agents there are.
    fn build(&self) -> Result<(), Box<dyn Error>> {
        let output = self.cargo().args(["build", "--quiet", "--package", "agents", "--bins"]).output()?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let error = text.lines().find(|line| line.starts_with("error")).unwrap_or("error");
        Err(format!("the agents cannot be built: {error}").into())
    }

    fn run_stories(&self, names: &BTreeSet<String>) -> Result<(bool, String), Box<dyn Error>> {
        let mut command = Command::new(&self.stories);
        // Cargo runs tests in their package's directory.
        command.current_dir(self.source.join("agents")).arg("--exact").args(names);
        let output = command.output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn see_stories_pass(&self, guards: &[Guard]) -> Result<(), Box<dyn Error>> {
        let names = tests(guards);
        let (passed, output) = self.run_stories(&names)?;
        if passed && output.contains(&format!("{} passed", names.len())) {
            return Ok(());
        }
        print!("{output}");
        Err("not every story passes with its guard in place".into())
    }

    fn judge(&self, guard: &Guard) -> Result<Verdict, Box<dyn Error>> {
        let file = self.source.join(&guard.file);
        let whole = fs::read_to_string(&file)?;
        let verdict = match guard.take_out(&whole) {
            Err(why) => Verdict::Broken(why),
            Ok(without) => self.judge_without(guard, &file, &without)?,
        };
        fs::write(&file, whole)?;
        Ok(verdict)
    }

    fn judge_without(&self, guard: &Guard, file: &Path, without: &str) -> Result<Verdict, Box<dyn Error>> {
        fs::write(file, without)?;
        if let Err(why) = self.build() {
            return Ok(Verdict::Broken(why.to_string()));
        }
        let (passed, output) = self.run_stories(&BTreeSet::from([guard.test_name()]))?;
        Ok(if passed {
            Verdict::Survived
        } else if output.contains("0 passed; 1 failed") {
            Verdict::Proven
        } else {
            Verdict::Broken("the story did not come to its end".to_owned())
        })
    }
}

/// Where Cargo's messages say that the stories' program is.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    let text = String::from_utf8_lossy(messages);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut stories = messages.filter(|message| message["target"]["name"] == "e2e");
    stories.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_the_stories_are() {
        let messages = b"{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"agents\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"e2e\"},\"executable\":\"/t/e2e-1\"}\nnoise\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/e2e-1")));
        assert_eq!(executable(b""), None);
    }
}
