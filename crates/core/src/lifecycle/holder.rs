//! Who a session belongs to, as its login reply told, in one block of memory: a session is kept all day and asked for this
//! once or never.

use crate::broker::Profile;
use crate::static_ip::Addresses;

/// Profile and addresses as JSON; nothing at all where the reply told nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holder(Box<str>);

/// The members of a profile in their order, then the addresses.
type Told<Text, List> = (Text, Text, List, List, List, Option<[Text; 3]>);

impl Holder {
    pub(super) fn new(profile: &Profile, addresses: Option<&Addresses>) -> Self {
        if addresses.is_none() && *profile == Profile::default() {
            return Self::default();
        }
        let told: Told<Option<&str>, &[String]> = (
            profile.account_id.as_deref(),
            profile.name.as_deref(),
            &profile.exchanges,
            &profile.products,
            &profile.order_types,
            addresses.map(|told| [&told.source, &told.primary, &told.secondary].map(Option::as_deref)),
        );
        // Texts and lists of texts can always be written.
        Self(serde_json::to_string(&told).unwrap_or_default().into_boxed_str())
    }

    fn read(&self) -> Told<Option<String>, Vec<String>> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    pub(super) fn profile(&self) -> Profile {
        let (account_id, name, exchanges, products, order_types, _) = self.read();
        Profile {
            account_id,
            name,
            exchanges,
            products,
            order_types,
        }
    }

    pub(super) fn addresses(&self) -> Option<Addresses> {
        let (.., addresses) = self.read();
        let [source, primary, secondary] = addresses?;
        Some(Addresses {
            source,
            primary,
            secondary,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Holder;
    use crate::broker::Profile;
    use crate::static_ip::Addresses;

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_was_told_comes_back_as_it_was() {
        let empty = Profile::default();
        let full = Profile {
            account_id: Some("DM1".to_owned()),
            name: Some("\"A\"\n\\ [null], \u{0} अ".to_owned()),
            exchanges: texts(&["NSE", "", "a,b"]),
            products: Vec::new(),
            order_types: texts(&["L", "null"]),
        };
        let nameless = Profile {
            name: Some(String::new()),
            ..empty.clone()
        };
        let some = Addresses::new(Some("203.0.113.7"), None, Some("::1"));
        for profile in [&empty, &full, &nameless] {
            for addresses in [None, Some(Addresses::default()), Some(some.clone())] {
                let holder = Holder::new(profile, addresses.as_ref());
                assert_eq!((&holder.profile(), holder.addresses()), (profile, addresses));
            }
        }
    }

    #[test]
    fn nothing_takes_no_memory() {
        assert!(Holder::new(&Profile::default(), None).0.is_empty());
    }
}
