use super::*;

fn shape(dims: &[usize]) -> Shape {
    Shape::new(dims).unwrap()
}

#[test]
fn sizes_are_checked() {
    let most = isize::MAX as usize / 8;
    assert!(Shape::new([most]).is_ok());
    for dims in [&[most + 1][..], &[usize::MAX, 2], &[1 << 31, 1 << 31], &[usize::MAX, usize::MAX, 0]] {
        let e = Shape::new(dims).unwrap_err();
        assert_eq!(e.kind(), crate::error::ErrorKind::Shape);
        assert_eq!(e.message(), format!("the size of {dims:?} overflows"));
    }
    // An axis of size 0 hides no other one: nothing that is made from this shape may overflow either.
    assert!(Shape::new([0, 1 << 40, 1 << 40]).is_err());
    assert_eq!(shape(&[0, 1 << 30]).without(&[0]).len(), 1 << 30);
}

#[test]
fn counts_and_strides() {
    assert_eq!((Shape::scalar().len(), Shape::scalar().rank()), (1, 0));
    assert_eq!((shape(&[2, 0, 3]).len(), shape(&[2, 0, 3]).is_empty()), (0, true));
    assert_eq!(shape(&[2, 0, 3]).strides().as_slice(), [3, 3, 1]);
    assert_eq!(Shape::scalar().strides().as_slice(), [0isize; 0]);
    assert_eq!(shape(&[2, 3, 4, 5, 6]).strides().as_slice(), [360, 120, 30, 6, 1]);
    assert_eq!(format!("{} {:?}", Shape::scalar(), shape(&[7])), "[] [7]");
    assert_eq!(shape(&[2, 3]), [2, 3]);
    assert_eq!(shape(&[1, 2, 3, 4, 5]).clone(), shape(&[1, 2, 3, 4, 5]));
}

#[test]
fn axes_count_from_both_ends() {
    let s = shape(&[2, 3, 4]);
    assert_eq!([-3, -2, -1, 0, 1, 2].map(|a| s.axis(a).unwrap()), [0, 1, 2, 0, 1, 2]);
    for bad in [3, -4, isize::MAX, isize::MIN] {
        assert_eq!(s.axis(bad).unwrap_err().message(), format!("axis {bad} is out of range for [2, 3, 4]: -3 to 2"));
    }
    assert_eq!(Shape::scalar().axis(0).unwrap_err().message(), "axis 0 is out of range: a scalar has no axes");
    assert_eq!(s.axes(&[2, 0]).unwrap().as_slice(), [0, 2]);
    assert!(s.axes(&[]).unwrap().is_empty());
    assert_eq!(s.axes(&[0, 0]).unwrap_err().message(), "axis 0 of [2, 3, 4] is named twice in [0, 0]");
    assert_eq!(s.permutation(&[-1, 0, 1]).unwrap().as_slice(), [2, 0, 1]);
    assert_eq!(s.permutation(&[0, 1]).unwrap_err().message(), "[0, 1] names 2 of the 3 axes of [2, 3, 4]");
}

#[test]
fn broadcasting_follows_numpy() {
    type Case = (&'static [usize], &'static [usize], Option<&'static [usize]>);
    let cases: [Case; 8] = [
        (&[], &[], Some(&[])),
        (&[3], &[], Some(&[3])),
        (&[2, 3], &[3], Some(&[2, 3])),
        (&[5, 1], &[1, 4], Some(&[5, 4])),
        (&[0], &[1], Some(&[0])),
        (&[0], &[2], None),
        (&[2, 3], &[2], None),
        (&[1, 1, 1, 1, 2], &[7, 1], Some(&[1, 1, 1, 7, 2])),
    ];
    for (a, b, want) in cases {
        let found = [shape(a).broadcast(&shape(b)), shape(b).broadcast(&shape(a))];
        for found in found {
            assert_eq!(found.ok().as_deref(), want, "{a:?} {b:?}");
        }
    }
    // Each fits; together they do not.
    assert!(shape(&[1 << 40, 1]).broadcast(&shape(&[1, 1 << 40])).is_err());
}

#[test]
fn axes_come_and_go() {
    let s = shape(&[2, 3, 4]);
    assert_eq!(s.without(&[1]), [2, 4]);
    assert_eq!(s.without(&[0, 1, 2]), Shape::scalar());
    assert_eq!(s.with_ones(&[0, 2]), [1, 3, 1]);
    assert_eq!(s.with(2, 0).unwrap(), [2, 3, 0]);
    assert_eq!(s.insert(3, 9).unwrap(), [2, 3, 4, 9]);
    assert!(s.insert(4, 1).is_err() && s.with(3, 1).is_err());
    assert!(s.with(0, 1 << 60).is_err());
}
