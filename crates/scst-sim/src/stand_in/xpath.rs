//! The part of `XPath` that people hand to cibadmin: names, `*`, `/`, `//` and predicates over attributes.

use super::xml::Element;

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// Any depth below, not only the next level.
    deep: bool,
    name: String,
    predicates: Vec<Predicate>,
}

#[derive(Debug, PartialEq, Eq)]
struct Predicate {
    attribute: String,
    value: Option<String>,
}

/// An element that was found, with the elements it lies in, outermost first.
pub type Found<'a> = Vec<&'a Element>;

/// The elements that a path, or several with `|` between them, finds, in document order; none if one is not understood, as cibadmin has it.
pub fn search<'a>(root: &'a Element, paths: &str) -> Vec<Found<'a>> {
    let found: Vec<Vec<Found<'a>>> = paths.split('|').map(|path| search_one(root, path)).collect();
    let mut all = Vec::new();
    walk(root, &Vec::new(), &Step { deep: true, name: "*".to_owned(), predicates: Vec::new() }, &mut all);
    let same =
        |one: &Found<'_>, other: &Found<'_>| one.last().zip(other.last()).is_some_and(|(a, b)| std::ptr::eq(*a, *b));
    match found.as_slice() {
        [only] => only.clone(),
        several => {
            all.retain(|place| several.iter().flatten().any(|found| same(found, place)));
            all
        }
    }
}

fn search_one<'a>(root: &'a Element, path: &str) -> Vec<Found<'a>> {
    let Some(steps) = parse(path) else { return Vec::new() };
    let mut found: Vec<Found<'a>> = vec![Vec::new()];
    for step in &steps {
        let mut next = Vec::new();
        for place in &found {
            match place.last() {
                None => walk(root, place, step, &mut next),
                Some(element) => element.children.iter().for_each(|child| walk(child, place, step, &mut next)),
            }
        }
        found = next;
    }
    found
}

/// Tries the step on an element, and below it where the step goes deep.
fn walk<'a>(element: &'a Element, place: &Found<'a>, step: &Step, found: &mut Vec<Found<'a>>) {
    let mut here = place.clone();
    here.push(element);
    if step.fits(element) {
        found.push(here.clone());
    }
    if step.deep {
        element.children.iter().for_each(|child| walk(child, &here, step, found));
    }
}

impl Step {
    fn fits(&self, element: &Element) -> bool {
        (self.name == "*" || self.name == element.name)
            && self.predicates.iter().all(|predicate| match &predicate.value {
                Some(value) => element.get(&predicate.attribute) == Some(value),
                None => element.get(&predicate.attribute).is_some(),
            })
    }
}

fn parse(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        let deep = rest.starts_with("//");
        rest = rest.strip_prefix("//").or_else(|| rest.strip_prefix('/'))?;
        // The attribute at the end of a path stands for its element.
        if rest.starts_with('@') {
            let more = rest.contains('/');
            return if more || steps.is_empty() { None } else { Some(steps) };
        }
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        if name.is_empty() {
            return None;
        }
        rest = &rest[end..];
        let mut predicates = Vec::new();
        while let Some(inner) = rest.strip_prefix('[') {
            let (conditions, after) = bracketed(inner)?;
            for condition in conditions.split(" and ") {
                predicates.push(predicate(condition.trim())?);
            }
            rest = after;
        }
        steps.push(Step { deep, name, predicates });
    }
    (!steps.is_empty()).then_some(steps)
}

/// The text up to the closing bracket, which may not be one inside quotes, and what follows it.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ']') => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn predicate(text: &str) -> Option<Predicate> {
    let text = text.strip_prefix('@')?;
    let Some((attribute, value)) = text.split_once('=') else {
        return Some(Predicate { attribute: text.to_owned(), value: None });
    };
    let value = value.trim();
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let value = value.strip_prefix(quote)?.strip_suffix(quote)?;
    Some(Predicate { attribute: attribute.trim().to_owned(), value: Some(value.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<String> {
        let text = "<cib><configuration><nodes><node id='1' uname='a'><x id='2'/></node><node id='3' uname='b'/></nodes>\
                    </configuration></cib>";
        let root = Element::parse(text).expect("valid");
        let id = |found: &Found<'_>| found.last().map(|e| format!("{}{}", e.name, e.get("id").unwrap_or_default()));
        search(&root, path).iter().filter_map(id).collect()
    }

    #[test]
    fn paths_find_what_they_say() {
        assert_eq!(names("//nodes"), ["nodes"]);
        assert_eq!(names("/cib/configuration/nodes/node"), ["node1", "node3"]);
        assert_eq!(names("//node[@uname='b']"), ["node3"]);
        assert_eq!(names("//node[@uname=\"a\" and @id='1']/x"), ["x2"]);
        assert_eq!(names("//*[@uname]"), ["node1", "node3"]);
        assert_eq!(names("//node/@uname"), ["node1", "node3"]);
        assert_eq!(names("//x|//nodes|//node[@id='3']"), ["nodes", "x2", "node3"]);
    }

    #[test]
    fn what_is_not_there_or_not_understood_finds_nothing() {
        for path in ["//nosuch", "/nodes", "//[", "//node[@uname='b'", "", "node", "//node[2]"] {
            assert!(names(path).is_empty(), "{path}");
        }
    }
}
