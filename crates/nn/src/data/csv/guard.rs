//! Watches the bytes of a CSV file on their way to the parser.

use std::io::{self, Read};

/// A reader that stops at a limit, and knows whether the text ended inside of quotes.
///
/// The parser takes the end of the text for the end of an open quote, so it cannot tell a torn file from a whole one.
pub(super) struct Guard<R> {
    inner: R,
    separator: u8,
    left: u64,
    over: bool,
    ended: bool,
    line: u64,
    opened: u64,
    place: Place,
}

/// Where in a cell the text is.
#[derive(Clone, Copy)]
enum Place {
    /// At the start of the text, after so many bytes of a byte order mark.
    Mark(usize),
    Start,
    Plain,
    Quoted,
    /// After a quote that closes the cell, unless another one follows.
    Closing,
}

const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

impl<R> Guard<R> {
    pub(super) fn new(inner: R, separator: u8, limit: u64) -> Guard<R> {
        Guard { inner, separator, left: limit, over: false, ended: false, line: 1, opened: 1, place: Place::Mark(0) }
    }

    /// True once there was more than the limit.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The line of the quote that was open when the text ended.
    pub(super) fn torn(&self) -> Option<u64> {
        (self.ended && matches!(self.place, Place::Quoted)).then_some(self.opened)
    }

    fn watch(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::Mark(at), byte) if MARK.get(at) == Some(&byte) => Place::Mark(at + 1),
            (Place::Quoted, b'"') => Place::Closing,
            (Place::Quoted, _) => Place::Quoted,
            (Place::Closing, b'"') => Place::Quoted,
            (_, b'\n' | b'\r') => Place::Start,
            (_, byte) if byte == self.separator => Place::Start,
            (Place::Mark(0 | 3) | Place::Start, b'"') => {
                self.opened = self.line;
                Place::Quoted
            }
            _ => Place::Plain,
        };
        self.line += u64::from(byte == b'\n');
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.ended |= count == 0 && !buffer.is_empty();
        self.over |= count as u64 > self.left;
        if self.over {
            return Err(io::Error::other("more bytes than the limit"));
        }
        self.left -= count as u64;
        buffer.iter().take(count).for_each(|&byte| self.watch(byte));
        Ok(count)
    }
}
