//! One case: an action with one thing going wrong, and everything that must hold afterwards.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::Duration;

use scst_sim::faults::{Action, Fault, Op};

use super::story::{Agent, Base, Story, call};
use super::trouble::{Spot, Trouble};
use super::truth;
use super::world::{Call, Outcome, World};

/// The time-out of an action in which an operation hangs: with a reserve that is enough on a machine that does dozens of
/// cases at once.
const HANG_TIMEOUT: Duration = Duration::from_secs(6);

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) story: &'static Story,
    pub(super) spot: Spot,
    pub(super) trouble: Trouble,
}

impl Case {
    /// The action was to start a device group, and the node has no score. A promotion sets it at its end, long after its start.
    fn begins_unscored(&self, picture: &str) -> bool {
        let starts = self.story.agent == Agent::Group && self.story.base == Base::Off;
        let serves = self.story.action == "promote" && truth::monitor(self.story.agent, self.story.base, picture) == 8;
        starts && !serves && picture.lines().any(|line| line.trim_end() == "score")
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.story.name, self.trouble, self.spot)
    }
}

/// What is wrong with a case, in sentences.
type Wrong = Vec<String>;

/// A world in which cases follow each other. After a case that failed it is made anew.
pub(super) struct Bench {
    world: World,
    agent: Agent,
    /// Where the world is; `None`: somewhere.
    at: Option<Base>,
    /// The picture without the resource.
    off: String,
    /// The picture after an undisturbed start.
    started: String,
    /// The pictures after undisturbed actions, by the name of the story.
    reached: HashMap<&'static str, String>,
}

impl Bench {
    /// A world for the cases of an agent. Its resource has been started and stopped once.
    pub(super) fn new(agent: Agent) -> io::Result<Self> {
        let world = World::new()?;
        if agent == Agent::Group {
            succeed(&world, Agent::Ports, "start", &call("start"))?;
        }
        let mut bench = Self {
            world,
            agent,
            at: Some(Base::Off),
            off: String::new(),
            started: String::new(),
            reached: HashMap::new(),
        };
        bench.simply("start", false)?;
        bench.started = bench.world.picture()?;
        bench.simply("stop", false)?;
        bench.off = bench.world.picture()?;
        Ok(bench)
    }

    /// Whose cases it is for.
    pub(super) fn agent(&self) -> Agent {
        self.agent
    }

    fn run(&self, call: &Call<'_>) -> io::Result<Outcome> {
        self.world.run(self.agent, call)
    }

    /// An undisturbed action, which must succeed.
    fn simply(&self, action: &'static str, earlier: bool) -> io::Result<()> {
        succeed(&self.world, self.agent, action, &Call { earlier, ..call(action) })
    }

    /// Brings the world to where a case begins.
    fn go(&mut self, base: Base) -> io::Result<()> {
        let from = self.at.take();
        match (from, base) {
            _ if from == Some(base) => {}
            (Some(Base::Started), Base::Promoted) => self.simply("promote", false)?,
            (Some(Base::Promoted), Base::Started) => self.simply("demote", false)?,
            _ => {
                if from != Some(Base::Off) {
                    self.simply("stop", false)?;
                }
                if base != Base::Off {
                    self.simply("start", base.is_earlier())?;
                    self.hold()?;
                }
                if base.is_promoted() {
                    self.simply("promote", base.is_earlier())?;
                }
            }
        }
        self.at = Some(base);
        Ok(())
    }

    fn hold(&self) -> io::Result<()> {
        if self.agent == Agent::Group { self.world.hold() } else { Ok(()) }
    }

    /// To where the action of a story begins, with the notification before it.
    fn prepare(&mut self, story: &Story) -> io::Result<()> {
        self.go(story.base)?;
        match story.before {
            Some(notification) => self.simply(notification, false),
            None => Ok(()),
        }
    }

    /// Where the action of a story ends.
    fn arrive(&mut self, story: &Story) {
        self.at = match story.action {
            "stop" => Some(Base::Off),
            "demote" => Some(Base::Started),
            "promote" if story.base == Base::Started => Some(Base::Promoted),
            _ if story.is_notification() => Some(story.base),
            // There nobody holds a block, or the devices are those of two configurations.
            _ => None,
        };
    }

    /// All operations of the undisturbed action.
    pub(super) fn trace(&mut self, story: &'static Story) -> io::Result<Vec<Spot>> {
        self.prepare(story)?;
        let everything = Fault::on(Op::Any).process(self.agent.program()).from(1);
        self.world.mount().arm(everything.action(Action::Delay(Duration::ZERO)));
        let outcome = self.run(&story.call(None))?;
        let strikes = self.world.mount().strikes();
        self.world.mount().disarm();
        self.at = None;
        if outcome.code != Some(0) {
            return Err(io::Error::other(format!("{} undisturbed: {}", story.name, outcome.brief())));
        }
        let mut seen: HashMap<(Op, String), u32> = HashMap::new();
        let spots = strikes.into_iter().map(|strike| {
            let path = String::from_utf8_lossy(&strike.path).into_owned();
            let nth = seen.entry((strike.op, path.clone())).or_default();
            *nth += 1;
            Spot { op: strike.op, path, nth: *nth }
        });
        Ok(spots.collect())
    }

    /// The picture that the action of a story must reach.
    fn reached(&mut self, story: &'static Story) -> io::Result<String> {
        if !self.reached.contains_key(story.name) {
            self.prepare(story)?;
            let outcome = self.run(&story.call(None))?;
            if outcome.code != Some(0) {
                return Err(io::Error::other(format!("{} undisturbed: {}", story.name, outcome.brief())));
            }
            self.reached.insert(story.name, self.world.picture()?);
            self.arrive(story);
        }
        Ok(self.reached[story.name].clone())
    }

    /// Carries a case out: once with a stop after it, as Pacemaker does, and once with the action repeated.
    pub(super) fn carry_out(&mut self, case: &Case) -> io::Result<Wrong> {
        let reached = self.reached(case.story)?;
        let mut wrong = Wrong::new();
        self.then_stop(case, &reached, &mut wrong)?;
        if wrong.is_empty() {
            self.then_again(case, &reached, &mut wrong)?;
        }
        Ok(wrong)
    }

    /// The action with its fault. Answers the picture before and the outcome.
    fn disturbed(&mut self, case: &Case, wrong: &mut Wrong) -> io::Result<(String, Outcome)> {
        self.prepare(case.story)?;
        self.at = None;
        let before = self.world.picture()?;
        let mount = self.world.mount();
        mount.arm(case.trouble.fault(self.agent, &case.spot));
        let timeout = (case.trouble == Trouble::Hang).then_some(HANG_TIMEOUT);
        let outcome = self.run(&case.story.call(timeout))?;
        if mount.strikes().is_empty() {
            wrong.push("the operation did not come".to_owned());
        }
        if !case.trouble.lasts() {
            self.repair();
        }
        Ok((before, outcome))
    }

    /// What went wrong is over, and what the kernel had still to do is done.
    fn repair(&self) {
        let mount = self.world.mount();
        mount.disarm();
        mount.release();
        mount.skip(Duration::from_secs(1));
    }

    fn then_stop(&mut self, case: &Case, reached: &str, wrong: &mut Wrong) -> io::Result<()> {
        let (before, outcome) = self.disturbed(case, wrong)?;
        let picture = self.world.picture()?;
        judge(case, &outcome, &before, &picture, reached, wrong);
        let monitor = Call { thorough: true, ..call("monitor") };
        if case.trouble.lasts() {
            let stop = self.run(&call("stop"))?;
            self.tell(case, &stop, "stop with the fault lasting", &self.off, wrong)?;
            self.repair();
        } else {
            let truth = match truth::monitor(self.agent, case.story.base, &picture) {
                // What a start has made that was killed before it set the score is no instance yet.
                truth if truth != 7 && case.trouble.kills() && case.begins_unscored(&picture) => 1,
                truth => truth,
            };
            let answer = self.run(&monitor)?;
            // The first monitor finishes a reload that could not, and answers for what it has made of it.
            let truth = if unfinished(case, &outcome) {
                truth::monitor(self.agent, case.story.base, &self.world.picture()?)
            } else {
                truth
            };
            if answer.code != Some(truth) {
                wrong.push(format!("monitor says {}, the truth is {truth}, of\n{picture}", answer.brief()));
            }
        }
        let stop = self.run(&call("stop"))?;
        self.reaches(&stop, "stop", &self.off, wrong)?;
        let mut records = self.world.records(self.agent);
        // When a promotion failed is remembered beyond the stop that follows it.
        records.retain(|name| !(case.story.action == "promote" && name.ends_with(".failed")));
        if !records.is_empty() {
            wrong.push(format!("stop leaves {records:?}"));
        }
        let start = self.run(&call("start"))?;
        self.reaches(&start, "start after the stop", &self.started, wrong)?;
        self.hold()?;
        self.at = Some(Base::Started);
        Ok(())
    }

    fn then_again(&mut self, case: &Case, reached: &str, wrong: &mut Wrong) -> io::Result<()> {
        self.disturbed(case, wrong)?;
        if case.trouble.lasts() {
            let again = self.run(&case.story.call(None))?;
            self.tell(case, &again, "again with the fault lasting", reached, wrong)?;
            self.repair();
        }
        let again = self.run(&case.story.call(None))?;
        self.reaches(&again, "again", reached, wrong)?;
        self.arrive(case.story);
        Ok(())
    }

    /// A run without a fault succeeds, and reaches its picture.
    fn reaches(&self, outcome: &Outcome, what: &str, wanted: &str, wrong: &mut Wrong) -> io::Result<()> {
        if outcome.code != Some(0) {
            wrong.push(format!("{what}: {}", outcome.brief()));
        }
        let picture = self.world.picture()?;
        if picture != wanted {
            wrong.push(format!("{what}: {}", difference(wanted, &picture)));
        }
        Ok(())
    }

    /// A run under a fault tells the truth: 0 and everything reached, or the cause.
    fn tell(&self, case: &Case, outcome: &Outcome, what: &str, wanted: &str, wrong: &mut Wrong) -> io::Result<()> {
        if outcome.code == Some(0) && !case.story.is_notification() && !unfinished(case, outcome) {
            return self.reaches(outcome, what, wanted, wrong);
        }
        if (outcome.code != Some(0) || unfinished(case, outcome)) && !names_cause(case.trouble, outcome) {
            wrong.push(format!("{what}: the reason does not name the cause: {}", outcome.brief()));
        }
        Ok(())
    }
}

fn succeed(world: &World, agent: Agent, what: &str, call: &Call<'_>) -> io::Result<()> {
    let outcome = world.run(agent, call)?;
    if outcome.code == Some(0) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} {what}, undisturbed: {}\n{}", agent.program(), outcome.brief(), outcome.log)))
}

/// The exit code is true, and what was not reached is told with its cause.
fn judge(case: &Case, outcome: &Outcome, before: &str, picture: &str, reached: &str, wrong: &mut Wrong) {
    let Case { story, trouble, .. } = case;
    let Some(code) = outcome.code else {
        if !trouble.kills() {
            wrong.push(format!("died: {}", outcome.brief()));
        }
        return;
    };
    if trouble.kills() {
        wrong.push(format!("survived: {}", outcome.brief()));
    }
    if *trouble == Trouble::Hang && outcome.took > HANG_TIMEOUT {
        wrong.push(format!("outlived its time-out of {} ms: {}", HANG_TIMEOUT.as_millis(), outcome.brief()));
    }
    let done = picture == reached;
    if story.is_notification() {
        if code != 0 || !outcome.reasons.is_empty() {
            wrong.push(format!("a notification answers {}", outcome.brief()));
        }
        if !done && !trouble.words().iter().any(|word| outcome.log.contains(word)) {
            wrong.push(format!("the log does not say why {}\n{}", difference(reached, picture), outcome.log));
        }
    } else if code == 0 && !unfinished(case, outcome) {
        if !done {
            wrong.push(format!("0, but {}", difference(reached, picture)));
        }
    } else if !names_cause(*trouble, outcome) {
        wrong.push(format!("the reason does not name the cause: {}", outcome.brief()));
    }
    // An operation that hangs may have taken effect since.
    if *trouble != Trouble::Hang {
        let blocked = truth::wrongly_blocked(story.base, picture);
        // Where the fault is in the way of unblocking, the next action does it.
        let told = outcome.reasons.iter().any(|reason| reason.contains("unblock failed"));
        if !blocked.is_empty() && !told {
            wrong.push(format!("left blocked by {}: {blocked:?}", outcome.brief()));
        }
        if story.action == "start" && code != 0 && !trouble.lasts() && picture != before {
            wrong.push(format!("a failed start is not undone: {}\n{}", difference(before, picture), outcome.brief()));
        }
    }
}

/// A reload that took nothing from anybody and could not do everything answers 0, and says why.
fn unfinished(case: &Case, outcome: &Outcome) -> bool {
    case.story.action == "reload" && outcome.code == Some(0) && !outcome.reasons.is_empty()
}

/// One line, with a word that tells the cause.
fn names_cause(trouble: Trouble, outcome: &Outcome) -> bool {
    let [reason] = outcome.reasons.as_slice() else { return false };
    trouble.words().iter().any(|word| reason.contains(word))
}

/// The lines that only one of two pictures has.
fn difference(wanted: &str, found: &str) -> String {
    let only = |of: &str, other: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        of.lines().filter(|line| !other.contains(line)).map(|line| line.trim_start().to_owned()).collect()
    };
    format!("missing {:?}, too much {:?}", only(wanted, found), only(found, wanted))
}
