//! XML of any kind as a tree of [`Element`]s, for `scst-ha`, which reads more of the CIB than the agents do; and event
//! by event, for `promotions`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Deeper than any CIB goes. There is a limit because a walk through a tree of elements needs stack for each level.
const MAX_DEPTH: usize = 100;

/// An element of the CIB.
#[derive(Debug, Default)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes, with their entities resolved.
    pub attributes: BTreeMap<String, String>,
    /// The elements in it.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document; the result has its root as the only child.
    ///
    /// # Errors
    ///
    /// Why it is no XML, with the byte where that shows; or its elements stand over 100 deep in each other.
    pub fn parse(xml: &str) -> Result<Self, String> {
        let mut open = vec![Self::default()];
        walk(xml, |event| {
            match event {
                Event::Start(_) if open.len() > MAX_DEPTH => return Err("elements stand too deep in each other".into()),
                Event::Start(element) => open.push(Self::of(&element)?),
                Event::Empty(element) => {
                    let element = Self::of(&element)?;
                    open.last_mut().ok_or("it ends too early")?.children.push(element);
                }
                Event::End(_) => {
                    let closed = open.pop().ok_or("it ends too early")?;
                    open.last_mut().ok_or("it ends too early")?.children.push(closed);
                }
                _ => {}
            }
            Ok(())
        })?;
        open.pop().ok_or_else(|| "it is empty".to_owned())
    }

    fn of(element: &BytesStart<'_>) -> Result<Self, String> {
        let mut attributes = BTreeMap::new();
        for found in element.attributes() {
            let name = found.map_err(|error| error.to_string())?.key.as_ref().to_owned();
            let value = attribute(element, &name)?.unwrap_or_default();
            attributes.insert(name, value);
        }
        Ok(Self { name: element.name().as_ref().to_owned(), attributes, children: Vec::new() })
    }

    /// An attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The elements of that name at any depth; those inside of such an element are left out.
    pub fn descendants(&self, name: &str) -> Vec<&Self> {
        let inside = |child: &'_ Self| child.name == name;
        let (here, deeper): (Vec<_>, Vec<_>) = self.children.iter().partition(|child| inside(child));
        here.into_iter().chain(deeper.into_iter().flat_map(|child| child.descendants(name))).collect()
    }
}

/// Hands every event of a document to `visit`.
pub(super) fn walk<'x>(xml: &'x str, mut visit: impl FnMut(Event<'x>) -> Result<(), String>) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) if depth > 0 => return Err("it ends too early".to_owned()),
            Ok(Event::Eof) => return Ok(()),
            Ok(event) => {
                match &event {
                    Event::Start(_) => depth += 1,
                    Event::End(_) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                visit(event)?;
            }
            Err(error) => return Err(format!("at byte {}: {error}", reader.error_position())),
        }
    }
}

/// One attribute of an element, with its entities resolved.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = element.try_get_attribute(name).map_err(|error| error.to_string())?;
    found
        .map(|value| {
            value.normalized_value(XmlVersion::Implicit1_0).map(Cow::into_owned).map_err(|error| error.to_string())
        })
        .transpose()
}
