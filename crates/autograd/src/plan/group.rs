//! Which items run in one loop.
//!
//! Every group has a level: above all groups whose values it reads. Two groups of one level cannot depend on each other, so an item may
//! join a group of the level of its highest operand, and groups of one level that meet in an item may become one, without ever making
//! a circle.

use crate::class::IndexFn;
use crate::hash::Table;
use crate::plan::lower::{Item, Operand, Work, is_plain};
use smallvec::SmallVec;
use std::fmt;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::layout::Layout;
use wengert_tensor::program::loops::{BLOCK, Rank};

/// No group.
pub(crate) const NONE: u32 = u32::MAX;
/// A group longer than this would not keep its registers in cache.
const MEMBERS: usize = 192;
/// How many loops of its level and size an item asks whether they read the same.
const NEIGHBOURS: usize = 8;
/// A cheap item that is computed anew wherever it is read stands for at most this many ops.
const FLOATING: usize = 8;

/// Items that run together: one loop, or one product or kernel.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) level: u32,
    /// Points of the loop; 0 for what is not a loop.
    pub(crate) n: usize,
    pub(crate) cols: Option<usize>,
    pub(crate) members: Vec<u32>,
}

/// The groups, and for each item its group and its rank there.
#[derive(Debug)]
pub(crate) struct Grouping {
    pub(crate) groups: Vec<Group>,
    pub(crate) group: Vec<u32>,
    pub(crate) rank: Vec<Rank>,
    /// Items without a group of their own that are computed wherever they are read.
    pub(crate) floating: Vec<bool>,
    /// Groups and items of other groups that they compute again: see [`again`](crate::plan::again).
    pub(crate) again: Table<(u32, u32), ()>,
}

/// Points of the loop that computes an item, and its columns if they are given.
pub(crate) fn domain(item: &Item) -> (usize, Option<usize>) {
    match item.work {
        Work::Rows(_, cols) | Work::Cols(_, cols) => {
            (item.operands.first().map_or(0, |o| o.layout.shape().len()), Some(cols))
        }
        _ => (item.len(), None),
    }
}

/// Whether `layout`, over all points, reads one element a row of a contiguous value.
pub(crate) fn reads_rows(layout: &Layout, rows: usize, cols: usize) -> bool {
    if layout.offset() != 0 || layout.shape().len() != rows * cols {
        return false;
    }
    // Walk the axes from the last: first the columns, all of stride 0, then the rows, row-major.
    let (mut seen, mut expected) = (1usize, 1isize);
    for (&extent, &stride) in layout.shape().iter().zip(layout.strides().iter()).rev() {
        if extent == 1 {
            continue;
        }
        if seen < cols {
            if stride != 0 {
                return false;
            }
            seen *= extent;
            if seen > cols {
                return false;
            }
        } else {
            if stride != expected {
                return false;
            }
            expected *= extent as isize;
        }
    }
    seen == cols
}

/// Whether a value is the same everywhere and needs no memory.
pub(crate) fn is_inline(item: &Item) -> bool {
    matches!(item.work, Work::Scalar(_) | Work::Fill(_))
}

/// Why an item does not run in the loop that computes its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Apart {
    /// One of the two is a matrix product.
    Product,
    /// One of the two is an op with a kernel of its own.
    Kernel,
    /// A sum over the rows of each column is known when all rows are walked.
    Columns,
    /// A row of so many elements is reduced in blocks, which are combined when its walk is over.
    LongRow,
    /// Their numbers of elements differ, and neither is one element for each row of the other.
    Extent,
    /// Their loops reduce rows of different lengths.
    Rows,
    /// The elements are read in another order than they are computed in.
    Order,
    /// Something else that the reader needs runs between the two.
    Waits,
    /// Nobody asked for fusion, or the loop has as many members as one may have.
    Full,
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Apart::Product => "a matrix product is a step of its own",
            Apart::Kernel => "an op with its own kernel is a step of its own",
            Apart::Columns => "sums of columns are known when all rows are walked",
            Apart::LongRow => "a long row is known when its walk is over",
            Apart::Extent => "loops over other numbers of elements",
            Apart::Rows => "loops over rows of other lengths",
            Apart::Order => "read in another order than computed",
            Apart::Waits => "a step between the two comes first",
            Apart::Full => "the loop is full, or fusion is off",
        })
    }
}

impl Grouping {
    /// Whether group `g` computes an item of no group, or of another one, where it reads it as it lies.
    pub(crate) fn recomputes(&self, g: u32, id: u32) -> bool {
        self.group[id as usize] != g
            && self.groups.get(g as usize).is_some_and(|group| group.n > 0)
            && (self.floating[id as usize] || self.again.contains_key(&(g, id)))
    }

    /// Why `reader` is not in the loop that has its operand.
    pub(crate) fn apart(&self, items: &[Item], reader: u32, operand: &Operand) -> Apart {
        let (to, from) = (&items[reader as usize], &items[operand.item as usize]);
        let group = |id: u32| self.groups.get(self.group[id as usize] as usize);
        for item in [from, to] {
            match item.work {
                Work::MatMul(..) => return Apart::Product,
                Work::Kernel(_) => return Apart::Kernel,
                _ => {}
            }
        }
        let (Some(above), Some(below)) = (group(reader), group(operand.item)) else { return Apart::Waits };
        let known = match from.work {
            Work::Cols(..) => return Apart::Columns,
            Work::Rows(_, cols) if cols > BLOCK => return Apart::LongRow,
            Work::Rows(_, cols) => Some((from.len(), cols)),
            _ => None,
        };
        let (n, cols) = domain(to);
        let by_row = below.cols.is_some_and(|cols| below.n == n * cols);
        if below.n != n && (!by_row || cols.is_some()) {
            return Apart::Extent;
        }
        if !by_row && cols.is_some() && below.cols.is_some() && cols != below.cols {
            return Apart::Rows;
        }
        let in_order = match known {
            Some((rows, cols)) if !by_row => reads_rows(&operand.layout, rows, cols),
            _ => is_plain(&operand.layout),
        };
        if !in_order {
            return Apart::Order;
        }
        let between = |o: &Operand| {
            let id = o.item as usize;
            o.item != operand.item && group(o.item).map_or(self.floating[id], |g| g.level >= below.level)
        };
        match above.level > below.level + 1 || to.operands.iter().any(between) {
            true => Apart::Waits,
            false => Apart::Full,
        }
    }
}

struct Grouper<'a> {
    items: &'a [Item],
    out: Grouping,
    /// Floating items that count places, which rows do not have.
    indexed: Vec<bool>,
    /// Loops by level and size, to find neighbours that share an operand.
    loops: Table<(u32, usize), SmallVec<[u32; 2]>>,
    weight: Vec<usize>,
    /// For floating items, the highest level that they read.
    below: Vec<u32>,
}

/// Groups the items; `outputs` are always stored.
pub(crate) fn group(items: &[Item], outputs: &[u32], fuse: bool) -> Grouping {
    let n = items.len();
    let mut grouper = Grouper {
        items,
        out: Grouping {
            groups: Vec::new(),
            group: vec![NONE; n],
            rank: vec![Rank::Full; n],
            floating: vec![false; n],
            again: Table::default(),
        },
        indexed: vec![false; n],
        loops: Table::default(),
        weight: vec![1; n],
        below: vec![0; n],
    };
    let mut wanted = vec![false; n];
    for &o in outputs {
        wanted[o as usize] = true;
    }
    for (id, &wanted) in wanted.iter().enumerate() {
        grouper.place(id as u32, wanted, fuse);
    }
    grouper.out
}

impl Grouper<'_> {
    fn place(&mut self, id: u32, wanted: bool, fuse: bool) {
        let items = self.items;
        let item = &items[id as usize];
        match item.work {
            Work::Tensor(_) | Work::Scalar(_) => return,
            Work::Fill(_) if !wanted => return,
            _ => {}
        }
        if !item.is_loop() {
            for operand in &item.operands {
                self.anchor(operand.item, fuse);
            }
            let level = self.above(item);
            self.open(id, level, 0, None);
            return;
        }
        if fuse && !wanted && self.floats(item) {
            self.out.floating[id as usize] = true;
            self.below[id as usize] = self.above(item) - 1;
            self.indexed[id as usize] =
                matches!(item.work, Work::Index(_)) || item.operands.iter().any(|o| self.indexed[o.item as usize]);
            self.weight[id as usize] = 1 + item.operands.iter().map(|o| self.weight_of(o.item)).sum::<usize>();
            return;
        }
        self.settle(id, fuse);
    }

    /// Whether reading the operands again costs no more than reading the result would.
    fn reads_little(&self, item: &Item) -> bool {
        let distinct = |o: &Operand| {
            let axes = o.layout.shape().iter().zip(o.layout.strides());
            axes.map(|(&extent, &stride)| if stride == 0 { 1 } else { extent }).product::<usize>()
        };
        let read = |o: &Operand| {
            let of = &self.items[o.item as usize];
            if of.uniform > 0 || self.indexed[o.item as usize] { 0 } else { distinct(o) * of.dtype.size() }
        };
        item.operands.iter().map(read).sum::<usize>() <= item.bytes()
    }

    /// Cheap, and of nothing but what is in memory anyway or floats itself.
    fn floats(&self, item: &Item) -> bool {
        if item.uniform > 0 {
            return item.operands.iter().map(|o| self.weight_of(o.item)).sum::<usize>() < FLOATING;
        }
        (is_cheap(item) || matches!(item.work, Work::Index(IndexFn::Iota { .. })))
            && item.operands.iter().all(|o| self.reads_free(o))
            && (self.above(item) == 1 || self.reads_little(item))
            && item.operands.iter().map(|o| self.weight_of(o.item)).sum::<usize>() < FLOATING
    }

    fn weight_of(&self, id: u32) -> usize {
        if self.out.floating[id as usize] { self.weight[id as usize] } else { 0 }
    }

    /// Bound at run time, the result of a product or kernel, the same everywhere, or floating and read as it lies.
    fn reads_free(&self, operand: &Operand) -> bool {
        let id = operand.item as usize;
        matches!(self.items[id].work, Work::Tensor(_) | Work::MatMul(..) | Work::Kernel(_))
            || is_inline(&self.items[id])
            || (self.out.floating[id] && operand.is_whole(self.items))
    }

    /// Gives a floating item a group of its own, because somebody reads it from memory.
    fn anchor(&mut self, id: u32, fuse: bool) {
        if self.out.floating[id as usize] && self.out.group[id as usize] == NONE {
            self.settle(id, fuse);
        }
    }

    /// The lowest level above everything that the item reads.
    fn above(&self, item: &Item) -> u32 {
        item.operands.iter().map(|o| self.level(o.item)).max().unwrap_or(0) + 1
    }

    /// The level of the group that has the item, or, while it floats, of the highest group that it reads.
    fn level(&self, id: u32) -> u32 {
        match self.out.group[id as usize] {
            NONE => self.below[id as usize],
            g => self.out.groups[g as usize].level,
        }
    }

    fn open(&mut self, id: u32, level: u32, n: usize, cols: Option<usize>) {
        let g = self.out.groups.len() as u32;
        self.out.groups.push(Group { level, n, cols, members: vec![id] });
        self.out.group[id as usize] = g;
        if n > 0 {
            self.loops.entry((level, n)).or_default().push(g);
        }
    }

    /// Puts a loop item into a group.
    fn settle(&mut self, id: u32, fuse: bool) {
        let items = self.items;
        let item = &items[id as usize];
        let (n, cols) = domain(item);
        // A floating operand that is not read as it lies must come from memory.
        for operand in &item.operands {
            if self.out.floating[operand.item as usize] && !operand.is_whole(items) {
                self.anchor(operand.item, fuse);
            }
        }
        let base = item.operands.iter().map(|o| self.operand_level(o)).max().unwrap_or(0);
        if fuse
            && base > 0
            && let Some(g) = self.meeting(item, base, n, cols)
        {
            let rank = if self.fits(item, g, n, cols, Rank::Full) { Rank::Full } else { Rank::Row };
            return self.join(id, g, cols, rank);
        }
        let level = base + 1;
        if fuse && n > 0 {
            // The last few: older ones are full, or far away.
            let neighbours: SmallVec<[u32; NEIGHBOURS]> = self
                .loops
                .get(&(level, n))
                .into_iter()
                .flat_map(|list| list.iter().rev().take(NEIGHBOURS))
                .copied()
                .collect();
            for g in neighbours {
                if self.shares(item, g) && self.fits(item, g, n, cols, Rank::Full) {
                    return self.join(id, g, cols, Rank::Full);
                }
            }
        }
        self.open(id, level, n, cols);
    }

    fn operand_level(&self, operand: &Operand) -> u32 {
        self.level(operand.item)
    }

    /// The one loop of level `base` that all operands of that level are in, after joining several into one where that is possible.
    fn meeting(&mut self, item: &Item, base: u32, n: usize, cols: Option<usize>) -> Option<u32> {
        let mut at: SmallVec<[u32; 3]> = SmallVec::new();
        for o in &item.operands {
            let g = self.out.group[o.item as usize];
            if self.level(o.item) < base || at.contains(&g) {
                continue;
            }
            if g == NONE {
                // It floats, and reads a product or kernel of that level: no loop of the level may wait for it.
                return None;
            }
            at.push(g);
        }
        let (&first, others) = at.split_first()?;
        let whole = |s: &Self, g: u32| s.fits(item, g, n, cols, Rank::Full) || s.fits(item, g, n, cols, Rank::Row);
        if others.is_empty() {
            return whole(self, first).then_some(first);
        }
        let mut columns = cols;
        let mut members = 0;
        for &g in &at {
            let group = &self.out.groups[g as usize];
            if group.n != n || !whole(self, g) || (columns.is_some() && group.cols.is_some() && columns != group.cols) {
                return None;
            }
            columns = columns.or(group.cols);
            members += group.members.len();
        }
        if members >= MEMBERS {
            return None;
        }
        // Every operand must be readable under the columns that the joined loop would have.
        for &g in &at {
            if columns != self.out.groups[g as usize].cols && columns.is_some_and(|c| n == 0 || !n.is_multiple_of(c)) {
                return None;
            }
        }
        for &g in others {
            let moved = std::mem::take(&mut self.out.groups[g as usize].members);
            for &m in &moved {
                self.out.group[m as usize] = first;
            }
            self.out.groups[first as usize].members.extend(moved);
            let (level, size) = (self.out.groups[g as usize].level, self.out.groups[g as usize].n);
            if let Some(list) = self.loops.get_mut(&(level, size)) {
                list.retain(|x| *x != g);
            }
        }
        self.out.groups[first as usize].cols = columns;
        Some(first)
    }

    fn join(&mut self, id: u32, g: u32, cols: Option<usize>, rank: Rank) {
        let group = &mut self.out.groups[g as usize];
        group.members.push(id);
        if rank == Rank::Full {
            group.cols = group.cols.or(cols);
        }
        self.out.group[id as usize] = g;
        self.out.rank[id as usize] = match self.items[id as usize].work {
            Work::Rows(..) | Work::Cols(..) => Rank::Full,
            _ => rank,
        };
    }

    /// Whether the loop reads something that the item reads too.
    fn shares(&self, item: &Item, g: u32) -> bool {
        let read = |id: u32| item.operands.iter().any(|o| o.item == id);
        let group = &self.out.groups[g as usize];
        group
            .members
            .iter()
            .flat_map(|&m| &self.items[m as usize].operands)
            .any(|o| !is_inline(&self.items[o.item as usize]) && read(o.item))
    }

    /// Whether an item can be computed in a loop, one element a point or one a row.
    fn fits(&self, item: &Item, g: u32, n: usize, cols: Option<usize>, rank: Rank) -> bool {
        let group = &self.out.groups[g as usize];
        if group.n == 0 || n == 0 || group.members.len() >= MEMBERS {
            return false;
        }
        let columns = match (cols, group.cols) {
            (Some(a), Some(b)) if a != b => return false,
            (a, b) => a.or(b),
        };
        match rank {
            Rank::Full => {
                if group.n != n {
                    return false;
                }
            }
            _ => {
                // A row-wise item: one element a row of a loop whose rows are known.
                let rows = columns.map(|c| group.n / c.max(1));
                if cols.is_some() || rows != Some(n) || group.n == n {
                    return false;
                }
            }
        }
        item.operands.iter().all(|o| {
            if self.out.group[o.item as usize] != g {
                return rank == Rank::Full || !self.indexed[o.item as usize];
            }
            self.readable(o, group.n, columns, rank)
        })
    }

    /// Whether a value of the loop can be read within it.
    fn readable(&self, operand: &Operand, n: usize, columns: Option<usize>, rank: Rank) -> bool {
        let id = operand.item as usize;
        let of_row = match self.items[id].work {
            Work::Cols(..) => return false,
            Work::Rows(..) => true,
            _ => self.out.rank[id] == Rank::Row,
        };
        if !of_row {
            return rank == Rank::Full && is_plain(&operand.layout) && operand.layout.shape().len() == n;
        }
        let Some(cols) = columns else { return false };
        let rows = n / cols.max(1);
        // A reduction of long rows is known only when the walk is over.
        if cols > BLOCK {
            return false;
        }
        match rank {
            Rank::Full => reads_rows(&operand.layout, rows, cols),
            _ => is_plain(&operand.layout) && operand.layout.shape().len() == rows,
        }
    }
}

/// Whether an element of it takes a cycle or so to compute.
pub(crate) fn is_cheap(item: &Item) -> bool {
    match item.work {
        Work::Map(f) => is_arithmetic(f),
        Work::Cast => true,
        _ => false,
    }
}

/// Whether an element of it takes a few cycles to compute.
pub(crate) fn is_short(item: &Item) -> bool {
    use ScalarFn as F;
    let short = |f| matches!(f, F::Div | F::Recip | F::Sqrt | F::Rsqrt | F::Exp | F::Log | F::Sigmoid | F::Tanh);
    matches!(item.work, Work::Map(f) if short(f))
}

/// Functions of a cycle or so an element.
fn is_arithmetic(f: ScalarFn) -> bool {
    use ScalarFn as F;
    matches!(
        f,
        F::Add
            | F::Sub
            | F::Mul
            | F::MulMasked
            | F::Neg
            | F::Abs
            | F::Sign
            | F::Square
            | F::Relu
            | F::Not
            | F::Maximum
            | F::Minimum
            | F::Eq
            | F::Ne
            | F::Lt
            | F::Le
            | F::Gt
            | F::Ge
            | F::And
            | F::Or
            | F::Xor
            | F::Select
    )
}
