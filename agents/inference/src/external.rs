//! Which other files an ONNX file has its reader open: tensors may lie elsewhere. Field numbers are those of onnx.proto.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, Read},
};

/// Graphs within graphs that are followed.
const MAX_DEPTH: u32 = 64;

/// Longest name of a file, in bytes.
const MAX_NAME: u64 = 4096;

/// What a message is, as far as tensors may lie in it.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
    Entry,
}

impl Kind {
    /// What a field of such a message holds.
    fn field(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Tensor, 13) => Self::Entry,
            _ => return None,
        })
    }
}

/// The locations of all tensors that lie in other files, as the ONNX file has them. Weights are passed over, not read.
///
/// # Errors
/// When the file cannot be read, or is no message.
pub(crate) fn locations(file: &File) -> io::Result<BTreeSet<String>> {
    let length = file.metadata()?.len();
    let mut walk = Walk { file: BufReader::new(file), left: length, found: BTreeSet::new() };
    walk.message(Kind::Model, 0, 0)?;
    Ok(walk.found)
}

struct Walk<'a> {
    file: BufReader<&'a File>,
    /// Bytes until the end of the file.
    left: u64,
    found: BTreeSet<String>,
}

impl Walk<'_> {
    /// Walks through a message that ends where `end` bytes are left.
    fn message(&mut self, kind: Kind, end: u64, depth: u32) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed());
        }
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while self.left > end {
            let tag = self.varint()?;
            let length = match tag & 7 {
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => 8,
                2 => self.varint()?,
                5 => 4,
                _ => return Err(malformed()),
            };
            let rest = self.left.checked_sub(length).filter(|rest| *rest >= end).ok_or_else(malformed)?;
            match (kind, tag) {
                (Kind::Entry, KEY) => key = self.bytes(length)?,
                (Kind::Entry, VALUE) => value = self.bytes(length)?,
                _ => match kind.field(tag >> 3).filter(|_| tag & 7 == 2) {
                    Some(inner) => self.message(inner, rest, depth + 1)?,
                    None => self.skip(length)?,
                },
            }
        }
        if key == b"location" {
            self.found.insert(String::from_utf8_lossy(&value).into_owned());
        }
        if self.left == end { Ok(()) } else { Err(malformed()) }
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.file.read_exact(&mut byte)?;
            self.left = self.left.checked_sub(1).ok_or_else(malformed)?;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed())
    }

    fn bytes(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length > MAX_NAME {
            return Err(malformed());
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        self.left -= length;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        self.file.seek_relative(i64::try_from(length).map_err(|_| malformed())?)?;
        self.left -= length;
        Ok(())
    }
}

/// Tags of the texts of an entry, fields 1 and 2.
const KEY: u64 = 1 << 3 | 2;
const VALUE: u64 = 2 << 3 | 2;

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is no ONNX file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    fn message(field: u64, parts: &[Vec<u8>]) -> Vec<u8> {
        let inner = parts.concat();
        assert!(inner.len() < 1 << 14);
        let (tag, length) = (field << 3 | 2, inner.len());
        let mut out = if tag < 128 { vec![tag as u8] } else { vec![tag as u8 | 0x80, (tag >> 7) as u8] };
        out.extend([length as u8 | 0x80, (length >> 7) as u8]);
        out.extend(inner);
        out
    }

    fn tensor(field: u64, location: &str) -> Vec<u8> {
        let entry = |key: &str, value: &str| message(13, &[message(1, &[key.into()]), message(2, &[value.into()])]);
        message(field, &[message(9, &[vec![7; 100]]), entry("offset", "0"), entry("location", location)])
    }

    fn found(bytes: &[u8]) -> io::Result<Vec<String>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        locations(&file).map(|found| found.into_iter().collect())
    }

    #[test]
    fn tensors_are_found_wherever_they_may_lie() {
        let attribute = |tensor| message(5, &[tensor]);
        let inner = message(6, &[message(1, &[attribute(tensor(5, "in a graph in a node"))])]);
        let sparse = message(15, &[tensor(1, "sparse values"), tensor(2, "sparse indices")]);
        let graph = message(
            7,
            &[
                tensor(5, "initialiser"),
                message(1, &[attribute(tensor(5, "in a constant")), attribute(tensor(10, "in a list"))]),
                message(1, &[attribute(inner)]),
                message(1, &[attribute(message(22, &[tensor(1, "in a sparse constant")]))]),
                sparse,
            ],
        );
        let function = message(
            25,
            &[
                message(7, &[attribute(tensor(5, "in a function"))]),
                message(11, &[tensor(5, "in a function's default")]),
            ],
        );
        let training = message(20, &[message(1, &[tensor(5, "in training")])]);
        let mut all = [
            "initialiser",
            "in a constant",
            "in a list",
            "in a graph in a node",
            "in a sparse constant",
            "sparse values",
            "sparse indices",
            "in a function",
            "in a function's default",
            "in training",
        ];
        all.sort_unstable();
        assert_eq!(found(&[graph, function, training].concat()).unwrap(), all);
        assert_eq!(found(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_cut_off_or_nested_without_end_is_no_network() {
        let whole = message(7, &[tensor(5, "weights")]);
        for end in 1..whole.len() {
            assert!(found(&whole[..end]).is_err(), "{end}");
        }
        assert!(found(b"nonsense").is_err() && found(&[0xff; 30]).is_err());
        // An inner message longer than the outer one.
        assert!(found(&[7 << 3 | 2, 2, 5 << 3 | 2, 100, 0, 0, 0]).is_err());
        let nested = (0..60).fold(Vec::new(), |inner, _| message(1, &[message(5, &[message(6, &[inner])])]));
        assert!(found(&message(7, &[nested])).is_err());
    }
}
