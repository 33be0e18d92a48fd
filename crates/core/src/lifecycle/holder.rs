//! Who a session belongs to, as its login reply told, in one block of memory: a session is kept all day and asked for this
//! once or never.

use crate::broker::Profile;
use crate::static_ip::Addresses;

/// Lists of texts, one after the other: the members of a profile, and the addresses if there are any. Each list and each
/// text begins with its length. Nothing at all where the reply told nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holder(Box<str>);

impl Holder {
    pub(super) fn new(profile: &Profile, addresses: Option<&Addresses>) -> Self {
        if addresses.is_none() && *profile == Profile::default() {
            return Self::default();
        }
        let holder: [&[String]; 5] = [
            profile.account_id.as_slice(),
            profile.name.as_slice(),
            &profile.exchanges,
            &profile.products,
            &profile.order_types,
        ];
        let told = addresses.map(|told| [&told.source, &told.primary, &told.secondary]);
        let lists = || {
            let told = told.iter().flatten();
            holder.into_iter().chain(told.map(|address| address.as_slice()))
        };
        let bytes = |list: &[String]| 1 + list.iter().map(|text| 1 + text.len()).sum::<usize>();
        // All of it, where no text is long.
        let mut packed = String::with_capacity(lists().map(bytes).sum());
        for list in lists() {
            push_length(&mut packed, list.len());
            for text in list {
                push_length(&mut packed, text.len());
                packed.push_str(text);
            }
        }
        Self(packed.into())
    }

    pub(super) fn profile(&self) -> Profile {
        let mut rest = &*self.0;
        let [account_id, name] = [(); 2].map(|()| take_list(&mut rest).last());
        let [exchanges, products, order_types] = [(); 3].map(|()| take_list(&mut rest).collect());
        Profile {
            account_id,
            name,
            exchanges,
            products,
            order_types,
        }
    }

    pub(super) fn addresses(&self) -> Option<Addresses> {
        let mut rest = &*self.0;
        for _ in 0..5 {
            for _ in 0..take_length(&mut rest) {
                take_text(&mut rest);
            }
        }
        let there = !rest.is_empty();
        let [source, primary, secondary] = [(); 3].map(|()| take_list(&mut rest).last());
        there.then_some(Addresses {
            source,
            primary,
            secondary,
        })
    }
}

/// Six bits a character of ASCII, the lowest first; the seventh says that another character follows.
fn push_length(packed: &mut String, mut length: usize) {
    loop {
        let [low, ..] = length.to_le_bytes();
        length >>= 6;
        if length == 0 {
            return packed.push(char::from(low));
        }
        packed.push(char::from(low & 0x3f | 0x40));
    }
}

fn take_length(packed: &mut &str) -> usize {
    let (mut length, mut shift) = (0, 0);
    while let Some(byte) = packed.as_bytes().first() {
        *packed = packed.get(1..).unwrap_or_default();
        length |= usize::from(byte & 0x3f) << shift;
        if byte & 0x40 == 0 {
            break;
        }
        shift += 6;
    }
    length
}

fn take_text<'a>(packed: &mut &'a str) -> &'a str {
    let length = take_length(packed);
    let (text, rest) = packed.split_at_checked(length).unwrap_or_default();
    *packed = rest;
    text
}

fn take_list(packed: &mut &str) -> impl Iterator<Item = String> {
    let texts = take_length(packed);
    (0..texts).map(|_| take_text(packed).to_owned())
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
            name: Some("अ\n\u{0}".to_owned()),
            exchanges: texts(&["NSE", "", "a,b"]),
            products: Vec::new(),
            // Lengths of one byte, two and three.
            order_types: [63, 64, 4096].map(|length| "x".repeat(length)).to_vec(),
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
