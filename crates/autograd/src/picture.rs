//! A graph as a picture: text for Graphviz and for Mermaid, and SVG.

use crate::graph::Tape;
use crate::recorded::{Recorded, RecordedKind, Recording};
use crate::report;
use crate::vars::Vars;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use wengert_tensor::error::Result;

mod layout;

/// What the boxes around nodes of a [`Picture`] are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clusters {
    /// Layers, one within the other; what belongs to their gradients stands in boxes of its own. Colours are steps of the plan.
    #[default]
    Layers,
    /// Steps of the plan: what is fused into one loop stands in one box.
    Steps,
    /// None.
    None,
}

/// The graph of some values, forward and backward, with the layers and with what the plan fuses.
///
/// ```
/// use wengert_autograd::{Clusters, Tape};
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[1.0f32, 2.0]]));
/// let loss = x.tanh().square().sum();
/// let [dx] = tape.grad(loss, [x]);
/// let picture = tape.picture([loss, dx])?;
/// assert!(picture.to_dot().starts_with("digraph"));
/// assert!(picture.to_mermaid().starts_with("flowchart TB"));
/// assert!(picture.clusters(Clusters::Steps).to_svg().starts_with("<svg"));
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
///
/// Nodes of one step of the plan have one colour; what is no step of its own (a view, a leaf, a number) has none. Nodes of the gradient have
/// a red border. Text for a few hundred nodes is readable; a larger graph is drawn as well, and is for tools that zoom and search.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The nodes and their layers.
    pub recording: Recording,
    /// For each node the step of the plan that computes it first.
    pub steps: Vec<Option<usize>>,
    clusters: Clusters,
}

impl Tape {
    /// A picture of all that these values are made of. Nothing is computed; what was computed before is no part of a plan any more, and is
    /// drawn without a step.
    ///
    /// # Errors
    /// As [`Tape::report`].
    pub fn picture<'t>(&'t self, vars: impl Vars<'t>) -> Result<Picture> {
        let vars = vars.list();
        let recording = self.recorded(vars.as_slice())?;
        let step_of = report::steps_of(self, &vars)?;
        let computed = |node: &Recorded| matches!(node.kind, RecordedKind::Op);
        let steps = recording.nodes.iter();
        let steps = steps.map(|node| step_of.get(&node.hash).copied().filter(|_| computed(node))).collect();
        Ok(Picture { recording, steps, clusters: Clusters::default() })
    }
}

impl Picture {
    /// What the boxes around nodes are.
    #[must_use]
    pub fn clusters(self, clusters: Clusters) -> Picture {
        Picture { clusters, ..self }
    }

    /// The picture in the [DOT language](https://graphviz.org/doc/info/lang.html) of Graphviz: `dot -Tsvg graph.dot`.
    pub fn to_dot(&self) -> String {
        let mut text =
            String::from("digraph wengert {\n  node [shape=box, style=\"rounded,filled\", fillcolor=white];\n");
        let mut depth = 1;
        for event in self.tree().events() {
            let indent = "  ".repeat(depth);
            match event {
                Event::Enter(group, label) => {
                    _ = writeln!(text, "{indent}subgraph cluster_{group} {{\n{indent}  label={};", dot(label));
                    depth += 1;
                }
                Event::Leave => {
                    depth -= 1;
                    text.push_str(&format!("{}}}\n", "  ".repeat(depth)));
                }
                Event::Node(i) => {
                    let Some(node) = self.recording.nodes.get(i) else { continue };
                    let mut more = String::new();
                    if is_leaf(node) {
                        more.push_str(", shape=ellipse");
                    }
                    if let Some(color) = self.color(i) {
                        more.push_str(&format!(", fillcolor=\"{color}\""));
                    }
                    if node.derived {
                        more.push_str(&format!(", color=\"{GRADIENT}\""));
                    }
                    let label = dot(&format!("{}\n{}", node.name, node.meta));
                    _ = writeln!(text, "{indent}n{i} [label={label}{more}];");
                }
            }
        }
        for (from, to) in self.edges() {
            _ = writeln!(text, "  n{from} -> n{to};");
        }
        text.push_str("}\n");
        text
    }

    /// The picture as a [flowchart](https://mermaid.js.org/syntax/flowchart.html) for Mermaid, which GitHub, mdBook and others draw.
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart TB\n");
        let mut depth = 1;
        for event in self.tree().events() {
            let indent = "  ".repeat(depth);
            match event {
                Event::Enter(group, label) => {
                    _ = writeln!(text, "{indent}subgraph g{group}[\"{}\"]", mermaid(label));
                    depth += 1;
                }
                Event::Leave => {
                    depth -= 1;
                    text.push_str(&format!("{}end\n", "  ".repeat(depth)));
                }
                Event::Node(i) => {
                    let Some(node) = self.recording.nodes.get(i) else { continue };
                    let label = format!("{}<br/>{}", mermaid(&node.name), mermaid(&node.meta.to_string()));
                    let (open, close) = if is_leaf(node) { ("([", "])") } else { ("[", "]") };
                    _ = writeln!(text, "{indent}n{i}{open}\"{label}\"{close}");
                }
            }
        }
        for (from, to) in self.edges() {
            _ = writeln!(text, "  n{from} --> n{to}");
        }
        let mut colored: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for i in 0..self.recording.nodes.len() {
            if let Some(color) = self.color(i) {
                colored.entry(color).or_default().push(format!("n{i}"));
            }
        }
        for (color, nodes) in colored {
            let class = color.trim_start_matches('#');
            _ = writeln!(text, "  classDef c{class} fill:{color}\n  class {} c{class}", nodes.join(","));
        }
        let derived = self.recording.nodes.iter().enumerate().filter(|(_, node)| node.derived);
        let derived: Vec<String> = derived.map(|(i, _)| format!("n{i}")).collect();
        if !derived.is_empty() {
            _ = writeln!(text, "  classDef gradient stroke:{GRADIENT}\n  class {} gradient", derived.join(","));
        }
        text
    }

    /// The picture as SVG, with the nodes in rows from operands to results.
    pub fn to_svg(&self) -> String {
        layout::svg(self)
    }

    /// Pairs of nodes of which the second reads the first, each once.
    fn edges(&self) -> Vec<(usize, usize)> {
        let nodes = self.recording.nodes.iter().enumerate();
        let edges: BTreeSet<(usize, usize)> =
            nodes.flat_map(|(to, node)| node.inputs.iter().map(move |&from| (to, from))).collect();
        edges.into_iter().map(|(to, from)| (from, to)).collect()
    }

    /// The colour of the step, or, where steps are boxes, of the layer.
    fn color(&self, node: usize) -> Option<&'static str> {
        let of = match self.clusters {
            Clusters::Steps => self.recording.nodes.get(node).map(|node| node.layer).filter(|layer| *layer > 0),
            _ => self.steps.get(node).copied().flatten(),
        };
        COLORS.get(of? % COLORS.len()).copied()
    }

    /// The boxes. A box stands after the one around it.
    fn tree(&self) -> Tree {
        let mut tree = Tree { groups: Vec::new(), of: vec![None; self.recording.nodes.len()] };
        let mut known: BTreeMap<(usize, bool), usize> = BTreeMap::new();
        for (i, node) in self.recording.nodes.iter().enumerate() {
            let group =
                match self.clusters {
                    Clusters::None => None,
                    Clusters::Steps => self.steps.get(i).copied().flatten().map(|step| {
                        *known.entry((step, false)).or_insert_with(|| tree.add(format!("step {step}"), None))
                    }),
                    Clusters::Layers => {
                        // The layers around it that have no box yet, from the inside out.
                        let (mut new, mut at) = (Vec::new(), node.layer);
                        while at > 0 && !known.contains_key(&(at, node.derived)) {
                            new.push(at);
                            at = self.recording.layers.get(at).map_or(0, |layer| layer.parent);
                        }
                        let mut group = known.get(&(at, node.derived)).copied();
                        for at in new.into_iter().rev() {
                            let name = self.recording.layers.get(at).map_or("", |layer| layer.name.as_str());
                            let label = if node.derived { format!("gradient of {name}") } else { name.to_string() };
                            let added = tree.add(label, group);
                            known.insert((at, node.derived), added);
                            group = Some(added);
                        }
                        group
                    }
                };
            if let Some(of) = tree.of.get_mut(i) {
                *of = group;
            }
        }
        tree
    }
}

/// The border of what belongs to a gradient.
const GRADIENT: &str = "#b2182b";

/// Pale colours that can be told apart.
const COLORS: [&str; 12] = [
    "#a6cee3", "#fdbf6f", "#b2df8a", "#cab2d6", "#ffff99", "#fbb4ae", "#ccebc5", "#decbe4", "#fed9a6", "#b3cde3",
    "#e5d8bd", "#fddaec",
];

fn is_leaf(node: &Recorded) -> bool {
    !matches!(node.kind, RecordedKind::View | RecordedKind::Op)
}

/// Text in quotes, for DOT.
fn dot(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Text that may stand in quotes, for Mermaid.
fn mermaid(text: &str) -> String {
    text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;").replace('`', "'")
}

/// Boxes in boxes, and in which a node is.
struct Tree {
    groups: Vec<Group>,
    of: Vec<Option<usize>>,
}

struct Group {
    label: String,
    parent: Option<usize>,
}

/// A walk over the boxes.
enum Event<'a> {
    Enter(usize, &'a str),
    Node(usize),
    Leave,
}

/// What stands in a box, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Node(usize),
    Group(usize),
}

impl Tree {
    fn add(&mut self, label: String, parent: Option<usize>) -> usize {
        self.groups.push(Group { label, parent });
        self.groups.len() - 1
    }

    /// What stands in each box, by where its first node stands; the last list is of what stands in none.
    fn members(&self) -> Vec<Vec<Member>> {
        let mut members: Vec<Vec<Member>> = vec![Vec::new(); self.groups.len() + 1];
        let mut placed = vec![false; self.groups.len()];
        let mut place = |at: Option<usize>, member: Member| {
            let list = at.unwrap_or(self.groups.len());
            if let Some(list) = members.get_mut(list) {
                list.push(member);
            }
        };
        for (i, &group) in self.of.iter().enumerate() {
            let mut at = group;
            // A box stands where its first node does.
            let mut new = Vec::new();
            while let Some(group) = at.filter(|group| placed.get(*group) == Some(&false)) {
                if let Some(placed) = placed.get_mut(group) {
                    *placed = true;
                }
                at = self.groups.get(group).and_then(|group| group.parent);
                new.push((at, group));
            }
            new.into_iter().rev().for_each(|(parent, group)| place(parent, Member::Group(group)));
            place(group, Member::Node(i));
        }
        members
    }

    fn events(&self) -> Vec<Event<'_>> {
        let members = self.members();
        let mut events = Vec::new();
        let mut open: Vec<(usize, usize)> = vec![(self.groups.len(), 0)];
        while let Some((group, at)) = open.pop() {
            match members.get(group).and_then(|list| list.get(at)) {
                Some(member) => {
                    open.push((group, at + 1));
                    match *member {
                        Member::Node(i) => events.push(Event::Node(i)),
                        Member::Group(inner) => {
                            let label = self.groups.get(inner).map_or("", |group| group.label.as_str());
                            events.push(Event::Enter(inner, label));
                            open.push((inner, 0));
                        }
                    }
                }
                None if open.is_empty() => {}
                None => events.push(Event::Leave),
            }
        }
        events
    }
}
