//! Sums and minima over many numbers, any of which may change.
//!
//! Both are complete binary trees in one flat array, for any number of leaves: node 1 is the root, the children of
//! node `k` are `2k` and `2k + 1`, and of `n` leaves those that come first stand in the deepest level and the others
//! one level above. An inner node is always recomputed from its two children, never adjusted by a difference, so
//! that it depends on the leaves alone: nothing drifts, and a tree that is built anew is the same to the bit.

/// The nodes of a tree, without what they mean.
#[derive(Clone, Debug)]
struct Tree {
    /// `2 · leaves` of them, the first of which is not used.
    nodes: Vec<f64>,
    /// The first place of the deepest level.
    deepest: usize,
}

impl Tree {
    fn new(leaves: usize, value: f64) -> Self {
        assert!(leaves > 0, "a tree has at least 1 leaf");
        Self { nodes: vec![value; 2 * leaves], deepest: leaves.next_power_of_two() }
    }

    fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    fn node_of(&self, leaf: usize) -> usize {
        assert!(leaf < self.leaves(), "leaf {leaf} of {}", self.leaves());
        let node = self.deepest + leaf;
        if node < self.nodes.len() { node } else { node - self.leaves() }
    }

    fn leaf_of(&self, node: usize) -> usize {
        if node >= self.deepest { node - self.deepest } else { node + self.leaves() - self.deepest }
    }

    /// Sets a leaf and what depends on it.
    fn update(&mut self, leaf: usize, value: f64, combine: impl Fn(f64, f64) -> f64) {
        let mut node = self.node_of(leaf);
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            let combined = combine(self.nodes[2 * node], self.nodes[2 * node + 1]);
            if combined == self.nodes[node] {
                return;
            }
            self.nodes[node] = combined;
        }
    }
}

/// Numbers of at least 0 and their sums, by which a leaf is found in logarithmic time.
#[derive(Clone, Debug)]
pub struct SumTree {
    tree: Tree,
}

impl SumTree {
    /// A tree of so many zeros.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(leaves: usize) -> Self {
        Self { tree: Tree::new(leaves, 0.0) }
    }

    /// The number of leaves.
    pub fn len(&self) -> usize {
        self.tree.leaves()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The sum of all leaves.
    pub fn total(&self) -> f64 {
        self.tree.nodes[1]
    }

    /// A leaf.
    ///
    /// # Panics
    /// If there is no such leaf.
    pub fn get(&self, leaf: usize) -> f64 {
        self.tree.nodes[self.tree.node_of(leaf)]
    }

    /// Sets a leaf to `value`.
    ///
    /// # Panics
    /// If there is no such leaf, or if the value is negative or not finite.
    pub fn update(&mut self, leaf: usize, value: f64) {
        assert!(value >= 0.0 && value.is_finite(), "leaf {leaf} = {value}; it takes a number of at least 0");
        self.tree.update(leaf, value, |left, right| left + right);
    }

    /// The first leaf up to and with which the sum is greater than `prefix`, but for rounding. It is never a leaf of
    /// 0: from a `prefix` that rounding has moved to the total or beyond, it is the last leaf above 0.
    ///
    /// # Panics
    /// If every leaf is 0.
    pub fn find(&self, mut prefix: f64) -> usize {
        assert!(self.total() > 0.0, "every leaf is 0");
        let nodes = &self.tree.nodes;
        let mut node = 1;
        // The node gone to has always a sum above 0.
        while node < self.tree.leaves() {
            let (left, right) = (nodes[2 * node], nodes[2 * node + 1]);
            node *= 2;
            if right > 0.0 && prefix >= left {
                prefix -= left;
                node += 1;
            } else if left == 0.0 {
                node += 1;
            }
        }
        self.tree.leaf_of(node)
    }
}

/// Numbers and the least of them.
#[derive(Clone, Debug)]
pub(super) struct MinTree {
    tree: Tree,
}

impl MinTree {
    /// A tree of so many infinities.
    pub(super) fn new(leaves: usize) -> Self {
        Self { tree: Tree::new(leaves, f64::INFINITY) }
    }

    /// The least leaf.
    pub(super) fn least(&self) -> f64 {
        self.tree.nodes[1]
    }

    pub(super) fn update(&mut self, leaf: usize, value: f64) {
        self.tree.update(leaf, value, f64::min);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Small whole numbers have exact sums in whatever order they are added.
    fn leaves_and_updates() -> impl Strategy<Value = (usize, Vec<(usize, u32)>)> {
        let updates = |leaves| prop::collection::vec((0..leaves, prop_oneof![Just(0), 0..1000u32]), 1..200);
        (1..=130usize).prop_flat_map(move |leaves| (Just(leaves), updates(leaves)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn trees_are_as_a_plain_list((leaves, updates) in leaves_and_updates()) {
            let (mut sums, mut least) = (SumTree::new(leaves), MinTree::new(leaves));
            let mut list = vec![0.0; leaves];
            for (leaf, value) in updates {
                let value = f64::from(value);
                sums.update(leaf, value);
                least.update(leaf, if value > 0.0 { value } else { f64::INFINITY });
                list[leaf] = value;
                prop_assert_eq!(sums.total(), list.iter().sum::<f64>());
                let above_0 = list.iter().copied().filter(|value| *value > 0.0);
                prop_assert_eq!(least.least(), above_0.fold(f64::INFINITY, f64::min));
            }
            let mut before = 0.0;
            for (leaf, value) in list.iter().enumerate() {
                prop_assert_eq!(sums.get(leaf), *value);
                if *value > 0.0 {
                    let inside = [before, before + 0.5, before + value - 0.25];
                    prop_assert_eq!(inside.map(|prefix| sums.find(prefix)), [leaf; 3]);
                }
                before += value;
            }
            if let Some(last) = list.iter().rposition(|value| *value > 0.0) {
                prop_assert_eq!([before, 2.0 * before].map(|prefix| sums.find(prefix)), [last; 2]);
            }
        }

        /// Whatever the numbers and their rounding.
        #[test]
        fn row_6_a_leaf_of_0_is_never_found(
            leaves in prop::collection::vec(prop_oneof![Just(0.0), 1e-300..1e-290, 0.0..1e16f64], 1..40),
            prefixes in prop::collection::vec(0.0..1.5f64, 20),
        ) {
            let mut sums = SumTree::new(leaves.len());
            leaves.iter().enumerate().for_each(|(leaf, value)| sums.update(leaf, *value));
            prop_assume!(sums.total() > 0.0);
            for prefix in prefixes.into_iter().chain([0.0, 1.0, 1.0 - f64::EPSILON / 2.0]) {
                let found = sums.find(prefix * sums.total());
                prop_assert!(leaves[found] > 0.0, "leaf {} of {:?}", found, leaves);
            }
        }
    }

    /// A tree that was changed a million times is one that was built at once.
    #[test]
    fn nothing_drifts() {
        let mut stream = crate::RandomStream::new(1, "test", 0);
        let mut sums = SumTree::new(77);
        for _ in 0..1_000_000 {
            sums.update(stream.below(77), 1e6 * stream.uniform_f64().powi(20));
        }
        let mut anew = SumTree::new(77);
        (0..77).for_each(|leaf| anew.update(leaf, sums.get(leaf)));
        assert_eq!(sums.tree.nodes, anew.tree.nodes);
        (0..77).for_each(|leaf| sums.update(leaf, 0.0));
        assert_eq!(sums.total(), 0.0);
    }
}
