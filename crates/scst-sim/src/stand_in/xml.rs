//! XML as Pacemaker writes it: elements with attributes, two blanks of indent, no text.

use std::fmt;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

/// A document that is not XML.
#[derive(Debug, Error)]
#[error("no valid XML: {0}")]
pub struct BadXml(String);

/// One element with everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes, in order.
    pub attributes: Vec<(String, String)>,
    /// The elements in it, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// An element without anything.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The same element with one attribute more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// The same element with one child more.
    #[must_use]
    pub fn and(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// Reads a document; answers its root element.
    pub fn parse(text: &str) -> Result<Self, BadXml> {
        let bad = |error: &dyn fmt::Display| BadXml(error.to_string());
        let mut reader = Reader::from_str(text);
        // The outermost "element" collects the root.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| bad(&error))? {
                Event::Start(start) => open.push(Self::started(&start)?),
                Event::Empty(start) => {
                    let element = Self::started(&start)?;
                    open.last_mut().ok_or_else(|| bad(&"unbalanced"))?.children.push(element);
                }
                Event::End(_) => {
                    let done = open.pop().ok_or_else(|| bad(&"unbalanced"))?;
                    open.last_mut().ok_or_else(|| bad(&"unbalanced"))?.children.push(done);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.len(), open.pop().and_then(|top| top.children.into_iter().next())) {
            (1, Some(root)) => Ok(root),
            (1, None) => Err(bad(&"no element in it")),
            _ => Err(bad(&"an element is not closed")),
        }
    }

    fn started(start: &BytesStart<'_>) -> Result<Self, BadXml> {
        let mut element = Self::new(start.name().as_ref());
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| BadXml(error.to_string()))?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| BadXml(error.to_string()))?;
            element.set(attribute.key.as_ref(), value);
        }
        Ok(element)
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    /// The children of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child of that name, made if there is none.
    pub fn child_made(&mut self, name: &str) -> &mut Element {
        self.child_where(name, |_| true, || Element::new(name))
    }

    /// The first child of that name that fits, made by `make` if there is none.
    pub fn child_where(
        &mut self,
        name: &str,
        fits: impl Fn(&Element) -> bool,
        make: impl FnOnce() -> Element,
    ) -> &mut Element {
        let found = self.children.iter().position(|child| child.name == name && fits(child));
        let index = found.unwrap_or_else(|| {
            self.children.push(make());
            self.children.len() - 1
        });
        &mut self.children[index]
    }

    /// The element and everything below it, in document order.
    pub fn descendants(&self) -> Vec<&Element> {
        let mut all = vec![self];
        for child in &self.children {
            all.extend(child.descendants());
        }
        all
    }

    fn print(&self, level: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:1$}<{2}", "", level * 2, self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"{}\"", escaped(value))?;
        }
        if self.children.is_empty() {
            return writeln!(f, "/>");
        }
        writeln!(f, ">")?;
        for child in &self.children {
            child.print(level + 1, f)?;
        }
        writeln!(f, "{:1$}</{2}>", "", level * 2, self.name)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(0, f)
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\n' => text.push_str("&#10;"),
            '\t' => text.push_str("&#9;"),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let element = Element::new("nodes").and(Element::new("node").with("uname", "a \"b\" <&> c\n").with("id", "1"));
        let text = element.to_string();
        assert_eq!(Element::parse(&text).expect("its own print"), element, "{text}");
    }

    #[test]
    fn declarations_comments_and_text_are_passed_over() {
        let text = "<?xml version=\"1.0\"?><!-- a --><cib epoch='1'>\n <nodes/>text</cib>";
        assert_eq!(Element::parse(text).expect("valid").to_string(), "<cib epoch=\"1\">\n  <nodes/>\n</cib>\n");
    }

    #[test]
    fn half_a_document_is_an_error() {
        assert!(Element::parse("<cib><nodes>").is_err());
        assert!(Element::parse("").is_err());
    }
}
