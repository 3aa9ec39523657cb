//! Parameters that are secret, those whose values cibsecret keeps outside of the configuration, and the kernel's files of users.

use std::collections::BTreeMap;

use scst_core::scst::iscsi::UserKind;

/// What stands in the configuration for a value that cibsecret keeps outside of it.
const ELSEWHERE: &str = "lrm://";

/// Parameters as they stand in the configuration, without those whose values cibsecret keeps. Where it keeps any users, all are left
/// out: what is said of some depends on the others.
#[derive(Debug)]
pub(super) struct Readable {
    /// The parameters whose values are in the configuration.
    pub(super) params: BTreeMap<String, String>,
    /// The names of the others.
    pub(super) kept: Vec<String>,
}

impl Readable {
    /// Of all parameters of a resource.
    pub(super) fn of(params: &BTreeMap<String, String>) -> Self {
        let (kept, mut params): (BTreeMap<_, _>, BTreeMap<_, _>) =
            params.clone().into_iter().partition(|(_, value)| value.trim() == ELSEWHERE);
        let kept: Vec<String> = kept.into_keys().collect();
        params.retain(|name, _| !is_secret(name) || !kept.iter().any(|name| is_secret(name)));
        Self { params, kept }
    }

    /// A sentence for each parameter that cibsecret keeps.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let left_out = |name: &String| if is_secret(name) { "users are not compared" } else { "nothing is compared" };
        self.kept.iter().map(move |name| format!("{name} is kept by cibsecret: {}", left_out(name)))
    }

    /// Only users are kept, so that everything else can be compared.
    pub(super) fn is_enough(&self) -> bool {
        self.kept.iter().all(|name| is_secret(name))
    }
}

/// A parameter whose value is never printed.
pub(super) fn is_secret(name: &str) -> bool {
    ["secret", "password", "user", "chap"].iter().any(|word| name.to_ascii_lowercase().contains(word))
}

/// Whether this is the name of a file of the kernel that shows a user with the secret.
pub(super) fn is_user_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    UserKind::ALL.iter().any(|kind| lower.starts_with(&kind.word().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_elsewhere_is_taken_out_and_users_alone_are_no_hindrance() {
        let of = |pairs: &[(&str, &str)]| {
            Readable::of(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let users =
            of(&[("incoming_users", "lrm://"), ("portals", "10.0.1.*"), ("outgoing_user", "me longsecret1234")]);
        assert_eq!((users.params.len(), users.is_enough()), (1, true));
        let said: Vec<String> = users.remarks().collect();
        assert_eq!(said, ["incoming_users is kept by cibsecret: users are not compared"]);
        let more = of(&[("initiators", "lrm://")]);
        assert!(!more.is_enough() && more.remarks().all(|said| said.ends_with("nothing is compared")));
        assert!(is_secret("incoming_users") && is_secret("outgoing_user") && !is_secret("device0"));
        assert!(is_user_file("IncomingUser") && is_user_file("OutgoingUser12") && !is_user_file("allowed_portal"));
    }
}
