//! Start and stop of each agent: the tree before and after, and that a second run finds nothing to do.

use snapbox::str;

use crate::fixture::sample::{self, group, ports};

#[test]
fn starting_and_stopping_the_ports() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.tree().eq(str![[r#"
no SCST

"#]]);
    alpha.run(&ports(), "start").exit(0);
    alpha.tree().is(&format!(
        "\
modules qla2x00tgt qla2xxx_scst scst
{}",
        sample::port_lines("alpha", &sample::initiator_group("alpha", ""))
    ));
    alpha.run(&ports(), "monitor").exit(0);
    alpha.run(&ports(), "start").exit(0).writes(0);
    alpha.run(&ports(), "stop").exit(0);
    alpha.tree().eq(str![[r#"
modules qla2x00tgt qla2xxx_scst scst
port qla2x00t/21:00:00:24:ff:60:d0:10 enabled=0 rel_tgt_id=101
port qla2x00t/21:00:00:24:ff:60:d0:11 enabled=0 rel_tgt_id=102

"#]]);
    alpha.run(&ports(), "monitor").exit(7);
    alpha.run(&ports(), "stop").exit(0).writes(0);
    assert!(alpha.mount().unknowns().is_empty());
}

#[test]
fn starting_and_stopping_a_device_group() {
    let alpha = sample::with_ports().into_node("alpha");
    let before = alpha.tree();
    alpha.run(&group(), "start").exit(0);
    alpha.tree().is(&sample::tree("alpha", ["standby", "unavailable"]));
    assert_eq!(alpha.score(&group()).as_deref(), Some("5"));
    alpha.run(&group(), "monitor").exit(0);
    alpha.run(&group(), "start").exit(0).writes(0);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(alpha.tree().lines("port"), before.lines("port"));
    assert_eq!(alpha.score(&group()), None);
    alpha.run(&group(), "monitor").exit(7);
    alpha.run(&group(), "stop").exit(0).writes(0);
    assert!(alpha.mount().unknowns().is_empty());
}
