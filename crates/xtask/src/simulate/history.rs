//! One history: a cluster is made, what is drawn from the seed happens to it, and at the end all faults end.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use scst_sim::model::ScstVersion;

use super::coverage::Coverage;
use super::events;
use super::kept::Kept;
use super::lot::Lot;
use super::pacemaker::Cluster;
use super::real::Tape;
use super::stage::Stage;
use super::stores::Layer;
use super::world::World;

/// One history, played.
pub(super) struct Played {
    pub(super) violation: Option<String>,
    pub(super) history: Vec<String>,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) coverage: Coverage,
    /// How many of its events were played.
    pub(super) events: usize,
    pub(super) tape: Option<Tape>,
}

/// One history: of its events those that are kept. `real` notes every action for the real binaries.
pub(super) fn play(seed: u64, kept: &Kept, real: bool) -> Result<Played, Box<dyn Error>> {
    let mut lot = Lot::new(seed ^ 0x5157_11a7_e000);
    let nodes = *lot.one_of(&[1, 2, 2, 2, 2, 3, 3, 4]);
    let fencing = !lot.once_in(4);
    let version = if lot.once_in(4) { ScstVersion::V3_7 } else { ScstVersion::V3_11 };
    let groups: &[&str] = if lot.once_in(2) { &["red"] } else { &["red", "blue"] };
    let mut world = World::new(seed, nodes, groups, version)?;
    for group in groups {
        let layer = *lot.one_of(&[Layer::Shared, Layer::Shared, Layer::Drbd, Layer::Volumes]);
        world.lay(group, layer, lot.once_in(4));
    }
    world.files = lot.once_in(2);
    let plain = world.stores.iter().all(|store| store.shift == 9) && groups.len() == 1;
    if plain && world.layer(groups[0]) == Layer::Shared && nodes > 1 && lot.once_in(3) {
        world.nodes[lot.below(nodes)].shell = true;
        (world.disturbed, world.untold, world.shell) = (true, true, true);
    }
    let stage = Stage::new(world);
    stage.lock().tape = real.then(Tape::default);
    let mut cluster = Cluster::new(stage.clone(), groups, fencing);
    // Without fencing DLM waits for a lost node for ever.
    if fencing && version == ScstVersion::V3_11 && lot.once_in(3) {
        cluster.resources[1].params.insert("reservations".to_owned(), "shared".to_owned());
    }
    cluster.thorough = lot.once_in(2).then_some(3);
    cluster.focus = [(); 3].map(|()| lot.below(events::KINDS));
    cluster.settle();
    let mut events = 0;
    for event in &kept.0 {
        if is_over(&stage) {
            break;
        }
        events += 1;
        stage.lock().world.lot = Lot::of(seed, event.number);
        cluster.eventful = !event.alone;
        events::at_rest(&mut cluster);
        cluster.settle();
        stage.lock().world.undisturbed(&cluster);
    }
    if !is_over(&stage) {
        stage.lock().world.lot = Lot::of(seed, u64::MAX);
        recover(&mut cluster, Duration::from_secs(90));
    }
    Ok(Played { events, ..end(&stage) })
}

pub(super) fn is_over(scene: &Stage) -> bool {
    let state = scene.lock();
    state.world.violation.is_some() || state.world.over.is_some()
}

/// What is left of a history that is over.
pub(super) fn end(scene: &Stage) -> Played {
    scene.kill_all(None);
    let mut state = scene.lock();
    let (coverage, tape) = (std::mem::take(&mut state.coverage), state.tape.take());
    let world = &mut state.world;
    if let Some(why) = world.over {
        world.count(format!("history without a verdict: {why}"));
    }
    Played {
        violation: world.violation.take(),
        history: std::mem::take(&mut world.history),
        counts: std::mem::take(&mut world.counts),
        coverage,
        events: 0,
        tape,
    }
}

/// Everything that goes wrong ends; then, after a while in which nothing happens, the cluster must have come to what is configured.
pub(super) fn recover(cluster: &mut Cluster, quiet: Duration) {
    cluster.eventful = false;
    cluster.second_thoughts = None;
    let aside = std::mem::take(&mut cluster.aside);
    cluster.wait(aside.into_iter().map(|(id, (r, node))| (r, node, id)).collect());
    let (count, sick) = {
        let mut state = cluster.stage.lock();
        state.world.disarm();
        let sick = state.world.heal_stores();
        state.world.disks_answer();
        for node in &mut state.world.nodes {
            (node.full, node.lasting, node.shell) = (None, None, false);
        }
        state.world.happened("all faults end".to_owned());
        (state.world.nodes.len(), sick)
    };
    cluster.maintain(false);
    {
        let world = &mut cluster.stage.lock().world;
        world.owes_reload |= world.shell;
    }
    cluster.set_right();
    for group in sick {
        cluster.restart(&group);
    }
    for node in 0..count {
        cluster.standby.remove(&node);
        if !cluster.fencing && cluster.stage.lock().world.nodes[node].cut {
            cluster.rejoin(node);
        }
        let off = {
            let mut state = cluster.stage.lock();
            let there = &mut state.world.nodes[node];
            let off = !there.powered || there.cut;
            there.powered &= !there.cut;
            off
        };
        if off {
            cluster.boot(node);
        }
    }
    cluster.settle();
    cluster.refresh();
    cluster.settle();
    cluster.pass(quiet);
    cluster.settle();
    if !is_over(&cluster.stage) {
        let stage = cluster.stage.clone();
        stage.lock().world.at_rest(cluster);
        cluster.compare();
    }
}
