//! The configuration part of a CIB, for `cibadmin --modify --allow-create` and for `scst-ha plan --cib`.

use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::writer::Writer;
use scst_core::ocf::exit::Failure;

use super::super::proposal::Proposal;
use super::{constraints, meta, operations};

/// The document.
///
/// # Errors
///
/// That it cannot be written; not seen in practice.
pub(in super::super) fn xml(proposal: &Proposal) -> Result<String, Failure> {
    let mut document = Document(Writer::new_with_indent(Vec::new(), b' ', 2));
    document
        .configuration(proposal)
        .map_err(|error| Failure::generic(format!("the CIB cannot be written: {error}")))?;
    let bytes = document.0.into_inner();
    String::from_utf8(bytes).map(|text| text + "\n").map_err(|error| Failure::generic(error.to_string()))
}

struct Document(Writer<Vec<u8>>);

impl Document {
    fn configuration(&mut self, proposal: &Proposal) -> std::io::Result<()> {
        self.begin("configuration", &[])?;
        self.begin("nodes", &[])?;
        for node in &proposal.nodes {
            let id = node.id.map_or_else(|| node.name.clone(), |id| id.to_string());
            if node.id.is_none() {
                // Without the name, which may have what a comment must not.
                let what = " The id of the next node is not known here. Replace it before a cluster reads this, which takes it for \
                            another node: crm_node -l prints the ids. ";
                self.0.write_event(Event::Comment(BytesText::new(what)))?;
            }
            self.begin("node", &[("id", &id), ("uname", &node.name)])?;
            self.pairs("instance_attributes", &format!("nodes-{id}"), [("targetports", node.targetports.join(","))])?;
            self.end("node")?;
        }
        self.end("nodes")?;
        self.begin("resources", &[])?;
        for resource in &proposal.resources {
            let (id, clone) = (resource.id.as_str(), resource.clone.as_str());
            self.begin("clone", &[("id", clone)])?;
            self.pairs("meta_attributes", &format!("{clone}-meta_attributes"), meta(resource, proposal.nodes.len()))?;
            self.begin("primitive", &[("id", id), ("class", "ocf"), ("provider", "onesty"), ("type", resource.agent)])?;
            let params = resource.params.iter().map(|(name, value)| (name.as_str(), value.clone()));
            self.pairs("instance_attributes", &format!("{id}-instance_attributes"), params)?;
            self.begin("operations", &[])?;
            for operation in operations(resource) {
                let interval = format!("{}s", operation.interval.unwrap_or(0));
                let op = format!("{id}-{}-{interval}", operation.name);
                let timeout = format!("{}s", operation.timeout);
                let mut attributes =
                    vec![("id", op.as_str()), ("name", operation.name), ("interval", &interval), ("timeout", &timeout)];
                attributes.extend(operation.role.map(|role| ("role", role)));
                self.empty("op", &attributes)?;
            }
            self.end("operations")?;
            self.end("primitive")?;
            self.end("clone")?;
        }
        self.end("resources")?;
        self.begin("constraints", &[])?;
        for (ports, group) in constraints(proposal) {
            let order = format!("{ports}_before_{group}");
            self.empty("rsc_order", &[("id", &order), ("kind", "Mandatory"), ("first", ports), ("then", group)])?;
            let colocation = format!("{group}_with_{ports}");
            self.empty(
                "rsc_colocation",
                &[("id", &colocation), ("score", "INFINITY"), ("rsc", group), ("with-rsc", ports)],
            )?;
        }
        self.end("constraints")?;
        self.end("configuration")
    }

    fn pairs<'a>(
        &mut self,
        element: &str,
        id: &str,
        pairs: impl IntoIterator<Item = (&'a str, String)>,
    ) -> std::io::Result<()> {
        self.begin(element, &[("id", id)])?;
        for (name, value) in pairs {
            self.empty("nvpair", &[("id", &format!("{id}-{name}")), ("name", name), ("value", &value)])?;
        }
        self.end(element)
    }

    fn begin(&mut self, name: &str, attributes: &[(&str, &str)]) -> std::io::Result<()> {
        self.0.write_event(Event::Start(BytesStart::new(name).with_attributes(attributes.iter().copied())))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> std::io::Result<()> {
        self.0.write_event(Event::Empty(BytesStart::new(name).with_attributes(attributes.iter().copied())))
    }

    fn end(&mut self, name: &str) -> std::io::Result<()> {
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }
}
