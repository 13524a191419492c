//! Pickle, as far as `torch.save` needs it for tensors.
//!
//! A pickle is a program for a stack machine that may call any function of Python. This machine knows plain values and
//! five callables, all of which it performs itself; whatever else a file asks for is an error that names it. The
//! opcodes are those of Python's `pickletools`.

use super::super::store::quoted;
use std::collections::HashMap;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;

/// A value; containers hold places in [`Pickle::nodes`], so that nothing recurses, not even when it is dropped.
#[derive(Clone, Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    /// A tuple or a list.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A place in [`Pickle::storages`].
    Storage(usize),
    Tensor(Box<View>),
}

pub(super) type Id = u32;

/// The names that a pickle may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Storage(Kind),
}

/// How a storage's elements lie in the file, and what they become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) size: usize,
    pub(super) dtype: DType,
}

/// The elements that tensors are views of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StorageRef {
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) len: usize,
}

/// A tensor: which elements of which storage.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) storage: usize,
    pub(super) layout: Layout,
}

/// All values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
    pub(super) storages: Vec<StorageRef>,
}

/// Half a million tensors; more than that is no model. A value takes 32 bytes, and a byte of a pickle makes one at most.
const MAX_NODES: usize = 1 << 24;
/// More axes than any tensor has.
const MAX_RANK: usize = 32;

const NONE: Id = 0;
const TRUE: Id = 1;
const FALSE: Id = 2;

/// Runs a pickle. `file` stands for the file in errors.
pub(super) fn run(file: &str, bytes: &[u8]) -> Result<Pickle> {
    let mut machine = Machine {
        file,
        rest: bytes,
        length: bytes.len(),
        nodes: vec![Node::None, Node::Bool(true), Node::Bool(false)],
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages: Vec::new(),
        known: HashMap::new(),
    };
    loop {
        let code = machine.byte()?;
        if code == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { nodes: machine.nodes, root, storages: machine.storages });
        }
        machine.step(code)?;
    }
}

struct Machine<'a> {
    file: &'a str,
    rest: &'a [u8],
    length: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    storages: Vec<StorageRef>,
    known: HashMap<StorageRef, usize>,
}

impl Machine<'_> {
    fn step(&mut self, code: u8) -> Result<()> {
        match code {
            // PROTO, FRAME
            0x80 => self.bytes(1).map(drop),
            0x95 => self.bytes(8).map(drop),
            b'N' => self.push_id(NONE),
            0x88 => self.push_id(TRUE),
            0x89 => self.push_id(FALSE),
            // BININT, BININT1, BININT2, LONG1, LONG4
            b'J' => self.number(4, true),
            b'K' => self.number(1, false),
            b'M' => self.number(2, false),
            0x8a => {
                let size = self.unsigned(1)?;
                self.number(size, true)
            }
            0x8b => {
                let size = self.unsigned(4)?;
                self.number(size, true)
            }
            // BINFLOAT, the one number that is big-endian
            b'G' => {
                let bits = self.bytes(8)?.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
                self.push(Node::Float(f64::from_bits(bits)))
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
            b'X' => self.text(4),
            0x8c => self.text(1),
            0x8d => self.text(8),
            // EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE, MARK
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' | b')' => self.push(Node::List(Vec::new())),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            // TUPLE, LIST, DICT; TUPLE1 to TUPLE3
            b't' | b'l' => {
                let items = self.since_mark()?;
                self.push(Node::List(items))
            }
            b'd' => {
                let items = self.since_mark()?;
                let pairs = self.pairs(&items)?;
                self.push(Node::Dict(pairs))
            }
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(code - 0x84));
                let start = start.filter(|&start| self.floor() <= start).ok_or_else(|| self.empty())?;
                let items = self.stack.split_off(start);
                self.push(Node::List(items))
            }
            // APPEND, APPENDS, SETITEM, SETITEMS
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])
            }
            b'e' => {
                let items = self.since_mark()?;
                self.extend(&items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])
            }
            b'u' => {
                let items = self.since_mark()?;
                self.insert(&items)
            }
            // POP, POP_MARK, DUP
            b'0' => self.pop().map(drop),
            b'1' => self.since_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)
            }
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => self.put(1),
            b'r' => self.put(4),
            0x94 => {
                let (at, top) = (self.memo.len() as u32, self.top()?);
                self.memo.insert(at, top);
                Ok(())
            }
            b'h' => self.get(1),
            b'j' => self.get(4),
            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let global = self.global(&module, &name)?;
                self.push(Node::Global(global))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = (self.text_of(module)?.to_string(), self.text_of(name)?.to_string());
                let global = self.global(&module, &name)?;
                self.push(Node::Global(global))
            }
            // REDUCE, BUILD, BINPERSID
            b'R' => self.call(),
            b'b' => self.build(),
            b'Q' => self.storage(),
            _ => {
                let what = format!("opcode 0x{code:02x} at byte {} of the pickle", self.length - self.rest.len() - 1);
                Err(self.refused(&what).help("dicts, lists, numbers, texts and tensors can be read"))
            }
        }
    }

    fn refused(&self, what: &str) -> Error {
        Error::format(format!("{}: {what}", self.file))
    }

    fn empty(&self) -> Error {
        self.refused("the pickle takes a value from an empty stack")
    }

    fn bytes(&mut self, count: usize) -> Result<&[u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.refused("the pickle is cut off"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?.first().copied().unwrap_or_default())
    }

    /// A size of so many bytes; one that does not fit is larger than any file.
    fn unsigned(&mut self, size: usize) -> Result<usize> {
        let value = self.bytes(size)?.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    }

    fn number(&mut self, size: usize, signed: bool) -> Result<()> {
        if size > 8 {
            return Err(self.refused(&format!("a whole number of {size} bytes; at most 8 are read")));
        }
        let bytes = self.bytes(size)?;
        let negative = signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let value = bytes.iter().rev().fold(if negative { -1 } else { 0 }, |value, &byte| value << 8 | i64::from(byte));
        self.push(Node::Int(value))
    }

    fn text(&mut self, width: usize) -> Result<()> {
        let size = self.unsigned(width)?;
        let text = std::str::from_utf8(self.bytes(size)?).map(Box::from);
        let text = text.map_err(|_| self.refused("a text of the pickle is not UTF-8"))?;
        self.push(Node::Text(text))
    }

    fn line(&mut self) -> Result<String> {
        let end = self.rest.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| self.refused("the pickle is cut off"))?;
        let line = self.bytes(end + 1)?;
        Ok(String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned())
    }

    fn push(&mut self, node: Node) -> Result<()> {
        if self.nodes.len() >= MAX_NODES {
            return Err(self.refused(&format!("more than {MAX_NODES} values")));
        }
        self.nodes.push(node);
        self.push_id((self.nodes.len() - 1) as Id)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        self.stack.push(id);
        Ok(())
    }

    /// What lies below the last mark is not taken one by one.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id> {
        match self.stack.len() > self.floor() {
            true => self.stack.pop().ok_or_else(|| self.empty()),
            false => Err(self.empty()),
        }
    }

    fn top(&self) -> Result<Id> {
        self.stack.get(self.floor()..).and_then(<[Id]>::last).copied().ok_or_else(|| self.empty())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let mark =
            self.marks.pop().ok_or_else(|| self.refused("the pickle takes values to a mark that is not there"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>> {
        let (pairs, rest) = items.as_chunks::<2>();
        match rest {
            [] => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.refused("a dict of the pickle has a key without a value")),
        }
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }

    fn extend(&mut self, items: &[Id]) -> Result<()> {
        let list = self.top()?;
        match self.nodes.get_mut(list as usize) {
            Some(Node::List(list)) => {
                list.extend_from_slice(items);
                Ok(())
            }
            _ => Err(self.refused("the pickle appends to what is no list")),
        }
    }

    fn insert(&mut self, items: &[Id]) -> Result<()> {
        let (dict, pairs) = (self.top()?, self.pairs(items)?);
        match self.nodes.get_mut(dict as usize) {
            Some(Node::Dict(dict)) => {
                dict.extend_from_slice(&pairs);
                Ok(())
            }
            _ => Err(self.refused("the pickle sets an item of what is no dict")),
        }
    }

    fn put(&mut self, width: usize) -> Result<()> {
        let (at, top) = (self.unsigned(width)?, self.top()?);
        self.memo.insert(at as u32, top);
        Ok(())
    }

    fn get(&mut self, width: usize) -> Result<()> {
        let at = self.unsigned(width)? as u32;
        match self.memo.get(&at) {
            Some(&id) => self.push_id(id),
            None => Err(self.refused(&format!("the pickle recalls value {at}, which it never kept"))),
        }
    }

    fn text_of(&self, id: Id) -> Result<&str> {
        match self.node(id) {
            Node::Text(text) => Ok(text),
            _ => Err(self.refused("the pickle has another value where a text belongs")),
        }
    }

    fn list_of(&self, id: Id) -> Result<&[Id]> {
        match self.node(id) {
            Node::List(items) => Ok(items),
            _ => Err(self.refused("the pickle has another value where a tuple belongs")),
        }
    }

    fn size_of(&self, id: Id) -> Result<usize> {
        match self.node(id) {
            Node::Int(value) => {
                usize::try_from(*value).map_err(|_| self.refused(&format!("a size or stride of {value}")))
            }
            _ => Err(self.refused("the pickle has another value where a size belongs")),
        }
    }

    fn global(&self, module: &str, name: &str) -> Result<Global> {
        let kind = |size, dtype| Ok(Global::Storage(Kind { size, dtype }));
        match (module, name) {
            ("collections", "OrderedDict") => Ok(Global::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Global::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Ok(Global::RebuildParameter),
            ("torch", "Size") => Ok(Global::Size),
            ("torch", "DoubleStorage") => kind(8, DType::F64),
            ("torch", "FloatStorage") => kind(4, DType::F32),
            ("torch", "HalfStorage") => kind(2, DType::F16),
            ("torch", "BFloat16Storage") => kind(2, DType::BF16),
            ("torch", "LongStorage") => kind(8, DType::I64),
            ("torch", "IntStorage") => kind(4, DType::I32),
            ("torch", "ShortStorage") => kind(2, DType::I32),
            ("torch", "CharStorage") => kind(1, DType::I32),
            ("torch", "ByteStorage") => kind(1, DType::U8),
            ("torch", "BoolStorage") => kind(1, DType::Bool),
            _ => {
                let what = format!("it asks for {}, which is not made here", quoted(&format!("{module}.{name}")));
                Err(self.refused(&what).help("save the weights alone: `torch.save(model.state_dict(), path)`"))
            }
        }
    }

    fn call(&mut self) -> Result<()> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Node::Global(global) = *self.node(callable) else {
            return Err(self.refused("the pickle calls what is no function"));
        };
        let arguments = self.list_of(arguments)?;
        match (global, arguments) {
            (Global::OrderedDict, []) => self.push(Node::Dict(Vec::new())),
            (Global::Size, &[size]) => self.push_id(size),
            // The tensor, whether it wants a gradient, and hooks.
            (Global::RebuildParameter, &[tensor, ..]) if matches!(self.node(tensor), Node::Tensor(_)) => {
                self.push_id(tensor)
            }
            (Global::RebuildTensor, &[storage, offset, sizes, strides, ..]) => {
                let view = self.view(storage, offset, sizes, strides)?;
                self.push(Node::Tensor(Box::new(view)))
            }
            _ => Err(self.refused(&format!("the pickle calls {global:?} with other arguments than torch does"))),
        }
    }

    fn view(&self, storage: Id, offset: Id, sizes: Id, strides: Id) -> Result<View> {
        let Node::Storage(storage) = *self.node(storage) else {
            return Err(self.refused("a tensor of the pickle has no storage"));
        };
        let (sizes, strides) = (self.list_of(sizes)?, self.list_of(strides)?);
        if sizes.len() > MAX_RANK {
            return Err(self.refused(&format!("a tensor of {} axes; at most {MAX_RANK} are read", sizes.len())));
        }
        let sizes: Vec<usize> = sizes.iter().map(|&size| self.size_of(size)).collect::<Result<_>>()?;
        let strides: Vec<usize> = strides.iter().map(|&stride| self.size_of(stride)).collect::<Result<_>>()?;
        let signed: Vec<isize> = strides.iter().map(|&stride| isize::try_from(stride).unwrap_or(isize::MAX)).collect();
        let held = self.storages.get(storage).map_or(0, |storage| storage.len);
        let layout = Shape::new(sizes)
            .and_then(|shape| Layout::new(shape, &signed, self.size_of(offset)?))
            .map_err(|error| self.refused(error.message()))?;
        let inside = layout.bounds().is_none_or(|(_, last)| last < held);
        match inside && layout.len() <= held {
            true => Ok(View { storage, layout }),
            false => {
                let what = format!("a tensor of shape {} in a storage of {held} elements", layout.shape());
                Err(self.refused(&what).help("if it was expanded, save `tensor.contiguous()`"))
            }
        }
    }

    /// Attributes of a dict, such as the versions of a state dict, have no meaning here.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        match self.node(self.top()?) {
            Node::Dict(_) => Ok(()),
            _ => Err(self.refused("the pickle sets attributes of what is no dict")),
        }
    }

    /// `("storage", kind, key, device, elements)`
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let &[tag, kind, key, _, len, ..] = self.list_of(id)? else {
            return Err(self.refused("the pickle refers to something that is no storage"));
        };
        let ("storage", &Node::Global(Global::Storage(kind))) = (self.text_of(tag)?, self.node(kind)) else {
            return Err(self.refused("the pickle refers to something that is no storage"));
        };
        let storage = StorageRef { key: self.text_of(key)?.to_string(), kind, len: self.size_of(len)? };
        let at = match self.known.get(&storage) {
            Some(&at) => at,
            None => {
                self.known.insert(storage.clone(), self.storages.len());
                self.storages.push(storage);
                self.storages.len() - 1
            }
        };
        self.push(Node::Storage(at))
    }
}
