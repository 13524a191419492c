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

/// Where the operands lie, to be shared by threads.
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
    let grid = Grid::new(p, size_of::<f32>(), kernels.rows, 2 * kernels.lanes);
    let operands = Operands { a, b, c };
    let parts = grid.parts();
    each(p.count() * parts, p.work() / parts, &|unit| {
        let operands = &operands;
        let (index, part) = (unit / parts, grid.part(unit % parts));
        let (a, b) = p.start(index);
        let rooms = Rooms::new(part, p.k, kernels);
        with_room(Room::Unit, rooms.bytes(), |room| {
            // SAFETY: the part lies within product `index`, whose operands lie within what the caller promises;
            // the room is as large as asked for.
            unsafe {
                let c = operands.c.add(index * p.m * p.n);
                let room = rooms.split(room.cast());
                unit_of_work(p, kernels, part, operands.a.offset(a), operands.b.offset(b), c, room);
            }
        });
    });
}

/// How many f32 a unit needs for its rows of A, its part of C, a panel of B, and that panel before it is packed.
struct Rooms([usize; 4]);

impl Rooms {
    fn new(part: Part, k: usize, kernels: &Kernels<f32>) -> Rooms {
        let depth = depth(k).min(k);
        let panel = 2 * kernels.lanes * depth;
        Rooms([part.rows * depth, part.rows * part.cols, panel, panel].map(|n| n.next_multiple_of(16)))
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

/// # Safety
/// As for [`super::block::Job::run`]; the rooms are writable for what [`Rooms`] says.
unsafe fn unit_of_work<H: Half>(
    p: &Normal,
    kernels: &Kernels<f32>,
    part: Part,
    a: *const H,
    b: *const H,
    c: *mut H,
    [a_room, c_room, b_room, wide_room]: [*mut f32; 4],
) {
    let wide = 2 * kernels.lanes;
    let Part { rows, cols, .. } = part;
    // SAFETY: all that is read lies within the operands, as the caller promises, and all copies within the rooms.
    unsafe {
        for (start, depth) in blocks(p.k) {
            let from = a.offset(part.row as isize * p.a[0] + start as isize * p.a[1]);
            let a_strides = widen(from, p.a, [rows, depth], a_room);
            for col in (0..cols).step_by(wide) {
                let width = wide.min(cols - col);
                let from = b.offset(start as isize * p.b[0] + (part.col + col) as isize * p.b[1]);
                let [along, side] = widen(from, p.b, [depth, width], wide_room);
                (kernels.pack_b)(&Block { from: wide_room, side, along, width, depth, to: b_room });
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
                });
            }
        }
        for r in 0..rows {
            let from = std::slice::from_raw_parts(c_room.add(r * cols), cols);
            let to = c.add((part.row + r) * p.n + part.col);
            H::round(from, std::slice::from_raw_parts_mut(to, cols));
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
