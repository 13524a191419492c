use super::*;

#[test]
fn every_line_has_its_column() {
    let at = Location::caller();
    let e = Error::shape("inner dimensions differ: 784 and 512")
        .op("matmul")
        .operand("left", "[32, 784] f32   from `flatten`")
        .operand("right", "[512, 10] f32   parameter `head.weight`")
        .at(at)
        .within("Net › head (Dense)")
        .help("`head` takes 512 inputs; Dense::new(784, 10) would take this one");
    let text = format!(
        "\
matmul: inner dimensions differ: 784 and 512
  left   [32, 784] f32   from `flatten`
  right  [512, 10] f32   parameter `head.weight`
  at     {}:{}:{}, in Net › head (Dense)
  help   `head` takes 512 inputs; Dense::new(784, 10) would take this one",
        at.file(),
        at.line(),
        at.column()
    );
    assert_eq!(e.to_string(), text);
    assert_eq!(format!("{e:?}"), text);
}

#[test]
fn labels_widen_the_column_and_texts_keep_it() {
    let e = Error::dtype("f32 and f64 do not mix")
        .operand("condition", "[2] bool")
        .operand("b", "[2] f64")
        .help("cast one of them:\n.cast(DType::F32)");
    assert_eq!(
        e.to_string(),
        "\
f32 and f64 do not mix
  condition  [2] bool
  b          [2] f64
  help       cast one of them:
             .cast(DType::F32)"
    );
}

#[test]
fn what_is_nearest_to_the_fault_stays_and_help_is_replaced() {
    let here = Location::caller();
    let e = Error::index("index 9 is out of bounds").op("gather").within("Embedding").at(here).help("inner");
    let e = e.op("loss").within("Net").at(Location::caller()).help("outer");
    assert_eq!((e.op_name(), e.path(), e.help_text()), (Some("gather"), Some("Embedding"), Some("outer")));
    assert_eq!(e.location(), Some(here));
    assert_eq!(e.kind(), ErrorKind::Index);
    assert_eq!(e.message(), "index 9 is out of bounds");
}

#[test]
fn a_clone_is_not_changed_by_what_is_added_later() {
    let e = Error::value("a step of 0");
    let named = e.clone().op("slice").operand("tensor", "[3] f32");
    assert_eq!(e.to_string(), "a step of 0");
    assert_eq!(named.operands().len(), 1);
}

#[test]
fn the_cause_is_printed_and_is_the_source() {
    let cause = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "not allowed");
    let e = Error::io("cannot write `a.csv`").caused_by(cause).help("choose another folder");
    assert_eq!(e.to_string(), "cannot write `a.csv`\n  cause  not allowed\n  help   choose another folder");
    assert_eq!(e.source().map(ToString::to_string).as_deref(), Some("not allowed"));
    assert!(Error::io("x").source().is_none());
}

#[test]
fn it_is_small_and_crosses_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Error>();
    assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
}
