//! Maps and sets from iterators, item by item.
//!
//! The standard library's `collect` sorts before it builds a tree. That is worth it for many items; ours are a handful, and
//! the sort is some 3 KB of code again for every type it is made for.

use std::collections::{BTreeMap, BTreeSet};

/// A collection that keeps its items in order by itself.
pub trait Tree {}

impl<K, V> Tree for BTreeMap<K, V> {}
impl<T> Tree for BTreeSet<T> {}

/// Every iterator can be gathered.
pub trait Gather: Iterator + Sized {
    /// All items in a map or set.
    fn gather<C: Default + Extend<Self::Item> + Tree>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}
