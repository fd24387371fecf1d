//! Numbers in as few bytes as they need, seven bits each, lowest first.

/// Appends a number.
pub(super) fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small numbers of either sign as small numbers.
pub(super) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

/// Appends a text, with its length before it.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    write(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads what was written; of bytes that are not whole, `None`.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(super) fn read(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn read_signed(&mut self) -> Option<i64> {
        let number = self.read()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// How many of something follow, each of which takes a byte at the least.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.read()?).ok()?;
        (count <= self.rest.len()).then_some(count)
    }

    /// So many bytes as they are.
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        let text = std::str::from_utf8(self.bytes(length)?);
        text.ok().map(str::to_owned)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(any::<i64>(), 0..20), shift in 0..64) {
            let mut bytes = Vec::new();
            for number in &numbers {
                write(&mut bytes, (*number as u64) >> shift);
                write(&mut bytes, zigzag(number >> shift));
            }
            let mut from = Reader::new(&bytes);
            for number in numbers {
                prop_assert_eq!(from.read(), Some((number as u64) >> shift));
                prop_assert_eq!(from.read_signed(), Some(number >> shift));
            }
            prop_assert!(from.is_at_end() && from.read().is_none());
        }
    }

    #[test]
    fn texts_come_back() {
        let mut bytes = Vec::new();
        for text in ["", "sessions", "größer"] {
            write_text(&mut bytes, text);
        }
        let mut from = Reader::new(&bytes);
        let texts: Vec<String> = std::iter::from_fn(|| from.text()).collect();
        assert_eq!(texts, ["", "sessions", "größer"]);
        assert!(from.is_at_end());
        assert_eq!(Reader::new(&[3, b'a', b'b']).text(), None, "too short");
        assert_eq!(Reader::new(&[1, 0xff]).text(), None, "no text");
        assert_eq!(Reader::new(&[9, 1, 1]).count(), None);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(Reader::new(&[0xff; 11]).read(), None);
        assert_eq!(Reader::new(&[0x80; 3]).read(), None);
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&most).read(), Some(u64::MAX));
        assert_eq!(zigzag(-1), 1);
    }
}
