//! User data headers (3GPP TS 23.040 §9.2.3.24).

use super::Shifts;

/// A user data header. Elements that run past its end are ignored with all that follows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Udh<'a> {
    /// Without the length octet.
    elements: &'a [u8],
    /// With it; 0 if there is no header.
    octets: usize,
}

/// One information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub id: u8,
    /// At most 253 octets.
    pub data: &'a [u8],
}

/// Which part of which long text: element 0x00 or 0x08.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// Below 256 unless it is wide.
    pub reference: u16,
    /// Whether the reference has 16 bits.
    pub wide: bool,
    /// 1-255.
    pub total: u8,
    /// 1-total.
    pub number: u8,
}

impl Concat {
    /// Octets of its element.
    pub const fn octets(wide: bool) -> usize {
        if wide { 6 } else { 5 }
    }

    /// Of values that make sense together.
    pub const fn new(reference: u16, wide: bool, total: u8, number: u8) -> Option<Self> {
        if number == 0 || number > total {
            return None;
        }
        Some(Self { reference, wide, total, number })
    }
}

impl<'a> Udh<'a> {
    /// No header.
    pub const fn none() -> Self {
        Self { elements: &[], octets: 0 }
    }

    /// Cuts the header off `user_data`: it and the text behind it. None, and all is text, if it is longer than the data.
    pub fn cut(user_data: &'a [u8]) -> (Self, &'a [u8]) {
        let Some((length, rest)) = user_data.split_first() else {
            return (Self::none(), user_data);
        };
        match rest.split_at_checked(usize::from(*length)) {
            Some((elements, text)) => (Self { elements, octets: 1 + elements.len() }, text),
            None => (Self::none(), user_data),
        }
    }

    /// Octets that it takes of the user data, its length octet included; 0 if there is none.
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// The elements, in order.
    pub fn elements(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let mut rest = self.elements;
        std::iter::from_fn(move || {
            let ([id, length], behind) = rest.split_first_chunk()?;
            let (data, behind) = behind.split_at_checked(usize::from(*length))?;
            rest = behind;
            Some(Element { id: *id, data })
        })
    }

    /// Which part it makes of the message. Elements that make no sense are ignored, and the last of the others counts.
    pub fn concat(&self) -> Option<Concat> {
        let read = |element: Element<'_>| match (element.id, element.data) {
            (CONCAT_8, [reference, total, number]) => {
                Concat::new(u16::from(*reference), false, *total, *number)
            }
            (CONCAT_16, [high, low, total, number]) => {
                Concat::new(u16::from_be_bytes([*high, *low]), true, *total, *number)
            }
            // Another element, or one of a wrong length.
            _ => None,
        };
        self.elements().filter_map(read).last()
    }

    /// The national tables that it names; the last of each counts.
    pub fn shifts(&self) -> Shifts {
        let mut shifts = Shifts::NONE;
        for element in self.elements() {
            match (element.id, element.data) {
                (SINGLE_SHIFT, [language]) => shifts.single = *language,
                (LOCKING_SHIFT, [language]) => shifts.locking = *language,
                // Another element, or one of a wrong length.
                _ => {}
            }
        }
        shifts
    }

    /// Destination and originator port; the last element counts.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let read = |element: Element<'_>| match (element.id, element.data) {
            (PORTS_8, [to, from]) => Some((u16::from(*to), u16::from(*from))),
            (PORTS_16, [t0, t1, f0, f1]) => {
                Some((u16::from_be_bytes([*t0, *t1]), u16::from_be_bytes([*f0, *f1])))
            }
            // Another element, or one of a wrong length.
            _ => None,
        };
        self.elements().filter_map(read).last()
    }
}

impl Element<'_> {
    /// Whether it says which part of a long text this is.
    pub const fn is_concat(&self) -> bool {
        matches!(self.id, CONCAT_8 | CONCAT_16)
    }

    /// Whether it names a national table.
    pub const fn is_shift(&self) -> bool {
        matches!(self.id, SINGLE_SHIFT | LOCKING_SHIFT)
    }
}

/// A user data header under construction; holds itself.
#[derive(Clone, Debug)]
pub struct UdhBuilder {
    octets: [u8; 256],
    /// Without the length octet.
    len: u8,
}

impl Default for UdhBuilder {
    fn default() -> Self {
        Self { octets: [0; 256], len: 0 }
    }
}

impl UdhBuilder {
    /// Adds an element; `false`, and nothing is added, if there is no room for it in the 255 octets of a header.
    #[must_use]
    pub fn push(&mut self, element: Element<'_>) -> bool {
        let start = 1 + usize::from(self.len);
        let end = start + 2 + element.data.len();
        let (Ok(length), Ok(len)) = (u8::try_from(element.data.len()), u8::try_from(end - 1)) else {
            return false;
        };
        self.octets[start] = element.id;
        self.octets[start + 1] = length;
        self.octets[start + 2..end].copy_from_slice(element.data);
        self.len = len;
        self.octets[0] = len;
        true
    }

    /// Adds the element that says which part this is; `false` if there is no room for it.
    #[must_use]
    pub fn push_concat(&mut self, concat: Concat) -> bool {
        let [high, low] = concat.reference.to_be_bytes();
        let (total, number) = (concat.total, concat.number);
        match concat.wide {
            true => self.push(Element { id: CONCAT_16, data: &[high, low, total, number] }),
            false => self.push(Element { id: CONCAT_8, data: &[low, total, number] }),
        }
    }

    /// Adds the elements that name the tables of `shifts`; `false` if there is no room for them.
    #[must_use]
    pub fn push_shifts(&mut self, shifts: Shifts) -> bool {
        let one = |builder: &mut Self, id, language| {
            language == 0 || builder.push(Element { id, data: &[language] })
        };
        one(self, SINGLE_SHIFT, shifts.single) && one(self, LOCKING_SHIFT, shifts.locking)
    }

    /// The header with its length octet; empty without elements.
    pub fn as_bytes(&self) -> &[u8] {
        match self.len {
            0 => &[],
            len => &self.octets[..=usize::from(len)],
        }
    }
}

const CONCAT_8: u8 = 0x00;
const CONCAT_16: u8 = 0x08;
const PORTS_8: u8 = 0x04;
const PORTS_16: u8 = 0x05;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

#[cfg(test)]
mod tests {
    use super::*;

    const fn narrow(reference: u16, total: u8, number: u8) -> Concat {
        Concat { reference, wide: false, total, number }
    }

    /// T5: 8 and 16 bit, not first, beside other elements.
    #[test]
    fn part_is_found_wherever_its_element_stands() {
        let (udh, text) = Udh::cut(&[5, 0, 3, 0xCC, 2, 1, b'x']);
        assert_eq!((udh.concat(), text, udh.octets()), (Some(narrow(0xCC, 2, 1)), &b"x"[..], 6));

        let (udh, text) = Udh::cut(&[12, 5, 4, 0x0B, 0x84, 0x23, 0xF0, 8, 4, 0x12, 0x34, 3, 2]);
        assert_eq!(udh.concat(), Some(Concat { reference: 0x1234, wide: true, total: 3, number: 2 }));
        assert_eq!(udh.ports(), Some((2948, 9200)));
        assert!(text.is_empty());
        assert_eq!(udh.elements().count(), 2);
    }

    #[test]
    fn last_element_that_makes_sense_counts() {
        let (udh, _) = Udh::cut(&[15, 0, 3, 1, 2, 1, 0, 3, 9, 2, 2, 0, 3, 7, 2, 3]);
        assert_eq!(udh.concat(), Some(narrow(9, 2, 2)), "number 3 of 2 makes none");

        let (udh, _) = Udh::cut(&[6, 0x25, 1, 1, 0x25, 1, 3]);
        assert_eq!(udh.shifts(), Shifts { locking: 3, single: 0 });
        for broken in [[5, 0, 3, 1, 0, 0], [5, 0, 3, 1, 2, 0], [5, 8, 3, 1, 2, 1]] {
            assert_eq!(Udh::cut(&broken).0.concat(), None, "{broken:?}");
        }
    }

    #[test]
    fn element_past_the_end_hides_the_rest_and_not_the_text() {
        let (udh, text) = Udh::cut(&[6, 0x24, 1, 1, 0, 3, 9, b'h', b'i']);

        assert_eq!(udh.shifts().single, 1);
        assert_eq!((udh.elements().count(), udh.concat(), text), (1, None, &b"hi"[..]));
        assert_eq!(Udh::cut(&[3, 0, 0]), (Udh::none(), &[3, 0, 0][..]), "longer than the data");
        assert_eq!(Udh::cut(&[]), (Udh::none(), &[][..]));
        let (empty, text) = Udh::cut(&[0, b'x']);
        assert_eq!((empty.octets(), text), (1, &b"x"[..]));
    }

    #[test]
    fn what_is_written_is_read() {
        let wide = Concat { reference: 0xABCD, wide: true, total: 255, number: 255 };
        let shifts = Shifts { locking: 6, single: 7 };
        for concat in [wide, narrow(0xAB, 2, 1)] {
            let mut builder = UdhBuilder::default();
            assert!(builder.push(Element { id: 0x70, data: &[1, 2, 3] }));
            assert!(builder.push_concat(concat) && builder.push_shifts(shifts));

            let (udh, text) = Udh::cut(builder.as_bytes());

            assert_eq!((udh.concat(), udh.shifts(), text), (Some(concat), shifts, &[][..]));
            assert_eq!(udh.octets(), 1 + 5 + Concat::octets(concat.wide) + 6);
            assert_eq!(udh.elements().next(), Some(Element { id: 0x70, data: &[1, 2, 3] }));
        }
        assert!(UdhBuilder::default().as_bytes().is_empty());
    }

    #[test]
    fn header_has_255_octets_at_most() {
        let mut builder = UdhBuilder::default();
        assert!(builder.push(Element { id: 0x70, data: &[7; 250] }));

        assert!(!builder.push(Element { id: 0x71, data: &[1, 2] }));
        assert!(builder.push(Element { id: 0x71, data: &[1] }));

        assert_eq!(builder.as_bytes().len(), 256);
        assert_eq!(Udh::cut(builder.as_bytes()).0.elements().count(), 2);
        assert!(!UdhBuilder::default().push(Element { id: 1, data: &[0; 254] }));
    }
}
