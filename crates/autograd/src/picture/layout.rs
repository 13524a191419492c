//! A layered layout: operands above their users, boxes around what belongs together. Each box is laid out by itself, from the inside out,
//! and is one large node in the box around it, so boxes never overlap.

use super::{GRADIENT, Member, Picture, Tree, is_leaf};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Between neighbours, between rows, and around what is in a box.
const GAP: f64 = 14.0;
const ROW: f64 = 34.0;
const PAD: f64 = 12.0;
const HEIGHT: f64 = 34.0;
/// Of a letter.
const LETTER: f64 = 6.6;
/// Sweeps over the rows, to bring neighbours near each other.
const SWEEPS: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    width: f64,
    height: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    x: f64,
    y: f64,
}

/// The drawing.
pub(super) fn svg(picture: &Picture) -> String {
    let tree = picture.tree();
    let nodes = &picture.recording.nodes;
    let sizes = nodes.iter().map(|node| {
        let letters = node.name.chars().count().max(node.meta.to_string().chars().count());
        Size { width: letters as f64 * LETTER + 16.0, height: HEIGHT }
    });
    let sizes: Vec<Size> = sizes.collect();
    let edges = picture.edges();
    let members = tree.members();
    let inner = inner_edges(&tree, &edges);

    let outside = tree.groups.len();
    let mut group_sizes = vec![Size::default(); outside + 1];
    let mut places: BTreeMap<Member, Place> = BTreeMap::new();
    // A box stands after the one around it, so backwards is from the inside out.
    for group in (0..=outside).rev().skip(1).chain([outside]) {
        let Some(list) = members.get(group) else { continue };
        let size = |member: &Member| match *member {
            Member::Node(i) => sizes.get(i).copied().unwrap_or_default(),
            Member::Group(g) => group_sizes.get(g).copied().unwrap_or_default(),
        };
        let list: Vec<(Member, Size)> = list.iter().map(|member| (*member, size(member))).collect();
        let (placed, mut all) = arrange(&list, inner.get(&group).map_or(&[][..], Vec::as_slice));
        let top = if group == outside { PAD } else { PAD + 16.0 };
        for ((member, _), place) in list.iter().zip(placed) {
            places.insert(*member, Place { x: place.x + PAD, y: place.y + top });
        }
        let label = tree.groups.get(group).map_or(0, |group| group.label.chars().count());
        all.width = (all.width + 2.0 * PAD).max(label as f64 * LETTER + 2.0 * PAD);
        all.height += top + PAD;
        if let Some(size) = group_sizes.get_mut(group) {
            *size = all;
        }
    }
    // From places in a box to places in the picture, from the outside in.
    let mut corners = vec![Place::default(); outside];
    for group in 0..outside {
        let around = tree.groups.get(group).and_then(|group| group.parent);
        let origin = around.and_then(|around| corners.get(around).copied()).unwrap_or_default();
        let place = places.get(&Member::Group(group)).copied().unwrap_or_default();
        if let Some(corner) = corners.get_mut(group) {
            *corner = Place { x: origin.x + place.x, y: origin.y + place.y };
        }
    }
    let node_at = |i: usize| {
        let origin = tree.of.get(i).copied().flatten().and_then(|group| corners.get(group).copied());
        let (origin, place) = (origin.unwrap_or_default(), places.get(&Member::Node(i)).copied().unwrap_or_default());
        Place { x: origin.x + place.x, y: origin.y + place.y }
    };

    let all = group_sizes.last().copied().unwrap_or_default();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0}\" height=\"{1:.0}\" viewBox=\"0 0 {0:.0} {1:.0}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#666\"/></marker></defs>\n",
        all.width, all.height
    );
    for (group, corner) in corners.iter().enumerate() {
        let size = group_sizes.get(group).copied().unwrap_or_default();
        let label = tree.groups.get(group).map_or("", |group| group.label.as_str());
        _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"6\" fill=\"#808080\" \
             fill-opacity=\"0.07\" stroke=\"#999\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555\">{}</text>",
            corner.x,
            corner.y,
            size.width,
            size.height,
            corner.x + PAD,
            corner.y + 15.0,
            escaped(label)
        );
    }
    for (from, to) in edges {
        let (a, b) = (node_at(from), node_at(to));
        let (wide_a, wide_b) =
            (sizes.get(from).copied().unwrap_or_default(), sizes.get(to).copied().unwrap_or_default());
        let (x0, y0) = (a.x + wide_a.width / 2.0, a.y + wide_a.height);
        let (x1, y1) = (b.x + wide_b.width / 2.0, b.y);
        let bend = ((y1 - y0) / 2.0).abs().clamp(10.0, 60.0);
        _ = writeln!(
            svg,
            "<path d=\"M{x0:.1} {y0:.1}C{x0:.1} {:.1} {x1:.1} {:.1} {x1:.1} {y1:.1}\" fill=\"none\" stroke=\"#666\" \
             stroke-opacity=\"0.6\" marker-end=\"url(#tip)\"/>",
            y0 + bend,
            y1 - bend
        );
    }
    for (i, node) in nodes.iter().enumerate() {
        let (at, size) = (node_at(i), sizes.get(i).copied().unwrap_or_default());
        let round = if is_leaf(node) { HEIGHT / 2.0 } else { 4.0 };
        let border = if node.derived { GRADIENT } else { "#333" };
        let middle = at.x + size.width / 2.0;
        _ = writeln!(
            svg,
            "<g text-anchor=\"middle\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{round}\" \
             fill=\"{}\" stroke=\"{border}\"/><text x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" fill=\"#555\" font-size=\"10\">{}</text></g>",
            at.x,
            at.y,
            size.width,
            size.height,
            picture.color(i).unwrap_or("white"),
            at.y + 14.0,
            escaped(&node.name),
            at.y + 27.0,
            escaped(&node.meta.to_string())
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Text of XML, which has no control characters.
fn escaped(text: &str) -> String {
    let printable = text.replace(|c: char| c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c), "\u{fffd}");
    printable.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The edges between the members of each box: what contains the ends of an edge in the innermost box around both.
fn inner_edges(tree: &Tree, edges: &[(usize, usize)]) -> BTreeMap<usize, Vec<(Member, Member)>> {
    let outside = tree.groups.len();
    // From the outside in: the boxes around a node, and the node.
    let chain = |node: usize| {
        let mut chain = vec![Member::Node(node)];
        let mut at = tree.of.get(node).copied().flatten();
        while let Some(group) = at {
            chain.push(Member::Group(group));
            at = tree.groups.get(group).and_then(|group| group.parent);
        }
        chain.reverse();
        chain
    };
    let mut inner: BTreeMap<usize, BTreeSet<(Member, Member)>> = BTreeMap::new();
    for &(from, to) in edges {
        let (from, to) = (chain(from), chain(to));
        let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        let around = match same.checked_sub(1).and_then(|last| from.get(last)) {
            Some(Member::Group(group)) => *group,
            _ => outside,
        };
        if let (Some(from), Some(to)) = (from.get(same), to.get(same)) {
            inner.entry(around).or_default().insert((*from, *to));
        }
    }
    inner.into_iter().map(|(group, edges)| (group, edges.into_iter().collect())).collect()
}

/// The places of the upper left corners, in the order of the members, and the size of all.
fn arrange(members: &[(Member, Size)], edges: &[(Member, Member)]) -> (Vec<Place>, Size) {
    let index: BTreeMap<Member, usize> = members.iter().enumerate().map(|(i, (member, _))| (*member, i)).collect();
    let n = members.len();
    let (mut above, mut below) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    for (from, to) in edges {
        if let (Some(&from), Some(&to)) = (index.get(from), index.get(to)) {
            if let Some(list) = below.get_mut(from) {
                list.push(to);
            }
            if let Some(list) = above.get_mut(to) {
                list.push(from);
            }
        }
    }
    let rows = ranks(&above, &below);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); rows.iter().max().map_or(0, |last| last + 1)];
    for (i, &row) in rows.iter().enumerate() {
        if let Some(row) = order.get_mut(row) {
            row.push(i);
        }
    }
    let size = |i: usize| members.get(i).map(|member| member.1).unwrap_or_default();
    let mut middle = vec![0.0; n];
    order.iter().for_each(|row| pack(row, &mut middle, &size, None));
    for sweep in 0..SWEEPS {
        let (near, rows): (_, Vec<usize>) = match sweep % 2 {
            0 => (&above, (0..order.len()).collect()),
            _ => (&below, (0..order.len()).rev().collect()),
        };
        for row in rows {
            let Some(row) = order.get_mut(row) else { continue };
            let wish = |i: usize| {
                let near = near.get(i).map_or(&[][..], Vec::as_slice);
                let sum: f64 = near.iter().filter_map(|&j| middle.get(j)).sum();
                if near.is_empty() { middle.get(i).copied().unwrap_or(0.0) } else { sum / near.len() as f64 }
            };
            let wishes: BTreeMap<usize, f64> = row.iter().map(|&i| (i, wish(i))).collect();
            row.sort_by(|a, b| {
                let of = |i: &usize| wishes.get(i).copied().unwrap_or(0.0);
                of(a).total_cmp(&of(b))
            });
            pack(row, &mut middle, &size, Some(&wishes));
        }
    }
    let edge = |i: usize| middle.get(i).copied().unwrap_or(0.0) - size(i).width / 2.0;
    let left = (0..n).map(edge).fold(f64::INFINITY, f64::min);
    let right = (0..n).map(|i| edge(i) + size(i).width).fold(0.0, f64::max);
    let mut places = vec![Place::default(); n];
    let mut y = 0.0;
    for row in &order {
        for &i in row {
            if let Some(place) = places.get_mut(i) {
                *place = Place { x: edge(i) - left, y };
            }
        }
        y += row.iter().map(|&i| size(i).height).fold(0.0, f64::max) + ROW;
    }
    match n {
        0 => (places, Size::default()),
        _ => (places, Size { width: right - left, height: y - ROW }),
    }
}

/// Puts a row beside each other, in its order, each as near to where it wants to be as those before it allow; without wishes, from the left.
fn pack(row: &[usize], middle: &mut [f64], size: &impl Fn(usize) -> Size, wishes: Option<&BTreeMap<usize, f64>>) {
    let mut end = f64::NEG_INFINITY;
    let (mut moved, mut at) = (0.0, Vec::with_capacity(row.len()));
    for &i in row {
        let width = size(i).width;
        let wish = match wishes {
            Some(wishes) => wishes.get(&i).copied().unwrap_or(0.0),
            None => {
                if end.is_finite() {
                    end
                } else {
                    0.0
                }
            }
        };
        let place = wish.max(end + GAP + width / 2.0);
        moved += place - wish;
        end = place + width / 2.0;
        at.push((i, place));
    }
    // As far to the left as they had to go to the right, on average.
    let shift = if wishes.is_some() { moved / row.len().max(1) as f64 } else { 0.0 };
    for (i, place) in at {
        if let Some(middle) = middle.get_mut(i) {
            *middle = place - shift;
        }
    }
}

/// The row of each member: below all that it reads. An edge of a circle, which boxes may have, is left out. What reads nothing stands right
/// above its first reader.
fn ranks(above: &[Vec<usize>], below: &[Vec<usize>]) -> Vec<usize> {
    let n = above.len();
    let mut waits: Vec<usize> = above.iter().map(Vec::len).collect();
    let mut rank = vec![0usize; n];
    let mut ready: BTreeSet<usize> = (0..n).filter(|&i| waits.get(i) == Some(&0)).collect();
    let mut open: BTreeSet<usize> = (0..n).collect();
    while let Some(i) = ready.pop_first().or_else(|| open.first().copied()) {
        if !open.remove(&i) {
            continue;
        }
        let next = rank.get(i).copied().unwrap_or(0) + 1;
        for &j in below.get(i).map_or(&[][..], Vec::as_slice).iter().filter(|&j| open.contains(j)) {
            if let (Some(rank), Some(waits)) = (rank.get_mut(j), waits.get_mut(j)) {
                *rank = (*rank).max(next);
                *waits = waits.saturating_sub(1);
                if *waits == 0 {
                    ready.insert(j);
                }
            }
        }
    }
    for i in (0..n).filter(|&i| above.get(i).is_some_and(Vec::is_empty)) {
        let readers = below.get(i).map_or(&[][..], Vec::as_slice).iter();
        let first = readers.filter_map(|&j| rank.get(j).copied()).filter(|&row| row > 0).min();
        if let (Some(first), Some(rank)) = (first, rank.get_mut(i)) {
            *rank = first - 1;
        }
    }
    rank
}
