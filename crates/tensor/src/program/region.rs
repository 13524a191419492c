//! Where an operand lies: bytes of one of a program's buffers.

/// The buffer that holds every intermediate value of a program.
pub const ARENA: u32 = 0;

/// A run of bytes in one of the program's buffers.
///
/// Buffer 0 is the arena, buffers `1..=inputs` are the inputs, the rest are the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Which buffer.
    pub buffer: u32,
    /// The first byte.
    pub offset: usize,
    /// The number of bytes.
    pub len: usize,
}

impl Region {
    /// The `len` bytes from `offset` of `buffer`.
    pub fn new(buffer: u32, offset: usize, len: usize) -> Self {
        Self { buffer, offset, len }
    }

    /// Whether the two share a byte.
    pub fn overlaps(&self, other: &Region) -> bool {
        self.buffer == other.buffer
            && self.len > 0
            && other.len > 0
            && self.offset < other.offset + other.len
            && other.offset < self.offset + self.len
    }
}
