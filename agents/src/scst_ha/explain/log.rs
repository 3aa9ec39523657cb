//! Where exit reasons stand in logs and in what the cluster's tools print: a pure function.
//!
//! Pacemaker logs what an agent wrote to stderr, `ocf-exit-reason:…`, and shows it as `exit-reason='…'` (`crm_mon`, `pcs status`) or
//! `exit-reason="…"` (XML). The agents' own lines are `AGENT(RESOURCE)[PID]: LEVEL: ACTION: text`.

/// The words in front of a reason that the agents write for Pacemaker.
const MARK: &str = "ocf-exit-reason:";

/// The words in front of one that the cluster's tools show, with the quotes around it.
const SHOWN: [&str; 4] = ["exit-reason='", "exit-reason=\"", "exitreason='", "exitreason=\""];

/// The beginnings of the agents' tags.
const TAGS: [&str; 3] = ["scst_qla2xtgt(", "scst_target(", "scst_aluadg("];

/// The levels at which the agents log a reason.
const LEVELS: [&str; 2] = ["ERROR: ", "WARNING: "];

/// A text that may be a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// It.
    pub(super) text: String,
    /// It is one, whoever made it; otherwise only a line that may hold one.
    pub(super) certain: bool,
}

/// The reasons in a line of a log.
pub(super) fn candidates(line: &str) -> Vec<Candidate> {
    let certain = |text: &str| Candidate { text: text.trim().to_owned(), certain: true };
    if let Some((_, reason)) = line.split_once(MARK) {
        // The executor's lines end in a bracket: `[ ocf-exit-reason:… ]`.
        let reason = reason.trim_end();
        return vec![certain(reason.strip_suffix(" ]").unwrap_or(reason))];
    }
    for shown in SHOWN {
        if let Some((_, rest)) = line.split_once(shown) {
            let quote = &shown[shown.len() - 1..];
            let reason = rest.split(quote).next().unwrap_or_default();
            return if reason.is_empty() { Vec::new() } else { vec![certain(&unescaped(reason))] };
        }
    }
    let Some(tag) = TAGS.iter().find_map(|tag| line.find(tag)) else { return Vec::new() };
    let line = &line[tag..];
    let Some(rest) = LEVELS.iter().find_map(|level| line.split_once(level)).map(|(_, rest)| rest) else {
        return Vec::new();
    };
    let text = rest.split_once(": ").map_or(rest, |(_, text)| text);
    vec![Candidate { text: text.trim().to_owned(), certain: false }]
}

/// The five entities of XML.
fn unescaped(text: &str) -> String {
    let entities = [("&quot;", "\""), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        candidates(line).into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn a_reason_is_found_where_agents_and_cluster_write_it() {
        for line in [
            "ocf-exit-reason:no room",
            "Nov 25 alpha pacemaker-execd [1]: notice: scst_dg_start_0[77] error output [ ocf-exit-reason:no room ]",
            "  * dg start on alpha returned 'error' (call=5, exitreason='no room', last-rc-change=x)",
            "    * dg_start_0 on alpha 'error' (1): call=5, status='complete', exit-reason='no room', queued=0ms",
            r#"<failure op_key="dg_start_0" exitreason="no room" rc="1"/>"#,
            "2026-11-25 alpha scst_aluadg(dg)[77]: ERROR: start: no room",
            "scst_qla2xtgt(p)[77]: WARNING: monitor: no room",
        ] {
            assert_eq!(texts(line), ["no room"], "{line}");
        }
        assert_eq!(texts(r#"exitreason="a &quot;b&quot;""#), [r#"a "b""#]);
    }

    #[test]
    fn other_lines_have_none() {
        for line in
            ["", "kernel: scst: loaded", "scst_aluadg(dg)[7]: INFO: start: done", "exitreason=''", "ERROR: start: x"]
        {
            assert_eq!(texts(line), [""; 0], "{line}");
        }
    }
}
