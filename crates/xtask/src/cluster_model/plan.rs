//! Which searches there are: how many nodes, which mishaps and how often, with fencing and without, with one node that runs
//! the shell agent.

use super::cluster::{ALWAYS, Budget};
use super::search::Scope;

/// The mishaps of the searches, each with a name. In all of them the scheduler plans what it likes, as often as it likes.
fn mishaps() -> Vec<(&'static str, Budget)> {
    let none = Budget { plans: ALWAYS, ..Budget::default() };
    vec![
        ("calm", none),
        ("notifications lost", Budget { losses: ALWAYS, ..none }),
        ("nodes lost", Budget { crashes: ALWAYS, ..none }),
        ("transitions dropped", Budget { aborts: ALWAYS, ..none }),
        ("actions that fail", Budget { failures: ALWAYS, ..none }),
        ("slow transitions", Budget { stalls: ALWAYS, ..none }),
        ("ports come and go", Budget { changes: ALWAYS, ..none }),
        ("by hand", Budget { hands: ALWAYS, ..none }),
        ("everything but ports", everything(0)),
        ("everything", everything(ALWAYS)),
    ]
}

/// All mishaps at once, with so many changes of `targetports`.
pub(super) fn everything(changes: u8) -> Budget {
    Budget {
        losses: ALWAYS,
        crashes: ALWAYS,
        failures: ALWAYS,
        aborts: ALWAYS,
        changes,
        stalls: ALWAYS,
        hands: ALWAYS,
        plans: ALWAYS,
    }
}

/// All searches with their names.
pub(super) fn all() -> Vec<(String, Scope)> {
    let mut searches = Vec::new();
    for count in 2..=4 {
        for (name, budget) in mishaps() {
            let kinds = [("", true, None), (", without fencing", false, None), (", one shell agent", true, Some(0))];
            for (kind, fencing, shell) in kinds {
                if fencing || budget.crashes > 0 {
                    let scope = Scope { count, fencing, shell, budget, law: None, meddle: None };
                    searches.push((format!("{count} nodes, {name}{kind}"), scope));
                }
            }
        }
    }
    searches
}
