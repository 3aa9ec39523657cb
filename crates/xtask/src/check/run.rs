//! Running one command of the checks: its output passes through, and the results of tests in it are counted.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, Write, stdout};
use std::process::{Child, Command, Stdio};

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
            self.pass_on(&mut BufReader::new(output), &mut stdout())?;
        }
        Ok(child.wait()?.success())
    }

    /// Copies output, line by line, and counts what is in it.
    fn pass_on(&mut self, output: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
        let mut line = Vec::new();
        // Bytes, for what tests print need not be text.
        while output.read_until(b'\n', &mut line)? > 0 {
            to.write_all(&line)?;
            to.flush()?;
            self.count(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok(())
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

/// A command that runs beside others. What it prints is kept until it is waited for.
pub(super) struct Beside {
    child: Child,
    output: File,
}

impl Beside {
    /// Starts it.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let output = tempfile::tempfile()?;
        let child = command.stdout(output.try_clone()?).stderr(output.try_clone()?).spawn()?;
        Ok(Self { child, output })
    }

    /// Waits for its end and prints what it said; whether it was content.
    pub(super) fn finish(mut self, tally: &mut Tally) -> io::Result<bool> {
        let ended = self.child.wait()?;
        self.output.rewind()?;
        tally.pass_on(&mut BufReader::new(&self.output), &mut stdout())?;
        Ok(ended.success())
    }
}

impl Drop for Beside {
    /// Nothing goes on when the command is over. It has ended already where it was waited for.
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_passes_through_and_closing_lines_are_summed() {
        let output = b"running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s\n\
            test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
            a test printed: 9 passed; 9 failed and \xff";
        let (mut tally, mut copy) = (Tally::default(), Vec::new());
        tally.pass_on(&mut &output[..], &mut copy).unwrap();
        assert_eq!(copy, output);
        assert_eq!((tally.passed, tally.failed), (8, 2));
    }

    #[test]
    fn a_command_is_content_or_not() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Tally::default().run(command)
        };
        assert!(shell("true").unwrap());
        assert!(!shell("exit 1").unwrap());
        assert!(Tally::default().run(Command::new("/nowhere/program")).is_err());
    }
}
