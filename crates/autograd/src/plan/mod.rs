//! The planner: from what is asked of a tape to one program over one arena.
//!
//! The passes, in order, with the reason for the order:
//! 1. [`graph`]: the nodes that the answer needs, each once;
//! 2. [`simplify`]: equations that keep every bit, while ops still say what they are;
//! 3. [`lower`]: views become layouts, reductions become rows or columns, so that all that is left touches memory;
//! 4. [`group`]: what runs in one loop;
//! 5. [`again`]: what a loop computes once more because it has all that it takes;
//! 6. [`chain`]: what runs part by part ([`part`]), while steps are [`draft`]s;
//! 7. [`emit`]: the order of steps, the place of values in the arena (or, [`donate`], over an input that nobody needs), the kernels.

pub(crate) mod again;
pub(crate) mod arena;
pub(crate) mod chain;
pub(crate) mod donate;
pub(crate) mod draft;
pub(crate) mod emit;
pub(crate) mod extract;
pub(crate) mod graph;
pub(crate) mod group;
pub(crate) mod lower;
pub(crate) mod part;
pub(crate) mod simplify;
pub(crate) mod through;
