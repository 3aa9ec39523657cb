//! One history: a cluster is made, what is drawn from the seed happens to it, and at the end all faults end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use scst_sim::model::ScstVersion;

use super::coverage::Coverage;
use super::events;
use super::iscsi::{Targets, die_once_more};
use super::kept::Kept;
use super::lot::Lot;
use super::moves;
use super::pacemaker::{Cluster, Role};
use super::stage::Stage;
use super::stores::Layer;
use super::tape::Call;
use super::world::{NODES, World};

/// One history, played.
pub(super) struct Played {
    pub(super) violation: Option<String>,
    pub(super) history: Vec<String>,
    pub(super) coverage: Coverage,
    /// How many of its events were played.
    pub(super) events: usize,
    pub(super) tape: Option<Vec<Call>>,
}

impl Played {
    pub(super) fn print(&self) {
        self.history.iter().for_each(|line| println!("{line}"));
        if let Some(how) = &self.violation {
            println!("violated: {how}");
        }
    }
}

/// One history: of its events those that are kept. `real` notes every action for the real binaries.
pub(super) fn play(seed: u64, kept: &Kept, real: bool) -> io::Result<Played> {
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
    if lot.once_in(3) {
        world.use_iscsi(Targets::drawn(&mut lot));
    }
    let plain = world.stores.iter().all(|store| store.shift == 9) && groups.len() == 1 && world.iscsi.is_none();
    if plain && world.layer(groups[0]) == Layer::Shared && nodes > 1 && lot.once_in(3) {
        world.nodes[lot.below(nodes)].shell = true;
        (world.disturbed, world.untold, world.shell) = (true, true, true);
        world.command(1, "setup_id", "0x0");
    }
    let stage = Stage::new(world);
    let iscsi = stage.world().iscsi.is_some();
    stage.lock().tape = (real && !iscsi).then(Vec::new);
    let mut cluster = Cluster::new(stage.clone(), groups, fencing);
    cluster.use_iscsi();
    // Without fencing DLM waits for a lost node for ever.
    if fencing && version == ScstVersion::V3_11 && lot.once_in(3) {
        cluster.resources[1].params.insert("reservations".to_owned(), "shared".to_owned());
    }
    if !iscsi && lot.once_in(2) {
        for params in cluster.resources.iter_mut().flat_map(|resource| [&mut resource.params, &mut resource.right]) {
            params.insert("missing_ports".to_owned(), "warn".to_owned());
        }
    }
    cluster.thorough = lot.once_in(2).then_some(3);
    cluster.focus = [(); 3].map(|()| events::AT_REST.draw(&mut lot)).to_vec();
    cluster.settle();
    let mut events = 0;
    for event in &kept.0 {
        if stage.world().is_over() {
            break;
        }
        events += 1;
        stage.world().lot = Lot::of(seed, event.number);
        cluster.eventful = !event.alone;
        events::at_rest(&mut cluster);
        cluster.settle();
        let groups = stage.world().groups.clone();
        stage.world().undisturbed(&cluster, &groups);
    }
    if !stage.world().is_over() {
        stage.world().lot = Lot::of(seed, u64::MAX);
        recover(&mut cluster, Duration::from_secs(90));
        (moves::AWRY.draw(&mut lot).happens)(&mut cluster);
        cluster.settle();
        conclude(&mut cluster, Duration::from_secs(45));
    }
    Ok(Played { events, ..end(&stage) })
}

/// What is left of a history that is over.
pub(super) fn end(stage: &Arc<Stage>) -> Played {
    stage.kill_all(None);
    let tape = stage.lock().tape.take();
    let mut world = stage.world();
    if let Some(why) = world.over {
        world.count(format!("history without a verdict: {why}"));
    }
    let (violation, history) = (world.violation.take(), std::mem::take(&mut world.history));
    Played { violation, history, coverage: std::mem::take(&mut world.coverage), events: 0, tape }
}

/// Everything that goes wrong ends; then, after a while in which nothing happens, the cluster must have come to what is configured.
fn recover(cluster: &mut Cluster, quiet: Duration) {
    cluster.eventful = false;
    (cluster.second_thoughts, cluster.deaf) = (None, None);
    cluster.stage.lock().tasks.values_mut().for_each(|task| task.aside = false);
    cluster.wait();
    let sick = cluster.world().recover();
    cluster.maintain(false);
    cluster.set_right();
    for group in sick {
        cluster.restart(Some(&group));
    }
    for node in 0..cluster.resources[0].instances.len() {
        cluster.standby.remove(&node);
        if !cluster.fencing && cluster.world().nodes[node].cut {
            cluster.rejoin(node);
        }
        if !cluster.members().contains(&node) {
            cluster.boot(node);
        }
    }
    cluster.settle();
    cluster.refresh();
    cluster.settle();
    cluster.pass(quiet);
    cluster.settle();
    if !cluster.world().is_over() {
        cluster.world().at_rest(cluster);
        cluster.compare();
        die_once_more(cluster);
    }
}

/// All faults end; then each group moves once more, and nothing that went wrong before excuses anything now.
pub(super) fn conclude(cluster: &mut Cluster, quiet: Duration) {
    recover(cluster, quiet);
    let mut moved = Vec::new();
    for r in 1..cluster.resources.len() {
        let of_role = |cluster: &Cluster, role| cluster.resources[r].instances.iter().position(|one| one.role == role);
        let Some(to) = of_role(cluster, Role::Unpromoted).filter(|_| !cluster.world().is_over()) else { continue };
        cluster.world().disturbed = false;
        cluster.world().unheard = false;
        cluster.prefer(r, Some(to));
        cluster.settle();
        let id = &cluster.resources[r].id;
        let how = || format!("undisturbed, {id} does not move to {}", NODES[to]);
        let wrong = (of_role(cluster, Role::Promoted) != Some(to)).then(how);
        cluster.world().check("what nothing disturbs moves", false, wrong);
        for node in 0..cluster.resources[r].instances.len() {
            cluster.reload_by_hand(r, node);
        }
        moved.extend(cluster.resources[r].group.clone());
    }
    if !moved.is_empty() {
        cluster.world().undisturbed(cluster, &moved);
        cluster.world().at_rest(cluster);
    }
}
