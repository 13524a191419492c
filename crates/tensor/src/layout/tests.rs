use super::*;
use proptest::prelude::*;

fn layout(dims: &[usize]) -> Layout {
    Layout::contiguous(Shape::new(dims).unwrap())
}

fn read(layout: &Layout) -> Vec<usize> {
    layout.indices().collect()
}

#[test]
fn views_compose() {
    let l = layout(&[2, 3, 4]);
    let v = l.permute(&[2, 0, 1]).unwrap().slice(0, 1, 4, 2).unwrap().flip(2).unwrap();
    assert_eq!(v.shape(), &[2, 2, 3]);
    assert_eq!((v.strides(), v.offset()), (&[2, 12, -4][..], 9));
    assert_eq!(read(&v), [9, 5, 1, 21, 17, 13, 11, 7, 3, 23, 19, 15]);
    assert_eq!(v.bounds(), Some((1, 23)));
    assert_eq!(read(&v.select(1, 1).unwrap()), [21, 17, 13, 23, 19, 15]);
    assert_eq!(v.flip(2).unwrap().permute(&[1, 2, 0]).unwrap().offset(), 1);
}

#[test]
fn contiguity_ignores_what_is_never_stepped() {
    assert!(layout(&[2, 3]).is_contiguous() && layout(&[]).is_contiguous());
    assert!(Layout::new(Shape::new([1, 3]).unwrap(), &[99, 1], 5).unwrap().is_contiguous());
    assert!(Layout::new(Shape::new([4, 0]).unwrap(), &[-7, 3], 0).unwrap().is_contiguous());
    assert!(!layout(&[2, 3]).permute(&[1, 0]).unwrap().is_contiguous());
    assert!(!layout(&[1]).broadcast_to(&Shape::new(2).unwrap()).unwrap().is_contiguous());
    assert!(layout(&[4, 3]).slice(0, 1, 3, 1).unwrap().is_contiguous());
    assert!(!layout(&[4, 3]).slice(1, 0, 2, 1).unwrap().is_contiguous());
}

#[test]
fn reshape_says_when_a_copy_is_needed() {
    let try_reshape = |l: &Layout, dims: &[usize]| l.reshape(&Shape::new(dims).unwrap()).map(|l| l.strides().to_vec());
    let t = layout(&[2, 3, 4]).permute(&[1, 0, 2]).unwrap();
    assert_eq!(try_reshape(&t, &[3, 2, 2, 2]), Some(vec![4, 12, 2, 1]));
    assert_eq!(try_reshape(&t, &[3, 1, 2, 4]), Some(vec![4, 8, 12, 1]));
    assert_eq!(try_reshape(&t, &[6, 4]), None);
    assert_eq!(try_reshape(&t, &[3, 8]), None);
    assert_eq!(try_reshape(&t, &[5]), None);
    // A broadcast axis splits and merges with itself.
    let b = layout(&[1, 3]).broadcast_to(&Shape::new([4, 3]).unwrap()).unwrap();
    assert_eq!(try_reshape(&b, &[2, 2, 3]), Some(vec![0, 0, 1]));
    assert_eq!(try_reshape(&b, &[12]), None);
    // A reversed axis is one progression too.
    let f = layout(&[6]).flip(0).unwrap();
    assert_eq!(try_reshape(&f, &[2, 3]), Some(vec![-3, -1]));
    assert_eq!(try_reshape(&layout(&[0, 3]), &[7, 0]), Some(vec![1, 1]));
    assert_eq!(try_reshape(&layout(&[1, 1]), &[]), Some(vec![]));
}

#[test]
fn impossible_views_are_errors() {
    let l = layout(&[2, 3]);
    let text = |r: Result<Layout>| r.unwrap_err().message().to_string();
    assert_eq!(text(l.permute(&[0, 0])), "axis 0 of [2, 3] is named twice in [0, 0]");
    assert_eq!(text(l.permute(&[0])), "[0] names 1 of the 2 axes of [2, 3]");
    assert_eq!(text(l.permute(&[0, 2])), "axis 2 is out of range for [2, 3]: -2 to 1");
    assert!(l.permute(&[0, usize::MAX]).is_err());
    assert_eq!(text(l.slice(1, 2, 1, 1)), "range 2..1 runs backwards");
    assert_eq!(text(l.slice(1, 0, 4, 1)), "range 0..4 is out of bounds for axis 1 of [2, 3]");
    assert_eq!(text(l.slice(1, 0, 3, 0)), "a step of 0");
    assert_eq!(text(l.slice(2, 0, 1, 1)), "axis 2 is out of range for [2, 3]: -2 to 1");
    assert_eq!(text(l.flip(7)), "axis 7 is out of range for [2, 3]: -2 to 1");
    assert_eq!(text(l.select(0, 2)), "index 2 is out of bounds for axis 0 of [2, 3]");
    assert_eq!(text(l.broadcast_to(&Shape::scalar())), "[2, 3] does not broadcast to []: 2 axes and 0");
    assert_eq!(text(l.unsqueeze(3)), "a new axis 3 is out of range for [2, 3]: -3 to 2");
    let new = |dims: &[usize], strides: &[isize], offset| Layout::new(Shape::new(dims).unwrap(), strides, offset);
    assert_eq!(text(new(&[2], &[1, 1], 0)), "2 strides for the 1 axes of [2]");
    assert_eq!(text(new(&[3], &[-2], 3)), "[3] with strides [-2] from 3 reads elements -1 to 3");
    assert!(new(&[3, 2], &[isize::MAX, isize::MAX], usize::MAX).is_err());
    assert!(new(&[3, 2], &[isize::MIN, isize::MIN], 0).is_err());
}

#[test]
fn strides_without_meaning_do_no_harm() {
    let wild = |dims: &[usize]| Layout::new(Shape::new(dims).unwrap(), &[isize::MIN, isize::MAX], 3).unwrap();
    for l in [wild(&[0, 4]), wild(&[1, 1]), wild(&[4, 0])] {
        for axis in 0..2 {
            let size = l.shape()[axis];
            assert_eq!(l.flip(axis).unwrap().len(), l.len());
            assert_eq!(l.slice(axis, 0, size, 3).unwrap().is_empty(), l.is_empty());
            assert!(l.slice(axis, size, size, 1).unwrap().is_empty());
        }
        let swapped = l.permute(&[1, 0]).unwrap();
        assert_eq!(read(&swapped).len(), l.len());
        assert!(l.reshape(swapped.shape()).is_some());
    }
}

#[test]
fn ranges_of_any_form_resolve() {
    assert_eq!(resolve(.., 5), 0..5);
    assert_eq!(resolve(2.., 5), 2..5);
    assert_eq!(resolve(..=2, 5), 0..3);
    assert_eq!(resolve(1..9, 5), 1..9);
    assert_eq!(resolve(0..=usize::MAX, 5), 0..usize::MAX);
}

/// An array of element numbers: what a layout means, without strides.
#[derive(Clone, Debug)]
struct Model {
    dims: Vec<usize>,
    elements: Vec<usize>,
}

impl Model {
    /// The element at an index of every axis.
    fn at(&self, index: &[usize]) -> usize {
        self.elements[index.iter().zip(&self.dims).fold(0, |flat, (&i, &dim)| flat * dim + i)]
    }

    /// The array of `dims` whose element at an index is that of this at `from(index)`.
    fn remap(&self, dims: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Model {
        let mut elements = Vec::new();
        for flat in 0..dims.iter().product() {
            let mut index = vec![0; dims.len()];
            let mut rest = flat;
            for (i, dim) in index.iter_mut().zip(&dims).rev() {
                (*i, rest) = (rest % dim, rest / dim);
            }
            elements.push(self.at(&from(&index)));
        }
        Model { dims, elements }
    }
}

/// One view of both, chosen by three numbers.
fn step(l: Layout, m: Model, [what, a, b]: [usize; 3]) -> (Layout, Model) {
    let rank = l.rank();
    let axis = a % rank.max(1);
    match what % 6 {
        _ if rank == 0 => (l, m),
        0 => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.rotate_left(axis);
            order.swap(0, b % rank);
            let dims = order.iter().map(|&a| m.dims[a]).collect();
            let back = |index: &[usize]| {
                let mut from = vec![0; rank];
                order.iter().zip(index).for_each(|(&a, &i)| from[a] = i);
                from
            };
            (l.permute(&order).unwrap(), m.remap(dims, back))
        }
        1 => {
            let size = m.dims[axis];
            let (start, step) = (b % (size + 1), b / 7 % 3 + 1);
            let end = start + (b / 3) % (size - start + 1);
            let mut dims = m.dims.clone();
            dims[axis] = (end - start).div_ceil(step);
            let back = |index: &[usize]| {
                let mut from = index.to_vec();
                from[axis] = start + from[axis] * step;
                from
            };
            (l.slice(axis, start, end, step).unwrap(), m.remap(dims, back))
        }
        2 => {
            let back = |index: &[usize]| {
                let mut from = index.to_vec();
                from[axis] = m.dims[axis] - 1 - from[axis];
                from
            };
            (l.flip(axis).unwrap(), m.remap(m.dims.clone(), back))
        }
        3 => {
            let mut dims = m.dims.clone();
            if dims[axis] == 1 {
                dims[axis] = b % 4;
            }
            dims.insert(0, b % 3 + 1);
            if dims.len() > 5 || dims.iter().product::<usize>() > 500 {
                return (l, m);
            }
            let back = |index: &[usize]| index[1..].iter().zip(&m.dims).map(|(&i, &dim)| i.min(dim - 1)).collect();
            (l.broadcast_to(&Shape::new(&dims).unwrap()).unwrap(), m.remap(dims, back))
        }
        4 if m.dims[axis] > 0 => {
            let index = b % m.dims[axis];
            let mut dims = m.dims.clone();
            dims.remove(axis);
            let back = |rest: &[usize]| {
                let mut from = rest.to_vec();
                from.insert(axis, index);
                from
            };
            (l.select(axis, index).unwrap(), m.remap(dims, back))
        }
        _ => {
            // Merge an axis with its neighbour, or split one in two, where strides allow it.
            let mut dims = m.dims.clone();
            match axis + 1 < rank && b.is_multiple_of(2) {
                true => _ = dims.splice(axis..axis + 2, [m.dims[axis] * m.dims[axis + 1]]),
                false if dims[axis].is_multiple_of(2) => _ = dims.splice(axis..=axis, [2, m.dims[axis] / 2]),
                false => dims.insert(axis, 1),
            }
            match l.reshape(&Shape::new(&dims).unwrap()) {
                Some(l) => (l, Model { dims, elements: m.elements }),
                None => (l, m),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_chain_of_views_reads_what_it_means(
        dims in prop::collection::vec(0usize..6, 0..4),
        steps in prop::collection::vec(any::<[u16; 3]>(), 0..8),
    ) {
        let mut l = layout(&dims);
        let mut m = Model { elements: (0..l.len()).collect(), dims };
        for numbers in steps {
            (l, m) = step(l, m, numbers.map(usize::from));
            prop_assert_eq!(l.shape().dims(), &m.dims);
            prop_assert_eq!(&read(&l), &m.elements);
            prop_assert_eq!(l.bounds(), m.elements.iter().min().copied().zip(m.elements.iter().max().copied()));
            prop_assert!(!l.is_contiguous() || m.elements.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            prop_assert_eq!(Layout::new(l.shape().clone(), l.strides(), l.offset()).unwrap(), l.clone());
            prop_assert!(l.merged().len() <= l.rank());
        }
    }
}
