//! Running one command of the checks: its output passes through, and the results of tests in it are counted.

use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, Stdio};

use crate::workspace;

/// Tests counted so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Passed.
    pub(super) passed: u64,
    /// Failed.
    pub(super) failed: u64,
}

impl Tally {
    /// Runs a command to its end; whether it was content.
    pub(super) fn run(&mut self, mut command: Command) -> Result<bool, Box<dyn Error>> {
        let name = command.get_program().to_string_lossy().into_owned();
        let unstarted = |error| format!("{name} cannot be run: {error}");
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(unstarted)?;
        if let Some(output) = child.stdout.take() {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            // Bytes, for what tests print need not be text.
            while output.read_until(b'\n', &mut line)? > 0 {
                stdout().write_all(&line)?;
                self.count(&String::from_utf8_lossy(&line));
                line.clear();
            }
        }
        Ok(child.wait()?.success())
    }

    /// Counts a closing line of the test harness, such as `test result: ok. 12 passed; 0 failed; …`.
    fn count(&mut self, line: &str) {
        let Some((_, results)) = line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for result in results.split("; ") {
            match result.split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// The machine that Cargo builds for, in the words of its configuration.
pub(super) fn host_triple() -> Result<String, Box<dyn Error>> {
    let output = workspace::cargo().args(["--version", "--verbose"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("cargo --version --verbose does not name its host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests\n",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s\n",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n",
            "a test printed: 9 passed; 9 failed\n",
        ] {
            tally.count(line);
        }
        assert_eq!((tally.passed, tally.failed), (8, 2));
    }

    #[test]
    fn a_command_is_content_or_not() {
        let mut tally = Tally::default();
        let mut shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            tally.run(command).unwrap()
        };
        assert!(shell("true"));
        assert!(!shell("echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'; false"));
        assert_eq!(tally.failed, 1);
    }

    #[test]
    fn cargo_names_its_host() {
        assert!(host_triple().unwrap().contains("linux"));
    }
}
