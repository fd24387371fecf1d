//! How a walk gets from one frame to its caller: one rule for each address.
//!
//! A rule is learned by watching the unwinder take the step with registers and
//! memory that are made up. Each value in them occurs once, so that where the
//! results come from can be read off them: an offset from the stack pointer or
//! the frame pointer, or the word that was read there. What cannot be said that
//! way, such as the result of an expression over memory, has no rule and is left
//! to the unwinder each time.

use super::memory::StackMemory;

/// A frame that a walk is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The instruction pointer in the innermost frame, in others the address
    /// that their callee returns to.
    pub(crate) address: u64,
    pub(crate) sp: u64,
    pub(crate) fp: u64,
    /// The link register, where the architecture has one.
    pub(crate) link: u64,
    pub(crate) is_innermost: bool,
}

impl Frame {
    /// The frame that is returned to at `address`.
    pub(crate) fn caller(address: u64, sp: u64, fp: u64) -> Self {
        Frame {
            address,
            sp,
            fp,
            link: address,
            is_innermost: false,
        }
    }
}

/// An address as so many words from the stack pointer or the frame pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    from_fp: bool,
    words: i16,
}

/// Bits of a place: which pointer, and words from −8,192 to 8,191, 64 KiB.
const PLACE_BITS: u32 = 15;

impl Place {
    /// The place of an address in a frame whose pointers are far apart.
    fn of(address: u64, frame: &Frame) -> Option<Self> {
        [(false, frame.sp), (true, frame.fp)]
            .into_iter()
            .find_map(|(from_fp, base)| {
                let bytes = address.wrapping_sub(base).cast_signed();
                let words = i16::try_from(bytes / 8).ok()?;
                let fits = bytes % 8 == 0 && words == words << 2 >> 2;
                fits.then_some(Place { from_fp, words })
            })
    }

    fn bits(self) -> u64 {
        let words = u64::from(self.words.cast_unsigned()) & 0x3fff;
        words << 1 | u64::from(self.from_fp)
    }
}

/// The way from a frame to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// There is no caller.
    End,
    /// There is one.
    Caller {
        /// Its stack pointer.
        sp: Place,
        /// Where the address lies that it is returned to at.
        address: Place,
        /// Where its frame pointer was saved; it is unchanged if nowhere.
        fp: Option<Place>,
    },
}

/// A rule as it is kept: three places, and what of them counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed(u64);

/// Bits of a packed rule.
pub(crate) const RULE_BITS: u32 = 3 * PLACE_BITS + 3;

const IS_CALLER: u64 = 1 << (3 * PLACE_BITS);
const SAVES_FP: u64 = IS_CALLER << 1;
/// The return address is the word below the caller's stack pointer.
const CALLED: u64 = IS_CALLER << 2;

impl Packed {
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Packed(bits)
    }

    /// The address of one of the three places.
    #[inline(always)]
    fn address(self, number: u32, frame: &Frame) -> u64 {
        let above = u64::BITS - (number + 1) * PLACE_BITS;
        let words = (self.0 << above).cast_signed() >> (u64::BITS - PLACE_BITS + 1);
        let from_fp = self.0 >> (number * PLACE_BITS) & 1 == 1;
        let base = if from_fp { frame.fp } else { frame.sp };
        base.wrapping_add_signed(words << 3)
    }

    /// The caller, or the end. `Err` where something is not as usual: the unwinder
    /// has to judge.
    #[inline(always)]
    pub(crate) fn apply(self, frame: &Frame, memory: &StackMemory) -> Step {
        if self.0 & IS_CALLER == 0 {
            return Ok(None);
        }
        let sp = self.address(0, frame);
        let called = self.0 & CALLED != 0;
        let below = sp.wrapping_sub(8);
        let place = if called {
            below
        } else {
            self.address(1, frame)
        };
        let address = memory.read(place).ok_or(())?;
        let mut fp = frame.fp;
        if self.0 & SAVES_FP != 0 {
            fp = memory.read(self.address(2, frame)).ok_or(())?;
            // On aarch64 a chain of frame pointers ends where it does not lead up.
            if cfg!(target_arch = "aarch64") && self.0 & 1 == 1 && fp <= frame.fp {
                return Err(());
            }
        }
        if sp <= frame.sp || address == 0 {
            return Err(());
        }
        Ok(Some(Frame::caller(address, sp, fp)))
    }
}

impl Rule {
    pub(crate) fn packed(self) -> Packed {
        let Rule::Caller { sp, address, fp } = self else {
            return Packed(0);
        };
        let below = Place {
            words: sp.words.wrapping_sub(1),
            ..sp
        };
        let called = if address == below { CALLED } else { 0 };
        let saved = fp.map_or(0, |fp| SAVES_FP | fp.bits() << (2 * PLACE_BITS));
        Packed(IS_CALLER | called | saved | address.bits() << PLACE_BITS | sp.bits())
    }

    /// The rule by which `step` gets from a frame to its caller. It is called with
    /// pointers that are made up, and reads words that are made up; `Err` is what
    /// an unwinder says that cannot take the step.
    pub(crate) fn learn(
        frame: &Frame,
        mut step: impl FnMut(&Frame, &mut Words) -> Step,
    ) -> Option<Rule> {
        let mut trial = |number: u64| {
            let mut words = Words::new(number);
            let made_up = Frame {
                sp: (1 << 40) + (number << 24),
                fp: (1 << 44) + (number << 28),
                ..*frame
            };
            let outcome = step(&made_up, &mut words).ok()?;
            words.explain(&made_up, outcome)
        };
        let rule = trial(1)?;
        (trial(2)? == rule).then_some(rule)
    }
}

/// What an unwinder makes of a frame: the caller, or the end of the stack.
pub(crate) type Step = Result<Option<Frame>, ()>;

/// Memory that is made up: every word of it occurs nowhere else. It remembers
/// the last words that were read.
pub(crate) struct Words {
    seed: u64,
    read: [u64; 4],
    count: usize,
}

impl Words {
    fn new(seed: u64) -> Self {
        Words {
            seed,
            read: [0; 4],
            count: 0,
        }
    }

    /// The word at an address.
    pub(crate) fn read(&mut self, address: u64) -> u64 {
        if let Some(place) = self.read.get_mut(self.count % 4) {
            *place = address;
        }
        self.count += 1;
        self.word(address)
    }

    /// Above all addresses that are made up, and no multiple of eight.
    fn word(&self, address: u64) -> u64 {
        let mixed = (address ^ self.seed << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        1 << 62 | mixed >> 3 | 1
    }

    /// Where a word was read from that has this value.
    fn source(&self, value: u64, frame: &Frame) -> Option<Place> {
        let read = self.read.iter().take(self.count);
        let address = read.copied().find(|&address| self.word(address) == value)?;
        Place::of(address, frame)
    }

    fn explain(&self, frame: &Frame, outcome: Option<Frame>) -> Option<Rule> {
        let Some(caller) = outcome else {
            return Some(Rule::End);
        };
        let fp = if caller.fp == frame.fp {
            None
        } else {
            Some(self.source(caller.fp, frame)?)
        };
        Some(Rule::Caller {
            sp: Place::of(caller.sp, frame)?,
            address: self.source(caller.address, frame)?,
            fp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        (any::<bool>(), -8192i16..8192).prop_map(|(from_fp, words)| Place { from_fp, words })
    }

    fn rule() -> impl Strategy<Value = Rule> {
        (place(), place(), prop::option::of(place())).prop_map(|(sp, address, fp)| Rule::Caller {
            sp,
            address,
            fp,
        })
    }

    impl Place {
        fn address(self, frame: &Frame) -> u64 {
            let base = if self.from_fp { frame.fp } else { frame.sp };
            base.wrapping_add_signed(i64::from(self.words) * 8)
        }
    }

    /// An unwinder that goes by a rule.
    fn by(rule: Rule) -> impl FnMut(&Frame, &mut Words) -> Step {
        move |frame, words| {
            let Rule::Caller { sp, address, fp } = rule else {
                return Ok(None);
            };
            let address = words.read(address.address(frame));
            let fp = fp.map_or(frame.fp, |fp| words.read(fp.address(frame)));
            Ok(Some(Frame::caller(address, sp.address(frame), fp)))
        }
    }

    proptest! {
        #[test]
        fn what_is_learned_is_what_was_done(rule in rule()) {
            let frame = Frame::caller(0x55_0000, 0x7f_0000, 0x7f_0100);
            prop_assert_eq!(Rule::learn(&frame, by(rule)), Some(rule));
            let Rule::Caller { sp, address, fp } = rule else { unreachable!() };
            let packed = rule.packed();
            prop_assert!(packed.bits() >> RULE_BITS == 0);
            prop_assert_eq!(packed.address(0, &frame), sp.address(&frame));
            prop_assert_eq!(packed.address(1, &frame), address.address(&frame));
            if let Some(fp) = fp {
                prop_assert_eq!(packed.address(2, &frame), fp.address(&frame));
            }
        }
    }

    /// On real memory: this function's own words.
    #[test]
    fn rules_are_applied_to_memory() {
        let words: [u64; 64] = std::array::from_fn(|index| 1000 + index as u64);
        let words = std::hint::black_box(&words);
        let at = |index: usize| &raw const words[index] as u64;
        let memory = StackMemory::from(at(0), crate::thread::stack_bounds());
        let frame = Frame::caller(0x55_0000, at(10), at(20));
        let place = |from_fp, words| Place { from_fp, words };
        let rule = |sp, address, fp| Rule::Caller { sp, address, fp }.packed();
        let (sp, fp) = (place(false, 5), place(true, 2));
        let cases = [
            (rule(sp, place(false, 4), None), Ok((1014, 15, at(20)))),
            (
                rule(sp, place(false, -3), Some(place(true, 1))),
                Ok((1007, 15, 1021)),
            ),
            (
                rule(fp, place(true, 1), Some(place(true, 0))),
                Ok((1021, 22, 1020)),
            ),
            (rule(place(false, 0), place(false, 4), None), Err(())),
            (rule(place(false, -1), place(false, 4), None), Err(())),
            (rule(sp, place(false, -11), None), Err(())),
            (rule(sp, place(false, 4), Some(place(true, -8000))), Err(())),
        ];
        for (rule, expected) in cases {
            let expected =
                expected.map(|(address, sp, fp)| Some(Frame::caller(address, at(sp), fp)));
            assert_eq!(rule.apply(&frame, &memory), expected, "{rule:x?}");
        }
    }

    #[test]
    fn the_end_is_a_rule_and_what_is_not_an_offset_is_none() {
        #[expect(clippy::unnecessary_wraps, reason = "what a step returns")]
        fn caller(address: u64, sp: u64, fp: u64) -> Step {
            Ok(Some(Frame::caller(address, sp, fp)))
        }
        let frame = Frame::caller(0x55_0000, 0x7f_0000, 0x7f_0100);
        assert_eq!(Rule::learn(&frame, by(Rule::End)), Some(Rule::End));
        let here = StackMemory::from(0, None);
        assert_eq!(Rule::End.packed().apply(&frame, &here), Ok(None));
        // A stack pointer that was read, or rounded down; a link register; a frame
        // pointer that was added to; no step at all.
        let odd: [fn(&Frame, &mut Words) -> Step; 5] = [
            |frame, words| {
                let sp = words.read(frame.sp + 160);
                caller(words.read(frame.sp + 168), sp, frame.fp)
            },
            |frame, words| {
                let sp = (frame.fp - 40) & !0xfff_ffff;
                caller(words.read(frame.sp + 8), sp, frame.fp)
            },
            |frame, _| caller(frame.link, frame.sp + 16, frame.fp),
            |frame, words| caller(words.read(frame.sp), frame.sp + 8, frame.fp + 8),
            |_, _| Err(()),
        ];
        for step in odd {
            assert_eq!(Rule::learn(&frame, step), None);
        }
    }
}
