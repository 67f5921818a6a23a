//! Rows by slot, in chunks: growing copies none and never holds them all twice, so that it stalls nobody.

use std::ops::{Index, IndexMut};

/// Like a `Vec`, as far as a table needs it.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// All full but the last.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Rows<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn push(&mut self, row: T) {
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push(row),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(row);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
    }

    pub fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.chunks.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Rows<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.chunks[place / CHUNK][place % CHUNK]
    }
}

impl<T> IndexMut<usize> for Rows<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.chunks[place / CHUNK][place % CHUNK]
    }
}

/// Rows of a chunk: those of the hub make 1.75 MiB.
const CHUNK: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_where_they_are_while_others_come() {
        let mut rows = Rows::default();
        rows.push(0);
        let first = &raw const rows[0];

        (1..3 * CHUNK + 5).for_each(|row| rows.push(row));

        assert_eq!(&raw const rows[0], first);
        assert_eq!(rows.len(), 3 * CHUNK + 5);
        assert!(rows.iter().copied().eq(0..3 * CHUNK + 5));
        for place in [0, CHUNK - 1, CHUNK, 3 * CHUNK + 4] {
            assert_eq!((rows[place], rows.get(place)), (place, Some(&place)));
        }
        assert_eq!(rows.get(3 * CHUNK + 5), None);
    }
}
