//! Protocol buffers as the fields that they are made of: what is not touched is written back byte for byte.

use super::Malformed;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    /// Text, bytes, packed numbers or a message.
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
}

/// A message: its fields in file order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message(Vec<(u64, Value)>);

impl Message {
    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            let value = match tag & 7 {
                0 => Value::Varint(varint(&mut bytes)?),
                1 => Value::Fixed64(array(&mut bytes)?),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).map_err(|_| Malformed)?;
                    let (value, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
                    bytes = rest;
                    Value::Bytes(value.to_vec())
                }
                5 => Value::Fixed32(array(&mut bytes)?),
                _ => return Err(Malformed),
            };
            fields.push((tag >> 3, value));
        }
        Ok(Self(fields))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (field, value) in &self.0 {
            match value {
                Value::Varint(number) => {
                    put(&mut out, field << 3);
                    put(&mut out, *number);
                }
                Value::Fixed64(bytes) => {
                    put(&mut out, field << 3 | 1);
                    out.extend(bytes);
                }
                Value::Bytes(bytes) => {
                    put(&mut out, field << 3 | 2);
                    put(&mut out, bytes.len() as u64);
                    out.extend(bytes);
                }
                Value::Fixed32(bytes) => {
                    put(&mut out, field << 3 | 5);
                    out.extend(bytes);
                }
            }
        }
        out
    }

    /// Adds a field at the end.
    pub(crate) fn with(mut self, field: u64, value: impl Into<Value>) -> Self {
        self.0.push((field, value.into()));
        self
    }

    /// The last number in a field, which is the one that counts.
    pub(crate) fn number(&self, field: u64) -> Option<u64> {
        self.0.iter().rev().find_map(|(number, value)| match value {
            Value::Varint(value) if *number == field => Some(*value),
            _ => None,
        })
    }

    /// All numbers in a repeated field, packed or not.
    pub(crate) fn numbers(&self, field: u64) -> Result<Vec<u64>, Malformed> {
        let mut found = Vec::new();
        for (_, value) in self.0.iter().filter(|(number, _)| *number == field) {
            match value {
                Value::Varint(number) => found.push(*number),
                Value::Bytes(packed) => {
                    let mut packed = packed.as_slice();
                    while !packed.is_empty() {
                        found.push(varint(&mut packed)?);
                    }
                }
                Value::Fixed32(_) | Value::Fixed64(_) => return Err(Malformed),
            }
        }
        Ok(found)
    }

    /// The values of a field that holds text, bytes or messages.
    pub(crate) fn all(&self, field: u64) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter_map(move |(number, value)| match value {
            Value::Bytes(bytes) if *number == field => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// The last of [`Self::all`].
    pub(crate) fn bytes(&self, field: u64) -> Option<&[u8]> {
        self.all(field).last()
    }

    /// The text in a field; empty if there is none.
    pub(crate) fn text(&self, field: u64) -> Result<String, Malformed> {
        String::from_utf8(self.bytes(field).unwrap_or_default().to_vec()).map_err(|_| Malformed)
    }

    /// The fields of several messages, one after the other.
    pub(crate) fn join(messages: [Self; 2]) -> Self {
        Self(messages.into_iter().flat_map(|message| message.0).collect())
    }

    /// Takes a field away.
    pub(crate) fn without(mut self, field: u64) -> Self {
        self.0.retain(|(number, _)| *number != field);
        self
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Varint(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&Message> for Value {
    fn from(message: &Message) -> Self {
        Self::Bytes(message.encode())
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = array(bytes)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (value, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*value)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back_and_what_is_cut_off_is_refused() {
        let inner = Message::default().with(1, 3_u64).with(1, vec![4, 0xac, 2]);
        let outer = Message::default().with(2, u64::MAX).with(4, "text").with(7, &inner);
        let mut bytes = outer.encode();
        bytes.extend([9 << 3 | 5, 1, 2, 3, 4, 10 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
        let read = Message::parse(&bytes).unwrap();
        assert_eq!(read.encode(), bytes);
        assert_eq!((read.number(2), read.text(4).unwrap()), (Some(u64::MAX), "text".to_owned()));
        let inner = Message::parse(read.bytes(7).unwrap()).unwrap();
        assert_eq!(inner.numbers(1).unwrap(), [3, 4, 300]);
        let lengths: Vec<usize> = (1..bytes.len()).filter(|&end| Message::parse(&bytes[..end]).is_ok()).collect();
        assert_eq!(lengths.len(), 4, "only where a field ends: {lengths:?}");
        assert!(Message::parse(&[3]).is_err() && Message::parse(&[0xff; 20]).is_err());
    }
}
