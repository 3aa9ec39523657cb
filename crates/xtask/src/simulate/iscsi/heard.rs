//! What the agents log: it goes into the history, and must hold no secret.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::simulate::stage::Stage;

/// Runs the turn of an action with somebody who hears what it logs.
pub(in crate::simulate) fn hearing<T>(stage: &Arc<Stage>, turn: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(Hearer(Arc::clone(stage)), turn)
}

struct Hearer(Arc<Stage>);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{value:?} ");
    }
}

impl Subscriber for Hearer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let mut world = self.0.world();
        world.happened(format!("      log: {}", line.0.trim_end()));
        world.says_no_secret("a line of the log", &line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
