//! What the stand-ins print: plain lines, or Pacemaker's XML result around the same.

use super::xml::Element;

/// Exit code: all well.
pub(super) const OK: u8 = 0;
/// Exit code: a wrong command line.
pub(super) const USAGE: u8 = 64;
/// Exit code: the node is not known.
pub(super) const NO_HOST: u8 = 68;
/// Exit code: the tool was asked something that makes no sense.
pub(super) const SOFTWARE: u8 = 70;
/// Exit code: the attribute daemon does not know the attribute.
pub(super) const CONFIG: u8 = 78;
/// Exit code: no cluster.
pub(super) const DISCONNECTED: u8 = 102;
/// Exit code: the object asked for does not exist.
pub(super) const NO_SUCH_OBJECT: u8 = 105;
/// Exit code: it took too long.
pub(super) const TIMEOUT: u8 = 124;

/// What one call of a command answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit code.
    pub code: u8,
}

impl Answer {
    /// An answer that says nothing and is well.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Text on standard output.
    pub fn out(text: impl Into<String>) -> Self {
        Self { out: text.into(), ..Self::default() }
    }

    /// One line on standard error.
    pub fn error(code: u8, line: impl AsRef<str>) -> Self {
        Self { err: format!("{}\n", line.as_ref()), code, ..Self::default() }
    }
}

/// What `--output-as=xml` makes of an answer: `items` for what there is to say, the lines of standard error inside.
pub(super) fn as_xml(request: &str, items: Vec<Element>, answer: &Answer) -> Answer {
    let mut status = Element::new("status").with("code", answer.code.to_string()).with("message", meaning(answer.code));
    let errors: Vec<_> = answer.err.lines().collect();
    let mut root = Element::new("pacemaker-result").with("api-version", "2.25").with("request", request);
    root.children = items;
    if errors.is_empty() {
        root.children.push(status);
        return Answer { out: root.to_string(), err: String::new(), code: answer.code };
    }
    status.children.push(Element::new("errors").and(Element::new("error")));
    root.children.push(status);
    let lines: Vec<_> = errors.iter().map(|line| format!("      <error>{}</error>\n", Text(line))).collect();
    Answer { out: root.to_string().replace("      <error/>\n", &lines.concat()), err: String::new(), code: answer.code }
}

/// The request as Pacemaker repeats it.
pub(super) fn request(name: &str, args: &[String]) -> String {
    std::iter::once(name).chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

fn meaning(code: u8) -> &'static str {
    match code {
        OK => "OK",
        USAGE => "Incorrect usage",
        NO_HOST => "Host not found",
        CONFIG => "Invalid configuration",
        DISCONNECTED => "Not connected",
        NO_SUCH_OBJECT => "No such object",
        TIMEOUT => "Timeout occurred",
        _ => "Error occurred",
    }
}

/// Text between tags.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
    }
}
