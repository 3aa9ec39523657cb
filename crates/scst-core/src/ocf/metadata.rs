//! The meta-data of an agent, which the cluster's tools read, rendered as XML from its table
//! ([`super::param::AgentTable`]).
//!
//! OCF API 1.1, "Metadata". Five grammars of it are in use and they disagree; the internal subset of the DOCTYPE widens the oldest
//! one (`ra-api-1.dtd`, which ocf-tester checks against) by what 1.1 added, and gives no default values, because a parser would
//! insert these. The text depends on nothing but the table: it is asked for before every start, by an unprivileged user.

use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::param::{AgentTable, Kind, Operation, Parameter};

const DOCTYPE: &str = r#"resource-agent SYSTEM "ra-api-1.dtd" [
  <!ATTLIST parameter reloadable CDATA #IMPLIED>
  <!ATTLIST parameter unique-group CDATA #IMPLIED>
  <!ATTLIST action name CDATA #REQUIRED>
]"#;

/// The meta-data document of an agent.
pub fn render(table: &AgentTable) -> String {
    let mut document = Document { writer: Writer::new_with_indent(Vec::new(), b' ', 2) };
    document.event(Event::Decl(BytesDecl::new("1.0", None, None)));
    document.event(Event::DocType(BytesText::from_escaped(DOCTYPE)));
    document.open("resource-agent", &[("name", table.name), ("version", table.version)]);
    document.text("version", &[], "1.1");
    document.text("longdesc", ENGLISH, &wrapped(table.longdesc));
    document.text("shortdesc", ENGLISH, table.shortdesc);
    document.open("parameters", &[]);
    for parameter in table.parameters {
        for (place, name) in parameter.names().enumerate() {
            document.parameter(parameter, &name, place);
        }
    }
    document.close("parameters");
    document.open("actions", &[]);
    for operation in table.operations {
        document.operation(operation);
    }
    document.close("actions");
    document.close("resource-agent");
    let mut text = String::from_utf8_lossy(&document.writer.into_inner()).into_owned();
    text.push('\n');
    text
}

const ENGLISH: &[(&str, &str)] = &[("lang", "en")];

/// The width of a long text: tools print it as it is.
const WIDTH: usize = 78;

/// Breaks paragraphs into lines, between a first and a last line of their own. A line that is indented is an example and stays.
fn wrapped(text: &str) -> String {
    let mut lines = String::from("\n");
    for line in text.lines() {
        if line.starts_with(' ') {
            lines.push_str(line);
        } else {
            let mut column = 0;
            for word in line.split(' ') {
                let length = word.chars().count();
                if column > 0 && column + 1 + length > WIDTH {
                    lines.push('\n');
                    column = 0;
                } else if column > 0 {
                    lines.push(' ');
                    column += 1;
                }
                lines.push_str(word);
                column += length;
            }
        }
        lines.push('\n');
    }
    lines
}

/// A document under way. Writing to memory cannot fail, so the writer's results are dropped in one place.
struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    fn event(&mut self, event: Event<'_>) {
        let _ = self.writer.write_event(event);
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Start(BytesStart::new(name).with_attributes(attributes.iter().copied())));
    }

    fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(BytesStart::new(name).with_attributes(attributes.iter().copied())));
    }

    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        // Quotes need no escape in a text, and an example with them is for people to read.
        self.event(Event::Text(BytesText::from_escaped(partial_escape(text))));
        self.close(name);
    }

    /// One parameter; the `place`-th of its row, of which only the first is required and has the long text.
    fn parameter(&mut self, parameter: &Parameter, name: &str, place: usize) {
        let mut attributes = vec![("name", name)];
        if parameter.unique {
            // Tools for 1.1 look at the group, older ones at the flag.
            attributes.extend([("unique-group", name), ("unique", "1")]);
        }
        if parameter.required && place == 0 {
            attributes.push(("required", "1"));
        }
        if parameter.reloadable {
            attributes.push(("reloadable", "1"));
        }
        self.open("parameter", &attributes);
        if place == 0 {
            self.text("longdesc", ENGLISH, &wrapped(parameter.longdesc));
            self.text("shortdesc", ENGLISH, parameter.shortdesc);
        } else {
            let number = name.trim_start_matches(parameter.name);
            let first = format!("{}0", parameter.name);
            self.text("longdesc", ENGLISH, &format!("Number {number} of the row that {first} describes."));
            self.text("shortdesc", ENGLISH, &format!("{} {number}, see {first}", parameter.shortdesc));
        }
        self.content(parameter);
        self.close("parameter");
    }

    fn content(&mut self, parameter: &Parameter) {
        let kind = match parameter.kind {
            Kind::String | Kind::Secret => "string",
            Kind::Boolean => "boolean",
        };
        let mut attributes = vec![("type", kind)];
        attributes.extend(parameter.default.map(|default| ("default", default)));
        self.empty("content", &attributes);
    }

    fn operation(&mut self, operation: &Operation) {
        let timeout = format!("{}s", operation.timeout);
        let interval = operation.interval.map(|seconds| format!("{seconds}s"));
        let mut attributes = vec![("name", operation.name), ("timeout", timeout.as_str())];
        if let Some(interval) = &interval {
            attributes.extend([("interval", interval.as_str()), ("depth", "0")]);
        }
        attributes.extend(operation.role.map(|role| ("role", role)));
        self.empty("action", &attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: AgentTable = AgentTable {
        name: "probe",
        version: "1.2",
        shortdesc: "Shorter than <this> & that",
        longdesc: "One's \"two\".\n\n    an example\nTwo.",
        parameters: &[
            Parameter {
                name: "group",
                count: None,
                kind: Kind::String,
                required: true,
                unique: true,
                reloadable: false,
                default: None,
                shortdesc: "Group",
                longdesc: "It.",
            },
            Parameter {
                name: "device",
                count: Some(2),
                kind: Kind::Boolean,
                required: true,
                unique: false,
                reloadable: true,
                default: Some("1"),
                shortdesc: "Device",
                longdesc: "It.",
            },
        ],
        operations: &[Operation::once("start", 60), Operation::monitor(20, 10, Some("Promoted"))],
    };

    #[test]
    fn the_document_holds_what_the_table_says() {
        let expected = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd" [
  <!ATTLIST parameter reloadable CDATA #IMPLIED>
  <!ATTLIST parameter unique-group CDATA #IMPLIED>
  <!ATTLIST action name CDATA #REQUIRED>
]>
<resource-agent name="probe" version="1.2">
  <version>1.1</version>
  <longdesc lang="en">
One's "two".

    an example
Two.
</longdesc>
  <shortdesc lang="en">Shorter than &lt;this&gt; &amp; that</shortdesc>
  <parameters>
    <parameter name="group" unique-group="group" unique="1" required="1">
      <longdesc lang="en">
It.
</longdesc>
      <shortdesc lang="en">Group</shortdesc>
      <content type="string"/>
    </parameter>
    <parameter name="device0" required="1" reloadable="1">
      <longdesc lang="en">
It.
</longdesc>
      <shortdesc lang="en">Device</shortdesc>
      <content type="boolean" default="1"/>
    </parameter>
    <parameter name="device1" reloadable="1">
      <longdesc lang="en">Number 1 of the row that device0 describes.</longdesc>
      <shortdesc lang="en">Device 1, see device0</shortdesc>
      <content type="boolean" default="1"/>
    </parameter>
  </parameters>
  <actions>
    <action name="start" timeout="60s"/>
    <action name="monitor" timeout="20s" interval="10s" depth="0" role="Promoted"/>
  </actions>
</resource-agent>
"#;
        assert_eq!(render(&TABLE), expected);
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= WIDTH));
        assert_eq!(text.split_whitespace().count(), 40);
    }
}
