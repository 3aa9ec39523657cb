//! One run of an agent: its environment as Pacemaker makes it, and what came of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Seek as _};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scst_sim::mount::{Process, WriteRecord};
use snapbox::assert::{Assert, DEFAULT_ACTION_ENV};
use snapbox::data::Inline;

use super::binaries;
use super::node::Node;
use super::resource::Resource;
use super::transition::Lists;
use crate::exit_reasons::has_cure;

/// Longer than any action of a test may take.
const LIMIT: Duration = Duration::from_mins(1);

/// How much later a run may be seen to end than it would on a machine of its own.
const BUSY: Duration = Duration::from_secs(2);

/// A run that is being described.
pub(crate) struct Call<'a> {
    node: &'a Node,
    agent: &'static str,
    environment: BTreeMap<String, OsString>,
    arguments: Vec<String>,
    input: String,
}

impl<'a> Call<'a> {
    /// The operators' tool: nothing but the places of this node.
    pub(super) fn tool(node: &'a Node) -> Self {
        let call =
            Self { node, agent: "scst-ha", environment: BTreeMap::new(), arguments: Vec::new(), input: String::new() };
        let path = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
        let tools = path(node.tools());
        call.env("PATH", &format!("{tools}:/usr/bin:/bin"))
            .env("HA_SBIN_DIR", &tools)
            .env("HA_RSCTMP", &path(&node.rsctmp()))
            .env("SCST_VAR_LIB", &path(&node.var_lib()))
            .env("SCST_SYSFS_ROOT", &path(node.mount().dir()))
            .env("STAND_IN_CIB", &path(node.cib().path()))
            .env("STAND_IN_NODE", &node.name)
            .env("HA_LOGFILE", &path(&node.dir().join("log")))
    }

    pub(super) fn new(node: &'a Node, resource: &Resource) -> Self {
        let agent = resource.agent();
        let mut call = Self { agent, ..Self::tool(node) };
        call = call
            .env("OCF_ROOT", "/usr/lib/ocf")
            .env("OCF_RA_VERSION_MAJOR", "1")
            .env("OCF_RA_VERSION_MINOR", "1")
            .env("OCF_RESOURCE_INSTANCE", resource.id())
            .env("OCF_RESOURCE_TYPE", agent)
            .env("OCF_RESOURCE_PROVIDER", "onesty")
            .env("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:")
            .env("OCF_RESKEY_crm_feature_set", "3.16.1")
            .meta("timeout", "20000")
            .meta("on_node", &node.name)
            .meta("on_node_uuid", &node.id.to_string())
            .meta("clone", "0")
            .meta("clone_max", "9")
            .meta("clone_node_max", "1")
            .meta("globally_unique", "false");
        if resource.promotable() {
            call = call.meta("notify", "true");
            for words in ["promoted", "master"] {
                call = call.meta(&format!("{words}_max"), "1").meta(&format!("{words}_node_max"), "1");
            }
        }
        resource.params().iter().fold(call, |call, (name, value)| call.param(name, value))
    }

    /// With a variable of the environment.
    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        self.env_raw(name, value.into())
    }

    /// The same with a value that need not be text.
    pub(crate) fn env_raw(mut self, name: &str, value: OsString) -> Self {
        self.environment.insert(name.to_owned(), value);
        self
    }

    /// Without it.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// With a parameter.
    pub(crate) fn param(self, name: &str, value: &str) -> Self {
        self.env(&format!("OCF_RESKEY_{name}"), value)
    }

    /// With a meta attribute.
    pub(crate) fn meta(self, name: &str, value: &str) -> Self {
        self.env(&format!("OCF_RESKEY_CRM_meta_{name}"), value)
    }

    /// With the time-out of the operation.
    pub(crate) fn timeout(self, time: Duration) -> Self {
        self.meta("timeout", &time.as_millis().to_string())
    }

    /// A recurring monitor.
    pub(crate) fn recurring(self) -> Self {
        self.meta("interval", "10000")
    }

    /// At this depth of checking.
    pub(crate) fn level(self, level: u32) -> Self {
        self.env("OCF_CHECK_LEVEL", &level.to_string())
    }

    /// With the notification variables of a transition.
    pub(crate) fn lists(mut self, lists: &Lists) -> Self {
        for (name, value) in lists.variables() {
            self = self.meta(&name, &value);
        }
        self
    }

    /// As somebody at a terminal runs it: parameters, and nothing of Pacemaker's.
    pub(crate) fn by_hand(mut self) -> Self {
        self.environment.retain(|name, _| {
            !name.starts_with("OCF_") || (name.starts_with("OCF_RESKEY_") && !name.starts_with("OCF_RESKEY_CRM_meta_"))
        });
        self.unset("OCF_RESKEY_crm_feature_set")
    }

    /// No cluster runs: its commands are there and cannot connect.
    pub(crate) fn without_cluster(self) -> Self {
        self.unset("STAND_IN_CIB")
    }

    /// With an argument before the action.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With this on standard input.
    pub(crate) fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// Prints the plan and writes nothing.
    pub(crate) fn dry_run(self) -> Self {
        self.argument("--dry-run")
    }

    /// Runs it with the arguments it has.
    pub(crate) fn go(self) -> Outcome {
        self.run("")
    }

    /// Runs an action to its end.
    pub(crate) fn run(self, action: &str) -> Outcome {
        self.begin(action).wait()
    }

    /// Begins an action.
    pub(crate) fn begin(mut self, action: &str) -> Running<'a> {
        let node = self.node;
        let tag = format!("{}-{}", self.agent, unique());
        let calls = node.dir().join(format!("calls-{tag}"));
        self.environment.insert("STAND_IN_LOG".into(), calls.to_str().expect("a plain path").into());
        let log = node.dir().join(format!("log-{tag}"));
        self.environment.entry("HA_LOGFILE".into()).and_modify(|path| log.as_os_str().clone_into(path));
        let mut command = Command::new(binaries::agent(self.agent));
        command.args(&self.arguments).args(Some(action).filter(|action| !action.is_empty()));
        command.env_clear().envs(&self.environment).current_dir("/");
        let mut input = tempfile::tempfile().expect("a file can be made");
        let written = std::io::Write::write_all(&mut input, self.input.as_bytes());
        written.and_then(|()| input.rewind()).expect("a file can be written");
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("an agent can be run");
        let what = format!("{} {} {action} on {}", self.agent, self.arguments.join(" "), node.name);
        let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Running { node, child, out, err, what, calls, log, began: Instant::now() }
    }
}

/// A number that no other run of this process has.
fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut pipe = pipe.expect("it was asked for");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks ends the text.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A run that has begun.
pub(crate) struct Running<'a> {
    node: &'a Node,
    child: Child,
    out: JoinHandle<String>,
    err: JoinHandle<String>,
    what: String,
    calls: std::path::PathBuf,
    log: std::path::PathBuf,
    began: Instant,
}

impl Running<'_> {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).expect("a child can be signalled");
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Waits for the end of a run that was killed.
    pub(crate) fn end(self) -> Outcome {
        let outcome = self.wait();
        assert_eq!(outcome.code, None, "{}", outcome.describe());
        outcome
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                let _ = self.child.kill();
                panic!(
                    "{} did not end within {LIMIT:?}\n{}",
                    self.what,
                    self.node.mount().picture().unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let took = self.began.elapsed();
        let pid = self.pid();
        let read = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default();
        Outcome {
            what: self.what,
            code: status.code(),
            out: self.out.join().expect("a pipe is read to its end"),
            err: self.err.join().expect("a pipe is read to its end"),
            log: read(&self.log),
            calls: read(&self.calls).lines().map(str::to_owned).collect(),
            writes: self.node.mount().writes().into_iter().filter(|write| made_by(&write.process, pid)).collect(),
            took,
        }
    }
}

/// Whether a process is that of the run, or one that it has left the kernel's files to.
fn made_by(process: &Process, pid: u32) -> bool {
    process.pid == pid || (process.parent == pid && process.name == "exe")
}

/// What came of a run.
pub(crate) struct Outcome {
    what: String,
    code: Option<i32>,
    out: String,
    err: String,
    log: String,
    calls: Vec<String>,
    writes: Vec<WriteRecord>,
    took: Duration,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Outcome {
    fn describe(&self) -> String {
        let mut text = format!("{} ended with {:?}\n", self.what, self.code);
        for (name, content) in [("stdout", &self.out), ("stderr", &self.err), ("log", &self.log)] {
            if !content.is_empty() {
                let _ = writeln!(text, "--- {name}\n{}", content.trim_end());
            }
        }
        let _ = writeln!(text, "--- commands {:?}\n--- writes", self.calls);
        for write in self.written() {
            let _ = writeln!(text, "{write}");
        }
        text
    }

    /// It ended with this code, and its stderr holds what that needs: exactly one reason, which the documentation knows a cure
    /// for, or none.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Self {
        let expected = usize::from(![0, 3, 8].contains(&code));
        self.ended(code, expected)
    }

    /// It refused to change anything: exit code 0, with the reason on stderr and in the log as an error.
    #[track_caller]
    pub(crate) fn kept(self) -> Self {
        self.ended(0, 1).writes(0).logged("ERROR")
    }

    /// It took nothing from hosts and could not do everything: exit code 0, with the reason on stderr and in the log as an error.
    #[track_caller]
    pub(crate) fn unfinished(self) -> Self {
        self.ended(0, 1).logged("the reload is not finished")
    }

    #[track_caller]
    fn ended(self, code: i32, expected: usize) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.describe());
        let reasons = self.reasons().len();
        assert!(reasons == expected || code == 3, "{reasons} exit reasons\n{}", self.describe());
        let unknown = self.reasons().into_iter().find(|reason| !has_cure(reason));
        assert!(unknown.is_none(), "agents/src/exit_reasons has no cure for {unknown:?}\n{}", self.describe());
        self
    }

    /// It ended with this code; what else it must have said is another matter than an agent's.
    #[track_caller]
    pub(crate) fn code_is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.describe());
        self
    }

    /// It printed this, which `SNAPSHOTS=overwrite` rewrites.
    #[track_caller]
    pub(crate) fn printed(self, expected: Inline) -> Self {
        Assert::new().action_env(DEFAULT_ACTION_ENV).eq(self.out.clone(), expected);
        self
    }

    /// Pacemaker shows this as the reason.
    #[track_caller]
    pub(crate) fn reason(self, expected: &str) -> Self {
        assert_eq!(self.exit_reason(), expected, "{}", self.describe());
        self
    }

    /// The reason holds this.
    #[track_caller]
    pub(crate) fn reason_has(self, part: &str) -> Self {
        assert!(self.exit_reason().contains(part), "no {part:?} in the reason\n{}", self.describe());
        self
    }

    /// The reason, or nothing.
    pub(crate) fn exit_reason(&self) -> &str {
        self.reasons().last().copied().unwrap_or_default()
    }

    fn reasons(&self) -> Vec<&str> {
        self.err.lines().filter_map(|line| line.strip_prefix("ocf-exit-reason:")).collect()
    }

    /// It made this many writes in the kernel's tree.
    #[track_caller]
    pub(crate) fn writes(self, count: usize) -> Self {
        assert_eq!(self.writes.len(), count, "{}", self.describe());
        self
    }

    /// It made exactly these writes, each as `path < text`, the path below `kernel/scst_tgt`.
    #[track_caller]
    pub(crate) fn wrote(self, expected: &[&str]) -> Self {
        assert_eq!(self.written(), expected, "{}", self.describe());
        self
    }

    /// Its exit code; none if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// It was ended by a signal.
    pub(crate) fn was_killed(&self) -> bool {
        self.code.is_none()
    }

    /// Its writes, in order, as `path < text`, failed ones with their errno.
    pub(crate) fn written(&self) -> Vec<String> {
        let line = |write: &WriteRecord| {
            let path = String::from_utf8_lossy(&write.path).into_owned();
            let data = String::from_utf8_lossy(&write.data).into_owned();
            let failed = match write.result {
                Some(Err(errno)) => format!(" {errno:?}"),
                Some(Ok(_)) => String::new(),
                None => " waiting".to_owned(),
            };
            format!("{} < {}{failed}", path.strip_prefix("kernel/scst_tgt/").unwrap_or(&path), data.trim_end())
        };
        self.writes.iter().map(line).collect()
    }

    /// It ran this many other programs.
    #[track_caller]
    pub(crate) fn programs(self, count: usize) -> Self {
        assert_eq!(self.calls.len(), count, "{}", self.describe());
        self
    }

    /// The names of the programs it ran, in order.
    #[track_caller]
    pub(crate) fn ran(self, expected: &[&str]) -> Self {
        let names: Vec<&str> = self.calls.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, expected, "{}", self.describe());
        self
    }

    /// Its log holds this.
    #[track_caller]
    pub(crate) fn logged(self, part: &str) -> Self {
        assert!(self.log.contains(part), "no {part:?} in the log\n{}", self.describe());
        self
    }

    /// Its log does not hold this.
    #[track_caller]
    pub(crate) fn not_logged(self, part: &str) -> Self {
        assert!(!self.log.contains(part), "{part:?} in the log\n{}", self.describe());
        self
    }

    /// Its log.
    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    /// What it printed.
    pub(crate) fn stdout(&self) -> &str {
        &self.out
    }

    /// What it said on stderr.
    pub(crate) fn stderr(&self) -> &str {
        &self.err
    }

    /// How long it took.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// It took no longer than this, but for what a machine that is busy with other tests may add.
    #[track_caller]
    pub(crate) fn within(self, limit: Duration) -> Self {
        assert!(self.took <= limit + BUSY, "took {:?}\n{}", self.took, self.describe());
        self
    }
}
