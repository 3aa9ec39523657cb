//! The stand-ins against what the real commands answered, and what tests steer them by.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use scst_sim::stand_in::cib::CibFile;
use scst_sim::stand_in::{NAMES, Role, install};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scst-sim");

/// A directory with the links, and what the environment says.
struct Bench {
    dir: tempfile::TempDir,
    cib: Option<PathBuf>,
    node: String,
    more: Vec<(String, String)>,
}

impl Bench {
    fn without_cluster() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        install(&dir.path().join("bin"), Path::new(PROGRAM)).expect("links");
        Self { dir, cib: None, node: "node1".into(), more: Vec::new() }
    }

    fn with_cib(text: &str) -> Self {
        let mut bench = Self::without_cluster();
        let path = bench.path("cib.xml");
        fs::write(&path, text).expect("a CIB");
        bench.cib = Some(path);
        bench
    }

    fn of_two_nodes() -> Self {
        let mut bench = Self::without_cluster();
        let path = bench.path("cib.xml");
        let cib = CibFile::create(&path, &[("alpha", "1"), ("beta", "2")]).expect("a CIB");
        cib.add_promotable("group-clone", "group", "ocf:onesty:scst_aluadg").expect("a clone");
        bench.cib = Some(path);
        bench.node = "alpha".into();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self) -> CibFile {
        CibFile::at(self.cib.clone().expect("a CIB"))
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.more.push((name.into(), value.into()));
    }

    fn command(&self, line: &str) -> Command {
        let mut words = line.split_whitespace().peekable();
        let mut variables = self.more.clone();
        if words.next_if_eq(&"env").is_some() {
            while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
                variables.push((name.into(), value.into()));
                words.next();
            }
        }
        let name = words.next().expect("a command");
        let mut command = Command::new(self.dir.path().join("bin").join(name));
        command.args(words).env_clear().env("STAND_IN_NODE", &self.node).envs(variables);
        if let Some(cib) = &self.cib {
            command.env("STAND_IN_CIB", cib);
        }
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the stand-in starts")
    }

    /// Standard output of a command that must succeed.
    fn says(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The answer as transcripts have it.
    fn transcribed(&self, line: &str) -> String {
        let output = self.run(line);
        let mut lines = vec![format!("--- {line}\nrc={}\n", output.status.code().expect("no signal"))];
        for (label, bytes) in [("out", &output.stdout), ("err", &output.stderr)] {
            lines.extend(String::from_utf8_lossy(bytes).lines().map(|line| format!("{label}: {line}\n")));
        }
        lines.concat()
    }
}

fn recorded(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pacemaker-2.1.5").join(name);
    fs::read_to_string(path).expect("recorded answers")
}

/// What `crm_mon` prints with the time of day is not compared.
fn without_times(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.contains("last_update")).collect()
}

fn agrees_with(bench: &Bench, transcript: &str) {
    let wanted = recorded(transcript);
    let answers: Vec<_> = wanted.split_inclusive('\n').fold(Vec::new(), |mut answers, line| {
        match answers.last_mut() {
            Some(answer) if !line.starts_with("--- ") => *answer += line,
            _ => answers.push(line.to_owned()),
        }
        answers
    });
    assert!(answers.len() > 10, "a transcript of {} commands", answers.len());
    for answer in answers {
        let line = answer.lines().next().and_then(|line| line.strip_prefix("--- ")).expect("a command");
        assert_eq!(without_times(&bench.transcribed(line)), without_times(&answer));
    }
}

#[test]
fn answers_in_a_cluster_are_those_of_the_real_commands() {
    agrees_with(&Bench::with_cib(&recorded("cib.xml")), "in-cluster.txt");
}

#[test]
fn answers_without_a_cluster_are_those_of_the_real_commands() {
    agrees_with(&Bench::without_cluster(), "without-cluster.txt");
}

#[test]
fn a_cib_that_does_not_exist_is_no_cluster() {
    let mut bench = Bench::without_cluster();
    bench.cib = Some(bench.path("nowhere.xml"));
    assert_eq!(bench.run("crm_node -n").status.code(), Some(102));
}

#[test]
fn scores_are_read_back_by_every_command() {
    let bench = Bench::of_two_nodes();
    assert_eq!(bench.says("crm_attribute --promotion=group -v 5"), "");
    assert_eq!(bench.says("crm_attribute --promotion=group --query -q"), "5\n");
    assert_eq!(bench.says("attrd_updater -n master-group -Q"), "name=\"master-group\" host=\"alpha\" value=\"5\"\n");
    assert_eq!(bench.file().score("alpha", "group").expect("a CIB"), Some("5".into()));
    assert!(bench.says("crm_mon -1 --output-as=xml").contains("<attribute name=\"master-group\" value=\"5\"/>"));
    bench.says("crm_attribute --promotion=group -D");
    assert_eq!(bench.file().score("alpha", "group").expect("a CIB"), None);
}

#[test]
fn an_equal_value_changes_nothing_in_the_cib() {
    let bench = Bench::of_two_nodes();
    bench.says("crm_attribute --promotion=group -v 5");
    let before = fs::read(bench.path("cib.xml")).expect("a CIB");
    bench.says("crm_attribute --promotion=group -v 5");
    assert_eq!(fs::read(bench.path("cib.xml")).expect("a CIB"), before);
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let bench = Bench::of_two_nodes();
    let writers: Vec<_> = (0..12)
        .map(|number| bench.command(&format!("attrd_updater -n a{number} -U {number}")).spawn().expect("it starts"))
        .collect();
    for mut writer in writers {
        assert!(writer.wait().expect("it ends").success());
    }
    let cib = bench.file().load().expect("a CIB");
    for number in 0..12 {
        assert_eq!(cib.transient("alpha", &format!("a{number}")), Some(number.to_string().as_str()));
    }
}

#[test]
fn crm_mon_shows_the_roles() {
    let bench = Bench::of_two_nodes();
    let resources = |text: String| {
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        let start = lines.iter().position(|line| *line == "<resources>").expect("resources");
        let end = lines.iter().position(|line| *line == "</resources>").expect("resources");
        let word = |line: &str, name: &str| {
            let rest = line.split_once(&format!(" {name}=\""))?.1;
            Some(rest.split('"').next()?.to_owned())
        };
        let part = |line: &&str| word(line, "role").or_else(|| word(line, "name"));
        lines[start..end].iter().filter_map(part).collect::<Vec<_>>().join(" ")
    };
    let snapshot = || resources(bench.says("crm_mon -1 --output-as=xml"));
    assert_eq!(snapshot(), "Stopped Stopped");
    bench.file().set_role("alpha", "group", Role::Unpromoted).expect("a CIB");
    bench.file().set_role("beta", "group", Role::Promoted).expect("a CIB");
    assert_eq!(snapshot(), "Promoted beta Unpromoted alpha");
    bench.file().set_role("beta", "group", Role::Stopped).expect("a CIB");
    assert_eq!(snapshot(), "Unpromoted alpha Stopped");
}

#[test]
fn roles_come_from_real_histories_too() {
    let bench = Bench::with_cib(&recorded("cib.xml"));
    let text = bench.says("crm_mon -1");
    assert!(text.contains("    * Promoted: [ node2 ]\n    * Unpromoted: [ node1 ]\n"), "{text}");
}

#[test]
fn a_lost_node_runs_nothing() {
    let bench = Bench::with_cib(&recorded("cib.xml").replace(
        "<node_state id=\"2\" uname=\"node2\" in_ccm=\"true\" crmd=\"online\"",
        "<node_state id=\"2\" uname=\"node2\" in_ccm=\"false\" crmd=\"offline\"",
    ));
    assert_eq!(bench.says("crm_node -l"), "1 node1 member\n2 node2 lost\n");
    let text = bench.says("crm_mon -1");
    assert!(text.contains("OFFLINE: [ node2 ]") && !text.contains("Promoted: [ node2 ]"), "{text}");
}

#[test]
fn every_call_leaves_its_command_line_in_the_log() {
    let mut bench = Bench::of_two_nodes();
    let log = bench.path("log");
    bench.set("STAND_IN_LOG", log.to_str().expect("text"));
    bench.says("crm_node -n");
    bench.run("crm_attribute --node beta --name targetports --query");
    assert_eq!(
        fs::read_to_string(log).expect("a log"),
        "crm_node -n\ncrm_attribute --node beta --name targetports --query\n"
    );
}

#[test]
fn a_command_can_be_made_to_fail_or_to_hang() {
    let mut bench = Bench::of_two_nodes();
    bench.set("STAND_IN_FAIL", "crm_attribute:124,cibadmin:102,crm_mon:hang");
    assert_eq!(bench.run("crm_attribute --promotion=group -v 5").status.code(), Some(124));
    let output = bench.run("cibadmin --query --xpath //nodes");
    assert_eq!(output.status.code(), Some(102));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("Could not connect to the CIB"));
    assert_eq!(bench.says("crm_node -n"), "alpha\n");
    let mut hanging = bench.command("crm_mon -1").stdout(Stdio::null()).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(hanging.try_wait().expect("it can be asked"), None);
    hanging.kill().expect("it can be killed");
    hanging.wait().expect("it ends");
}

#[test]
fn a_command_can_be_made_slow() {
    let mut bench = Bench::of_two_nodes();
    bench.set("STAND_IN_DELAY_MS", "120");
    let started = Instant::now();
    bench.says("crm_node -n");
    assert!(started.elapsed() >= Duration::from_millis(120));
}

#[test]
fn modprobe_where_there_is_no_simulator_finds_no_module() {
    let mut bench = Bench::without_cluster();
    let nowhere = bench.path("nowhere");
    bench.set("SCST_SYSFS_ROOT", nowhere.to_str().expect("text"));
    let output = bench.run("modprobe scst_vdisk");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("modprobe: FATAL: Module scst_vdisk not found in directory /lib/modules/"), "{text}");
    let quiet = bench.run("modprobe -q scst_vdisk");
    assert_eq!((quiet.status.code(), quiet.stderr.len()), (Some(1), 0));
}

#[test]
fn modprobe_tells_the_simulator() {
    let mut bench = Bench::without_cluster();
    let control = bench.path("sys/.sim");
    fs::create_dir_all(&control).expect("a directory");
    fs::write(control.join("ctl"), "").expect("a file");
    let sysfs = bench.path("sys");
    bench.set("SCST_SYSFS_ROOT", sysfs.to_str().expect("text"));
    bench.says("modprobe scst_local add_default_tgt=0");
    let told = fs::read_to_string(control.join("ctl")).expect("what was told");
    assert_eq!(told, "modprobe scst_local add_default_tgt=0\n");
}

#[test]
fn the_directory_of_links_has_every_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let bin = dir.path().join("bin");
    let status = Command::new(PROGRAM).arg("stand-in").arg("--install").arg(&bin).status().expect("it starts");
    assert!(status.success());
    for name in NAMES {
        assert_eq!(fs::read_link(bin.join(name)).expect("a link"), Path::new(PROGRAM), "{name}");
    }
}

#[test]
fn a_stand_in_can_be_called_by_the_program_itself() {
    let output = Command::new(PROGRAM).args(["stand-in", "crm_node", "-n"]).env_clear().output().expect("it starts");
    assert_eq!(output.status.code(), Some(102));
}
