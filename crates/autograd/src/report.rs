//! What a plan does, step by step, before it runs or with the time that each step took.

use crate::exec::{self, Plan};
use crate::frame::name;
use crate::graph::{Graph, Node, NodeId, Tape, Var};
use crate::hash::Table;
use crate::meta::Meta;
use crate::plan::emit::emit;
use crate::plan::extract::extract;
use crate::plan::group::{Apart, Grouping};
use crate::plan::lower::{Item, Work, lower};
use crate::plan::simplify::simplify;
use crate::tape::foreign;
use crate::vars::Vars;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use wengert_tensor::error::Result;
use wengert_tensor::program::Step;
use wengert_tensor::program::region::ARENA;
use wengert_tensor::program::traffic::Traffic;
use wengert_tensor::storage::lent_bytes;

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// One loop over `rows × cols` points.
    Loop {
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// Walks over the columns of each block of rows.
        walks: usize,
        /// Kernels that a tile goes through.
        actions: usize,
    },
    /// So many matrix products \[m, k\]·\[k, n\].
    Product {
        /// Number of products.
        batch: usize,
        /// Rows of the left matrix.
        m: usize,
        /// Columns of the left matrix.
        k: usize,
        /// Columns of the right matrix.
        n: usize,
    },
    /// An op's own kernel.
    Call,
    /// Steps that run for one part of their values after another: what lies between them is never whole.
    Chain {
        /// Number of parts.
        parts: usize,
        /// Products of each part, a batch of them counted as one.
        products: usize,
        /// Loops of each part.
        loops: usize,
        /// Kernels of each part.
        kernels: usize,
    },
}

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// What it is.
    pub kind: StepKind,
    /// The ops that it computes, by the names of their methods; one for each result, whether it is kept or not.
    pub ops: Vec<&'static str>,
    /// The layer that all of them are in; empty for the user's own code.
    pub layer: String,
    /// What it writes.
    pub results: Vec<Meta>,
    /// Bytes read and written, and operations.
    pub traffic: Traffic,
    /// Bytes of the arena that hold something while it runs.
    pub live_bytes: usize,
    /// The least time that it took, where it was measured.
    pub time: Option<Duration>,
}

/// What a plan does: its steps in order, its memory, and what runs apart. Printed, it is a table.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
/// let report = tape.report(x.matmul(x).softmax(-1))?;
/// assert_eq!(report.steps.len(), 2);
/// assert_eq!(report.steps[0].traffic.flops, Some(16));
/// println!("{report}");
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PlanReport {
    /// The steps, in the order in which they run.
    pub steps: Vec<StepReport>,
    /// Pairs of steps of which the second reads what the first computes, and why they are not one.
    pub apart: Vec<(usize, usize, Apart)>,
    /// Bytes of the leaves that are read.
    pub input_bytes: usize,
    /// Bytes of the results.
    pub output_bytes: usize,
    /// Bytes of the arena, which holds all values between and the workspaces of loops.
    pub arena_bytes: usize,
    /// The bytes that hold something during the step that needs most of them: no arena for this order of steps is smaller.
    pub least_arena_bytes: usize,
    /// Bytes that a run takes from the pool: the arena and the results, each as large as what the pool lends for it. The panels that
    /// products copy their operands to are not among them; a thread keeps these for all plans.
    pub peak_bytes: usize,
    /// Which layers made the values that the arena holds during that step, with their bytes, the most first.
    pub held: Vec<(String, usize)>,
}

impl PlanReport {
    /// The time of all steps, where it was measured.
    pub fn time(&self) -> Option<Duration> {
        self.steps.iter().map(|step| step.time).sum()
    }
}

impl Tape {
    /// What would run if these values were asked for now: nothing is computed. The table is of all steps that they need together; values
    /// that are there already need none.
    ///
    /// # Errors
    /// As [`Tape::eval`].
    pub fn report<'t>(&'t self, vars: impl Vars<'t>) -> Result<PlanReport> {
        self.profile(vars, 0)
    }

    /// As [`Tape::report`], with the least time that each step took in so many runs. The values are not kept, and a donated input is
    /// not written over.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f32, 2.0]));
    /// assert!(tape.profile(x.exp().sum(), 3)?.time().is_some());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Tape::eval`].
    pub fn profile<'t>(&'t self, vars: impl Vars<'t>, runs: usize) -> Result<PlanReport> {
        self.check()?;
        let vars = vars.list();
        match vars.iter().all(|var| self.owns(*var)) {
            true => {
                let graph = self.graph.borrow();
                let missing = vars.iter().map(|var| var.id).filter(|id| graph.value(*id).is_none());
                let missing: BTreeSet<NodeId> = missing.collect();
                drop(graph);
                report(self, &missing.into_iter().collect::<Vec<_>>(), runs)
            }
            false => Err(foreign()),
        }
    }
}

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch { runs: 0, reports: Vec::new() }) };
}

struct Watch {
    runs: usize,
    reports: Vec<PlanReport>,
}

/// Calls a closure and reports every plan that runs in it on this thread, each measured in so many runs of its own: what an optimizer's
/// step, a layer's forward pass or a whole training loop asks of its tapes.
///
/// ```
/// use wengert_autograd::{Apply, plan_reports};
/// use wengert_tensor::tensor::Tensor;
/// let (y, reports) = plan_reports(0, || Tensor::from([1.0f32]).apply(|x| x.exp()));
/// assert_eq!(reports[0].steps[0].ops, ["exp"]);
/// # y?;
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub fn plan_reports<R>(runs: usize, f: impl FnOnce() -> R) -> (R, Vec<PlanReport>) {
    struct Restore(bool, Option<Watch>);
    impl Drop for Restore {
        fn drop(&mut self) {
            WATCHED.set(self.0);
            if let Some(outer) = self.1.take() {
                WATCH.replace(outer);
            }
        }
    }
    let outer = WATCH.replace(Watch { runs, reports: Vec::new() });
    let restore = Restore(WATCHED.replace(true), Some(outer));
    let result = f();
    let reports = WATCH.with_borrow_mut(|watch| std::mem::take(&mut watch.reports));
    drop(restore);
    (result, reports)
}

/// Whether somebody watches what is evaluated on this thread.
pub(crate) fn is_watched() -> bool {
    WATCHED.get()
}

/// Notes what is about to be evaluated, if somebody watches. What cannot be planned or run fails again, with its error, when it is.
pub(crate) fn watch(tape: &Tape, outputs: &[NodeId]) {
    if WATCHED.get() {
        let runs = WATCH.with_borrow(|watch| watch.runs);
        if let Ok(report) = report(tape, outputs, runs) {
            WATCH.with_borrow_mut(|watch| watch.reports.push(report));
        }
    }
}

fn report(tape: &Tape, outputs: &[NodeId], runs: usize) -> Result<PlanReport> {
    let graph = tape.graph.borrow();
    let lowered = lower(&simplify(extract(&graph, outputs)?))?;
    let grouping = exec::grouped(&lowered, exec::fuses());
    let mut plan = Plan::new(emit(&lowered, &grouping, &graph.donated, exec::fuses())?);
    let mut report = describe(&graph, &lowered.items, &grouping, &plan);
    drop(graph);
    if runs > 0 {
        for (step, time) in report.steps.iter_mut().zip(exec::time(tape, &mut plan, runs)?) {
            step.time = Some(time);
        }
    }
    Ok(report)
}

/// The step that computes each node, by the node's hash, if these values were asked for now.
pub(crate) fn steps_of(tape: &Tape, vars: &[Var<'_>]) -> Result<Table<u128, usize>> {
    let graph = tape.graph.borrow();
    let missing: BTreeSet<NodeId> = vars.iter().map(|var| var.id).filter(|id| graph.value(*id).is_none()).collect();
    let missing: Vec<NodeId> = missing.into_iter().collect();
    let lowered = lower(&simplify(extract(&graph, &missing)?))?;
    let grouping = exec::grouped(&lowered, exec::fuses());
    let emitted = emit(&lowered, &grouping, &graph.donated, exec::fuses())?;
    let mut steps = Table::default();
    for (at, made) in emitted.made.iter().enumerate() {
        for id in computed(&lowered.items, &grouping, &made.groups) {
            steps.entry(lowered.items[id as usize].origin).or_insert(at);
        }
    }
    Ok(steps)
}

fn describe(graph: &Graph, items: &[Item], grouping: &Grouping, plan: &Plan) -> PlanReport {
    let program = &plan.emitted.program;
    let names = Names::new(graph);
    let live = program.live_bytes();
    let made = plan.emitted.made.iter();
    let steps = program.steps().iter().zip(made).zip(&live).map(|((step, made), &live_bytes)| {
        let members = computed(items, grouping, &made.groups);
        let mut of: Vec<u128> = members.iter().map(|&id| items[id as usize].origin).collect();
        // A reduction in several steps is one op.
        of.dedup();
        let result = |&id: &u32| Meta { shape: items[id as usize].shape.clone(), dtype: items[id as usize].dtype };
        StepReport {
            kind: kind(step),
            ops: of.iter().map(|origin| names.op(*origin)).collect(),
            layer: names.layer(of.iter().copied()),
            results: made.items.iter().map(result).collect(),
            traffic: step.traffic(),
            live_bytes,
            time: None,
        }
    });
    let steps: Vec<StepReport> = steps.collect();
    let buffers = program.buffers();
    let lent = |bytes: &usize| lent_bytes(*bytes);
    let peak = live.iter().enumerate().max_by_key(|(at, bytes)| (**bytes, std::cmp::Reverse(*at)));
    PlanReport {
        steps,
        apart: apart(items, grouping, plan),
        input_bytes: buffers.inputs.iter().sum(),
        output_bytes: buffers.outputs.iter().sum(),
        arena_bytes: buffers.arena,
        least_arena_bytes: peak.map_or(0, |(_, bytes)| *bytes),
        peak_bytes: lent_bytes(buffers.arena) + buffers.outputs.iter().map(lent).sum::<usize>(),
        held: peak.map(|(at, _)| held(items, grouping, &names, plan, at)).unwrap_or_default(),
    }
}

fn kind(step: &Step) -> StepKind {
    match step {
        Step::Loop(code) => {
            let (rows, cols) = code.extents();
            StepKind::Loop { rows, cols, walks: code.phases(), actions: code.actions() }
        }
        Step::MatMul { product, .. } => {
            let batch = product.batch.iter().map(|axis| axis.0).product();
            StepKind::Product { batch, m: product.m, k: product.k, n: product.n }
        }
        Step::Call { .. } => StepKind::Call,
        Step::Chain(chain) => {
            let count = |is: fn(&&Step) -> bool| chain.steps.iter().filter(is).count();
            let products = count(|step| matches!(step, Step::MatMul { .. }));
            let loops = count(|step| matches!(step, Step::Loop(_)));
            StepKind::Chain { parts: chain.parts, products, loops, kernels: chain.steps.len() - products - loops }
        }
    }
}

/// The items that groups compute, with those that they compute though they are none of theirs.
fn computed(items: &[Item], grouping: &Grouping, groups: &[u32]) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for &g in groups {
        let Some(group) = grouping.groups.get(g as usize) else { continue };
        let mut found = BTreeSet::new();
        let mut open = group.members.clone();
        while let Some(id) = open.pop() {
            if found.insert(id) && group.n > 0 {
                let whole = items[id as usize].operands.iter().filter(|o| o.is_whole(items)).map(|o| o.item);
                open.extend(whole.filter(|id| grouping.recomputes(g, *id)));
            }
        }
        all.append(&mut found);
    }
    all
}

/// Pairs of steps that were not fused, and why.
fn apart(items: &[Item], grouping: &Grouping, plan: &Plan) -> Vec<(usize, usize, Apart)> {
    let made = &plan.emitted.made;
    let mut steps: Table<u32, usize> = Table::default();
    for (at, made) in made.iter().enumerate() {
        for &g in &made.groups {
            steps.entry(g).or_insert(at);
        }
    }
    let mut found: BTreeMap<(usize, usize), Apart> = BTreeMap::new();
    for (to, step) in made.iter().enumerate() {
        let pairs =
            step.groups.iter().flat_map(|&g| computed(items, grouping, &[g]).into_iter().map(move |id| (g, id)));
        for (g, id) in pairs {
            for operand in &items[id as usize].operands {
                let of = grouping.group[operand.item as usize];
                let leaf =
                    matches!(items[operand.item as usize].work, Work::Tensor(_) | Work::Scalar(_) | Work::Fill(_));
                let again = grouping.recomputes(g, operand.item) && operand.is_whole(items);
                let here = step.groups.contains(&of);
                let Some(&from) = steps.get(&of).filter(|_| !here && !leaf && !again) else { continue };
                let why = grouping.apart(items, id, operand);
                found.entry((from, to)).and_modify(|known| *known = why.min(*known)).or_insert(why);
            }
        }
    }
    found.into_iter().map(|((from, to), why)| (from, to, why)).collect()
}

/// The bytes in the arena during a step, by the layer whose values they are.
fn held(items: &[Item], grouping: &Grouping, names: &Names<'_>, plan: &Plan, at: usize) -> Vec<(String, usize)> {
    let steps = plan.emitted.program.steps();
    let mut layers: BTreeMap<String, usize> = BTreeMap::new();
    for (i, (step, made)) in steps.iter().zip(&plan.emitted.made).enumerate().take(at + 1) {
        for (region, &id) in step.writes().iter().zip(&made.items).filter(|(region, _)| region.buffer == ARENA) {
            let later = steps.iter().enumerate().skip(i + 1);
            let over = later.clone().find(|(_, s)| s.writes().iter().any(|r| r.overlaps(region)));
            let over = over.map_or(steps.len(), |(over, _)| over);
            let last =
                later.take_while(|(j, _)| *j <= over).filter(|(_, s)| s.reads().iter().any(|r| r.overlaps(region)));
            if i == at || last.last().is_some_and(|(last, _)| last >= at) {
                let layer = names.layer(std::iter::once(items[id as usize].origin));
                *layers.entry(layer).or_default() += region.len;
            }
        }
    }
    // What lies between the steps of a chain.
    if let (Some(Step::Chain(chain)), Some(made)) = (steps.get(at), plan.emitted.made.get(at)) {
        let members = computed(items, grouping, &made.groups);
        let layer = names.layer(members.iter().map(|&id| items[id as usize].origin));
        *layers.entry(layer).or_default() += chain.room.len;
    }
    let mut held: Vec<(String, usize)> = layers.into_iter().collect();
    held.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    held
}

/// The nodes of a tape by their hashes.
struct Names<'a> {
    graph: &'a Graph,
    nodes: Table<u128, (NodeId, &'a Node)>,
}

impl Names<'_> {
    fn new(graph: &Graph) -> Names<'_> {
        let mut nodes = Table::default();
        for (i, node) in graph.nodes.iter().enumerate() {
            nodes.entry(node.hash).or_insert((NodeId(i as u32), node));
        }
        Names { graph, nodes }
    }

    fn op(&self, origin: u128) -> &'static str {
        self.nodes.get(&origin).map_or("?", |(id, node)| name(self.graph, *id, node))
    }

    /// The innermost layer that has all of these nodes.
    fn layer(&self, origins: impl Iterator<Item = u128>) -> String {
        let path = |origin| self.nodes.get(&origin).map(|(_, node)| self.graph.scopes.path(node.scope));
        let common = origins.filter_map(path).reduce(|a, b| {
            let same = a.split(" › ").zip(b.split(" › ")).take_while(|(a, b)| a == b).map(|(a, _)| a);
            same.collect::<Vec<_>>().join(" › ")
        });
        common.unwrap_or_default()
    }
}

/// A number of three digits or so, with the prefix of its unit.
pub(crate) fn short(x: f64) -> String {
    const PREFIXES: [&str; 5] = ["", "k", "M", "G", "T"];
    let mut rest = x;
    let mut at = 0;
    while rest >= 999.5 && at + 1 < PREFIXES.len() {
        rest /= 1000.0;
        at += 1;
    }
    let digits = usize::from(at > 0 && rest < 99.95);
    format!("{rest:.digits$} {}", PREFIXES[at])
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            StepKind::Loop { rows, cols, walks: 1, .. } => write!(f, "loop {rows} × {cols}"),
            StepKind::Loop { rows, cols, walks, .. } => write!(f, "loop {rows} × {cols}, {walks} walks"),
            StepKind::Product { batch: 1, m, k, n } => write!(f, "product [{m}, {k}]·[{k}, {n}]"),
            StepKind::Product { batch, m, k, n } => write!(f, "{batch} products [{m}, {k}]·[{k}, {n}]"),
            StepKind::Call => f.write_str("kernel"),
            StepKind::Chain { parts, products, loops, kernels } => {
                write!(f, "{parts} × (")?;
                let kinds = [(products, "product"), (loops, "loop"), (kernels, "kernel")];
                for (i, (n, kind)) in kinds.into_iter().filter(|(n, _)| *n > 0).enumerate() {
                    let (comma, s) = (if i == 0 { "" } else { ", " }, if n == 1 { "" } else { "s" });
                    write!(f, "{comma}{n} {kind}{s}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traffic { read, written, flops } = self.traffic;
        let flops = flops.map(|flops| flops as f64);
        let column = |x: Option<f64>| x.map_or("-".to_string(), short);
        let kind = self.kind.to_string();
        write!(f, "{kind:<32} {:>7}B {:>7}B {:>7}", short(read as f64), short(written as f64), column(flops))?;
        if let Some(time) = self.time {
            let seconds = time.as_secs_f64().max(1e-9);
            let rates = [flops.map(|flops| flops / seconds), Some((read + written) as f64 / seconds)].map(column);
            write!(f, " {:>9.1} µs {:>7}F/s {:>7}B/s", seconds * 1e6, rates[0], rates[1])?;
        }
        f.write_str("  ")?;
        // Each name once, with how often.
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for op in &self.ops {
            match counts.iter_mut().find(|(known, _)| known == op) {
                Some((_, count)) => *count += 1,
                None => counts.push((op, 1)),
            }
        }
        for (i, (op, count)) in counts.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            match count {
                1 => write!(f, "{separator}{op}")?,
                count => write!(f, "{separator}{count} {op}")?,
            }
        }
        for (i, meta) in self.results.iter().enumerate() {
            write!(f, "{}{} {}", if i == 0 { " → " } else { ", " }, meta.shape, meta.dtype)?;
        }
        match self.layer.as_str() {
            "" => Ok(()),
            layer => write!(f, "  in {layer}"),
        }
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many pairs of steps are listed for each reason, and so many layers.
        const LISTED: usize = 12;
        write!(f, "  # {:<32} {:>8} {:>8} {:>7}", "step", "read", "written", "flops")?;
        if self.time().is_some() {
            write!(f, " {:>12} {:>10} {:>10}", "time", "compute", "memory")?;
        }
        writeln!(f, "  ops → results")?;
        for (i, step) in self.steps.iter().enumerate() {
            writeln!(f, "{i:>3} {step}")?;
        }
        let sum = |of: fn(&Traffic) -> usize| self.steps.iter().map(|step| of(&step.traffic) as f64).sum::<f64>();
        let flops = self.steps.iter().filter_map(|step| step.traffic.flops).sum::<u64>();
        write!(
            f,
            "    {:<32} {:>7}B {:>7}B {:>7}",
            "all",
            short(sum(|t| t.read)),
            short(sum(|t| t.written)),
            short(flops as f64)
        )?;
        match self.time() {
            Some(time) => writeln!(f, " {:>9.1} µs", time.as_secs_f64() * 1e6)?,
            None => writeln!(f)?,
        }
        let [inputs, outputs, arena, least, peak] =
            [self.input_bytes, self.output_bytes, self.arena_bytes, self.least_arena_bytes, self.peak_bytes]
                .map(|bytes| short(bytes as f64));
        writeln!(f, "memory: {inputs}B in, {outputs}B out, {arena}B between (at least {least}B); a run takes {peak}B")?;
        if !self.held.is_empty() {
            let layer = |(layer, bytes): &(String, usize)| {
                let layer = if layer.is_empty() { "outside of layers" } else { layer };
                format!("{}B {layer}", short(*bytes as f64))
            };
            writeln!(f, "held at most: {}", listed(self.held.iter().map(layer), LISTED))?;
        }
        let mut reasons: BTreeMap<Apart, Vec<String>> = BTreeMap::new();
        for (from, to, why) in &self.apart {
            reasons.entry(*why).or_default().push(format!("{from}→{to}"));
        }
        for (why, pairs) in reasons {
            writeln!(f, "apart, as {why}: {}", listed(pairs.into_iter(), LISTED))?;
        }
        Ok(())
    }
}

fn listed(words: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = words.len().saturating_sub(most);
    let text = words.take(most).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}
