use crate::dtype::DType;
use crate::error::Result;
use crate::tensor::Tensor;

fn range(dims: &[usize]) -> Tensor {
    Tensor::from_fn(dims, |i| i as i32).unwrap()
}

fn ints(x: &Tensor) -> Vec<i32> {
    x.to_vec().unwrap()
}

/// The first line of an error, whose place must be in this file.
fn text<T>(result: Result<T>) -> String {
    let e = result.err().expect("an error");
    assert!(e.location().is_some_and(|at| at.file().ends_with("tests.rs")), "{e}");
    e.to_string().lines().next().unwrap().to_string()
}

#[test]
fn views_share_and_copies_do_not() {
    let x = range(&[2, 3, 4]);
    let views = [
        x.reshape([6, 4]),
        x.permute(&[2, 0, 1]),
        x.transpose(0, -1),
        x.t(),
        x.slice(1, 1..),
        x.slice_step(-1, .., 2),
        x.select(0, 1),
        x.flip(-1),
        x.broadcast_to([5, 2, 3, 4]),
        x.unsqueeze(1),
        x.unsqueeze(0).and_then(|x| x.squeeze(0)),
        x.contiguous(),
        x.t().and_then(|x| x.reshape([2, 2, 2, 3])),
    ];
    for view in views {
        assert!(view.unwrap().storage().same(x.storage()));
    }
    let t = x.t().unwrap();
    for copy in [t.contiguous(), t.reshape([24]), x.gather_rows(&[0, 1]), Tensor::concat(&[&x], 0)] {
        assert!(!copy.unwrap().storage().same(x.storage()));
    }
}

#[test]
fn reshape_of_a_view_copies_in_order() {
    let x = range(&[2, 3]);
    assert_eq!(ints(&x.t().unwrap().reshape([6]).unwrap()), [0, 3, 1, 4, 2, 5]);
    assert_eq!(ints(&x.flip(1).unwrap().reshape([3, 2]).unwrap()), [2, 1, 0, 5, 4, 3]);
    assert_eq!(ints(&x.slice(1, 1..).unwrap().reshape([4]).unwrap()), [1, 2, 4, 5]);
    assert_eq!(x.reshape([1, 6, 1]).unwrap().shape(), &[1, 6, 1]);
    assert_eq!(range(&[0, 3]).reshape([5, 0]).unwrap().shape(), &[5, 0]);
    assert_eq!(range(&[1, 1]).reshape(()).unwrap().rank(), 0);
}

#[test]
fn long_strided_copies_are_right() {
    for dims in [[1, 70, 33], [3, 64, 64], [2, 100, 7]] {
        let x = range(&dims);
        let t = x.permute(&[2, 0, 1]).unwrap().contiguous().unwrap();
        let back = t.permute(&[1, 2, 0]).unwrap();
        assert!(back.equals(&x) && back.contiguous().unwrap().equals(&x));
        let both = x.flip(1).unwrap().flip(2).unwrap();
        assert_eq!(ints(&both.flip(0).unwrap()), ints(&x).into_iter().rev().collect::<Vec<_>>());
    }
}

#[test]
fn joining() {
    let (a, b) = (range(&[2, 2]), range(&[2, 3]));
    assert_eq!(ints(&Tensor::concat(&[&a, &b, &a], 1).unwrap()), [0, 1, 0, 1, 2, 0, 1, 2, 3, 3, 4, 5, 2, 3]);
    assert_eq!(ints(&Tensor::concat(&[&a.t().unwrap(), &a], -2).unwrap()), [0, 2, 1, 3, 0, 1, 2, 3]);
    assert_eq!(Tensor::concat(&[range(&[0, 2]), a.clone()], 0).unwrap().shape(), &[2, 2]);
    assert_eq!(Tensor::concat(&[range(&[0, 2]), range(&[0, 5])], 1).unwrap().shape(), &[0, 7]);
    let s = Tensor::stack(&[&a, &a.t().unwrap()], 1).unwrap();
    assert_eq!((s.shape().dims(), ints(&s)), (&[2, 2, 2][..], vec![0, 1, 0, 2, 2, 3, 1, 3]));
    assert_eq!(Tensor::stack(&[&a, &a], 2).unwrap().shape(), &[2, 2, 2]);
    assert_eq!(ints(&Tensor::stack(&[Tensor::from(1), Tensor::from(2)], 0).unwrap()), [1, 2]);
    let mask = Tensor::from([true, false]);
    assert_eq!(Tensor::concat(&[&mask, &mask], 0).unwrap().to_vec::<bool>().unwrap(), [true, false, true, false]);

    assert_eq!(text(Tensor::concat(&[] as &[Tensor], 0)), "concat: no tensors to join");
    assert_eq!(text(Tensor::stack(&[] as &[Tensor], 0)), "stack: no tensors to join");
    assert_eq!(text(Tensor::concat(&[&a, &b.cast(DType::F32).unwrap()], 1)), "concat: i32 and f32 do not join");
    assert_eq!(text(Tensor::concat(&[&a, &b], 0)), "concat: [2, 2] and [2, 3] differ at axis 1");
    assert_eq!(text(Tensor::stack(&[&a, &b], 0)), "stack: [2, 2] and [2, 3] differ at axis 1");
    assert_eq!(text(Tensor::concat(&[&a, &range(&[2])], 0)), "concat: [2, 2] and [2] have 2 axes and 1");
    assert_eq!(text(Tensor::concat(&[&a], 2)), "concat: axis 2 is out of range for [2, 2]: -2 to 1");
    assert_eq!(text(Tensor::stack(&[&a], 3)), "stack: a new axis 3 is out of range for [2, 2]: -3 to 2");
    assert_eq!(text(Tensor::concat(&[Tensor::from(1)], 0)), "concat: axis 0 is out of range: a scalar has no axes");
}

#[test]
fn rows_are_gathered_from_any_view() {
    let x = range(&[4, 3]);
    assert_eq!(ints(&x.gather_rows(&[3, 3, 0]).unwrap()), [9, 10, 11, 9, 10, 11, 0, 1, 2]);
    assert_eq!(ints(&x.flip(0).unwrap().gather_rows(&[0, 3]).unwrap()), [9, 10, 11, 0, 1, 2]);
    assert_eq!(ints(&x.slice(0, 1..).unwrap().slice_step(0, .., 2).unwrap().gather_rows(&[1]).unwrap()), [9, 10, 11]);
    assert_eq!(ints(&x.t().unwrap().gather_rows(&[2]).unwrap()), [2, 5, 8, 11]);
    assert_eq!(ints(&x.slice(1, 1..).unwrap().gather_rows(&[1, 0]).unwrap()), [4, 5, 1, 2]);
    assert_eq!(ints(&range(&[3]).broadcast_to([2, 3]).unwrap().gather_rows(&[1, 0]).unwrap()), [0, 1, 2, 0, 1, 2]);
    assert_eq!(ints(&range(&[5]).gather_rows(&[4, 2]).unwrap()), [4, 2]);
    assert_eq!(x.gather_rows(&[]).unwrap().shape(), &[0, 3]);
    assert_eq!(range(&[4, 0]).gather_rows(&[1, 2]).unwrap().shape(), &[2, 0]);
    assert_eq!(text(x.gather_rows(&[1, 4])), "gather_rows: row 4 is out of bounds for [4, 3], which has 4 rows");
    assert_eq!(
        text(range(&[0, 3]).gather_rows(&[0])),
        "gather_rows: row 0 is out of bounds for [0, 3], which has 0 rows"
    );
    assert_eq!(text(Tensor::from(1).gather_rows(&[])), "gather_rows: a scalar has no rows");
}

#[test]
fn impossible_views_are_errors_of_the_callers_line() {
    let x = range(&[2, 3]);
    assert_eq!(text(x.reshape([4, 2])), "reshape: [2, 3] has 6 elements, [4, 2] takes 8");
    assert_eq!(text(x.reshape([usize::MAX, 2])), "reshape: the size of [18446744073709551615, 2] overflows");
    assert_eq!(text(x.permute(&[0])), "permute: [0] names 1 of the 2 axes of [2, 3]");
    assert_eq!(text(x.transpose(0, 2)), "transpose: axis 2 is out of range for [2, 3]: -2 to 1");
    assert_eq!(text(range(&[2]).t()), "t: [2] is not a matrix");
    assert_eq!(text(x.slice(0, 1..4)), "slice: range 1..4 is out of bounds for axis 0 of [2, 3]");
    assert_eq!(text(x.slice_step(0, .., 0)), "slice_step: a step of 0");
    #[expect(clippy::reversed_empty_ranges)]
    let backwards = 2..1;
    assert_eq!(text(x.slice(1, backwards)), "slice: range 2..1 runs backwards");
    assert_eq!(text(x.select(0, 2)), "select: index 2 is out of bounds for axis 0 of [2, 3]");
    assert_eq!(text(x.flip(-3)), "flip: axis -3 is out of range for [2, 3]: -2 to 1");
    assert_eq!(text(x.squeeze(0)), "squeeze: axis 0 of [2, 3] has size 2, not 1");
    assert_eq!(text(x.unsqueeze(-4)), "unsqueeze: a new axis -4 is out of range for [2, 3]: -3 to 2");
    assert_eq!(text(x.broadcast_to([3, 3])), "broadcast_to: [2, 3] does not broadcast to [3, 3]: 2 and 3 at axis -2");
    let e = x.squeeze(1).unwrap_err();
    assert_eq!(e.operands(), [("tensor".to_string(), "[2, 3] i32".to_string())]);
}
