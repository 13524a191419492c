//! Products of 16-bit floats: widened when copied, summed in f32, rounded once.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::block::Part;
use super::cut::{Grid, each};
use super::kernels::Kernels;
use super::normal::Normal;
use super::order::{blocks, depth};
use super::pack::Block;
use super::scratch::{Room, with_room};
use super::tile::Panel;
use super::vector::{Few, ROWS};

/// The 16-bit floats.
pub(super) trait Half: Copy + Default + Send + Sync + 'static {
    /// Each element of `from`, exactly.
    fn widen(from: &[Self], to: &mut [f32]);
    /// Each element of `from`, rounded to nearest, ties to even.
    fn round(from: &[f32], to: &mut [Self]);
}

impl Half for bf16 {
    fn widen(from: &[bf16], to: &mut [f32]) {
        for (x, y) in from.iter().zip(to) {
            *y = f32::from_bits(u32::from(x.to_bits()) << 16);
        }
    }
    fn round(from: &[f32], to: &mut [bf16]) {
        to.convert_from_f32_slice(from);
    }
}

impl Half for f16 {
    fn widen(from: &[f16], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
    fn round(from: &[f32], to: &mut [f16]) {
        to.convert_from_f32_slice(from);
    }
}

/// Where the operands of one product lie.
#[derive(Clone, Copy)]
struct Operands<H> {
    a: *const H,
    b: *const H,
    c: *mut H,
}
// SAFETY: A and B are only read, and each part of C is written by one unit of work.
unsafe impl<H: Sync> Sync for Operands<H> {}

/// Computes all products.
///
/// # Safety
/// As for [`super::MatMul::run`], with elements of type `H`; the instruction set of the kernels is available.
pub(super) unsafe fn run<H: Half>(p: &Normal, kernels: &'static Kernels<f32>, a: *const H, b: *const H, c: *mut H) {
    let grid = Grid::new::<f32>(p, kernels.rows, 2 * kernels.lanes);
    let all = Operands { a, b, c };
    let parts = grid.parts();
    each(p.count() * parts, p.work() / parts, &|unit| {
        let all = &all;
        let (index, part) = (unit / parts, grid.part(unit % parts));
        let (a, b) = p.start(index);
        let rooms = Rooms::new(part, p.k, kernels);
        with_room(Room::Unit, rooms.bytes(), |room| {
            // SAFETY: the part lies within product `index`, whose operands lie within what the caller promises;
            // the room is as large as asked for.
            unsafe {
                let at = Operands { a: all.a.offset(a), b: all.b.offset(b), c: all.c.add(index * p.m * p.n) };
                let room = rooms.split(room.cast());
                if part.rows <= ROWS {
                    few(p, kernels, part, at, room);
                } else {
                    panels(p, kernels, part, at, room);
                }
                round(p, part, room[1], at.c);
            }
        });
    });
}

/// How many f32 a unit needs: for its rows of A, its part of C, columns of B as they lie, and the same packed.
struct Rooms([usize; 4]);

impl Rooms {
    fn new(part: Part, k: usize, kernels: &Kernels<f32>) -> Rooms {
        let depth = depth(k);
        let panel = 2 * kernels.lanes * depth;
        let c = part.rows * part.cols;
        let rooms = if part.rows <= ROWS {
            [part.rows * k, c, columns(part, k) * k, 0]
        } else {
            [part.rows * depth, c, panel, panel]
        };
        Rooms(rooms.map(|n| n.next_multiple_of(16)))
    }

    fn bytes(&self) -> usize {
        self.0.iter().sum::<usize>() * size_of::<f32>()
    }

    fn split(&self, mut room: *mut f32) -> [*mut f32; 4] {
        self.0.map(|n| {
            let this = room;
            room = room.wrapping_add(n);
            this
        })
    }
}

/// Columns of B that are widened at a time for few rows: they stay in the L2 cache.
fn columns(part: Part, k: usize) -> usize {
    ((64 << 10) / k).clamp(32, 256).min(part.cols)
}

/// Few rows: columns of B, widened as they lie, whole in k.
///
/// # Safety
/// The part lies within the product at `at`; the rooms are writable for what [`Rooms`] says.
unsafe fn few<H: Half>(
    p: &Normal,
    kernels: &Kernels<f32>,
    part: Part,
    at: Operands<H>,
    [a_room, c_room, b_room, _]: [*mut f32; 4],
) {
    let Part { rows, cols, .. } = part;
    let step = columns(part, p.k);
    // SAFETY: all that is read lies within the operands, as the caller promises, and all copies within the rooms;
    // the kernels are ones for this machine.
    unsafe {
        let a_strides = widen(at.a.offset(part.row as isize * p.a[0]), p.a, [rows, p.k], a_room);
        for col in (0..cols).step_by(step) {
            let n = step.min(cols - col);
            let from = at.b.offset((part.col + col) as isize * p.b[1]);
            let [along, side] = widen(from, p.b, [p.k, n], b_room);
            let (kernel, b_stride) =
                if side == 1 { (kernels.along_columns, along) } else { (kernels.across_columns, side) };
            let (c, c_stride) = (c_room.add(col), cols);
            kernel(&Few { a: a_room, a_strides, b: b_room, b_stride, c, c_stride, rows, n, k: p.k });
        }
    }
}

/// Block of k after block of k, panel after panel.
///
/// # Safety
/// As for [`few`].
unsafe fn panels<H: Half>(
    p: &Normal,
    kernels: &Kernels<f32>,
    part: Part,
    at: Operands<H>,
    [a_room, c_room, wide_room, b_room]: [*mut f32; 4],
) {
    let wide = 2 * kernels.lanes;
    let Part { rows, cols, .. } = part;
    // SAFETY: all that is read lies within the operands, as the caller promises, and all copies within the rooms;
    // the kernels are ones for this machine.
    unsafe {
        for (start, depth) in blocks(p.k) {
            let from = at.a.offset(part.row as isize * p.a[0] + start as isize * p.a[1]);
            let a_strides = widen(from, p.a, [rows, depth], a_room);
            for col in (0..cols).step_by(wide) {
                let width = wide.min(cols - col);
                let from = at.b.offset(start as isize * p.b[0] + (part.col + col) as isize * p.b[1]);
                let [along, side] = widen(from, p.b, [depth, width], wide_room);
                (kernels.pack_b)(&Block { from: wide_room, side, along, width, depth, to: b_room, next: 0 });
                (kernels.panel)(&Panel {
                    a: a_room,
                    a_strides,
                    a_strips: false,
                    b: b_room,
                    b_stride: width.next_multiple_of(kernels.lanes) as isize,
                    c: c_room.add(col),
                    c_stride: cols,
                    rows,
                    cols: width,
                    depth,
                    first: start == 0,
                    fresh: false,
                });
            }
        }
    }
}

/// Rounds the finished part into C.
///
/// # Safety
/// `from` is readable for the part, row after row, and C is writable for the product.
unsafe fn round<H: Half>(p: &Normal, part: Part, from: *const f32, c: *mut H) {
    for r in 0..part.rows {
        // SAFETY: promised by the caller.
        unsafe {
            let from = std::slice::from_raw_parts(from.add(r * part.cols), part.cols);
            let to = c.add((part.row + r) * p.n + part.col);
            H::round(from, std::slice::from_raw_parts_mut(to, part.cols));
        }
    }
}

/// Widens a block of rows by columns and returns the strides of the copy. What was adjacent stays adjacent.
///
/// # Safety
/// The block is readable and `to` is writable for as many elements.
unsafe fn widen<H: Half>(from: *const H, strides: [isize; 2], extents: [usize; 2], to: *mut f32) -> [isize; 2] {
    let inner = usize::from(strides[0] != 1 || strides[1] == 1);
    let (lines, length) = (extents[1 - inner], extents[inner]);
    for i in 0..lines {
        // SAFETY: line `i` lies within the block.
        unsafe {
            let line = from.offset(i as isize * strides[1 - inner]);
            let to = std::slice::from_raw_parts_mut(to.add(i * length), length);
            if strides[inner] == 1 {
                H::widen(std::slice::from_raw_parts(line, length), to);
            } else {
                for (j, x) in to.iter_mut().enumerate() {
                    H::widen(&[*line.offset(j as isize * strides[inner])], std::slice::from_mut(x));
                }
            }
        }
    }
    if inner == 1 { [length as isize, 1] } else { [1, length as isize] }
}
