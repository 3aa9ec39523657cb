//! Every law can be broken: a cluster with one deliberate fault each, and the story that the search tells of it.

use scst_core::plan::Step;
use scst_core::scst::alua::AluaState;

use super::call::{Call, Op};
use super::cluster::{ALWAYS, Budget};
use super::judge::Law;
use super::native::Run;
use super::nodes::Meddle;
use super::plan;
use super::search::{Found, Scope, search};
use super::site::Site;
use super::story::Story;
use super::walk::walk;

/// Two nodes with this fault, judged by one law.
fn faulty(law: Law, budget: Budget, meddle: Meddle) -> Scope {
    let budget = Budget { plans: ALWAYS, ..budget };
    Scope { count: 2, fencing: true, shell: None, budget, law: Some(law), meddle: Some(meddle) }
}

/// The story of a fault, which does not happen without it.
#[track_caller]
fn story(scope: &Scope) -> Story {
    let sound = search(&Scope { meddle: None, ..*scope }, 5_000);
    assert!(sound.story.is_none(), "{}", sound.story.unwrap().told(scope));
    let found = search(scope, 5_000).story.expect("the fault is found");
    assert_eq!(Some(found.broken.law), scope.law);
    found
}

/// The law as it is told, and after how many events.
#[track_caller]
fn found(law: Law, budget: Budget, meddle: Meddle) -> (String, usize) {
    let story = story(&faulty(law, budget, meddle));
    (story.broken.how, story.events.len())
}

fn calm() -> Budget {
    Budget::default()
}

/// A node that only says that it has been demoted.
fn stays_active(_: &mut Run<'_>, call: Call) -> bool {
    call == Call::Demote
}

#[test]
fn a_node_that_stays_active_when_demoted() {
    let (how, events) = found(Law::OneServes, calm(), stays_active);
    assert_eq!(how, "beta serves, if only for a moment, while alpha is active");
    assert_eq!(events, 17);
}

#[test]
fn a_start_that_serves_before_it_is_standby() {
    let (how, _) = found(Law::OneServes, calm(), |run, call| {
        if !matches!(call, Call::Start(_)) {
            return false;
        }
        run.native(call);
        run.served = true;
        true
    });
    assert_eq!(how, "beta serves, if only for a moment, while alpha is active");
}

#[test]
fn a_node_that_nobody_fenced() {
    let budget = Budget { plans: ALWAYS, crashes: 1, ..calm() };
    let scope = Scope { count: 2, fencing: false, shell: None, budget, law: Some(Law::OneServes), meddle: None };
    let story = search(&scope, 20_000).story.expect("two nodes serve");
    assert_eq!(story.broken.how, "beta serves, if only for a moment, while alpha is active");
    assert!(story.told(&scope).contains("is cut off from the others and not fenced"), "{}", story.told(&scope));
    let fenced = search(&Scope { fencing: true, ..scope }, 20_000);
    assert!(fenced.complete, "with fencing it does not happen");
}

#[test]
fn a_promotion_that_leaves_the_disk_closed() {
    let (how, _) = found(Law::Open, calm(), |run, call| {
        if !matches!(call, Call::Promote(_)) {
            return false;
        }
        run.native(call);
        run.state.kernel.storage.devices.values_mut().for_each(|device| device.active = Some(false));
        true
    });
    assert_eq!(how, "alpha is active and its device is closed");
}

#[test]
fn a_node_that_numbers_the_others_in_its_own_way() {
    let (how, _) = found(Law::SameIds, calm(), |run, call| {
        if run.node != 1 || !matches!(call, Call::Start(_)) {
            return false;
        }
        run.native(call);
        let port = Site::port(0, 0);
        let groups = run.state.kernel.storage.group.as_mut().map(|group| &mut group.target_groups);
        for member in groups.into_iter().flatten().filter_map(|(_, group)| group.members.get_mut(&port)) {
            member.rel_tgt_id += 1;
        }
        true
    });
    assert_eq!(how, "beta knows port 1 of alpha by id 102, others by 101");
}

#[test]
fn a_node_that_does_not_hear_of_a_stop() {
    let deaf = |_: &mut Run<'_>, call: Call| matches!(call, Call::Notify(true, Op::Stop, _));
    let (how, events) = found(Law::NeverBetter, calm(), deaf);
    assert_eq!(how, "alpha tells of beta Transitioning, and Unavailable is true");
    assert_eq!(events, 10);
}

#[test]
fn a_monitor_that_does_not_look_after_lost_notifications() {
    let budget = Budget { losses: 1, ..calm() };
    let (how, _) = found(Law::NobodyBetween, budget, |_, call| matches!(call, Call::Monitor(_)));
    assert_eq!(how, "alpha still has beta between two states");
}

#[test]
fn a_node_that_does_not_hear_of_a_promotion() {
    let deaf = |_: &mut Run<'_>, call: Call| matches!(call, Call::Notify(true, Op::Promote, _));
    let (how, _) = found(Law::Truth, calm(), deaf);
    assert_eq!(how, "the transition is over, beta tells of alpha Transitioning, and Active is true");
}

#[test]
fn a_promotion_that_does_nothing() {
    let (how, _) = found(Law::Roles, calm(), |_, call| matches!(call, Call::Promote(_)));
    assert_eq!(how, "alpha is Standby, the cluster takes it for something else");
}

#[test]
fn a_step_that_the_kernel_refuses() {
    let (how, events) = found(Law::Run, calm(), |run, call| {
        let start = matches!(call, Call::Start(_));
        if start {
            run.apply(vec![Step::DelGroup { group: run.site.params.group.clone() }]);
        }
        start
    });
    assert_eq!(how, "the kernel refuses to delete device group dummy");
    assert_eq!(events, 2);
}

#[test]
fn a_notification_that_writes_what_is_there() {
    let (how, _) = found(Law::Run, calm(), |run, call| {
        let Call::Notify(true, Op::Start, _) = call else { return false };
        let (group, node) = (run.site.params.group.clone(), run.local().clone());
        run.apply(vec![Step::SetState { group, node, state: AluaState::Standby }]);
        true
    });
    assert_eq!(how, "repeated at once it would still set state standby on target group alpha of device group dummy");
}

#[test]
fn a_walk_finds_a_fault_and_makes_its_story_as_short_as_a_search_does() {
    let scope = faulty(Law::OneServes, calm(), stays_active);
    let walked = walk(&scope, 1, 20_000).story.expect("the fault is found");
    assert_eq!(walked.events.len(), story(&scope).events.len(), "{}", walked.told(&scope));
    let again = walk(&scope, 1, 20_000).story.expect("the same story");
    assert_eq!(again.events, walked.events);
}

#[test]
fn no_law_is_broken_nearby_nor_on_a_walk() {
    for (name, scope) in plan::all() {
        let sound = |found: &Found| {
            let story = found.story.as_ref().map(|story| story.told(&scope));
            assert_eq!(story, None, "{name}");
        };
        let near = search(&scope, 300);
        sound(&near);
        assert!(near.complete || near.clusters >= 300, "{name}");
        if name.contains("everything") {
            let far = walk(&scope, 1, 300);
            sound(&far);
            assert!(far.events >= 300, "{name}");
        }
    }
}
